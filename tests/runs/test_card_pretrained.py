"""The card of a pre-trained model, of real small runs: what it says is so, and what it tells a person to type works."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from novel import corpus as novel_corpus
from quickly import pretrained

from maskwright import __version__
from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.cli.main import main
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.run import Pretrained
from maskwright.runs.card import card, md
from maskwright.tasks import MaskedLM

pytestmark = pytest.mark.usefixtures("undrawn")

#: The kinds of models that come out.
RUNS: dict[str, dict[str, Any]] = {
    "masked": {},
    "shifted": {"objective": {"name": "mlm", "shift": True}},
    "next": {"objective": "causal"},
    "mixed": {"objective": "mixture"},
    "in turn": {"objective": {"name": "mixture", "parts": ["causal", "mlm"], "shares": [0.4, 0.6], "order": "then"}},
    "pairs": {"family": "bert", "objective": "next-sentence"},
    "discriminator": {"family": "electra", "objective": "replaced-tokens"},
    "discriminator of DeBERTa": {"family": "deberta-v2", "objective": "replaced-tokens"},
    "arm": {"family": "left-to-right"},
}
FILLS = {"masked", "mixed", "in turn", "pairs", "shifted", "arm"}
#: The class of transformers that the card uses; of the arm there is none.
THEIRS = {
    **dict.fromkeys(("masked", "in turn", "pairs"), "AutoModelForMaskedLM"),
    **dict.fromkeys(("shifted", "next", "mixed", "discriminator", "discriminator of DeBERTa"), "AutoModel"),
}
Made = Callable[[str], Pretrained]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs lie, beside the text that they learnt from."""
    return tmp_path_factory.mktemp("pretrained")


@pytest.fixture(scope="module")
def made(place: Path) -> Made:
    """A run of each kind, trained when it is first asked for."""
    stories = novel_corpus(place).folder.rename(place / "stories")

    @cache
    def make(name: str) -> Pretrained:
        text, options = stories, {"budget": "20 steps", **RUNS.get(name, {})}
        if name == "from texts":
            text = place / "texts"
        if name == "further":
            options |= {"model": make("masked").model, "length": 32}
        return pretrained(text, place / name.replace(" ", "-"), **options)

    return make


