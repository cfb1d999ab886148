"""A corpus from planted text: what stays, what is counted, the same bytes whatever happens on the way, and refusals."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.data.corpus import Corpus, CorpusSettings, Document, blocks, build, building, workers
from maskwright.data.corpus.blocks import make
from maskwright.data.corpus.reading import Raw
from maskwright.data.corpus.shards import Shards, part_of
from maskwright.data.corpus.statistics import lines

WORDS = [f"{a}{b}{c}" for a in ("ba", "ke", "to", "li", "mun") for b in "rstv" for c in ("an", "ol", "ix", "ed", "u")]


def prose(count: int, seed: int) -> str:
    source = random.Random(seed)
    sentences = (" ".join(source.choices(WORDS, k=source.randint(4, 12))).capitalize() + "." for _ in range(count))
    return " ".join(sentences)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def message(*args: Any, **keywords: Any) -> str:
    with pytest.raises(UserError) as caught:
        build(*args, **keywords)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk, which only a power cut needs."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Twelve texts of 20 sentences; two of them again, one in capitals; one with two other words; and oddities."""
    folder = tmp_path / "books"
    folder.mkdir()
    for i in range(12):
        (folder / f"book{i:02}.txt").write_text(prose(20, i))
    (folder / "copy.txt").write_text(prose(20, 3))
    (folder / "loud.txt").write_text(prose(20, 4).upper())
    words = prose(20, 5).split()
    words[10], words[90] = "another", "word"
    (folder / "near.txt").write_text(" ".join(words))
    (folder / "empty.txt").write_text(" \n")
    (folder / "short.txt").write_text("Two words.")
    (folder / "marked.txt").write_text("A [MASK] here and a </s> there.\x07 " + prose(10, 99))
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 3000)


