"""Longer tables of positions: what stays, what is new, and that it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import tiny

from maskwright.base.choice import names, resolve
from maskwright.base.errors import UserError
from maskwright.models import (
    Loaded,
    convert,
    families,
    family,
    lengthen,
    load_network,
    random_network,
    save_network,
)
from maskwright.models._positions import tables
from maskwright.nn import Batch
from maskwright.nn.positions import Positions

WAYS = names(Positions)
#: families whose texts end where a table of positions does
TABLED = [name for name in families() if tables(random_network(family(name), tiny(family(name)), "bare"))]


def loaded(name: str, folder: Path) -> Loaded:
    kind = family(name)
    save_network(folder, random_network(kind, tiny(kind), "bare"), kind, tiny(kind), {})
    return load_network(folder, "bare")


def test_families_with_a_table_are_found() -> None:
    assert {"bert", "albert", "electra", "rembert", "two-directions", "lstm-on-top"} <= set(TABLED)
    assert not {"modernbert", "deberta-v2", "elmo", "encoder-decoder"} & set(TABLED)


def test_the_ways() -> None:
    assert WAYS == ["extend", "interpolate", "tile"]
    table = torch.tensor([[0.0, 4.0], [1.0, 2.0], [2.0, 0.0]])
    found = {way: resolve(Positions, way).longer(table, 5) for way in WAYS}
    assert found["tile"].tolist() == [*table.tolist(), *table[:2].tolist()]
    assert found["interpolate"].tolist() == [[0, 4], [0.5, 3], [1, 2], [1.5, 1], [2, 0]]
    assert torch.equal(found["extend"][:3], table)
    assert found["extend"].shape == (5, 2)


def test_new_rows_are_drawn_like_the_old() -> None:
    torch.manual_seed(0)
    table = torch.randn(2000, 3) * torch.tensor([1.0, 0.1, 5.0]) + torch.tensor([0.0, 2.0, -1.0])
    drawn = resolve(Positions, "extend").longer(table, 6000)[2000:]
    torch.testing.assert_close(drawn.mean(0), table.mean(0), atol=0.3, rtol=0)
    torch.testing.assert_close(drawn.std(0), table.std(0), atol=0, rtol=0.1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TABLED)
def test_longer_texts_are_taken_after_it(name: str, way: str, tmp_path: Path) -> None:
    found = loaded(name, tmp_path / "model")
    before = found.limit
    first = [table.position.weight[: table.start].clone() for table in tables(found.network).values()]
    said = lengthen(found, resolve(Positions, way), 200)
    assert f"200 positions now instead of {before}, made by '{way}'" in said
    assert "train it further" in said
    for table, rows in zip(tables(found.network).values(), first, strict=True):
        assert torch.equal(table.position.weight[: table.start], rows)
    assert found.limit == 200
    batch = Batch.packed(torch.full((200,), 5), [200])
    assert found.encoder(batch).shape == (200, found.encoder.width)
    done = convert(tmp_path / "model", tmp_path / "converted", resolve(Positions, way), 200)
    assert done.lengthened == said
    converted = load_network(tmp_path / "converted", "bare")
    assert (converted.limit, converted.config) == (200, found.config)
    assert converted.encoder(batch).shape == (200, found.encoder.width)
    save_network(tmp_path / "longer", found.network, found.family, found.config, {})
    assert load_network(tmp_path / "longer", "bare").limit == 200


def test_short_texts_stay_as_they_were(tmp_path: Path) -> None:
    found = loaded("bert", tmp_path)
    batch = Batch.packed(torch.arange(4, 34), [30])
    found.network.eval()
    with torch.no_grad():
        before = found.encoder(batch)
        lengthen(found, resolve(Positions, "tile"), 200)
        assert torch.equal(found.encoder(batch), before)


def test_nothing_is_done_where_nothing_is_needed(tmp_path: Path) -> None:
    found = loaded("bert", tmp_path / "bert")
    assert lengthen(found, resolve(Positions, "tile"), 70) == ""
    assert lengthen(loaded("modernbert", tmp_path / "modern"), resolve(Positions, "tile"), 10_000) == ""


def test_distances_that_hang_on_the_table_are_said(tmp_path: Path) -> None:
    kind = family("deberta")
    config = kind.Config(**{**tiny(kind).model_dump(), "absolute": True, "furthest": -1})
    save_network(tmp_path, random_network(kind, config, "bare"), kind, config, {})
    with pytest.raises(UserError, match="deberta takes its distances from the table of positions too"):
        lengthen(load_network(tmp_path, "bare"), resolve(Positions, "tile"), 200)
