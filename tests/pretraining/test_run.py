"""A whole pre-training on a small text: what it leaves, what it refuses, and that it goes on to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from novel import texts
from quickly import QUICK, Train, pretrained

from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.data.corpus import Corpus, build
from maskwright.models import describe, load_network, save_network
from maskwright.nn.batch import Batch
from maskwright.pretraining import run as run_module
from maskwright.pretraining.collocations import collocations
from maskwright.pretraining.encoded import encode
from maskwright.pretraining.formats import Format
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.reading import learn
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("undrawn")

SRC = str(Path(__file__).parents[2] / "src")


@pytest.fixture
def usual() -> dict[str, Any]:
    return {"budget": "40 steps", "settings": {"train": {"evaluations": 2}}}


def test_a_run_leaves_a_proved_model_and_a_page(train: Train, tmp_path: Path) -> None:
    said: list[str] = []
    run = train(say=said.append, budget="300 steps")
    loss = run.summary["figures"]["loss"]
    assert loss["low"] < loss["value"] < loss["high"]
    plateau = run.summary["baselines"][0]["figures"]["loss"]["value"]
    assert loss["value"] < plateau - 0.5, "it knows more than how often words come"
    assert run.summary["verdict"][0].startswith("On held-out text (4 documents")
    for name in ("report.html", "README.md", "config.json", "metrics.json", "seeds/0/log.jsonl", "model/vocab.txt"):
        assert (run.folder / name).is_file(), name
    page = (run.folder / "report.html").read_text()
    assert "Pre-training" in page
    assert "passes over the text" in page
    steps = [json.loads(line) for line in (run.folder / "seeds/0/log.jsonl").read_text().splitlines()]
    judged = [line["evaluation"]["loss"] for line in steps if "evaluation" in line]
    assert len(judged) == 2
    assert judged[1] == pytest.approx(loss["value"], abs=1e-5), "the page's figure is the last evaluation's"
    described = json.loads((run.model / "maskwright.json").read_text())
    assert described["pretraining"]["name"] == "mlm"
    assert described["provenance"]["tokenizer"] == Tokenizer.from_folder(run.model).fingerprint()


def test_what_comes_out_is_theirs_too(train: Train) -> None:
    run = train()
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(run.model).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.model)
    mine = load_network(run.model, "masked-lm").network.eval()
    ids = torch.tensor(tokenizer("the baker bakes [MASK] at home.")["input_ids"])
    assert type(theirs).__name__ == "ModernBertForMaskedLM"
    ids_said = [getattr(theirs.config, f"{name}_token_id") for name in ("bos", "eos", "cls", "sep", "pad")]
    own = [getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "cls", "sep", "pad")]
    assert ids_said == own, "not those of the vocabulary that this family was published with"
    with torch.inference_mode():
        torch.testing.assert_close(
            mine(Batch.packed(ids, [len(ids)])), theirs(ids[None]).logits[0], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("name", names(PretrainingObjective))
def test_every_objective_leaves_the_network_that_it_trained(name: str, train: Train) -> None:
    """That each learns is tested where its steps are made (test_course)."""
    family = {"replaced-tokens": "electra"}.get(name, "bert")
    settings = {"train": {"evaluations": 1, "checkpoint_minutes": 60}}  # one is written in the end
    run = train(objective=name, family=family, settings=settings, budget="20 steps")
    head = {"replaced-tokens": "pretraining", "next-sentence": "pretraining", "sentence-order": "pretraining"}
    assert not load_network(run.model, head.get(name, "masked-lm")).new


@pytest.mark.parametrize("name", [name for name in names(Format) if find(Format, name).pairs])
def test_a_family_of_one_segment_reads_pairs(name: str, train: Train) -> None:
    run = train(family="roberta", settings={"objective": {"format": name}})
    assert run.summary["figures"]["loss"]["value"] < 7


@pytest.mark.parametrize("name", ["phrase", "pmi"])
def test_a_masking_with_a_file(name: str, train: Train, books: Path, tmp_path: Path) -> None:
    masking = {"name": name, "file": str(lexicon(name, books, tmp_path))}
    run = train(settings={"masking": masking}, budget="20 steps")
    assert json.loads((run.model / "maskwright.json").read_text())["pretraining"]["masking"]["name"] == name


def lexicon(name: str, books: Path, tmp_path: Path) -> Path:
    """A file of phrases, or of collocations of the same text."""
    file = tmp_path / f"{name}.npz"
    if name == "phrase":
        file.write_text("the old teacher\nmy neighbour\nnear the harbour\n")
        return file
    text = Corpus.open(books)
    tokenizer = learn(text, QUICK["vocabulary"], False, books)
    found = encode((document.sentences for document in text.documents("train")), tokenizer)
    blocks = [(found.ids.astype(np.int64), found.sentences[found.documents])]
    collocations(blocks, vocabulary_of(tokenizer), tokenizer.fingerprint(), size=50, least=5).save(file)
    return file


def outcome(folder: Path) -> dict[str, bytes]:
    kept = ("model/model.safetensors", "seeds/0/log.jsonl", "metrics.json")
    return {name: (folder / name).read_bytes() for name in kept}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need signals of POSIX")
def test_kills_change_nothing(books: Path, tmp_path: Path, spawn: Callable[[list[str]], Any]) -> None:
    """Data order, masks, optimizer and the average of the weights included; a budget of steps."""
    sets = [
        "train.checkpoint_minutes=0.0005",
        "train.evaluations=4",
        "train.threads=1",
        "network.attention_dropout=0.1",
    ]
    words = ["--quiet", "--budget", "120 steps", "--size", "1x32", "--vocabulary", "120", "--length", "48"]
    words += ["--batch-tokens", "600", *(word for one in sets for word in ("--set", one))]

    def command(out: Path, *more: str) -> list[str]:
        return ["pretrain", str(books), "--out", str(out), *words, *more]

    straight, killed = tmp_path / "straight" / "run", tmp_path / "killed" / "run"
    process = spawn(command(straight))
    process.join()
    assert process.exitcode == 0
    log = killed / "seeds" / "0" / "log.jsonl"

    def lines() -> int:
        return log.read_bytes().count(b"\n") if log.exists() else 0

    moments = np.random.default_rng(7)
    for _ in range(3):
        begun = lines()
        process = spawn(command(killed, "--resume"))
        until = time.monotonic() + 60
        while lines() < begun + 2 and time.monotonic() < until and process.exitcode is None:
            time.sleep(0.001)
        time.sleep(float(moments.uniform(0, 0.03)))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run was over before it could be killed"
    process = spawn(command(killed, "--resume"))
    process.join()
    assert process.exitcode == 0
    assert outcome(straight) == outcome(killed)


def test_minutes_become_steps_once(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that seems a twentieth as fast, so that a minute ends sooner here, also where others compute too."""
    probed = run_module.rates
    monkeypatch.setattr(run_module, "rates", lambda *given: [rate / 20 for rate in probed(*given)])
    run = train(budget="60s", judge_sequences=20, settings={"train": {"evaluations": 2}})
    frozen = json.loads((run.folder / "config.json").read_text())["frozen"]
    assert frozen["unit"] == "tokens"
    assert 0 < frozen["seconds"] < 60
    assert frozen["amount"] == pytest.approx(frozen["seconds"] * frozen["tokens_per_second"][0], rel=0.1)
    assert run.summary["read"]["tokens"] >= frozen["amount"]


