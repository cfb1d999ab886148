"""How a pre-training is judged: what was forgotten, the model that no mask is asked of, which questions these were."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from novel import texts
from quickly import Train

from maskwright.base.errors import UserError
from maskwright.data.corpus import build
from maskwright.models import family
from maskwright.pretraining import judging
from maskwright.pretraining import run as runs
from maskwright.pretraining.judging import Judging
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens, corrupted
from maskwright.pretraining.run import Pretrained
from maskwright.tasks import MaskedLM
from maskwright.training.stop import Interrupted

pytestmark = pytest.mark.usefixtures("undrawn")


def figure(run: Pretrained, name: str) -> dict[str, float]:
    found: dict[str, float] = run.summary["figures"][name]
    return found


# What was forgotten


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The same novels with every word put for the one behind it in the alphabet: what is learnt from them is wrong of
    the first ones."""
    files, novels = tmp_path / "others", texts()
    files.mkdir()
    words = sorted(set(re.findall(r"\w+", " ".join(novels))))
    behind = dict(zip(words, [*words[1:], words[0]], strict=True))
    for number, text in enumerate(novels):
        (files / f"{number}.txt").write_text(re.sub(r"\w+", lambda found: behind[found[0]], text))
    return build(files, tmp_path / "other", {"held_out": 4}, quiet=True).folder


def test_what_a_model_forgets_has_a_figure(books: Path, other: Path, train: Train) -> None:
    first = train("first", budget="300 steps")
    run = train(text=other, model=first.model, remember=books, budget="200 steps", lr=3e-3)
    forgotten = figure(run, "forgotten")
    assert 0 < forgotten["low"] < forgotten["value"] < forgotten["high"]
    (said,) = [sentence for sentence in run.summary["verdict"] if "were forgotten" in sentence]
    assert f"of {books.name} (4 documents)" in said
    before = figure(first, "loss")["value"]
    assert f"{before:.3f} nats a piece before" in said, "the first run's figure of the same questions"
    assert f"{before + forgotten['value']:.3f} now" in said


def test_nothing_is_forgotten_where_the_model_stays(books: Path, train: Train) -> None:
    first = train("first")
    run = train(model=first.model, remember=books, lr=1e-12)
    assert figure(run, "forgotten")["value"] == pytest.approx(0, abs=1e-6)


def test_what_is_known_better_is_not_forgotten(books: Path, train: Train) -> None:
    run = train(model=train("first").model, remember=books, budget="200 steps")
    assert figure(run, "forgotten")["high"] < 0
    (said,) = [sentence for sentence in run.summary["verdict"] if "nothing was forgotten" in sentence]
    found = re.search(r"(\S+) \((\S+) to (\S+)\) fewer", said)
    assert found is not None
    value, low, high = map(float, found.groups())
    assert 0 < low < value < high


def test_only_a_trained_model_can_forget(books: Path, train: Train) -> None:
    with pytest.raises(UserError, match="remember is of a model that is gone on with; give --model"):
        train(remember=books)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"remember": "no/such/corpus"}, "'no/such/corpus': there is no such corpus or text"),
        ({"objective": "causal"}, "the objective 'causal' asks otherwise than it was trained. Leave --remember away"),
        ({"settings": {"objective": {"shift": True}}}, "the objective 'mlm' asks otherwise"),
    ],
)
def test_what_was_never_known_cannot_be_forgotten(
    options: dict[str, Any], said: str, books: Path, train: Train, tmp_path: Path
) -> None:
    """And that is found before anything is read."""
    model = train("first").model
    with pytest.raises(UserError, match=said):
        train(**{"model": model, "remember": books, **options})
    assert not any((tmp_path / "run").glob("*"))


def test_a_discriminator_forgets_nothing_that_its_generator_answers(books: Path, train: Train) -> None:
    model = train("first", family="electra").model
    with pytest.raises(UserError, match="the objective 'replaced-tokens' asks otherwise than it was trained"):
        train(model=model, remember=books, objective="replaced-tokens")


def test_a_generator_that_is_new_is_said_to_be_and_has_no_before(train: Train) -> None:
    model = train("first", family="electra", objective="replaced-tokens").model
    said: list[str] = []
    run = train(model=model, objective="replaced-tokens", say=said.append)
    assert any("comes without the generator, trained here from random weights" in note for note in said)
    assert "Before, it needed" not in " ".join(run.summary["verdict"])


# What an objective asks beside masked words


