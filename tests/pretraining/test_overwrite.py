"""What a mistake costs: no earlier run beside --overwrite, and nothing that was read of a long text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from novel import texts as novel_texts
from quickly import Train, pretrained

from maskwright.base.errors import UserError
from maskwright.finetuning.run import finetune
from maskwright.pretraining import run as runs
from maskwright.pretraining.material import Material
from maskwright.pretraining.run import Pretrained
from maskwright.text.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("undrawn", "measured")

USUAL: dict[str, Any] = {"budget": "24 steps", "judge_sequences": 20}
TOO_LONG = {"family": "bert", "length": 4000, "batch_tokens": 4000}
USED_UP = {"budget": "1s"}  # saving alone takes longer


@pytest.fixture
def usual() -> dict[str, Any]:
    return USUAL


@pytest.fixture
def texts(books: Path) -> Path:
    """Text that is no corpus yet."""
    return books.parent / "texts"


@pytest.fixture(scope="module")
def finished(books: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run that was finished before."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskwright.runs._pictures._svg", lambda *_, **__: "<svg></svg>")
        yield pretrained(books, tmp_path_factory.mktemp("earlier") / "run", **USUAL).folder
    torch.set_num_threads(threads)


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Path:
    """The same, where `train` writes."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of seconds is not measured for seconds."""
    monkeypatch.setattr(runs, "rates", lambda *given: [700.0])


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that is there, to the byte; a folder has none."""
    return {str(f.relative_to(folder)): f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def outcome(run: Pretrained) -> dict[str, bytes]:
    """What a run has learnt. It names no folder, so that a run elsewhere has the same."""
    kept = ("model/model.safetensors", "model/vocab.txt", f"seeds/{run.summary['saved']['seed']}/log.jsonl")
    return {name: (run.folder / name).read_bytes() for name in kept}


def shards(folder: Path) -> dict[str, int]:
    """The text of every corpus in a folder, by the moment at which it was written."""
    return {file.name: file.stat().st_mtime_ns for file in folder.rglob("*.arrow")}


def last_pair_masked(folder: Path) -> Path:
    """Minimal pairs of which the last, beyond those that are judged on the way, cannot be judged."""
    file = folder / "pairs.jsonl"
    pairs = [{"sentence_good": f"The baker bakes bread {n}.", "sentence_bad": f"A roof bakes {n}."} for n in range(12)]
    pairs[-1]["sentence_bad"] = "The baker [MASK] bread."
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return file


# An earlier run


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"text": "no/such/corpus"}, "no/such/corpus"),
        ({"tokenizer": "no/such/tokenizer"}, "no/such/tokenizer"),
        ({"family": "bort"}, "There is no .*'bort'"),
        ({"size": "huge"}, "There is no size 'huge'"),
        ({"size": "1x129"}, "A width of 129 cannot be cut into 2 heads"),
        ({"vocabulary": 10}, "vocabulary of 10 pieces is too small"),
        (TOO_LONG, "512 positions"),
        ({"budget": "5 steps"}, "leaves 5 steps, fewer than the 20"),
        (USED_UP, "used up before the first step"),
        ({"pairs": "no/such/pairs.jsonl"}, "no/such/pairs.jsonl"),
        ({"pairs": last_pair_masked}, r"pairs.jsonl.*\[MASK\]"),
    ],
)
def test_a_mistake_beside_overwrite_costs_no_run(
    mistake: dict[str, Any], said: str, done: Path, train: Train, tmp_path: Path
) -> None:
    given = {name: value(tmp_path) if callable(value) else value for name, value in mistake.items()}
    before, beside = everything(done), sorted(tmp_path.iterdir())
    assert "model/model.safetensors" in before
    with pytest.raises(UserError, match=said):
        train(overwrite=True, **given)
    assert everything(done) == before
    assert sorted(tmp_path.iterdir()) == beside, "nothing is left beside it either"


def test_without_the_mistake_it_is_replaced_and_nothing_of_it_is_left(done: Path, train: Train, tmp_path: Path) -> None:
    """Nothing of the try with the mistake either, which had other pieces."""
    (done / "seeds" / "7").mkdir()
    for stale in ("seeds/7/log.jsonl", "model/stale.safetensors", "tokenizer/stale.txt", "stale.txt", "seeds/0/more"):
        (done / stale).write_text("of the old run")
    with pytest.raises(UserError, match="512 positions"):
        train(overwrite=True, vocabulary=90, **TOO_LONG)
    with pytest.raises(UserError, match="already holds a run"):
        train(seed=1, vocabulary=100)
    again = train(overwrite=True, seed=1, vocabulary=100)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    fresh = train("fresh", seed=1, vocabulary=100)
    assert everything(again.folder).keys() == everything(fresh.folder).keys()
    assert outcome(again) == outcome(fresh)


def test_a_run_with_a_corpus_of_its_own_is_kept_and_replaced_as_well(texts: Path, train: Train, tmp_path: Path) -> None:
    """Its corpus lies in its folder, and so would the new one's."""
    first = train(text=texts)
    before = everything(first.folder)
    assert "corpus/corpus.json" in before
    with pytest.raises(UserError, match="used up before the first step"):
        train(text=texts, overwrite=True, **USED_UP)
    assert everything(first.folder) == before
    again = train(text=texts, overwrite=True, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    fresh = train("fresh", text=texts, seed=1)
    assert everything(again.folder).keys() == everything(fresh.folder).keys()
    assert outcome(again) == outcome(fresh)


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch, train: Train) -> Callable[..., None]:
    """Starts a run that is ended by Ctrl-C while its text is cut into pieces, before its steps are fixed."""

    def go(**options: Any) -> None:
        def dies(*given: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Material, "pieces", dies)
            with pytest.raises(KeyboardInterrupt):
                train(**options)

    return go


