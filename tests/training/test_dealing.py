"""How a step's rows are dealt to processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from crew import corpus, vocabulary
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import find, names, resolve
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.training.dealing import deal

CPU = torch.device("cpu")
COURSE = Course(corpus(), Mlm(), vocabulary(), (1, 2), 12_000, (Phase(length=30, batch_tokens=400),), micro_tokens=90)
LENGTHS = COURSE.sequences(30, 0).lengths
steps, worlds = st.integers(0, COURSE.passes[0].steps - 1), st.integers(1, 9)


@given(steps, worlds)
def test_all_rows_are_dealt_once_and_all_compute_equally_often(step: int, size: int) -> None:
    rows = COURSE.rows(step)
    dealt = [deal(COURSE, rows, rank, size) for rank in range(size)]
    taken = [piece.rows for mine in dealt for piece in mine if piece.counts]
    assert sorted(np.concatenate(taken)) == sorted(rows)
    assert len({len(mine) for mine in dealt}) == 1, "or some would wait for ever"
    assert all(len(piece.rows) for mine in dealt for piece in mine)
    assert all(np.isin(piece.rows, rows).all() for mine in dealt for piece in mine)


@given(steps, worlds)
def test_shares_are_nearly_equal_in_tokens(step: int, size: int) -> None:
    rows = COURSE.rows(step)
    tokens = [
        sum(LENGTHS[piece.rows].sum() for piece in deal(COURSE, rows, rank, size) if piece.counts)
        for rank in range(size)
    ]
    assert max(tokens) - min(tokens) <= LENGTHS[rows].max()


@given(steps, worlds)
def test_no_piece_is_larger_than_memory_allows(step: int, size: int) -> None:
    for rank in range(size):
        for piece in deal(COURSE, COURSE.rows(step), rank, size):
            assert LENGTHS[piece.rows].sum() <= 90


@given(steps)
def test_one_process_has_the_pieces_of_the_feed(step: int) -> None:
    rows = COURSE.rows(step)
    mine = deal(COURSE, rows)
    assert [piece.rows.tolist() for piece in mine] == [piece.tolist() for piece in COURSE.pieces(rows)]
    assert all(piece.counts for piece in mine)


def test_who_has_no_row_computes_one_that_does_not_count() -> None:
    rows = COURSE.rows(0)[:2]
    dealt = [deal(COURSE, rows, rank, 4) for rank in range(4)]
    assert [[piece.counts for piece in mine] for mine in dealt].count([True]) == 2
    assert [[piece.counts for piece in mine] for mine in dealt].count([False]) == 2


def test_the_deal_of_a_step_is_a_function_of_it() -> None:
    for rank in range(3):
        one, two = (deal(COURSE, COURSE.rows(3), rank, 3) for _ in range(2))
        assert [p.rows.tolist() for p in one] == [p.rows.tolist() for p in two]


@pytest.mark.parametrize("name", [n for n in names(Masking) if "file" not in find(Masking, n).model_fields])
def test_masks_are_the_same_however_many_processes_share_the_rows(name: str) -> None:
    """Also those of whole spans and words, whose choice in one sequence must not follow from its neighbours."""
    made = Course(
        corpus(), Mlm(masking=resolve(Masking, name)), vocabulary(), (1, 2), 5000, (Phase(length=30, batch_tokens=400),)
    )
    rows, at = made.rows(4), replace(made.moment(4), step=4)

    def masked(size: int) -> dict[int, tuple[list[int], list[int]]]:
        """Of each row: the pieces that the network sees, and the labels."""
        found = {}
        for rank in range(size):
            for piece in (p for p in deal(made, rows, rank, size) if p.counts):
                asked, _ = made.fetch(piece.rows, CPU, at)
                seen = asked.batch.ids.split(list(asked.batch.lengths))
                labels = asked.labels.split(list(asked.chosen.counts))
                found |= {int(r): (s.tolist(), w.tolist()) for r, s, w in zip(piece.rows, seen, labels, strict=True)}
        return found

    alone = masked(1)
    assert len(alone) == len(rows) > 9
    assert all(masked(size) == alone for size in (2, 3, 8))