def test_the_order_of_held_out_pairs_is_judged(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """As transformers' class answers, of the saved model."""
    seen: list[Judging] = []
    real = Judging.in_the_end
    monkeypatch.setattr(Judging, "in_the_end", lambda self, *given: seen.append(self) or real(self, *given))
    run = train(family="bert", objective="next-sentence", dropout=0.0)
    theirs, right = transformers.BertForPreTraining.from_pretrained(run.model).eval(), []
    assert seen[0].own is not None
    for one in seen[0].own.asked:
        assert one.order is not None
        assert len(one.order) == 1
        with torch.no_grad():
            scores = theirs(one.batch.ids[None], token_type_ids=one.batch.segments[None]).seq_relationship_logits
        right.append(int(scores.argmax()) == int(one.order))
    order = figure(run, "order")
    assert order["value"] == pytest.approx(np.mean(right), abs=1.5 / len(right))
    assert any(f"Of {order['value']:.1%} of the held-out pairs" in sentence for sentence in run.summary["verdict"])


def test_one_held_out_document_makes_no_pairs(train: Train, tmp_path: Path) -> None:
    for number, text in enumerate(texts(12)):
        (tmp_path / f"{number}.txt").write_text(text)
    one = build(sorted(tmp_path.glob("*.txt")), tmp_path / "one", {"held_out": 1}, quiet=True).folder
    run = train(text=one, family="bert", objective="next-sentence", vocabulary=130)
    assert "order" not in run.summary["figures"]
    assert any("No pairs can be made of the held-out text" in sentence for sentence in run.summary["verdict"])
    swapped = train("swapped", text=one, family="bert", objective="sentence-order", vocabulary=130)
    assert 0 <= figure(swapped, "order")["value"] <= 1


def test_the_boundaries_of_held_out_spans_are_judged(train: Train) -> None:
    run = train(objective="span-boundary")
    value = figure(run, "boundary")["value"]
    assert 0 < value < np.log(1000)
    assert any(f"alone it needs {value:.3f} nats" in sentence for sentence in run.summary["verdict"])


# The model that names no masked words


def test_a_discriminator_is_judged_by_itself(train: Train) -> None:
    """The losses are its generator's, which is not kept; of itself it has a figure, and the verdict says both."""
    run = train(family="electra", objective="replaced-tokens", budget="150 steps")
    found, replaced = figure(run, "found"), figure(run, "replaced")
    assert found["low"] < found["value"] < found["high"]
    assert 0.05 < replaced["value"] < 0.15, "15 % are masked, and some of them are guessed"
    said = " ".join(run.summary["verdict"])
    assert "are those of the generator" in said
    assert f"tells for {found['value']:.1%} of the pieces" in said
    assert f"is right for {1 - replaced['value']:.1%}" in said


def test_its_figure_is_what_the_saved_model_gives(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.models import load_network

    seen: list[tuple[Judging, Any]] = []
    real = Judging.in_the_end

    def spied(self: Judging, built: Any, *given: Any) -> Any:
        seen.append((self, built))
        return real(self, built, *given)

    monkeypatch.setattr(Judging, "in_the_end", spied)
    run = train(family="electra", objective="replaced-tokens")
    ((asking, built),) = seen
    network = load_network(run.model, "pretraining").network.eval()
    right = pieces = 0
    with torch.no_grad():
        for one in asking.each.asked:
            scores = built.generator(one.batch, one.chosen).float()
            assert one.lots is not None
            drawn = (scores.softmax(-1).cumsum(-1) < one.lots[:, None].float()).sum(-1)
            text = corrupted(one.batch, one.chosen.tokens, drawn)
            replaced = text.ids != one.batch.ids.index_copy(0, one.chosen.tokens, one.labels)
            right += int(((network(text) > 0) == replaced).sum())
            pieces += len(replaced)
    assert figure(run, "found")["value"] == pytest.approx(right / pieces, abs=2 / pieces)


@pytest.mark.parametrize(("size", "generator"), [("small", "small-generator"), ("base", "base-generator")])
def test_a_generator_is_as_wide_as_electras(size: str, generator: str) -> None:
    kind = family("electra")
    found = ReplacedTokens().smaller(kind.PRESETS[size].config)
    wanted = kind.PRESETS[generator].config
    assert (found.width, found.heads, found.inner, found.layers) == (
        wanted.width,
        wanted.heads,
        wanted.inner,
        wanted.layers,
    )
    assert ReplacedTokens(width=0.5).smaller(kind.PRESETS[size].config).width == kind.PRESETS[size].config.width // 2


def test_one_sequence_gives_no_interval_and_a_verdict_all_the_same(train: Train) -> None:
    run = train(family="electra", objective="replaced-tokens", judge_sequences=1)
    assert figure(run, "found")["low"] is None
    assert any("% of the pieces whether the generator" in sentence for sentence in run.summary["verdict"])


def test_the_time_of_both_is_reserved(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the generator's answers and of the discriminator's."""
    calls: list[int] = []
    real = ReplacedTokens.beside

    def spied(self: Any, built: Any, held: Any, *given: Any) -> Any:
        calls.append(len(held.asked))
        return real(self, built, held, *given)

    monkeypatch.setattr(ReplacedTokens, "beside", spied)
    monkeypatch.setattr(judging, "_seconds", lambda work: (work(), 1.0)[1])
    monkeypatch.setattr(judging, "TIMED", 10)
    taken: list[tuple[float, float]] = []
    takes = Judging.takes
    monkeypatch.setattr(Judging, "takes", lambda *given: taken.append(takes(*given)) or taken[-1])
    monkeypatch.setattr(runs, "rates", lambda *given: [700.0])
    train(family="electra", objective="replaced-tokens", budget="60s", judge_sequences=20)
    assert taken == [(1.0, 2 * 20 / 10)]
    assert calls == [10, 20]


def test_pairs_are_left_alone_where_no_masked_piece_is_named(train: Train, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"sentence_good": "The [MASK].", "sentence_bad": "A."}) + "\n")
    run = train(objective="causal", pairs=tmp_path / "pairs.jsonl")
    assert "It names no masked pieces, so that the minimal pairs are not judged." in run.notes
    assert "minimal_pairs" not in run.summary["figures"]


def test_who_stops_the_probe_is_not_told_of_a_step(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: Any) -> Any:
        raise Interrupted(signal.SIGINT, 3)

    monkeypatch.setattr(runs, "rates", stopped)
    with pytest.raises(Interrupted, match=r"stopped by SIGINT before the first step$") as caught:
        train(budget="60s")
    assert caught.value.code == 130


# Which questions


def test_the_questions_are_known_by_a_digest(train: Train) -> None:
    """The same for other seeds and networks; others where the sequences are cut elsewhere."""
    one, seed, longer = train("one"), train("two", seed=3, size="1x16"), train("three", length=96)
    asked = one.summary["questions"]
    assert asked == seed.summary["questions"]
    assert asked["sequences"] == one.summary["reported"]["rows"]
    assert asked["longest"] <= 48
    assert asked["sha256"] != longer.summary["questions"]["sha256"]


def test_a_pair_that_cannot_be_judged_is_found_before_training(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [{"sentence_good": f"The baker bakes {i}.", "sentence_bad": f"The baker bake {i}."} for i in range(30)]
    pairs[25]["sentence_bad"] = "The baker [MASK] bread."
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    monkeypatch.setattr(runs.Run, "_train", lambda *given: pytest.fail("it was trained"))
    with pytest.raises(UserError, match=r"pairs.jsonl line 26: the bad sentence holds the special piece \[MASK\]"):
        train(pairs=tmp_path / "pairs.jsonl")


def test_a_fault_in_judging_costs_no_model(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept before it is judged; gone on with, the run ends as one that had no fault."""

    def fails(*given: Any) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(Judging, "in_the_end", fails)
        with pytest.raises(RuntimeError, match="a fault"):
            train(settings={"train": {"checkpoint_minutes": 0}})
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    run = train(settings={"train": {"checkpoint_minutes": 0}}, resume=True)
    whole = train("whole")
    weights = "model/model.safetensors"
    assert (run.folder / weights).read_bytes() == (whole.folder / weights).read_bytes()
    assert run.summary["figures"] == whole.summary["figures"]


# What is said of a model that is gone on with


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"vocabulary": 5000}, "not 5,000"),
        pytest.param(
            {"model": "minilm", "head_steps": 2, "budget": "20 steps", "judge_sequences": 4},
            "fitted on the frozen encoder",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_notes_of_what_was_prepared_outlive_a_kill(
    more: dict[str, Any], told: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vocabulary smaller than asked, and a head that was fitted, are told by the run that goes on too."""

    def dies(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "_course", dies)
        with pytest.raises(KeyboardInterrupt):
            train("killed", **more)
    run, whole = train("killed", resume=True, **more), train("whole", **more)
    assert run.notes == whole.notes
    assert any(told in note for note in run.notes)
    kept = [json.loads((one.folder / "config.json").read_text())["notes"] for one in (run, whole)]
    assert kept[0] == kept[1] == run.notes


@pytest.mark.parametrize(("first", "then", "told"), [(True, False, True), (False, True, True), (True, True, False)])
def test_a_head_that_answers_elsewhere_is_told(first: bool, then: bool, told: bool, train: Train) -> None:
    shifted = [{"settings": {"objective": {"shift": shift}}} for shift in (first, then)]
    model = train("first", **shifted[0]).model
    run = train(model=model, **shifted[1])
    assert any("its head begins one place off" in note for note in run.notes) == told


def test_a_length_beyond_what_a_network_without_a_table_was_made_for_is_refused(train: Train) -> None:
    with pytest.raises(UserError, match=r"sequences of 9,000 pieces.* 8,192 positions.*network\.positions=9000"):
        train(length=9000, batch_tokens=9000)
    run = train(length=64, settings={"network": {"positions": 64}})
    assert MaskedLM.load(run.model).max_length == 64
    assert np.isfinite(figure(run, "loss")["value"])