def test_who_ends_it_before_the_steps_are_fixed_can_replace_the_run_again(
    done: Path, cut: Callable[..., None], train: Train
) -> None:
    cut(overwrite=True, seed=1, vocabulary=90)
    with pytest.raises(UserError, match="already holds a run"):
        train(seed=1)
    again, fresh = train(overwrite=True, seed=1), train("fresh", seed=1)
    assert everything(again.folder).keys() == everything(fresh.folder).keys()
    assert outcome(again) == outcome(fresh)


def test_who_ends_it_before_the_steps_are_fixed_can_go_on_with_it(
    done: Path, cut: Callable[..., None], train: Train
) -> None:
    cut(overwrite=True, seed=1)
    again, fresh = train(resume=True, seed=1), train("fresh", seed=1)
    assert everything(again.folder).keys() == everything(fresh.folder).keys()
    assert outcome(again) == outcome(fresh)


def test_who_ends_it_before_the_steps_are_fixed_can_have_the_earlier_run_back(
    done: Path, cut: Callable[..., None], train: Train
) -> None:
    """By going on with it, which is to ask for what it was asked for."""
    before = everything(done)
    cut(overwrite=True, seed=1)
    assert train(resume=True).notes == ["This run was already complete; nothing was done."]
    assert everything(done) == before


# What was read


def test_what_was_read_is_kept_where_the_budget_was_too_small(texts: Path, train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"used up before the first step.*What was read is kept"):
        train(text=texts, **USED_UP)
    kept = shards(tmp_path)
    assert kept
    said: list[str] = []
    run = train(text=texts, budget="60s", say=said.append)
    assert shards(tmp_path) == kept, "it was not built again"
    assert run.summary["read"]["steps"] >= 20
    assert run.summary["reported"]["split"] == "held-out"


def test_the_pieces_of_a_try_that_failed_are_not_those_of_the_next(texts: Path, train: Train) -> None:
    with pytest.raises(UserError, match="used up before the first step"):
        train(text=texts, vocabulary=90, **USED_UP)
    run, fresh = train(text=texts), train("fresh", text=texts)
    assert Tokenizer.from_folder(run.model).size == Tokenizer.from_folder(fresh.model).size
    assert outcome(run) == outcome(fresh)


