"""What a pre-training tells of what it made: how its model is asked, what it is elsewhere, what minutes were for."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from novel import corpus as novel_corpus
from novel import texts
from quickly import Train, pretrained

from maskwright.base.errors import UserError
from maskwright.base.files import alone
from maskwright.data.corpus import Corpus, build
from maskwright.pretraining import judging
from maskwright.pretraining import run as runs
from maskwright.pretraining.judging import Judging
from maskwright.pretraining.objectives.mlm import MaskedWords, Mlm
from maskwright.pretraining.reading import learn, pieces_of
from maskwright.pretraining.run import Pretrained
from maskwright.runs import RunFolder
from maskwright.tasks import MaskedLM

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def usual() -> dict[str, Any]:
    return {"budget": "20 steps"}


class Mine(Mlm):
    """Somebody's own: masked words, each loss twice."""

    def build(self, network: Any, kind: Any, config: Any) -> MaskedWords:
        return _Twice(network)


class _Twice(MaskedWords):
    def forward(self, asked: Any) -> Any:
        loss, count, facts = super().forward(asked)
        return 2 * loss, count, facts


def test_an_objective_of_ones_own_is_trained(train: Train) -> None:
    run = train(objective=f"{__name__}:Mine")
    assert json.loads((run.model / "maskwright.json").read_text())["pretraining"]["name"] == f"{__name__}:Mine"
    lines = [json.loads(line) for line in (run.folder / "seeds/0/log.jsonl").read_text().splitlines()]
    first = next(line for line in lines if "loss" in line)
    assert first["loss"] == pytest.approx(2 * first["words"], rel=1e-5)
    assert first["efficiency"] == 1


# How the model is asked


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({}, "at"),
        ({"settings": {"objective": {"shift": True}}}, "before"),
        ({"objective": "mixture"}, "before"),
        ({"settings": {"objective": {"name": "mixture", "parts": ["mlm", "causal"]}}}, "at"),
    ],
)
def test_the_model_says_where_its_answers_stand(options: dict[str, Any], answers: str, train: Train) -> None:
    """And whoever asks it reads them there: what it says of a mask is what its network says at that place."""
    run = train(**options)
    assert json.loads((run.model / "maskwright.json").read_text())["answers"] == answers
    model = MaskedLM.load(run.model)
    model.precision = "fp32"
    (found,) = model.fill(["the baker bakes [MASK] at home."], top=1)
    ids = model.tokenizer.encode(["the baker bakes [MASK] at home."])
    place = int(np.flatnonzero(ids.ids == model.tokenizer.mask_id)[0]) - (answers == "before")
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(run.model).eval()
    import torch

    with torch.no_grad():
        p = theirs(torch.from_numpy(ids.ids.astype("int64"))[None]).logits[0, place].softmax(-1)
    assert found.masks[0][0].probability == pytest.approx(float(p.max()), abs=1e-5)


def test_a_model_of_next_words_fills_no_mask(train: Train) -> None:
    run = train(objective="causal")
    with pytest.raises(UserError, match="was trained to name the next word and never a masked one"):
        MaskedLM.load(run.model)


# What it is elsewhere


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"family": "bert", "objective": "next-sentence"}, "BertForPreTraining", None),
        pytest.param(
            {"family": "albert", "objective": "sentence-order"}, "AlbertForPreTraining", None, marks=pytest.mark.slow
        ),
        ({"family": "electra", "objective": "replaced-tokens"}, "ElectraForPreTraining", None),
        pytest.param({"family": "roberta"}, "RobertaForMaskedLM", None, marks=pytest.mark.slow),
        (
            {"family": "deberta-v2", "objective": "replaced-tokens", "settings": {"objective": {"width": 1.0}}},
            None,
            "no class for the network 'replaced-tokens'",
        ),
        ({"settings": {"objective": {"shift": True}}}, "ModernBertForMaskedLM", "off by one place"),
        ({"objective": "causal"}, "ModernBertForMaskedLM", "trained to look left alone"),
        ({"family": "left-to-right", "objective": "causal"}, None, "is an arm of ours"),
    ],
)
def test_it_loads_in_their_class_or_says_what_differs(
    options: dict[str, Any], kind: str | None, said: str | None, train: Train
) -> None:
    notes: list[str] = []
    run = train(say=notes.append, **options)
    told = [note for note in notes if "transformers library" in note]
    assert len(told) == (said is not None)
    assert json.loads((run.model / "maskwright.json").read_text())["transformers"] == told
    assert said is None or said in told[0]
    if kind is None:
        return
    assert json.loads((run.model / "config.json").read_text())["architectures"] == [kind]
    _, loading = getattr(transformers, kind).from_pretrained(run.model, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]


