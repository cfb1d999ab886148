"""Schemes of tags: what one writes, each reads back; counted as conlleval and seqeval count."""

from __future__ import annotations

from collections import Counter

import conlleval
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from maskwright.base.errors import UserError
from maskwright.data.tags import SCHEMES, Words, are_spans, begins, detect, may_follow, names, scheme_of, spans, tagged

schemes = st.sampled_from(SCHEMES)
LABELS = ["LOC", "p"]  # one with letters that are marks as well


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[Words], int]:
    """Spans that do not overlap, some side by side, and how many words there are."""
    found, at = [], 0
    for _ in range(draw(st.integers(0, 5))):
        at += draw(st.integers(0, 2))
        size = draw(st.integers(1, 3))
        found.append(Words(at, at + size, draw(st.sampled_from(LABELS))))
        at += size
    return found, at + draw(st.integers(0, 2))


@given(texts(), schemes)
def test_what_is_written_is_read_back(text: tuple[list[Words], int], scheme: str) -> None:
    found, count = text
    tags = tagged(found, count, scheme)
    assert len(tags) == count
    assert spans(tags) == spans(tags, scheme) == found
    assert set(tags) <= set(names(LABELS, scheme))
    assert all(may_follow(a, b, scheme) for a, b in zip(["O", *tags], [*tags, "O"], strict=True))


@given(st.lists(texts(), min_size=1), schemes)
def test_a_scheme_is_told_by_what_sets_it_apart(some: list[tuple[list[Words], int]], scheme: str) -> None:
    rows = [tagged(found, count, scheme) for found, count in some]
    told = detect(rows)
    assert all(spans(tags, told) == found for tags, (found, _) in zip(rows, some, strict=True))


@pytest.mark.parametrize(
    ("rows", "told", "broken"),
    [
        ([["B-p", "E-p"], ["B-p", "L-p"]], "BILOU", [Words(0, 2, "p")]),  # E- beside L-
        ([["S-p", "O"], ["U-p", "O"]], "BILOU", [Words(0, 1, "p")]),
        ([["I-p", "O", "I-l"], ["B-p", "O", "B-l"]], "IOB2", [Words(0, 1, "p"), Words(2, 3, "l")]),  # IOB1 beside IOB2
        ([["B-p", "I-p"], ["S-l", "O"]], "IOBES", [Words(0, 2, "p")]),
    ],
)
def test_of_mixed_schemes_the_richest_is_told_and_the_rest_breaks_it(
    rows: list[list[str]], told: str, broken: list[Words]
) -> None:
    assert detect(rows) == told
    assert [span for tags in rows for span in spans(tags) if span not in spans(tags, told)] == broken


def test_a_slip_makes_no_other_scheme() -> None:
    rows = [["I-p", "I-p", "O", "I-l"]] * 20
    assert detect([*rows, ["B-p", "O"]]) == "IOB1"
    assert detect([*rows, *[["B-p", "O", "B-l"]] * 21]) == "IOB2"


def test_what_begins_spans() -> None:
    assert begins([["I-p", "I-p", "O", "I-l", "I-p"], ["B-p", "B-p", "I-l"]]) == (1, 4)
    assert begins([[]]) == (0, 0)


def test_the_example_of_the_docstring() -> None:
    found = [Words(0, 2, "p"), Words(3, 4, "p"), Words(4, 5, "l")]
    written = {scheme: " ".join(tagged(found, 5, scheme)) for scheme in SCHEMES}
    assert written == {
        "IOB1": "I-p I-p O I-p I-l",
        "IOB2": "B-p I-p O B-p B-l",
        "IOBES": "B-p E-p O S-p S-l",
        "BILOU": "B-p L-p O U-p U-l",
    }
    assert {scheme: detect([text.split()]) for scheme, text in written.items()} == {s: s for s in SCHEMES}
    assert [scheme_of(names(LABELS, scheme)) for scheme in SCHEMES] == ["IOB2", "IOB2", "IOBES", "BILOU"]
    assert scheme_of(["O", "I-LOC", "I-PER"]) == scheme_of(["B-LOC", "I-LOC", "I-PER", "O"]) == "IOB1"


tag = st.sampled_from(["O", *(f"{m}-{label}" for m in "BIES" for label in LABELS)])
any_tags = st.lists(tag, max_size=9)


@given(any_tags)
def test_any_tags_are_read_as_conlleval_reads_them(tags: list[str]) -> None:
    assert spans(tags) == [Words(a, b + 1, label) for label, a, b in get_entities(tags)]


@given(st.lists(st.lists(st.tuples(tag, tag), min_size=1, max_size=9), min_size=1, max_size=3))
def test_spans_are_counted_as_a_port_of_conlleval_counts_them(rows: list[list[tuple[str, str]]]) -> None:
    """Of each label the true ones, those that were found, and those that were found rightly."""
    lines = [line for row in rows for line in (*(f"w {true} {said}" for true, said in row), "")]
    told = conlleval.evaluate(lines)["slots"]["chunks"]
    theirs = {label: tuple(of["stats"][name] for name in ("gold", "pred", "correct")) for label, of in told.items()}
    true, said = ([(i, s) for i, row in enumerate(rows) for s in spans([p[side] for p in row])] for side in (0, 1))
    counted = [Counter(span.label for _, span in some) for some in (true, said, set(true) & set(said))]
    assert theirs == {label: tuple(some[label] for some in counted) for label in theirs}
    assert {label for some in counted for label in some} <= theirs.keys()


STRICT = [("IOB1", IOB1, "BI"), ("IOB2", IOB2, "BI"), ("IOBES", IOBES, "BIES"), ("BILOU", BILOU, "BILU")]


@given(st.sampled_from(STRICT), st.data())
def test_a_strict_reading_is_seqevals(kind: tuple[str, type, str], data: st.DataObject) -> None:
    scheme, theirs, marks = kind
    pool = ["O", *(f"{m}-{label}" for m in marks for label in LABELS)]
    tags = data.draw(st.lists(st.sampled_from(pool), max_size=9))
    entities = [entity for row in Entities([tags], theirs).entities for entity in row]
    assert spans(tags, scheme) == [Words(e.start, e.end, e.tag) for e in entities]


def test_bilou_is_iobes_in_other_letters() -> None:
    assert spans(["B-p", "I-p", "L-p", "U-l", "L-p"]) == [Words(0, 3, "p"), Words(3, 4, "l"), Words(4, 5, "p")]
    assert spans(["B-p", "I-p", "L-p", "U-l", "L-p"], "BILOU") == [Words(0, 3, "p"), Words(3, 4, "l")]


def test_tags_of_words_are_no_spans() -> None:
    assert not are_spans(["NOUN", "VERB"])
    assert not are_spans(["O", "O"])
    assert not are_spans(["B-x", "NOUN"])
    assert are_spans(["O", "S-x"])


def test_a_scheme_that_is_none_is_said() -> None:
    with pytest.raises(UserError, match="IOBES"):
        names(LABELS, "IOBE")  # type: ignore[arg-type]