def test_a_corpus_of_planted_text(books: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    made = build([books], tmp_path / "corpus", CorpusSettings(held_out=2, min_words=3), note=heard.append)
    train, held_out = ({d.name: d for d in made.documents(split)} for split in ("train", "held-out"))
    kept = {*train, *held_out}
    assert kept == {"marked.txt", *(f"book{i:02}.txt" for i in range(12))}
    assert len(held_out) == 2
    assert not {*train} & {*held_out}
    assert " ".join({**train, **held_out}["book00.txt"].sentences) == prose(20, 0)
    assert len({**train, **held_out}["book00.txt"].sentences) == 20
    facts = made.facts
    assert facts["duplicates"] == {"exact": 2, "near": 1, "crowded": 0}
    assert facts["filtered"] == {"empty": 1, "short": 1, "long": 0, "language": 0}
    assert (facts["specials"], facts["control"]) == (2, 1)
    assert {**train, **held_out}["marked.txt"].sentences[0] == "A [ MASK] here and a < /s> there."
    documents = [*train.values(), *held_out.values()]
    sentences = [sentence for document in documents for sentence in document.sentences]
    assert facts["total"] == {
        "documents": 13,
        "sentences": len(sentences),
        "words": sum(len(sentence.split()) for sentence in sentences),
        "bytes": sum(len(sentence.encode()) for sentence in sentences),
        "single": 0,
    }
    assert sum(facts["splits"][split]["sentences"] for split in ("train", "held-out")) == len(sentences)
    assert facts["words_per_sentence"]["most"] == max(len(sentence.split()) for sentence in sentences)
    assert Corpus.open(tmp_path / "corpus").facts == facts
    assert not part_of(tmp_path / "corpus").exists()
    assert any("duplicates removed: 2 equal, 1 nearly equal" in line for line in lines(facts))
    assert heard == []


@pytest.mark.parametrize(("duplicates", "exact", "documents"), [("exact", 2, 16), ("keep", 2, 18), ("near", 2, 15)])
def test_duplicates_are_a_setting(books: Path, tmp_path: Path, duplicates: str, exact: int, documents: int) -> None:
    facts = build(books, tmp_path / "corpus", {"duplicates": duplicates}).facts
    assert facts["duplicates"]["exact"] == exact
    assert facts["total"]["documents"] == documents - 1
    assert facts["filtered"]["empty"] == 1


def test_kept_copies_stand_on_one_side(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": prose(2, i // 2)}) + "\n" for i in range(200)))
    made = build(rows, tmp_path / "corpus", {"duplicates": "keep", "held_out": 0.3})
    sides = [{" ".join(d.sentences) for d in made.documents(split)} for split in ("train", "held-out")]
    assert min(map(len, sides)) > 10
    assert not sides[0] & sides[1]


@pytest.mark.usefixtures("small_blocks")
def test_the_number_of_processes_and_a_kill_change_no_byte(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = CorpusSettings(held_out="20%", shard_bytes=4000)
    build(books, tmp_path / "one", settings, workers=1)
    wanted = contents(tmp_path / "one")
    assert len(wanted) > 4, "several shards"
    made: list[Path] = []

    def killed(task: blocks.Task) -> None:
        if len(made) == 2:
            raise KeyboardInterrupt
        make(task)
        made.append(task.path)

    monkeypatch.setattr(workers, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        build(books, tmp_path / "again", settings, workers=1)
    assert not (tmp_path / "again").exists()
    assert "holds 2 blocks of a build that did not finish. Go on with it by --resume" in message(
        books, tmp_path / "again", settings
    )
    said = message(books, tmp_path / "again", {"min_words": 2}, resume=True)
    assert "begun otherwise: min_words was 1 and is 2" in said
    with pytest.raises(UserError, match="is not finished"):
        Corpus.open(tmp_path / "again")
    monkeypatch.setattr(workers, "make", lambda task: (made.append(task.path), make(task)))
    heard: list[str] = []
    build(books, tmp_path / "again", settings, workers=1, resume=True, note=heard.append)
    assert heard[0] == "2 blocks of an earlier session are kept."
    assert len({*made}) == len(made), "no block is made twice"
    assert contents(tmp_path / "again") == wanted


@pytest.mark.usefixtures("small_blocks")
def test_two_processes_make_the_same_bytes(books: Path, tmp_path: Path) -> None:
    build(books, tmp_path / "one", workers=1)
    build(books, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


class Deadly(blocks.Task):
    """Ends the process that unpickles it, as the system does with one that takes too much memory."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_a_process_that_dies_or_refuses_is_said(tmp_path: Path) -> None:
    raws = (Raw("a", "a", "a", "A text."),)
    deadly = [Deadly(raws, tmp_path / str(i), CorpusSettings()) for i in range(2)]
    with pytest.raises(UserError, match=r"A process that cleans text died.*--workers 1.*--resume"):
        list(workers.make_all(deadly, 2))
    (tmp_path / "file").touch()
    refused = [blocks.Task(raws, tmp_path / "file" / str(i), CorpusSettings()) for i in range(2)]
    with pytest.raises(UserError, match="cannot be written"):
        list(workers.make_all(refused, 2))


def test_the_same_call_again_returns_and_another_is_refused(books: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    first = build(books, out)
    before = contents(out)
    heard: list[str] = []
    assert build(books, out, note=heard.append).fingerprint == first.fingerprint
    assert "already" in heard[0]
    assert "held_out was 0.0 and is 0.5" in message(books, out, {"held_out": 0.5})
    (books / "new.txt").write_text("A new one.")
    said = message(books, out)
    assert "the input was 18 files of" in said
    assert "--overwrite" in said
    assert contents(out) == before
    assert build(books, out, overwrite=True).facts["inputs"]["files"] == 19


def test_documents_added_do_not_move_others(books: Path, tmp_path: Path) -> None:
    settings = CorpusSettings(held_out=0.4, duplicates="exact")
    first = build(books, tmp_path / "one", settings)
    for i in range(20, 30):
        (books / f"book{i}.txt").write_text(prose(20, i))
    second = build(books, tmp_path / "two", settings)
    old = {d.name for split in ("train", "held-out") for d in first.documents(split)}
    assert {d.name for d in first.documents("held-out")} == {d.name for d in second.documents("held-out")} & old


def test_named_documents_are_held_out(books: Path, tmp_path: Path) -> None:
    names = ("book03", "book07.txt")
    made = build(books, tmp_path / "corpus", CorpusSettings(held_out_names=names))
    assert [d.name for d in made.documents("held-out")] == ["book03.txt", "book07.txt"]
    assert "called 'book77'. Did you mean 'book07'?" in message(books, tmp_path / "no", {"held_out_names": ("book77",)})
    rows = tmp_path / "valid.jsonl"
    rows.write_text('{"text": "A row."}\n{"text": "Another one."}\n')
    made = build([books, rows], tmp_path / "rows", CorpusSettings(held_out_names=("valid",)))
    assert [d.name for d in made.documents("held-out")] == ["valid.jsonl#1", "valid.jsonl#2"]


def test_filters(books: Path, tmp_path: Path) -> None:
    assert build(books, tmp_path / "long", {"max_words": 50}).facts["filtered"]["long"] > 5
    said = message(books, tmp_path / "none", {"min_words": 100_000})
    assert "No document is left of 18: 1 empty, 17 short. Lower --min-words (100000)" in said


def test_the_language_filter(tmp_path: Path) -> None:
    pytest.importorskip("py3langid")
    rows = tmp_path / "rows.txt"
    english, german = "The weather was very fine on that morning.", "Das Wetter war an diesem Morgen sehr schön."
    rows.write_text(f"{english}\n{german}\n")
    made = build(rows, tmp_path / "corpus", {"documents": "lines", "language": "de"})
    assert [d.sentences for d in made.documents("train")] == [[german]]
    assert made.facts["filtered"]["language"] == 1
    assert "There is no language 'deutsch'" in message(rows, tmp_path / "no", {"language": "deutsch"})


def test_repeated_lines_are_named_as_what_stalls_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(["The same line again."] * 50 + [f"Line {i} is its own." for i in range(50)]))
    heard: list[str] = []
    facts = build(path, tmp_path / "corpus", note=heard.append).facts
    assert facts["repeated_sentences"] == 0.49
    assert "49% of the sentences repeat an earlier one" in heard[0]
    assert "its loss then stalls" in heard[0]
    assert heard == facts["notes"]
    clean = build(path, tmp_path / "clean", {"documents": "lines", "duplicates": "exact"}).facts
    assert clean["repeated_sentences"] == 0
    assert clean["duplicates"]["exact"] == 49
    assert "51 of 51 documents are one sentence" in clean["notes"][0]


def test_a_sentence_without_end_is_cut_and_said(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("x" * 25_000)
    made = build(path, tmp_path / "corpus")
    assert [len(s) for d in made.documents("train") for s in d.sentences] == [10_000, 10_000, 5_000]
    assert made.facts["cut"] == {"documents": 0, "sentences": 2}
    assert any("too long" in note for note in made.facts["notes"])


def test_nothing_to_read_and_nothing_to_hold_out(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n\n")
    assert "No document is left of 1: 1 empty." in message(empty, tmp_path / "corpus")
    assert "The input holds no text" in message(empty, tmp_path / "other", {"documents": "lines"})
    one = tmp_path / "one.txt"
    one.write_text("Word")
    said = message(one, tmp_path / "one", {"held_out": 0.01})
    assert "there is one document only" in said
    assert "--documents blank-lines" in said
    short = build(one, tmp_path / "one", resume=True)  # what is held out is decided on behind the blocks
    assert [d.sentences for d in short.documents("train")] == [["Word"]]
    assert short.shards("held-out") == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"held_out": "100%"}, "a share lies between 0% and 100%"),
        ({"held_out": "x%"}, "write a share as 1% or 0.01"),
        ({"held_out": 1.5}, "a share below 1, or a whole number"),
        ({"held_out": 0.1, "held_out_names": ("a",)}, "not both"),
        ({"min_words": 5, "max_words": 4}, "nothing is left"),
        ({"specials": ("[A B]",)}, "no white space"),
        ({"heldout": 1}, "Did you mean 'held_out'?"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    assert said in message(tmp_path, tmp_path / "corpus", settings)


def test_places_where_no_corpus_is_written(books: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        assert "is there and is no corpus; nothing in it is touched" in message(books, other, overwrite=overwrite)
    assert "lies in the input" in message(books, books / "corpus")
    assert "lies in the input" in message(books, books)
    build(books, tmp_path / "corpus")
    (tmp_path / "corpus" / "notes.md").write_text("mine")
    assert "holds 'notes.md' beside a corpus" in message(books, tmp_path / "corpus", overwrite=True)
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part" / "mine").write_text("mine")
    assert "holds what is no block of a corpus (mine)" in message(books, tmp_path / "new", overwrite=True)
    assert "at least one process" in message(books, tmp_path / "new", workers=0)


def test_two_builds_into_one_folder(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[str] = []

    def meanwhile(task: blocks.Task) -> None:
        monkeypatch.setattr(workers, "make", make)
        inner.append(message(books, tmp_path / "corpus"))
        make(task)

    monkeypatch.setattr(workers, "make", meanwhile)
    build(books, tmp_path / "corpus", workers=1)
    assert "Another process builds into" in inner[0]


@pytest.mark.parametrize("where", ["block", "shard"])
def test_a_full_disk_keeps_what_was_made(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, small_blocks: None
) -> None:
    out = tmp_path / "corpus"

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "block":
        made: list[str] = []

        def replace(old: Any, new: Any, was: Callable[[Any, Any], None] = os.replace) -> None:
            if "block-" in str(new):
                made.append(str(new))
                if len(made) == 3:
                    full()
            was(old, new)

        monkeypatch.setattr(os, "replace", replace)
    else:
        monkeypatch.setattr(Shards, "add", full)
    said = message(books, out, workers=1)
    assert "There is no room left on the disk" in said
    assert "--resume" in said
    assert not out.exists()
    monkeypatch.undo()
    monkeypatch.setattr(blocks, "SIZE", 3000)
    build(books, out, workers=1, resume=True)
    build(books, tmp_path / "other", workers=1)
    assert contents(out) == contents(tmp_path / "other")


def test_a_shard_that_is_missing_cut_or_changed(books: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    (shard,) = build(books, out).shards("train")
    content = shard.read_bytes()

    def opened(**keywords: Any) -> str:
        with pytest.raises(UserError) as caught:
            Corpus.open(out, **keywords)
        return str(caught.value)

    shard.write_bytes(content[:-100])
    assert "was cut short or changed" in opened()
    shard.write_bytes(content.replace(b"Bar", b"Foo", 1).replace(b"bar", b"foo", 1))
    assert f"{shard} was changed since it was written" in opened()
    Corpus.open(out, verify=False)
    shard.unlink()
    assert f"{shard} is missing" in opened(verify=False)
    shard.write_bytes(content)
    facts = read_json(out / "corpus.json")
    write_json(out / "corpus.json", {**facts, "specials": 7})
    assert "corpus.json was changed" in opened()
    (out / "corpus.json").unlink()
    assert "holds no corpus" in opened()
    shutil.rmtree(out)
    assert "There is no corpus" in opened()


def test_shards_are_arrow_files_of_names_and_sentences(books: Path, tmp_path: Path) -> None:
    made = build(books, tmp_path / "corpus", {"held_out": 3})
    with pytest.raises(UserError, match=r"There is no split 'test'.*held-out, train"):
        made.shards("test")
    for split in ("train", "held-out"):
        documents = list(made.documents(split))
        tables = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in made.shards(split)]
        rows = pa.concat_tables(tables).to_pylist()
        assert [Document(**row) for row in rows] == documents


def test_a_plan_names_what_a_corpus_follows_from(books: Path) -> None:
    plan = building._plan(building.find([books]), CorpusSettings())
    assert {*plan["versions"]} == {"nupunkt", "pyarrow"}
    assert plan["fingerprint"] != building._plan(building.find([books]), CorpusSettings(seed=1))["fingerprint"]
