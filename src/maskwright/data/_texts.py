"""What texts are to a vocabulary: their words, their case, their lengths in pieces, and the pieces it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from maskwright.base.words import counted
from maskwright.data._finding import Finding, Side, percent
from maskwright.text.tokenizer import Tokenizer

CUT = 0.05  #: of the texts: from here on a cut is a warning
UNKNOWN = 0.01  #: of the pieces: from here on unknown ones are a warning
ALL = 0.95  #: of the texts with letters: such a share is called all
_ASKED = 200  # texts in which unknown words are looked up
_SHOWN = 5  # words that are shown

Case = Literal["upper", "lower", "mixed", "none"]  # none: in a script without case


def wordless(sides: Sequence[Side]) -> list[Finding]:
    """Texts without a letter or digit, of pairs either one: a model can only guess there."""
    out = []
    for side in sides:
        columns = [side.texts] if side.pairs is None else [side.texts, side.pairs]
        bare = {row for texts in columns for row, text in enumerate(texts) if not any(map(str.isalnum, text))}
        rows = sorted(bare)
        if rows:
            verb = "holds" if len(rows) == 1 else "hold"
            sentence = f"{len(rows):,} of {counted(len(side), f'{side.name} text')} {verb} no word at all."
            out.append(Finding("no word", "warning", sentence, len(rows), side.first(rows), side.listed(rows)))
    return out


def casing(sides: Sequence[Side], tokenizer: Tokenizer | None) -> list[Finding]:
    """Whether texts are all of one case, and whether the vocabulary tells cases apart.

    A vocabulary that lower-cases takes any text. One that does not has hardly any pieces for texts in capitals, and
    has learnt from texts that are not all lower case.
    """
    found = {side.name: case(side) for side in sides}
    told = ", ".join(f"{name} {_CASES[kind]}" for name, kind in found.items())
    values = {"case": found, "vocabulary_lower_cases": None if tokenizer is None else tokenizer.lowercase}
    kinds = set(found.values()) - {"none"}
    if not kinds:
        return []
    if tokenizer is None or tokenizer.lowercase:
        end = "" if tokenizer is None else "; the vocabulary lower-cases all of it"
        return [Finding("case", "fact", f"Letters: {told}{end}.", values=values)]
    odd = "upper" in kinds or "lower" in kinds
    end = "the vocabulary tells cases apart" + (" and has learnt from mixed case" if odd else "")
    return [Finding("case", "warning" if odd else "fact", f"Letters: {told}; {end}.", values=values)]


_CASES = {"upper": "all upper case", "lower": "all lower case", "mixed": "mixed case", "none": "without case"}


def case(side: Side) -> Case:
    """The case of a side's texts: upper or lower when 95 % of those that have case are so throughout."""
    upper = lower = cased = 0
    for block in side.blocks():
        for text in block:
            is_lower = text.islower()  # False where no character has case
            is_upper = not is_lower and text.isupper()
            lower += is_lower
            upper += is_upper
            cased += is_lower or is_upper or text.lower() != text.upper()
    if not cased:
        return "none"
    return "upper" if upper >= ALL * cased else "lower" if lower >= ALL * cased else "mixed"


def lengths(sides: Sequence[Side], max_length: int | None) -> list[Finding]:
    """How long texts are in pieces, the special ones included, and what share is longer than the encoder will see."""
    out = []
    for side in sides:
        if side.encodings is None or not len(side):
            continue
        full = side.encodings.full_lengths
        half, most, all_but = (int(n) for n in np.percentile(full, [50, 100, 99], method="higher"))
        cut = side.encodings.truncated
        bounds = 2 ** np.arange(2, max(3, int(np.ceil(np.log2(max(most, 1))))) + 1)
        table = np.histogram(full, bins=np.concatenate([[0], bounds + 1]))[0]
        values = {
            "split": side.name, "texts": len(side), "median": half, "all_but_1_percent": all_but, "longest": most,
            "mean": float(full.mean()), "max_length": max_length, "longer": cut,
            "pieces_lost": side.encodings.pieces_cut,
            "histogram": [
                {"at_most": int(bound), "texts": int(n)} for bound, n in zip(bounds, table, strict=True)
            ],
        }  # fmt: skip
        end = f"{percent(cut, len(side))} ({cut:,}) will be cut" if cut else "none will be cut"
        limit = f" at {max_length:,}" if max_length else ""
        sentence = (
            f"{side.name} texts have {half:,} pieces in the middle, 99 % at most {all_but:,}, the longest {most:,}; "
            f"{end}{limit}."
        )
        rows = np.argsort(-side.encodings.cut, kind="stable")[: min(cut, _SHOWN)]
        where = tuple(f"{side.where(int(row))}: {int(full[row]):,} pieces" for row in rows)
        severity = "warning" if cut >= CUT * len(side) else "fact"
        out.append(Finding("lengths", severity, sentence, cut, where, values))
    return out


def unknown(sides: Sequence[Side], tokenizer: Tokenizer) -> list[Finding]:
    """The share of pieces that the vocabulary has no way to write, and some of the words behind them."""
    out = []
    for side in sides:
        if side.encodings is None or not len(side):
            continue
        lost = unknown_pieces(side)
        ids = side.encodings.ids
        pieces = int(((ids != tokenizer.cls_id) & (ids != tokenizer.sep_id)).sum())
        rows = np.argsort(-lost, kind="stable")[: int((lost > 0).sum())]
        total = int(lost.sum())
        values = {**side.listed(rows), "pieces": pieces, "unknown": total}
        if not total:
            sentence = f"The vocabulary can write every piece of the {side.name} texts."
            out.append(Finding("unknown pieces", "fact", sentence, values=values))
            continue
        words = _words(side, rows[:_ASKED], tokenizer)
        values["words"] = words
        sentence = (
            f"{percent(total, pieces)} of the {side.name} pieces ({total:,}, in {counted(len(rows), 'text')}) are "
            f"unknown to the vocabulary{', such as ' + ', '.join(map(repr, words)) if words else ''}."
        )
        severity = "warning" if total >= UNKNOWN * pieces else "fact"
        out.append(Finding("unknown pieces", severity, sentence, len(rows), side.first(rows), values))
    return out


def unknown_pieces(side: Side) -> np.ndarray:
    """(B,) how many pieces of each text are unknown."""
    assert side.encodings is not None
    owner = np.repeat(np.arange(len(side)), side.encodings.lengths)
    return np.bincount(owner[side.encodings.ids == side.encodings.unknown_id], minlength=len(side))


def _words(side: Side, rows: np.ndarray, tokenizer: Tokenizer) -> list[str]:
    """The commonest words that became the unknown piece in these rows."""
    texts = [side.texts[row] for row in rows]
    pairs = None if side.pairs is None else [side.pairs[row] for row in rows]
    found = tokenizer.encode(texts, pairs, details=True)
    assert found.spans is not None
    owner = np.repeat(np.arange(len(rows)), found.lengths)
    words: Counter[str] = Counter()
    for at in np.flatnonzero(found.ids == found.unknown_id):
        source = pairs if found.segments[at] and pairs is not None else texts
        start, end = found.spans[at]
        words[source[owner[at]][start:end]] += 1
    return [word for word, _ in words.most_common(_SHOWN)]
