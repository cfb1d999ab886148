"""Spans and n-grams: lengths as stated, starts uniform, the budget spent exactly."""

from __future__ import annotations

import masks
import numpy as np
import pytest
from scipy import stats

from maskwright.pretraining.masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._spans import SpanMasking, _spans
from maskwright.pretraining.masking.n_gram import NGram
from maskwright.pretraining.masking.span import Span

LEAST = 1e-4  #: the numbers are fixed, so that a test passes always or never
ROWS, WORDS, EACH = 6000, 40, 2  #: sequences of so many words of so many pieces
VOCABULARY = Vocabulary(0, np.arange(4) < 2, np.arange(4) == 2)  # 2 begins a word, 3 goes on with it


def sequences(rows: int = ROWS, words: int = WORDS) -> Pieces:
    return masks.pack([np.array([1, *[2, *[3] * (EACH - 1)] * words, 1])] * rows)


def first_spans(masking: SpanMasking) -> tuple[np.ndarray, np.ndarray]:
    """(ROWS,) twice: the length and the first word of the span that is drawn first in each sequence; it is never cut,
    as the budget is the longest span's."""
    pieces = sequences()
    budget = np.full(ROWS, float(EACH * len(masking.lengths())))
    units = masking.choose(pieces, VOCABULARY, budget, Draw(0, 0))
    inside = np.flatnonzero(units >= 0)
    first = np.full(ROWS, 2**40)
    np.minimum.at(first, pieces.owner[inside], units[inside])
    mine = inside[units[inside] == first[pieces.owner[inside]]]
    rows = pieces.owner[mine]
    begins = pieces.positions[mine[np.flatnonzero(np.diff(rows, prepend=-1))]]
    return np.bincount(rows, minlength=ROWS) // EACH, (begins - 1) // EACH


def expected(masking: SpanMasking) -> list[float]:
    """The papers' chances, written otherwise than in the code."""
    n = range(1, masking.longest + 1)  # type: ignore[attr-defined]
    weights = [masking.p * (1 - masking.p) ** (k - 1) for k in n] if isinstance(masking, Span) else [1 / k for k in n]
    return [w / sum(weights) for w in weights]


@pytest.mark.parametrize("masking", [Span(), Span(p=0.5, longest=4), NGram(), NGram(longest=6)])
def test_lengths_and_starts(masking: SpanMasking) -> None:
    lengths, starts = first_spans(masking)
    chances = np.array(expected(masking))
    counts = np.bincount(lengths, minlength=len(chances) + 1)[1:]
    assert stats.chisquare(counts, ROWS * chances).pvalue > LEAST
    for length in (1, len(chances)):  # each word from where there is room begins as many
        of_length = np.bincount(starts[lengths == length], minlength=WORDS - length + 1)
        assert len(of_length) == WORDS - length + 1
        assert stats.chisquare(of_length).pvalue > LEAST


def test_the_mean_of_the_paper() -> None:
    assert Span().lengths() @ np.arange(1, 11) == pytest.approx(3.8, abs=0.01)
    assert NGram().lengths() == pytest.approx([6 / 11, 3 / 11, 2 / 11])


def test_spans_by_hand() -> None:
    """Rooms, sizes, lengths, starts, budget, chance of the last word -> spans, in the order in which they are drawn."""
    ones = [1] * 10
    assert _spans([(0, 10)], ones, [3, 2], [0.0, 0.99], 5.0, 0.5) == [(0, 3), (8, 10)]
    # The first leaves 0 to 2 and 6 to 9; two words have room at 0, 1, 6, 7, 8, of which 0.65 is the fourth: 7.
    assert _spans([(0, 10)], ones, [3, 2, 1], [0.45, 0.65, 0.0], 6.0, 0.5) == [(3, 6), (7, 9), (0, 1)]
    # Cut: four words are drawn, 2.5 pieces are left; the third word is taken with the chance 0.5.
    assert _spans([(0, 10)], ones, [4], [0.0], 2.5, 0.49) == [(0, 3)]
    assert _spans([(0, 10)], ones, [4], [0.0], 2.5, 0.5) == [(0, 2)]
    # A word of four pieces with 1 left: taken with the chance 1/4, and the budget is spent in any case.
    assert _spans([(0, 2)], [4, 1], [1, 1], [0.0, 0.0], 1.0, 0.24) == [(0, 1)]
    assert _spans([(0, 2)], [4, 1], [1, 1], [0.0, 0.0], 1.0, 0.26) == []
    # No room is long enough: the longest is filled, and then the other; nothing bridges the gap between them.
    assert _spans([(0, 2), (2, 5)], ones, [9, 9, 9], [0.0] * 3, 5.0, 0.5) == [(2, 5), (0, 2)]


@pytest.mark.parametrize("masking", [Span(), NGram()])
def test_touching_spans_keep_their_numbers(masking: SpanMasking) -> None:
    """With everything chosen the spans cover the text, and each has a number of its own."""
    pieces = sequences(50)
    units = masking.choose(pieces, VOCABULARY, np.full(50, float(WORDS * EACH)), Draw(0, 0))
    for row in np.split(units, pieces.offsets[1:-1]):
        assert (row[1:-1] >= 0).all()
        runs = row[1:-1][np.flatnonzero(np.diff(row[1:-1], prepend=-1))]
        assert len(runs) > 1
        assert len(set(runs.tolist())) == len(runs)
    assert len(np.unique(units[units >= 0])) == units.max() + 1


def test_the_word_that_does_not_fit_is_taken_by_chance() -> None:
    """A budget of 1.5 pieces where each word has 2."""
    pieces = sequences(4000, 5)
    units = Span().choose(pieces, VOCABULARY, np.full(4000, 1.5), Draw(0, 0))
    counts = np.bincount(pieces.owner[units >= 0], minlength=4000)
    assert set(counts.tolist()) == {0, 2}
    assert (counts > 0).mean() == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 4000) ** 0.5)
