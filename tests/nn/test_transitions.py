"""A conditional random field against all chains counted one by one."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from maskwright.nn.segments import log_sum_exp
from maskwright.nn.transitions import Moves, Transitions, parted, surprise

TAGS, COUNTS = 3, (2, 4, 1, 4, 3)


def made(seed: int = 0) -> tuple[Tensor, Moves, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    scores = torch.randn(sum(COUNTS), TAGS, generator=random, dtype=torch.float64)
    moves = Moves(*(torch.randn(*size, generator=random, dtype=torch.float64) for size in ((3, 3), (3,), (3,))))
    return scores, moves, torch.randint(TAGS, (sum(COUNTS),), generator=random), torch.tensor(COUNTS)


def of(scores: Tensor, moves: Moves, path: list[int]) -> Tensor:
    found = moves.begin[path[0]] + moves.end[path[-1]] + sum(scores[i, tag] for i, tag in enumerate(path))
    return found + sum(moves.follow[one, two] for one, two in pairwise(path))


def test_the_surprise_of_each_text() -> None:
    scores, moves, targets, counts = made()
    found = surprise(scores, moves, targets, counts)
    for text, (own, path) in enumerate(zip(scores.split(COUNTS), targets.split(COUNTS), strict=True)):
        every = torch.stack([of(own, moves, list(one)) for one in product(range(TAGS), repeat=len(own))])
        assert float(found[text]) == pytest.approx(float(torch.logsumexp(every, 0) - of(own, moves, path.tolist())))


def test_a_part_of_a_text_neither_begins_nor_ends_where_it_is_cut() -> None:
    scores, moves, targets, counts = made()
    edges = torch.tensor([[True, True], [True, False], [False, False], [False, True], [True, True]])
    found = surprise(scores, moves, targets, counts, edges)
    for text, (begins, ends) in enumerate(edges.tolist()):
        own, path = scores.split(COUNTS)[text], targets.split(COUNTS)[text]
        there = moves._replace(begin=moves.begin * begins, end=moves.end * ends)
        torch.testing.assert_close(found[text], surprise(own, there, path, counts[text : text + 1])[0])
    torch.testing.assert_close(found[0], surprise(scores, moves, targets, counts)[0])


def test_without_moves_words_stand_alone() -> None:
    scores, _, targets, counts = made()
    none = Moves(torch.zeros(3, 3).double(), torch.zeros(3).double(), torch.zeros(3).double())
    each = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
    wanted = torch.stack([part.sum() for part in each.split(COUNTS)])
    torch.testing.assert_close(surprise(scores, none, targets, counts), wanted)


def test_moves_go_the_way_that_scores_go_and_have_gradients() -> None:
    scores, _, targets, counts = made(1)
    module = Transitions(TAGS).double()
    torch.nn.init.normal_(module.follow)
    rows = module(scores)
    assert rows.shape == (sum(COUNTS) + TAGS + 2, TAGS), "the moves once, whatever the number of tokens"
    own, moves = parted(rows)
    torch.testing.assert_close(own, scores)
    for one, other in zip(moves, (module.follow, module.begin, module.end), strict=True):
        torch.testing.assert_close(one, other)
    surprise(own, moves, targets, counts).sum().backward()
    assert all(float(each.grad.abs().sum()) > 0 for each in module.parameters())
    none, same = parted(module(scores[:0]))
    assert none.shape == (0, TAGS)
    torch.testing.assert_close(same.follow, module.follow)


def test_sums_over_groups() -> None:
    scores = torch.randn(6, 2)
    group = torch.tensor([0, 1, 0, 2, 1, 1])
    found = log_sum_exp(scores, group, 3)
    for number in range(3):
        torch.testing.assert_close(found[number], torch.logsumexp(scores[group == number], 0))