def test_a_finished_run_is_not_done_again(train: Train, tmp_path: Path) -> None:
    train()
    said: list[str] = []
    train(resume=True, say=said.append)
    assert said == ["This run was already complete; nothing was done."]
    with pytest.raises(UserError, match="already holds a run"):
        train()
    with pytest.raises(UserError, match=r"seed was 0 and is 1"):
        train(resume=True, seed=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 4000, "family": "bert", "batch_tokens": 4000}, "512 positions.*network.positions"),
        ({"budget": "5 steps"}, "leaves 5 steps, fewer than the 20"),
        ({"budget": "1s"}, "used up before the first step"),
        ({"vocabulary": 10}, "vocabulary of 10 pieces is too small"),
        ({"objective": "next-sentence", "family": "modernbert"}, "trains the network 'pretraining'"),
        ({"objective": "next-sentence", "family": "electra"}, "no layer for. Take bert or albert"),
        ({"settings": {"network": {"vocabulary": 4000}}}, r"the tokenizer has 120 pieces, and the network a row"),
        ({"size": "1x75"}, "heads of 75 .*let a head be even"),
        ({"family": "bort"}, "bert"),
    ],
)
def test_what_cannot_be_is_said_with_a_way_out(
    options: dict[str, Any], said: str, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        train(**options)
    assert not any((tmp_path / "run").glob("*")), "what was mended can be said again"


def test_a_vocabulary_larger_than_the_words_allow_is_said(train: Train) -> None:
    said: list[str] = []
    train(vocabulary=5000, say=said.append)
    assert any("not 5,000: no other pair of pieces comes twice" in note for note in said)


def test_text_becomes_a_corpus_on_the_way(books: Path, tmp_path: Path) -> None:
    run = pretrained(books.parent / "texts", tmp_path / "run")
    assert (tmp_path / "run" / "corpus" / "corpus.json").is_file()
    assert run.summary["reported"]["split"] == "held-out"


def test_a_tokenizer_without_a_mask_is_refused(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]) + "\n")
    with pytest.raises(UserError, match=r"Masking needs a piece that hides others"):
        train(tokenizer=folder)


