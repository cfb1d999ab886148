"""A table's kept gradient is the gradient torch would have made, and costs only the rows seen."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.lookup import Lookup, gradients, kept_gradients, narrowed


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


def test_a_narrowed_table_trains_only_the_rows_in_use(table: Lookup) -> None:
    """As the whole table does, step by step; the others stay, also where weights decay."""
    module, used = nn.ModuleList([table]), torch.tensor([1, 4, 7])
    start, plain_table = table.weight.detach().clone(), Lookup(9, 4)
    plain_table.load_state_dict(table.state_dict())
    whole = torch.optim.AdamW(plain_table.parameters(), lr=0.1, weight_decay=0.5)
    with narrowed(module, [table], used) as tables, kept_gradients(module):
        few = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.5)
        for ids in (torch.tensor([1, 4, 4]), torch.tensor([7, 1]), torch.tensor([4])):
            for each, optimizer in ((table, few), (plain_table, whole)):
                each(ids).square().sum().backward()
                optimizer.step()
                optimizer.zero_grad()
            assert table.weight.shape == (3, 4)
            with tables.whole():
                assert table.weight.shape == (9, 4)
                torch.testing.assert_close(table.weight[used], plain_table.weight[used])
                assert torch.equal(table(torch.tensor([0])), start[:1]), "rows out of use can be read"
        with pytest.raises(IndexError):
            table(torch.tensor([2]))
    assert table.places is None
    torch.testing.assert_close(table.weight[used], plain_table.weight[used])
    unused = [i for i in range(9) if i not in used]
    assert torch.equal(table.weight[unused], start[unused])


def test_what_is_loaded_while_it_is_whole_is_trained_on(table: Lookup) -> None:
    with narrowed(nn.ModuleList([table]), [table], torch.tensor([2, 3])) as tables:
        with tables.whole():
            table.load_state_dict({"weight": torch.arange(36.0).view(9, 4)})
        assert table(torch.tensor([3]))[0].tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize("why", ["unknown", "frozen", "tied"])
def test_a_table_that_others_read_is_left_whole(table: Lookup, why: str) -> None:
    other = nn.Linear(4, 9, bias=False)
    if why == "tied":
        other.weight = table.weight
    if why == "frozen":
        table.weight.requires_grad_(False)
    with narrowed(nn.ModuleList([table, other]), [table], None if why == "unknown" else torch.tensor([1])):
        assert table.weight.shape == (9, 4)
