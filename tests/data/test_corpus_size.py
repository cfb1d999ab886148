"""What a large input costs: a file that is one line, and the memory that a build takes as its input grows."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.data.corpus import CorpusSettings, build, building
from maskwright.data.corpus.assembling import assemble
from maskwright.data.corpus.blocks import Task, make
from maskwright.data.corpus.cleaning import LONGEST, unbroken
from maskwright.data.corpus.reading import LIMIT, Raw
from maskwright.data.corpus.sources import find

TOLD = " ".join((build.__doc__ or "").split())
PROCESS = r"(\d+) MB a process"
SENTENCE = 20  #: words


def words(count: int, seed: int, ends: int = 0) -> bytes:
    """So many words of five random letters, a blank behind each; one of `ends` ends a sentence, or none does."""
    source = np.random.default_rng(seed)
    letters = source.integers(ord("a"), ord("z") + 1, (count, 6), np.uint8)
    letters[:, 5] = ord(" ")
    if ends:
        letters[ends - 1 : -1 : ends, 4] = ord(".")
        letters[ends::ends, 0] -= ord("a") - ord("A")
    return letters.tobytes()


@contextmanager
def most() -> Iterator[list[int]]:
    """A list that holds, behind the block, the most bytes that were held at once in it."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def told(pattern: str) -> int:
    """A number of `build`'s docstring."""
    found = re.search(pattern, TOLD)
    assert found is not None, f"{pattern!r} is not in {TOLD!r}"
    return int(found[1].replace(",", ""))


# A line of 50 MB


@pytest.mark.parametrize(("megabytes", "parts"), [(13, 4), pytest.param(50, 12, marks=pytest.mark.slow)])
def test_a_long_line_becomes_a_corpus(megabytes: int, parts: int, tmp_path: Path) -> None:
    """A third of it has stops and the rest has none; a second file nearly repeats the first part of it."""
    third = megabytes * 10**6 // 18
    content = words(third, 0, ends=SENTENCE) + words(2 * third, 1)
    (tmp_path / "long.txt").write_bytes(content)
    (tmp_path / "near.txt").write_bytes(content[:3_000_000] + b"other " + content[3_000_006 : LIMIT - 1000])
    heard: list[str] = []
    made = build([tmp_path / "long.txt", tmp_path / "near.txt"], tmp_path / "corpus", workers=1, note=heard.append)
    documents = list(made.documents("train"))
    assert [document.name for document in documents] == [f"long.txt (part {i})" for i in range(1, parts + 1)]
    sentences = [sentence for document in documents for sentence in document.sentences]
    assert " ".join(sentences).encode() == content.rstrip(), "nothing is lost, moved or joined"
    assert max(map(len, sentences)) <= 10_000
    facts = made.facts
    assert facts["duplicates"] == {"exact": 0, "near": 1, "crowded": 0}
    assert (facts["total"]["documents"], facts["total"]["words"]) == (parts, 3 * third)
    assert facts["total"]["sentences"] == len(sentences) > third / SENTENCE * 0.9
    assert facts["cut"]["documents"] == 1
    assert facts["cut"]["sentences"] == pytest.approx(2 * third * 6 / 10_000, rel=0.02)
    assert heard == facts["notes"]
    assert heard == [
        "Documents that were too long and stand in several parts: 1.",
        f"Cuts in sentences that were too long: {facts['cut']['sentences']:,}. Is it data, or text without stops?",
    ]


@pytest.fixture
def block(tmp_path: Path) -> Callable[[str], Task]:
    """The block of one document."""

    def of(text: str) -> Task:
        return Task((Raw("a", "a", "a", text),), tmp_path / "block", CorpusSettings())

    return of


HARD = {
    "no stop": ("word ", 10**6),
    "no blank": ("x", 10**6),
    "stops with blanks": ("! ", 400_000),
    "abbreviations": ("Mr. ", 400_000),
    "an ellipsis with blanks": (". ", 10**6),
    "lines": ("It is a line.\n", 10**6),
    "no blank but stops": ("?!", 80_000),
    "no blank but closed stops": ("a.)", 80_000),
    "a script without blanks": ("他说你好。", 400_000),
}