def test_special_pieces_that_the_text_spells_are_named(train: Train, tmp_path: Path) -> None:
    """Those of a tokenizer of one's own, which the corpus was not cleaned of; cleaned of them it is trained on."""
    files, made = tmp_path / "files", Tokenizer.from_folder(train("first").model)
    files.mkdir()
    for number, text in enumerate(texts(12)):
        (files / f"{number}.txt").write_text(text + " The <ent> is here, and <ent>.\n")
    made.save(tmp_path / "tokenizer")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    theirs.add_special_tokens({"additional_special_tokens": ["<ent>"]})
    theirs.save_pretrained(tmp_path / "tokenizer")
    plain = build(files, tmp_path / "plain", {"held_out": 2}, quiet=True).folder
    with pytest.raises(UserError, match=r"special pieces of this tokenizer: <ent> \(\d+ times\).*--special '<ent>'"):
        train("second", text=plain, tokenizer=tmp_path / "tokenizer")
    clean = build(files, tmp_path / "clean", {"held_out": 2, "specials": ["<ent>"]}, quiet=True).folder
    assert train("third", text=clean, tokenizer=tmp_path / "tokenizer").summary["figures"]["loss"]["value"] > 0


def test_too_little_held_out_text_is_said(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number, text in enumerate(texts(12)):
        (files / f"{number}.txt").write_text(text if number % 4 else f"{text.split()[number]} tale")
    names = tuple(f"{number}.txt" for number in range(0, 12, 4))
    held = build(files, tmp_path / "corpus", {"held_out_names": names}, quiet=True).folder
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        run = pretrained(held, tmp_path / "run", vocabulary=130)
    assert any("tell next to nothing of a network" in sentence for sentence in run.summary["verdict"])


def test_one_document_cannot_be_held_out(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(texts(1)[0])
    with pytest.raises(UserError, match="held"):
        pretrained(tmp_path / "one.txt", tmp_path / "run")
    made = build(tmp_path / "one.txt", tmp_path / "corpus", {}, quiet=True)
    with pytest.raises(UserError, match=r"no held-out documents.*--held-out 1%"):
        pretrained(made.folder, tmp_path / "another")


def test_pieces_of_another_tokenizer_or_cut_short_are_named(books: Path, tmp_path: Path) -> None:
    mine = tmp_path / "books"
    shutil.copytree(books, mine)
    shutil.rmtree(mine / "pieces", ignore_errors=True)
    pretrained(mine, tmp_path / "one")
    (pieces,) = (mine / "pieces").glob("train-*")
    whole = (pieces / "ids.bin").read_bytes()
    (pieces / "ids.bin").write_bytes(whole[:-8])
    with pytest.raises(UserError, match="cut short"):
        pretrained(mine, tmp_path / "two")
    (pieces / "ids.bin").write_bytes(whole[:-4] + whole[:4])
    with pytest.raises(UserError, match=r"damaged.*Remove that folder"):
        pretrained(mine, tmp_path / "two")
    (pieces / "ids.bin").write_bytes(whole)
    sentences = (pieces / "sentences.npy").read_bytes()
    (pieces / "sentences.npy").unlink()
    with pytest.raises(UserError, match=r"damaged.*Remove that folder"):
        pretrained(mine, tmp_path / "two")
    (pieces / "sentences.npy").write_bytes(sentences)
    told = json.loads((pieces / "pieces.json").read_text())
    told["made_by"]["tokenizer"] = "another"
    (pieces / "pieces.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"another tokenizer \(the fingerprints differ\)"):
        pretrained(mine, tmp_path / "three")


def test_repeated_lines_are_named_as_what_stalls_a_loss(tmp_path: Path) -> None:
    files = tmp_path / "texts"
    files.mkdir()
    for number, text in enumerate(texts(12)):
        (files / f"{number}.txt").write_text("\n".join(["All rights are reserved by the owner."] * 30) + "\n" + text)
    made = build(files, tmp_path / "corpus", {"held_out": 2}, quiet=True)
    said: list[str] = []
    run = pretrained(made.folder, tmp_path / "run", say=said.append, vocabulary=130)
    assert any("look here first" in note for note in said)
    assert "repeat an earlier one" in run.summary["verdict"][-1]


def test_a_shard_that_is_missing_is_named(books: Path, tmp_path: Path) -> None:
    shutil.copytree(books, tmp_path / "books")
    next((tmp_path / "books").glob("train-*.arrow")).unlink()
    with pytest.raises(UserError, match=r"train-00000.arrow is missing"):
        pretrained(tmp_path / "books", tmp_path / "run")


def test_overwriting_does_not_delete_what_is_read(books: Path, tmp_path: Path) -> None:
    pretrained(books, tmp_path / "run")
    shutil.copytree(books, tmp_path / "run" / "corpus")
    with pytest.raises(UserError, match="which a new run empties"):
        pretrained(tmp_path / "run" / "corpus", tmp_path / "run", overwrite=True)


def test_so_little_held_out_that_nothing_is_asked_is_said(tmp_path: Path) -> None:
    files = tmp_path / "texts"
    files.mkdir()
    for number, text in enumerate(texts(8)):
        (files / f"{number:02}.txt").write_text(text)
    (files / "short.txt").write_text("I.")
    made = build(files, tmp_path / "corpus", {"held_out_names": ["short"]}, quiet=True)
    with pytest.raises(UserError, match=r"held-out text of corpus is so short that nothing of it is asked for"):
        pretrained(made.folder, tmp_path / "run")


def test_lists_and_pairs_are_not_deleted_by_the_run_that_reads_them(train: Train, tmp_path: Path) -> None:
    folder = train().folder
    (folder / "phrases.txt").write_text("the old teacher\n")
    for options in (
        {"pairs": folder / "phrases.txt"},
        {"settings": {"objective": {"masking": {"name": "phrase", "file": str(folder / "phrases.txt")}}}},
    ):
        with pytest.raises(UserError, match=r"phrases\.txt lies in .*, which a new run empties"):
            train(overwrite=True, **options)


def test_minimal_pairs_are_judged_on_the_way_and_in_the_end(train: Train, tmp_path: Path) -> None:
    lines = [
        {
            "sentence_good": f"The baker bakes {what}.",
            "sentence_bad": f"The baker bakes {bad}.",
            "UID": uid,
            "field": "f",
        }
        for uid, what, bad in (("bread", "bread", "a roof"), ("cake", "a cake", "the letter"))
        for _ in range(3)
    ]
    for uid in ("bread", "cake"):
        rows = [json.dumps(line | {"linguistics_term": "t"}) for line in lines if line["UID"] == uid]
        (tmp_path / "pairs").mkdir(exist_ok=True)
        (tmp_path / "pairs" / f"{uid}.jsonl").write_text("\n".join(rows) + "\n")
    run = train(pairs=tmp_path / "pairs", budget="150 steps")
    figure = run.summary["figures"]["minimal_pairs"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert "6 minimal pairs" in " ".join(run.summary["verdict"])
    assert any(fact["title"] == "Minimal pairs by paradigm" for fact in run.summary["facts"])
    log = [json.loads(line) for line in (run.folder / "seeds/0/log.jsonl").read_text().splitlines()]
    assert all("minimal_pairs" in line["evaluation"] for line in log if "evaluation" in line)
    with pytest.raises(UserError, match="no file"):
        train("another", pairs=tmp_path / "paris")


@pytest.fixture
def headless(train: Train, tmp_path: Path) -> Path:
    """A trained BERT without a masked-LM head, whose vocabulary of 60 pieces cuts most words."""
    first = train("first", family="bert", vocabulary=60, budget="60 steps")
    loaded = load_network(first.model, "bare")
    save_network(tmp_path / "headless", loaded.network, loaded.family, loaded.config, {})
    Tokenizer.from_folder(first.model).save(tmp_path / "headless")
    return tmp_path / "headless"


def test_an_encoder_without_a_head_gets_one_and_learns_words(train: Train, headless: Path, tmp_path: Path) -> None:
    said: list[str] = []
    own = {"size": None, "vocabulary": None, "head_steps": 30, "budget": "40 steps"}
    run = train(model=headless, extend_vocabulary=8, say=said.append, settings={"train": {"lr": 1e-3}}, **own)
    notes = " ".join(said)
    assert "8 words become pieces" in notes
    assert "no masked-LM head, so one was fitted on the frozen encoder" in notes
    assert "Each starts from the mean of the pieces that it was cut into" in notes
    assert "Before, it needed" in " ".join(run.summary["verdict"])
    before, after = (Tokenizer.from_folder(folder) for folder in (headless, run.model))
    assert after.size == before.size + 8
    text = ["The old teacher reads the letter near the harbour."]
    assert after.encode(text).lengths[0] < before.encode(text).lengths[0]
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(run.model)
    assert theirs.get_input_embeddings().weight.shape[0] == after.size
    assert describe(run.folder).folder == run.model, "who names the run gets its model"


def test_a_vocabulary_is_exchanged(train: Train, headless: Path, tmp_path: Path) -> None:
    Tokenizer.train(texts(10), size=90).save(tmp_path / "another")
    said: list[str] = []
    own = {"size": None, "vocabulary": None, "head_steps": 20, "budget": "20 steps"}
    run = train(model=headless, tokenizer=tmp_path / "another", say=said.append, **own)
    assert any("The vocabulary was exchanged, 60 pieces for" in note for note in said)
    assert Tokenizer.from_folder(run.model).fingerprint() == Tokenizer.from_folder(tmp_path / "another").fingerprint()


@pytest.mark.slow
def test_two_processes_train_as_one(books: Path, tmp_path: Path) -> None:
    """`torchrun -m maskwright pretrain`: one folder, one log, the same losses; a budget of minutes is agreed upon."""
    words = ["--quiet", "--size", "1x32", "--vocabulary", "120", "--length", "48", "--batch-tokens", "600"]
    words += ["--set", "train.threads=1", "--set", "train.precision=fp32", "--set", "train.evaluations=2"]

    def run(out: str, *more: str, processes: int = 2) -> Path:
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        line = [*start, "-m", "maskwright", "pretrain", str(books), "--out", str(tmp_path / out), *words, *more]
        done = subprocess.run(line, env={**os.environ, "PYTHONPATH": SRC}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("model: ") == 1
        return tmp_path / out

    logs = []
    for processes in (1, 2):
        folder = run(f"by-{processes}", "--budget", "40 steps", processes=processes)
        text = (folder / "seeds" / "0" / "log.jsonl").read_text()
        logs.append([json.loads(line) for line in text.splitlines()])
    for one, two in zip(*logs, strict=True):
        assert one.keys() == two.keys()
        for name in ("loss", "gradient_norm"):
            assert one.get(name, 0) == pytest.approx(two.get(name, 0), rel=1e-4)
    frozen = json.loads((run("minutes", "--budget", "25s") / "config.json").read_text())["frozen"]
    assert frozen["unit"] == "tokens"
