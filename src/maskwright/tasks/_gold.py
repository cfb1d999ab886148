"""What is true of a text whose words or spans have labels, and what a person should know of how rows say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from maskwright.base.errors import UserError, unknown
from maskwright.base.words import counted
from maskwright.data import tags as schemes
from maskwright.data.tagged import Labelled, Span, characters, words_in

Where = Callable[..., str]  #: where a row stands, or one of its words (`Table.where` of that row)


@dataclass(frozen=True, eq=False)
class Gold:
    """A tag for each word of a text, indices (W,), and the spans that stand in it, if its labels are spans."""

    words: np.ndarray  #: (W, 2) characters
    tags: np.ndarray
    names: tuple[str, ...]  #: of the tags
    spans: tuple[Span, ...] = ()
    strict: tuple[Span, ...] = ()  #: those that its tags write to the letter of their scheme; all, where it has no tags


def of_words(row: Labelled, names: tuple[str, ...], where: Where) -> Gold:
    """Where labels are a tag a word. Raises UserError for spans, and for a tag that is none of `names`."""
    if row.tags is None and not row.spans:
        raise UserError(f"{where()}: there is no tag for its {counted(len(row.words), 'word')}.")
    if row.tags is None:
        some = ", ".join(names[:6])
        raise UserError(f"{where()}: spans were given, but the labels are tags of words: {some}.")
    index = _index(names)
    for word, tag in enumerate(row.tags):
        if tag not in index:
            raise UserError(f"{where(word)}: {unknown('tag', tag, names)}")
    return Gold(row.words, np.array([index[tag] for tag in row.tags], np.int64), names)


def of_spans(
    row: Labelled, names: tuple[str, ...], scheme: schemes.Scheme, written: schemes.Scheme, where: Where
) -> Gold:
    """Where labels are spans, as they are or as tags write them down. written: the scheme that tags of rows are in.
    Raises UserError for a tag that writes nothing down, and for a label that the tags `names`, in their scheme, do not
    have."""
    if row.spans is not None:
        spans = strict = tuple(row.spans)
        inside = [_covered(row.words, span, row.text, where) for span in spans]
    else:
        tags = row.tags or []
        for word, tag in enumerate(tags):
            if not (tag == schemes.OUTSIDE or schemes.parted(tag)[1]):
                said = f"the tag {tag!r} is neither O nor a mark and a label, such as B-person."
                raise UserError(f"{where(word)}: {said}")
        inside = schemes.spans(tags)
        spans, strict = (
            tuple(characters(row.words, each) for each in found) for found in (inside, schemes.spans(tags, written))
        )
    known = {schemes.parted(tag)[1] for tag in names} - {""}
    strange = next((each for each in inside if each.label not in known), None)
    if strange is not None:
        place = where() if row.spans is not None else where(strange.first)
        raise UserError(f"{place}: {unknown('label', strange.label, sorted(known))}")
    index, tags = _index(names), schemes.tagged(_apart(inside), len(row.words), scheme)
    # Labels that have I- alone cannot say that a span begins right behind another one.
    ids = [index.get(tag, index.get(f"I-{schemes.parted(tag)[1]}")) for tag in tags]
    if None in ids:
        word = ids.index(None)
        raise UserError(f"{where(word)}: the model has no tag {tags[word]!r}, which {scheme} needs for a span there.")
    return Gold(row.words, np.array(ids, np.int64), names, spans, strict)


def said(
    found: Sequence[Labelled], gold: Sequence[Gold], where: Where, scheme: schemes.Scheme, stated: bool
) -> tuple[str, ...]:
    """One sentence each: the scheme, what breaks it, spans that fit no words, words with white space, words that would
    be found otherwise. where: a row, or a word of it, stands; stated: whether a person named the scheme."""
    out = list[str]()
    if any(each.spans for each in gold):
        out += _scheme_said(found, where, scheme, stated)
    trimmed = sum(row.trimmed for row in found)
    if trimmed:
        out.append(f"{counted(trimmed, 'span')} began or ended with white space, which was cut off.")
    uneven = [i for i, each in enumerate(gold) if not _fits(each)]
    if uneven:
        out.append(
            f"{counted(len(uneven), 'text')} with a span that begins or ends inside of a word (first at "
            f"{where(uneven[0])}); the network learns whole words, so such a span cannot be found exactly."
        )
    given = [row for row in found if row.found is None]
    wide = [(i, word) for i, row in enumerate(found) if row.found is None for word in _wide(row)]
    if wide:
        out.append(
            f"{counted(len(wide), 'word')} with white space inside (first at {where(*wide[0])}): each is read as one "
            "word with one tag, and in a text that comes without its words it is not found again."
        )
    if given:
        alike = sum(np.array_equal(words_in(row.text, "signs"), row.words) for row in given)
        out.append(
            "the words are those of the rows. In a text that comes without them they are found anew, runs of letters "
            f"and digits and signs one by one, which cuts {alike:,} of these {counted(len(given), 'text')} alike."
        )
    bare = sum(not len(row.words) for row in found)
    if bare:
        out.append(f"{counted(bare, 'text')} without a word; nothing is asked of such texts.")
    return tuple(out)


def _scheme_said(found: Sequence[Labelled], where: Where, scheme: schemes.Scheme, stated: bool) -> list[str]:
    if not any(row.tags for row in found):
        return []
    out = [f"the tags are in {scheme}, {'as stated' if stated else 'as their marks tell'}."]
    broken = list[tuple[int, int]]()
    for i, tags in ((i, row.tags) for i, row in enumerate(found) if row.tags):
        broken += [(i, span.first) for span in sorted(set(schemes.spans(tags)) - set(schemes.spans(tags, scheme)))]
    if broken:
        verb = "is" if len(broken) == 1 else "are"
        out.append(
            f"{counted(len(broken), 'span')} {verb} not written as {scheme} has it (first at {where(*broken[0])}); "
            "they are read as conlleval reads them."
        )
    return out


def _wide(row: Labelled) -> list[int]:
    """The words of a row that hold white space."""
    return [i for i, (a, b) in enumerate(row.words.tolist()) if any(map(str.isspace, row.text[a:b]))]


def counts(gold: Sequence[Gold], spans: bool) -> str:
    """How many texts, words and spans there are, in a sentence."""
    told = f"{counted(len(gold), 'text')} of {sum(len(g.tags) for g in gold):,} words"
    if not spans:
        return f"{told}."
    labels = Counter(span.label for g in gold for span in g.spans)
    listed = ", ".join(f"{label} {count:,}" for label, count in labels.most_common(8))
    more = f" and {len(labels) - 8} more labels" if len(labels) > 8 else ""
    return f"{told} with {counted(labels.total(), 'span')}{f': {listed}{more}' if labels else ''}."


@lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _covered(words: np.ndarray, span: Span, text: str, where: Where) -> schemes.Words:
    """The words that share a character with a span."""
    first = int(np.searchsorted(words[:, 1], span.start, side="right"))
    last = int(np.searchsorted(words[:, 0], span.end, side="left"))
    if last <= first:
        raise UserError(f"{where()}: the span {text[span.start : span.end]!r} holds no word. Mend or remove it.")
    return schemes.Words(first, last, span.label)


def _apart(found: Sequence[schemes.Words]) -> list[schemes.Words]:
    """Those that share no word with one before them: two spans inside of one word are one too many."""
    out: list[schemes.Words] = []
    for each in sorted(found):
        if not out or each.first >= out[-1].last:
            out.append(each)
    return out


def _fits(gold: Gold) -> bool:
    """Whether all spans of a text begin and end where words do."""
    firsts, lasts = set(gold.words[:, 0].tolist()), set(gold.words[:, 1].tolist())
    return all(span.start in firsts and span.end in lasts for span in gold.spans)
