"""Into how many pieces a vocabulary cuts the words of texts: many, where it was not made for such texts.

A run says it of its training rows before it trains, whatever they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data._finding import Finding, Side, percent
from maskwright.text.cuts import Cuts, cuts
from maskwright.text.tokenizer import Tokenizer

#: kana and Han, as text.words has them
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
ASKED = 1000  #: texts of a side that are looked at, evenly spread
#: Pieces between two spaces from which on it is a warning. `python -m bench.pieces` measures with MiniLM's vocabulary:
#: films 1.15, encyclopedia 1.12, judgments 1.26, tweets 1.48; German 2.31, a table of measures 2.79, Python 3.26.
MANY = 2.0
SHOWN = 3  #: words that are shown


KIND = "pieces a word"  #: of these findings


def fragments(sides: Sequence[Side], tokenizer: Tokenizer) -> list[Finding]:
    """Code, tables, formulas and other languages are cut into more pieces than prose, each of which says less."""
    out = []
    for side in sides:
        rows = np.unique(np.linspace(0, len(side) - 1, min(ASKED, len(side))).astype(int)) if len(side) else []
        columns = [side.texts] if side.pairs is None else [side.texts, side.pairs]
        try:
            found = cuts(tokenizer, chain.from_iterable([texts[row] for row in rows] for texts in columns), SHOWN)
        except UserError:  # no word at all, which is told elsewhere
            continue
        spaced = found.pieces / max(1, sum(_spaced(texts[row]) for texts in columns for row in rows))
        values = {"split": side.name, "texts": len(rows), "pieces_between_spaces": spaced, **found.shares}
        severity = "warning" if spaced >= MANY else "fact"
        out.append(Finding(KIND, severity, _told(side, found, spaced), values=values))
    return out


def _spaced(text: str) -> int:
    """Words as spaces part them; of writing that has none, its signs."""
    return len(_SIGN.sub(" x ", text).split())


def _told(side: Side, found: Cuts, spaced: float) -> str:
    words = ", ".join(f"{one.word!r} ({' '.join(one.pieces)})" for one in found.frequent)
    start = f"{side.name} texts have {spaced:.2f} pieces a word, as spaces part them"
    lacks = f"{percent(found.unknown, max(found.pieces, 1))} of the pieces are unknown to the vocabulary"
    if spaced < MANY:
        return f"{start}; {lacks}."
    cut = f"; cut most often: {words}" if words else ""
    return (
        f"{start}, where prose has 1.1 to 1.5: code, tables, formulas, or another language than the vocabulary's{cut}; "
        f"{lacks}."
    )
