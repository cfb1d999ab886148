"""Every pooling of the folder: packed equals dense equals one sequence at a time; and each against its definition."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from maskwright.base.choice import Choice, find, names
from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError
from maskwright.nn import Batch
from maskwright.nn.pooling import Pooling

Pack = Callable[..., Batch]
LENGTHS = [5, 1, 40, 2, 2, 17]


class Settings(Config):
    pooling: Choice[Pooling]


def pool(pooling: Pooling, states: Tensor, batch: Batch) -> Tensor:
    read = pooling.reads(batch)
    return pooling.pool(states if read is None else states[read.tokens], batch)


@pytest.fixture
def states() -> Tensor:
    return torch.randn(sum(LENGTHS), 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", names(Pooling))
def test_packed_equals_dense_equals_one_by_one(pack: Pack, states: Tensor, name: str) -> None:
    pooling, batch = find(Pooling, name)(), pack(LENGTHS)
    packed = pool(pooling, states, batch)
    assert packed.shape == (len(LENGTHS), 9)

    alone = [pool(pooling, s, Batch.packed(ids, [len(ids)])) for s, ids in split(states, batch)]
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-6, rtol=0)

    dense = batch.to_dense()
    spread = torch.full((len(dense.ids), 9), 1e3)  # what stands in padding must not be read
    spread[dense.real] = states
    torch.testing.assert_close(pool(pooling, spread, dense), packed, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", names(Pooling))
def test_a_pooling_survives_json(name: str) -> None:
    settings = parse(Settings, {"pooling": name})
    assert settings.pooling.name == name
    again = parse(Settings, json.loads(json.dumps(settings.model_dump(mode="json"))))
    assert again == settings
    assert type(again.pooling) is find(Pooling, name)


def test_cls_is_the_first_state(pack: Pack, states: Tensor) -> None:
    pooled = pool(find(Pooling, "cls")(), states, pack(LENGTHS))
    assert torch.equal(pooled, torch.stack([s[0] for s in states.split(LENGTHS)]))


def test_mean_is_the_mean_in_fp32(pack: Pack, states: Tensor) -> None:
    half = states.bfloat16()
    pooled = pool(find(Pooling, "mean")(), half, pack(LENGTHS))
    assert pooled.dtype == torch.float32
    wanted = torch.stack([s.double().mean(0) for s in half.split(LENGTHS)])
    torch.testing.assert_close(pooled.double(), wanted, atol=1e-6, rtol=0)


def test_an_unknown_pooling_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"There is no pooling 'maen'. Did you mean 'mean'\? Allowed: cls, mean"):
        parse(Settings, {"pooling": "maen"})


def split(states: Tensor, batch: Batch) -> list[tuple[Tensor, Tensor]]:
    return list(zip(states.split(LENGTHS), batch.ids.split(LENGTHS), strict=True))