def test_the_corpus_of_a_try_that_failed_is_not_that_of_another_text(texts: Path, train: Train, tmp_path: Path) -> None:
    """Who named the wrong folder names the right one, and is not told of the wrong one."""
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for number, text in enumerate(novel_texts(12)):
        (wrong / f"{number}.txt").write_text(text.replace("baker", "smith"))
    with pytest.raises(UserError, match="used up before the first step"):
        train(text=wrong, **USED_UP)
    run, fresh = train(text=texts), train("fresh", text=texts)
    assert outcome(run) == outcome(fresh)


@pytest.mark.parametrize("more", [{}, {"resume": True}])
def test_what_was_read_is_kept_where_the_disk_was_full(
    more: dict[str, Any], texts: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says --resume, which is taken at its word."""

    def full(*given: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)  # of the pieces, which are cut when the corpus is whole
        with pytest.raises(UserError, match=r"no room left on the disk.*--resume"):
            train(text=texts)
    kept = shards(tmp_path)
    assert kept
    run = train(text=texts, **more)
    assert shards(tmp_path) == kept, "it was not built again"
    assert outcome(run) == outcome(train("fresh", text=texts))


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"text": "no/such/texts"}, "no/such/texts"),
        ({"pairs": "no/such/pairs.jsonl"}, "no/such/pairs.jsonl"),
        ({"tokenizer": "no/such/tokenizer"}, "no/such/tokenizer"),
        ({"family": "bort"}, "There is no .*'bort'"),
        ({"size": "huge"}, "There is no size 'huge'"),
        (TOO_LONG, "512 positions"),
    ],
)
def test_a_mistake_that_is_found_before_anything_is_read_leaves_nothing(
    mistake: dict[str, Any], said: str, texts: Path, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        train(**{"text": texts, **mistake})
    assert not any((tmp_path / "run").glob("*"))
    assert {path.name for path in tmp_path.iterdir()} <= {"run"}


def test_what_was_read_is_kept_beside_overwrite_too(texts: Path, train: Train, tmp_path: Path) -> None:
    """The command line holds --overwrite, and only its budget is mended."""
    with pytest.raises(UserError, match="What was read is kept"):
        train(text=texts, overwrite=True, **USED_UP)
    kept = shards(tmp_path)
    train(text=texts, overwrite=True)
    assert shards(tmp_path) == kept


def test_text_that_grew_since_is_read_again(texts: Path, train: Train, tmp_path: Path) -> None:
    """One document cannot be held out; who gives more types the same command."""
    (tmp_path / "mine").mkdir()
    names = sorted(texts.iterdir())
    shutil.copy(names[0], tmp_path / "mine")
    with pytest.raises(UserError, match="too few documents to hold one out"):
        train(text=tmp_path / "mine")
    for name in names[1:]:
        shutil.copy(name, tmp_path / "mine")
    assert outcome(train(text=tmp_path / "mine")) == outcome(train("fresh", text=texts))


def test_a_new_run_does_not_empty_the_folder_of_what_it_reads(texts: Path, train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="What was read is kept"):
        train(text=texts, **USED_UP)
    kept = shards(tmp_path)
    with pytest.raises(UserError, match=r"corpus lies in .*run, which a new run empties\. Give another --out\."):
        train(text=tmp_path / "run" / "corpus")
    assert shards(tmp_path) == kept


def test_a_fine_tuned_run_that_a_pre_training_was_to_replace_comes_back(
    books: Path, train: Train, cut: Callable[..., None], tmp_path: Path
) -> None:
    """By `finetune --resume`, which it was begun with."""
    first = train("first").model
    (tmp_path / "rows.csv").write_text("text,label\n" + "the baker bakes,yes\na roof is old,no\n" * 12)
    quick = {"train": {"epochs": 1, "threads": 1, "checkpoint_minutes": None}}
    asked = {"train": str(tmp_path / "rows.csv"), "model": str(first), "out": str(tmp_path / "run"), "seeds": 1}
    finetune(settings=quick, quiet=True, **asked)
    before = everything(tmp_path / "run")
    cut(overwrite=True)
    assert not (tmp_path / "run" / "model").exists()
    again = finetune(settings=quick, quiet=True, resume=True, **asked)
    assert again.notes[-1] == "This run was already complete; nothing was done."
    assert everything(tmp_path / "run") == before
