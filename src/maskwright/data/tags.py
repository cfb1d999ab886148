"""Tags of words and the spans that they write down: IOB1, IOB2, IOBES and BILOU (Ramshaw and Marcus 1995; Tjong Kim
Sang and Veenstra 1999; Ratinov and Roth 2009).

A tag is `O`, or a mark and a label: `B-person`. The marks say where a span of words begins, goes on and ends:

    words    Ada  Lovelace  met  Babbage  London
    IOB1     I-p  I-p       O    I-p      I-l      B- only where a span follows another one of its label
    IOB2     B-p  I-p       O    B-p      B-l      B- begins every span
    IOBES    B-p  E-p       O    S-p      S-l      E- ends a span of several words, S- is a span of one
    BILOU    B-p  L-p       O    U-p      U-l      the same with other letters
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from maskwright.base.errors import UserError, unknown

Scheme = Literal["IOB1", "IOB2", "IOBES", "BILOU"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
OUTSIDE = "O"
_TAG = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_BARE = re.compile(r"[BIESLU](?:[^\w-].+|_.+)?", re.DOTALL)  # a mark with no label, or with another sign before it
_SAME = {"L": "E", "U": "S"}  # the marks of BILOU in the letters of IOBES


class Words(NamedTuple):
    """The words `first` to `last` (exclusive) of a text, and their label."""

    first: int
    last: int
    label: str


def parted(tag: str) -> tuple[str, str]:
    """The mark and the label of a tag; of `O`, and of what is no such tag, `O` and nothing."""
    found = _TAG.fullmatch(tag)
    return (found[1], found[2]) if found else (OUTSIDE, "")


def are_spans(tags: Iterable[str]) -> bool:
    """Whether tags write down spans: each is `O` or has a mark in front, and some have one."""
    seen = set(tags) - {OUTSIDE}
    return bool(seen) and all(_TAG.fullmatch(tag) for tag in seen)


def are_marks(tags: Iterable[str]) -> bool:
    """Whether tags seem to be meant for spans but are not written so: `O` beside marks without a label (B, I), or with
    another sign than a hyphen before it (B_person)."""
    seen = set(tags)
    return OUTSIDE in seen and len(seen) > 1 and all(_BARE.fullmatch(tag) for tag in seen - {OUTSIDE})


def detect(rows: Iterable[Sequence[str]]) -> Scheme:
    """The scheme in which the tags of these texts are written; of IOB1 and IOB2 that which more spans begin by, and
    IOB2 where nothing tells them apart."""
    rows = list(rows)
    marks = {parted(tag)[0] for tag in {tag for tags in rows for tag in tags}}
    if marks & {"L", "U"}:
        return "BILOU"
    if marks & {"E", "S"}:
        return "IOBES"
    outer, inner = begins(rows)
    return "IOB1" if inner > outer else "IOB2"


def begins(rows: Iterable[Sequence[str]]) -> tuple[int, int]:
    """How often B-, and how often I-, stands where no span of its label goes on: every span of IOB2 begins with the
    one, and of IOB1 with the other."""
    found: Counter[str] = Counter()
    for tags in rows:
        before = (OUTSIDE, "")
        for mark, label in map(parted, tags):
            found[mark] += before[0] == OUTSIDE or before[1] != label
            before = (mark, label)
    return found["B"], found["I"]


def spans(tags: Sequence[str], scheme: Scheme | None = None) -> list[Words]:
    """The spans that tags write down.

    Without a scheme as the program conlleval of the CoNLL shared tasks reads them, whatever they are: a span begins at
    B- and S-, behind E- and S-, and where the label changes; an I- that follows nothing begins one. With a scheme only
    spans that are written in it to the letter, as seqeval's strict mode counts them.
    """
    return _lenient(tags) if scheme is None else _strict(tags, scheme)


def _lenient(tags: Sequence[str]) -> list[Words]:
    out: list[Words] = []
    first, last = 0, (OUTSIDE, "")
    for i, tag in enumerate([*tags, OUTSIDE]):
        mark, label = parted(tag)
        mark = _SAME.get(mark, mark)
        ends = last[0] != OUTSIDE and (last[0] in "ES" or mark in "BSO" or label != last[1])
        if ends:
            out.append(Words(first, i, last[1]))
        if mark != OUTSIDE and (ends or last[0] == OUTSIDE):
            first = i
        last = (mark, label)
    return out


def _strict(tags: Sequence[str], scheme: Scheme) -> list[Words]:
    out: list[Words] = []
    marked = [parted(tag) for tag in tags]
    i = 0
    while i < len(tags):
        last = _written(marked, i, scheme)
        if last is None:
            i += 1
        else:
            out.append(Words(i, last, marked[i][1]))
            i = last
    return out


def _written(marked: Sequence[tuple[str, str]], first: int, scheme: Scheme) -> int | None:
    """Where the span that begins at a word ends (exclusive); None where none is written there."""
    mark, label = marked[first]
    if mark == OUTSIDE:
        return None
    whole, closing = {"IOBES": ("S", "E"), "BILOU": ("U", "L")}.get(scheme, ("", ""))
    if mark == whole:
        return first + 1
    before = marked[first - 1] if first else (OUTSIDE, "")
    inside = before[0] != OUTSIDE and before[1] == label
    # In IOB1 an I- that is looked at here goes on with no span, so that it begins one.
    if not (mark == "I" or (mark == "B" and inside) if scheme == "IOB1" else mark == "B"):
        return None
    last = first + 1
    while last < len(marked) and marked[last] == ("I", label):
        last += 1
    if scheme == "IOB1" and last < len(marked) and marked[last - 1][0] == marked[last][0] == "B":
        return last if marked[last][1] == label else None  # a B- that follows no span of its label ends none
    if not closing:
        return last
    return last + 1 if last < len(marked) and marked[last] == (closing, label) else None


def tagged(found: Iterable[Words], count: int, scheme: Scheme) -> list[str]:
    """The tags of `count` words with these spans, which do not overlap."""
    out = [OUTSIDE] * count
    before: Words | None = None
    for span in sorted(found):
        follows = before is not None and before.last == span.first and before.label == span.label
        marks = _marks(span.last - span.first, scheme, follows)
        out[span.first : span.last] = [f"{mark}-{span.label}" for mark in marks]
        before = span
    return out


def _marks(length: int, scheme: Scheme, follows: bool) -> str:
    if scheme in ("IOB1", "IOB2"):
        return ("B" if scheme == "IOB2" or follows else "I") + "I" * (length - 1)
    whole, closing = ("S", "E") if scheme == "IOBES" else ("U", "L")
    return whole if length == 1 else "B" + "I" * (length - 2) + closing


def names(labels: Iterable[str], scheme: Scheme) -> tuple[str, ...]:
    """All tags that spans of these labels are written in, `O` first."""
    if scheme not in SCHEMES:
        raise UserError(unknown("scheme", scheme, SCHEMES))
    marks = {"IOB1": "BI", "IOB2": "BI", "IOBES": "BIES", "BILOU": "BILU"}[scheme]
    return (OUTSIDE, *(f"{mark}-{label}" for label in sorted(set(labels)) for mark in marks))


def scheme_of(tags: Iterable[str]) -> Scheme:
    """The scheme that a set of tags, as a model's labels, belongs to: by the marks that occur. Of the two with the same
    ones it is IOB1 where a label has I- alone, since nothing else could begin its spans, and IOB2 where none has."""
    found = {parted(tag) for tag in tags}
    seen = {mark for mark, _ in found}
    if seen & {"L", "U"}:
        return "BILOU"
    if seen & {"E", "S"}:
        return "IOBES"
    alone = any(mark == "I" and ("B", label) not in found for mark, label in found)
    return "IOB1" if alone else "IOB2"


def may_follow(one: str, other: str, scheme: Scheme) -> bool:
    """Whether a tag may stand behind another one; `O` stands for both ends of a text too."""
    (mark, label), (then, next_label) = parted(one), parted(other)
    same = label == next_label
    if scheme == "IOB2":
        return then != "I" or (mark != OUTSIDE and same)
    if scheme == "IOB1":
        return then != "B" or (mark != OUTSIDE and same)
    closing = "E" if scheme == "IOBES" else "L"
    open_ = mark in ("B", "I")
    return (then in ("I", closing) and same) if open_ else then not in ("I", closing)
