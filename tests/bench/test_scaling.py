"""The page on several processes has the tables that its formulas give, and the sizes that the networks have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bench.scaling import SHAPES, Shape, memory, sent, tables

from maskwright.models import bert, random_network

PAGE = Path(__file__).parents[2] / "docs/scaling.md"


def test_the_page_has_these_tables() -> None:
    page = PAGE.read_text()
    for name, table in tables().items():
        assert table in page, f"run `python -m bench.scaling` and put the table {name} into docs/scaling.md"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_shapes_are_those_of_the_networks(shape: Shape) -> None:
    config = bert.Config(
        vocabulary=30_522, width=shape.width, layers=shape.layers, heads=shape.width // 64, inner=4 * shape.width
    )
    with torch.device("meta"):
        network = random_network(bert, config, "masked-lm")
    inside = sum(p.numel() for p in network.encoder.blocks.parameters())
    assert shape.block * shape.layers == inside
    assert shape.all == sum(p.numel() for p in network.parameters())
    assert f"{shape.all:,}" in PAGE.read_text()


def test_a_share_shrinks_and_an_exchange_grows_with_processes() -> None:
    for shape in SHAPES:
        assert (
            memory(shape, 64, "fsdp") < memory(shape, 8, "fsdp") < memory(shape, 8, "ddp") == memory(shape, 64, "ddp")
        )
        assert sent(shape, 131_072, 1, "ddp") == 0
        assert sent(shape, 131_072, 64, "ddp") == pytest.approx(8 * shape.all, rel=0.02)