@pytest.fixture
def changed(made: Made, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the run of masked words, with other settings or without some of its files."""

    def change(*without: str, sources: dict[str, Any] | None = None, learnt: str = "", **settings: Any) -> Path:
        folder = Path(shutil.copytree(made("masked").folder, tmp_path / "changed"))
        config = json.loads((folder / "config.json").read_text())
        config["settings"] |= settings
        (folder / "config.json").write_text(json.dumps(config))
        if sources:
            metrics = json.loads((folder / "metrics.json").read_text())
            metrics["data"]["sources"] = sources
            metrics["learnt"] = learnt
            (folder / "metrics.json").write_text(json.dumps(metrics))
        for name in without:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
        return folder

    return change


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """What a person is told to type, but for the repetition of the run."""
    lines = [line for block in blocks(text.partition("## Repeat it")[0], "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines]


def typed(words: list[str]) -> int:
    """The exit code of one command line."""
    try:
        return main(words[1:])
    except SystemExit as left:
        return int(left.code or 0)


# What it says


def test_it_says_what_it_is_and_what_it_read(made: Made, place: Path) -> None:
    run = made("masked")
    text = (run.model / "README.md").read_text(encoding="utf-8")
    assert text == (run.folder / "README.md").read_text(encoding="utf-8") == card(run.folder)
    read = run.summary["read"]
    assert (
        f"An encoder (`modernbert`, `1x32`), pre-trained from random weights on the text `stories` by maskwright "
        f"{__version__}. What it learnt: masked language modelling (masked: 30 % of the pieces at first and 15 % in "
        "the end, each by itself; \\[MASK\\] in the place of all). It read "
        f"{read['tokens']:,} pieces in 20 steps, which is the text {read['passes']:.2f} times.\n"
    ) in text
    count = run.summary["reported"]["rows"]
    assert f"On {count} sequences of stories (held-out); in brackets the 95 % interval over sequences." in text
    assert re.search(r"^\| this model \| \d\.\d+ \(\d", text, re.MULTILINE)
    assert re.search(r"^\| how often each piece comes \| \d\.\d+ \|", text, re.MULTILINE)
    assert "| training documents | 36 |" in text
    for sentence in run.summary["verdict"]:
        assert text.count(md(sentence, 1000)) == 1, "told once"
    fingerprint = json.loads((run.folder / "config.json").read_text())["start"]["corpus"]
    assert f"| SHA-256 of the corpus begins | {fingerprint[:16]} |" in text
    assert str(place) not in text.partition("## Repeat it")[0]
    assert text.rstrip().endswith("```")
    assert "maskwright pretrain " in text.partition("## Repeat it")[2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "shifted",
            "masked language modelling, each masked piece from the one before it (masked: 30 % of the pieces at first "
            "and 15 % in the end, each by itself; \\[MASK\\] in the place of all).",
        ),
        ("next", "What it learnt: naming each piece from those before it. It read"),
        (
            "mixed",
            "What it learnt: in 50 % of the sequences masked language modelling, each masked piece from the one "
            "before it (masked: 15 % of the pieces, each by itself; \\[MASK\\] in the place of 80 %, a random piece in "
            "the place of 10 %, the rest kept), in 50 % of the sequences naming each piece from those before it.",
        ),
        (
            "in turn",
            "What it learnt: for 40 % of the training naming each piece from those before it, then for 60 % of the "
            "training masked language modelling (masked: ",
        ),
        ("pairs", "masked language modelling and whether the second text of a pair follows the first (masked: "),
        ("discriminator", "finding the pieces that a generator, trained beside it by masked language modelling,"),
    ],
)
def test_each_objective_is_told_in_words(name: str, said: str, made: Made) -> None:
    assert said in card(made(name).folder)


def test_every_part_of_ours_has_words() -> None:
    """And whatever is somebody's own goes by its name."""
    wordless = {name for name in names(PretrainingObjective) if not find(PretrainingObjective, name).learns}
    assert wordless == {"mixture"}, "it is told by its parts"
    assert all(find(Masking, name).chooses for name in names(Masking))

    class Mine(find(PretrainingObjective, "mlm")):  # type: ignore[misc]
        learns = ""

    assert Mine().told().startswith(f"{Mine().name} (masked: 15 % of the pieces, each by itself; ")


def test_text_goes_by_its_own_name_and_not_by_that_of_the_corpus_made_of_it(made: Made) -> None:
    run = made("from texts")
    assert run.summary["reported"]["source"] == str(run.folder / "corpus")
    text = card(run.folder)
    assert "from random weights on the text `texts` by maskwright" in text
    assert "sequences of texts (held-out)" in text
    assert ModelCard(text).data.eval_results[0].dataset_name == "texts"


def test_a_model_that_was_gone_on_with_is_named(made: Made, changed: Callable[..., Path]) -> None:
    text = card(made("further").folder)
    assert "The encoder `masked/model`, pre-trained further on the text `stories` by maskwright" in text
    assert "It was trained further on sequences of up to 32 pieces" in text
    assert "those of the base model and of the text hold" in text
    assert "from random weights" not in text
    assert "no capitals" not in text, "its vocabulary was not learnt here"
    data = ModelCard(card(changed(model="minilm"))).data.to_dict()
    assert data["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize("name", RUNS)
def test_no_card_speaks_of_a_fine_tuning_that_never_was(name: str, made: Made) -> None:
    text = card(made(name).folder)
    for wrong in ("maskwright predict", "mw.load(", "fine-tuned for the task", " rows of ", "labels and no others"):
        assert wrong not in text
    for wrong in ("is read in chunks", "undefined", "None"):
        assert wrong not in text


# What the hub reads


def test_the_hub_reads_what_it_is_for(made: Made) -> None:
    run = made("masked")
    data = ModelCard(card(run.folder)).data
    found = data.to_dict()
    del found["model-index"]
    assert found == {
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "tags": ["maskwright", "pre-training"],
        "metrics": ["loss", "bits_per_byte", "accuracy"],
    }
    result = data.eval_results[0]
    assert (result.task_type, result.dataset_name, result.dataset_split) == ("fill-mask", "stories", "held-out")
    assert result.dataset_args == {"sequences": run.summary["reported"]["rows"]}
    assert result.metric_value == run.summary["figures"]["loss"]["value"]


@pytest.mark.parametrize("name", RUNS)
def test_the_hub_is_promised_a_pipeline_only_where_it_answers_as_the_model_does(name: str, made: Made) -> None:
    data = ModelCard(card(made(name).folder)).data
    found = data.to_dict()
    same = THEIRS.get(name) == "AutoModelForMaskedLM"
    assert found.get("pipeline_tag") == ("fill-mask" if same else None)
    assert found["library_name"] == ("maskwright" if name == "arm" else "transformers")
    assert bool(data.eval_results) == (name in FILLS), "figures of masked pieces are of a model that names them"


def test_either_the_answers_or_a_sentence_stands_against_transformers(changed: Callable[..., Path]) -> None:
    """As of an objective of one's own, which may say nothing of it; and of what is found out in time to come."""
    folder = changed()
    described = folder / "model" / "maskwright.json"
    facts = json.loads(described.read_text())
    against = [{"answers": "before"}, {"transformers": ["There it reads [PAD] as a word."]}]
    for change, same in [({}, True), *((one, False) for one in against)]:
        described.write_text(json.dumps({**facts, **change}))
        text = card(folder)
        assert ModelCard(text).data.to_dict().get("pipeline_tag") == ("fill-mask" if same else None)
        assert ("AutoModelForMaskedLM" in text) == same
        assert "maskwright fill" in text
    assert "- There it reads \\[PAD\\] as a word.\n" in text


# What a person types


@pytest.mark.parametrize("name", RUNS)
def test_what_it_tells_to_ask_is_answered(
    name: str, made: Made, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = card(made(name).folder)
    verbs = [words[1] for words in commands(text)]
    assert verbs == (["fill", "score", "finetune"] if name in FILLS else ["finetune"])
    monkeypatch.chdir(place)
    for words in commands(text)[:-1]:
        assert typed(words) == 0, words
        assert len(capsys.readouterr().out.splitlines()) > 1
    python = [block for block in blocks(text, "python") if "maskwright" in block]
    assert len(python) == len(set(verbs) & {"fill", "finetune"})
    if name in FILLS:
        exec(python[0], {})
        assert "Filled(text='A [MASK] of your own.'" in capsys.readouterr().out
        return
    with pytest.raises(UserError):
        MaskedLM.load(made(name).model)
    assert "It names no masked pieces: maskwright fill and maskwright score refuse it." in text


def test_it_becomes_a_model_of_a_task_as_it_says(made: Made, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = card(made("masked").folder)
    whole = {"bakes bread": "food", "bakes a cake": "food", "mends a roof": "work", "mends the boat": "work"}
    rows = [f"the baker {does} at home,{label}" for does, label in whole.items() for _ in range(12)]
    (place / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    monkeypatch.chdir(place)
    quick = ["--seeds", "1", "--quiet", "--set", "train.epochs=1", "--set", "train.threads=1"]
    assert typed([*commands(text)[-1], *quick]) == 0
    assert (place / "runs" / "mine" / "model" / "config.json").is_file()
    shutil.rmtree(place / "runs")
    known: dict[str, Any] = {}
    exec(next(block for block in blocks(text, "python") if "finetune" in block), known)
    assert known["run"].summary["task"] == "classification"


@pytest.mark.parametrize("name", RUNS)
def test_what_it_tells_of_transformers_is_so(
    name: str, made: Made, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(name)
    text = card(run.folder)
    found = [block for block in blocks(text, "python") if "transformers" in block]
    assert len(found) == (name in THEIRS)
    for sentence in json.loads((run.model / "maskwright.json").read_text())["transformers"]:
        assert re.sub(r"\\(.)", r"\1", text).count(f"- {sentence}\n") == 1
    if not found:
        return
    monkeypatch.chdir(place)
    known: dict[str, Any] = {}
    exec(found[0], known)
    assert f"{THEIRS[name]}.from_pretrained" in found[0]
    _, loading = known[THEIRS[name]].from_pretrained(run.model, output_loading_info=True)
    assert not loading["missing_keys"], "nothing in it starts from random weights"
    if "scores" not in known:
        assert known["states"].shape == (1, known["batch"]["input_ids"].shape[1], 32)
        return
    asked = known["batch"]["input_ids"][0] == known["tokenizer"].mask_token_id
    theirs = known["scores"][0][asked].softmax(-1)
    mine = MaskedLM.load(run.model)
    mine.precision = "fp32"
    (filled,) = mine.fill(["A [MASK] of your own."], top=3)
    assert [c.probability for c in filled.masks[0]] == pytest.approx(theirs.topk(3).values[0].tolist(), abs=1e-5)


# Its limits


def test_what_it_says_of_long_texts_is_so(made: Made) -> None:
    text = card(made("pairs").folder)
    assert "A text of more than 512 pieces, special ones counted, is refused and not cut" in text
    assert "It was trained on sequences of up to 48 pieces; how it reads longer ones was not measured." in text
    model = MaskedLM.load(made("pairs").model)
    longest = "the " * 509
    assert model.tokenizer.encode([f"{longest}[MASK]"]).lengths[0] == 512
    assert model.fill([f"{longest}[MASK]"])
    with pytest.raises(UserError, match="513 pieces"):
        model.fill([f"{longest}the [MASK]"])
    for name in ("next", "discriminator"):
        assert "is refused and not cut" not in card(made(name).folder), "who is never asked refuses nothing"


def test_what_it_says_of_capitals_is_so(made: Made, changed: Callable[..., Path]) -> None:
    said = "Its vocabulary has no capitals and no accents: words that differ in these alone are one to it."
    assert said in card(made("masked").folder)
    one, other = MaskedLM.load(made("masked").model).score(["The Baker reads é.", "the baker reads e."])
    assert one.log_prob == other.log_prob
    assert said not in card(changed(cased=True))


def test_figures_hold_for_texts_like_these_and_for_no_task(made: Made) -> None:
    run = made("masked")
    text = card(run.folder)
    assert f"texts like those they were measured on ({run.summary['reported']['rows']} sequences of stories)" in text
    assert "They are of single pieces; what the encoder is worth for a task shows once" in text
    assert "It has no labels, and no answers of a task before it is fine-tuned." in text
    assert "No licence is stated here; that of the text holds." in text


def test_figures_of_a_generator_are_not_the_models(made: Made) -> None:
    run = made("discriminator")
    text = card(run.folder)
    figures = list(run.summary["figures"])
    (mine,) = re.findall(r"^\| this model \|(.*)\|$", text, re.MULTILINE)
    (others,) = re.findall(r"^\| its generator, which is not kept \|(.*)\|$", text, re.MULTILINE)
    known = {name for name, cell in zip(figures, mine.split("|"), strict=True) if cell.strip()}
    beside = {name for name, cell in zip(figures, others.split("|"), strict=True) if cell.strip()}
    assert known == {"found", "replaced"}
    assert {"loss", "bits_per_byte", "accuracy"} <= beside
    assert known | beside == set(figures)


# What is not there, and what anybody may have written


def test_a_run_that_is_not_finished_promises_nothing(changed: Callable[..., Path]) -> None:
    text = card(changed("model", "metrics.json"))
    assert "An encoder (`modernbert`, `1x32`), pre-trained from random weights" in text
    assert [words[1] for words in commands(text)] == ["finetune"]
    for wrong in ("transformers import", "refuse", "It read", "## Figures", "pipeline_tag"):
        assert wrong not in text


def test_hostile_names_are_no_markup(changed: Callable[..., Path], hostile: list[str]) -> None:
    for number, text in enumerate(hostile):
        folder = changed(family=text, size=text, out=text, learnt=text, sources={"train": {"source": text}})
        body = ModelCard(card(folder)).text
        body = re.sub(r"^(`{3,}).*?^\1$", "", body, flags=re.DOTALL | re.MULTILINE)
        body = re.sub(r"`[^`\n]*`", "", body)
        assert not re.search(r"(?<!\\)<", body), number
        assert len(body) < 50_000
        shutil.rmtree(folder)