# What is told


def test_pieces_that_no_pair_has_are_told(train: Train, tmp_path: Path) -> None:
    run = train(family="bert", objective="next-sentence", length=24)
    (table,) = [fact for fact in run.summary["facts"] if fact["title"] == "What was read"]
    rows = dict(table["rows"])
    assert rows["pieces left out of the first pass: pairs that were too long"] > 0
    assert rows["pieces left out of the first pass: documents of one sentence"] == 0


def test_a_pass_is_the_text_once(train: Train) -> None:
    """[CLS] and [SEP] are read, but are no text."""
    run = train(length=16)
    (table,) = [fact for fact in run.summary["facts"] if fact["title"] == "What was read"]
    rows = dict(table["rows"])
    assert rows["passes over the text"] < 0.95 * rows["pieces read"] / rows["training pieces"]


def test_phrases_that_cannot_stand_in_a_text_are_told(train: Train, tmp_path: Path) -> None:
    (tmp_path / "phrases.txt").write_text("the old teacher\nthe 京都 teacher\n")
    notes: list[str] = []
    masking = {"name": "phrase", "file": str(tmp_path / "phrases.txt")}
    train(say=notes.append, settings={"objective": {"masking": masking}})
    assert any(note.startswith("1 of the entries of") and "are left out." in note for note in notes)


# Minutes, and others at the same corpus