@pytest.mark.parametrize(("unit", "size"), HARD.values(), ids=HARD)
def test_no_run_without_blanks_is_long_where_it_is_split(unit: str, size: int) -> None:
    """The splitter looks from a stop in such a run on to the run's end, again from each stop, so that its time would
    grow with the square of it."""
    text = " ".join((unit * size)[:size].split())
    parts, cuts = unbroken(text)
    assert max(len(run) for part in parts for run in part.split()) <= LONGEST
    assert "".join("".join(parts).split()) == "".join(text.split()), "nothing is lost"
    assert (cuts > 0) == (unit in ("x", "?!", "a.)")), "where there are blanks, or stops of their own, none is cut"


@pytest.mark.slow
def test_the_longest_document_fits(block: Callable[[str], Task]) -> None:
    """A longer one comes in parts; so this is what a process needs, whatever the input."""
    text = words(LIMIT // 6, 0, ends=SENTENCE).decode()
    with most() as held:
        make(block(text))
    assert 0.7 * told(PROCESS) * 10**6 < held[0] < told(PROCESS) * 10**6


# Many documents, many sentences, many files

NEAR, OTHER = r"([\d,]+) a document", r"([\d,]+) where near duplicates are not looked for"


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """The blocks of documents; each text is one, its lines are its sentences."""

    def of(texts: Iterable[str]) -> list[Path]:
        folder = tmp_path_factory.mktemp("blocks")
        (folder / "rows.txt").write_text("\n\n".join(texts))
        settings = CorpusSettings(documents="blank-lines")
        return building._make_blocks(find([folder / "rows.txt"]), settings, folder, workers=1, quiet=True)

    return of


def documents(count: int, sentences: int, size: int, copies: int = 1) -> Iterator[str]:
    """Texts of so many sentences of so many words; of `copies` each but the first has another word at its end."""
    every = iter(words(count * sentences * size, 0).decode().split())
    for _ in range(count):
        text = "\n".join(" ".join(islice(every, size)) for _ in range(sentences))
        yield from (f"{text} {'x' * copy}".rstrip() for copy in range(copies))


def held(paths: list[Path], folder: Path, **settings: Any) -> int:
    """The most bytes that are held to decide on the documents of blocks and to write them."""
    asked = CorpusSettings(**settings)
    folder.mkdir()
    with most() as found:
        assemble(paths, folder, {"settings": asked.model_dump(mode="json")}, asked, [])
    return found[0]


@pytest.fixture(scope="module")
def few_and_many(blocks: Callable[..., list[Path]]) -> list[list[Path]]:
    return [blocks(documents(count, 1, 8)) for count in (10_000, 30_000)]


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({}, NEAR),
        pytest.param({"held_out": 0.1}, NEAR, marks=pytest.mark.slow),
        pytest.param({"held_out_names": ("rows.txt#1",)}, NEAR, marks=pytest.mark.slow),
        ({"duplicates": "exact", "held_out": 0.1}, OTHER),
        pytest.param({"duplicates": "keep", "held_out": 100}, OTHER, marks=pytest.mark.slow),
    ],
    ids=["near", "a share", "names", "exact", "keep"],
)
def test_memory_of_a_document_is_what_is_told(
    settings: dict[str, Any], pattern: str, few_and_many: list[list[Path]], tmp_path: Path
) -> None:
    few, many = (held(paths, tmp_path / str(i), **settings) for i, paths in enumerate(few_and_many))
    assert 0.8 * told(pattern) < (many - few) / 20_000 < told(pattern)


def test_memory_of_a_sentence_is_what_is_told(blocks: Callable[..., list[Path]], tmp_path: Path) -> None:
    few, many = (held(blocks(documents(count, 100, 2)), tmp_path / str(count)) for count in (2_000, 4_000))
    assert 8 <= (many - few) / 200_000 < told(r"([\d,]+) bytes a sentence")


@pytest.mark.slow
def test_memory_of_documents_that_nearly_repeat_others_is_what_is_told(
    blocks: Callable[..., list[Path]], tmp_path: Path
) -> None:
    few, many = (held(blocks(documents(count, 1, 60, copies=32)), tmp_path / str(count)) for count in (30, 90))
    assert (many - few) / 1_920 < told(r"([\d,]+) where each nearly repeats 31 others")


@pytest.mark.slow
def test_memory_of_a_file_is_what_is_told(tmp_path: Path) -> None:
    sizes = []
    for count in (1_000, 4_000):
        (tmp_path / str(count)).mkdir()
        for number in range(count):
            (tmp_path / str(count) / f"{number:06}.txt").touch()
        with most() as found:
            find([tmp_path / str(count)])
        sizes.append(found[0])
    assert (sizes[1] - sizes[0]) / 3_000 < told(r"([\d,]+) a file")
