"""A table's kept gradient is the gradient torch would have made, and costs only the rows seen."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.lookup import Lookup, gradients, kept_gradients


@pytest.fixture
def table() -> Lookup:
    torch.manual_seed(0)
    made = Lookup(9, 4)
    nn.init.normal_(made.weight)
    return made


def plain(table: Lookup, ids: Tensor, grad: Tensor) -> Tensor:
    weight = table.weight.detach().clone().requires_grad_()
    F.embedding(ids, weight).backward(grad)
    assert weight.grad is not None
    return weight.grad


def test_steps_have_the_gradients_of_their_own_rows(table: Lookup) -> None:
    with kept_gradients(nn.ModuleList([table])):
        for seed in range(4):
            torch.manual_seed(seed)
            ids, grad = torch.randint(0, 9, (5,)), torch.randn(5, 4)
            table(ids[:2]).backward(grad[:2])
            table(ids[2:]).backward(grad[2:])
            assert table.weight.grad is not None
            torch.testing.assert_close(table.weight.grad, plain(table, ids, grad))
            table.zero_grad()
    assert table.kept is None


def test_only_rows_that_were_seen_are_cleared(table: Lookup) -> None:
    with kept_gradients(nn.ModuleList([table])):
        kept = table.kept
        assert kept is not None
        table(torch.tensor([1, 2])).sum().backward()
        assert not kept.all_written
        kept.gradient[7] = torch.nan  # nobody wrote it, so nobody may spend time on it
        table.zero_grad()
        table(torch.tensor([3])).sum().backward()
        assert kept.gradient[7].isnan().all()
        assert torch.equal(kept.gradient[[1, 2, 3]], torch.tensor([[0.0], [0.0], [1.0]]).expand(3, 4))


@pytest.mark.parametrize("first", ["lookup", "decoder"])
def test_another_use_of_the_table_adds_its_gradient(table: Lookup, first: str) -> None:
    """A tied decoder multiplies by the whole table."""
    ids, grad, x = torch.tensor([1, 2]), torch.randn(2, 4), torch.randn(3, 4)
    with kept_gradients(nn.ModuleList([table])):
        for _ in range(2):
            uses = [lambda: table(ids).backward(grad), lambda: F.linear(x, table.weight).sum().backward()]
            for use in uses if first == "lookup" else uses[::-1]:
                use()
            assert table.weight.grad is not None
            torch.testing.assert_close(table.weight.grad, plain(table, ids, grad) + x.sum(0).expand(9, 4))
            table.zero_grad()
        table(ids).backward(grad)
        torch.testing.assert_close(table.weight.grad, plain(table, ids, grad))


def test_nothing_is_kept_without_a_gradient(table: Lookup) -> None:
    with kept_gradients(nn.ModuleList([table])), torch.no_grad():
        assert torch.equal(table(torch.tensor([1, 1])), table.weight[[1, 1]])


@pytest.mark.parametrize("tied", [False, True])
def test_the_norm_needs_only_the_rows_seen(table: Lookup, tied: bool) -> None:
    module = nn.ModuleDict({"table": table, "other": nn.Linear(4, 2)})
    with kept_gradients(module):
        for ids in (torch.tensor([1, 2, 1]), torch.tensor([5])):
            out = module["other"](table(ids)).sum() + (table.weight.square().sum() if tied else 0)
            out.backward()
            found = gradients(module)
            assert len(found) == 3
            assert len(found[0]) == (9 if tied else len(set(ids.tolist())))
            whole = [p.grad.norm() for p in module.parameters() if p.grad is not None]
            torch.testing.assert_close([some.norm() for some in found], whole)
            module.zero_grad()