def test_minutes_leave_room_for_all_the_judging_in_the_end(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way a few pairs are judged, in the end all; the end is reserved by its own size."""
    pairs = [
        {"sentence_good": f"The baker bakes {i}.", "sentence_bad": f"The baker bake {i}.", "UID": "bread"}
        for i in range(60)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    taken: list[tuple[float, float]] = []
    real = Judging.takes

    def spied(self: Any, *given: Any) -> tuple[float, float]:
        taken.append(real(self, *given))
        return taken[-1]

    clock = iter(range(0, 10**6, 1))
    monkeypatch.setattr(judging, "_seconds", lambda work: (work(), float(next(clock) or 1))[1])
    monkeypatch.setattr(Judging, "takes", spied)
    with pytest.raises(UserError, match="judging and saving take"):
        train(budget="20s", pairs=tmp_path / "pairs.jsonl", judge_sequences=20)
    # One second for the loss, one for sequences one by one, two for what else they tell, three for the ten pairs.
    ((way, ending),) = taken
    assert way == 1 + 3
    assert ending == 1 + 2 + 3 * 60 / 10


def test_two_runs_on_one_corpus_wait_for_each_other(books: Path, tmp_path: Path) -> None:
    """Who comes second finds what the first has made, whole."""
    corpus = Corpus.open(books)
    begun, order = threading.Event(), list[str]()

    def first() -> None:
        with alone(tmp_path / "tokenizers"):
            begun.set()
            time.sleep(0.3)
            order.append("first")

    other = threading.Thread(target=first)
    other.start()
    begun.wait()
    found = learn(corpus, 120, False, tmp_path)
    order.append("second")
    other.join()
    assert order == ["first", "second"]
    assert learn(corpus, 120, False, tmp_path).fingerprint() == found.fingerprint()


def test_a_disk_that_is_full_while_pieces_are_written_leaves_none(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Corpus.open(books)
    tokenizer = learn(corpus, 120, False, tmp_path)

    def full(*given: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(UserError, match="There is no room left on the disk"):
            pieces_of(corpus, "train", tokenizer, tmp_path)
    assert not list((tmp_path / "pieces").glob("train-*"))
    assert len(pieces_of(corpus, "train", tokenizer, tmp_path).ids)


def test_another_corpus_is_another_start(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped goes on with the text that it began with; what differs is named."""
    files = tmp_path / "texts"
    files.mkdir()
    for number, text in enumerate(texts(8)):
        (files / f"{number}.txt").write_text(text)
    options: dict[str, Any] = {"out": tmp_path / "run", "settings": {"train": {"checkpoint_minutes": 0}}}
    build(files, tmp_path / "corpus", {"held_out": 2}, quiet=True)

    def dies(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "_finish", dies)
        with pytest.raises(KeyboardInterrupt):
            pretrained(tmp_path / "corpus", **options)
    (files / "0.txt").write_text(texts(9)[8])
    build(files, tmp_path / "corpus", {"held_out": 2}, quiet=True, overwrite=True)
    with pytest.raises(UserError, match=r"The start of .*\((corpus|tokenizer|corpus, tokenizer)\) has changed since"):
        pretrained(tmp_path / "corpus", resume=True, **options)


@pytest.mark.parametrize("changed", ["lists", "pairs", "remembered", "weights"])
def test_what_is_read_beside_the_corpus_belongs_to_the_run(
    changed: str, books: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed between the kill and --resume, it is named."""
    first, second = train("first", vocabulary=90).model, train("second", vocabulary=90, seed=1).model
    known = novel_corpus(tmp_path / "known").folder
    model, phrases, pairs = (tmp_path / name for name in ("model", "phrases.txt", "pairs.jsonl"))
    shutil.copytree(first, model)
    phrases.write_text("the old teacher\n")
    pairs.write_text(json.dumps({"sentence_good": "The baker bakes.", "sentence_bad": "The baker bake."}) + "\n")
    masking = {"name": "phrase", "file": str(phrases)}
    options: dict[str, Any] = {"model": model, "remember": known, "pairs": pairs}
    options["settings"] = {"objective": {"masking": masking}, "train": {"checkpoint_minutes": 0}}

    def dies(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "_finish", dies)
        with pytest.raises(KeyboardInterrupt):
            train(**options)
    if changed == "lists":
        phrases.write_text("near the harbour\n")
    elif changed == "pairs":
        pairs.write_text(json.dumps({"sentence_good": "Bakers bake.", "sentence_bad": "Bakers bakes."}) + "\n")
    elif changed == "weights":
        shutil.copytree(second, model, dirs_exist_ok=True)
    else:
        build(known.parent / "texts", known, {"held_out": 2}, quiet=True, overwrite=True)
    with pytest.raises(UserError, match=rf"The start of .*\({changed}\) has changed since"):
        train(resume=True, **options)


# A death anywhere


@pytest.mark.slow
def test_a_death_at_any_writing_changes_nothing(
    books: Path, usual: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vocabulary, the pieces, checkpoints, the model, the page: each file takes its place by one rename, and a run
    that dies at any of them ends, gone on with, in the same bytes."""

    class Died(BaseException):
        pass

    def run(name: str, **more: Any) -> Pretrained:
        often = {"train": {"checkpoint_minutes": 0.0005}}
        return pretrained(tmp_path / name / "books", tmp_path / name / "run", settings=often, **usual, **more)

    def placed(name: str) -> None:
        shutil.copytree(books, tmp_path / name / "books")
        for made in ("tokenizers", "pieces"):
            shutil.rmtree(tmp_path / name / "books" / made, ignore_errors=True)

    def outcome(name: str) -> dict[str, bytes]:
        kept = ("model/model.safetensors", "seeds/0/log.jsonl", "model/vocab.txt", "metrics.json")
        return {file: (tmp_path / name / "run" / file).read_bytes() for file in kept}

    real, count = os.replace, 0

    def counting(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        return real(*given, **more)

    placed("whole")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counting)
        run("whole")
    assert count > 15
    for death in range(count):
        left = death

        def dying(*given: Any, **more: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1
            return real(*given, **more)

        placed(f"death-{death}")
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            with pytest.raises(Died):
                run(f"death-{death}")
        again = run(f"death-{death}", resume=True)
        assert RunFolder(again.folder).complete
        assert outcome(f"death-{death}") == outcome("whole"), f"it died at the {death}th rename of {count}"
