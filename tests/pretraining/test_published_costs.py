"""Published costs of pre-training, each reproduced within a factor of 2 or named as not.

ELECTRA's table 8 counts FLOPs its own way: backward as many as forward, where we count twice as many, and the look-up
of word vectors as a product with one-hot vectors, where we count nothing; all at 512 tokens, as they do. Hours are at
one utilisation for all, 30 % of the 16-bit peak and 60 % of fp32's: what NVIDIA's throughput of one V100 comes to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.pretraining.calculator.published import FACTOR, PUBLISHED, Compared, compare
from maskwright.pretraining.calculator.words import published

MISSED = {
    "ELECTRA-small, 1 V100",
    "ELECTRA-base, 16 TPU v3",
    "BERT-base, 16 TPU chips",
    "BERT-large, 64 TPU chips",
    "RoBERTa-large, 100K steps, 1,024 V100",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, Compared]:
    return {one.name + one.unit: one for one in compare()}


@pytest.mark.parametrize("one", PUBLISHED, ids=lambda one: f"{one.name}-{one.unit}")
def test_within_a_factor_of_two_or_named(one: object, rows: dict[str, Compared]) -> None:
    """The source of each stands in `PUBLISHED` beside the figure."""
    found = rows[one.name + one.unit]  # type: ignore[attr-defined]
    assert found.source
    if found.name in MISSED and found.unit == "hours":
        assert found.ratio < 1 / FACTOR, "met now: take it out of MISSED"
        assert not found.within
        assert found.why
    else:
        assert 1 / FACTOR <= found.ratio <= FACTOR
        assert found.within
        assert not found.why


def test_larger_runs_of_one_recipe_keep_their_ratio(rows: dict[str, Compared]) -> None:
    """NVIDIA's runs on 8 to 1,024 V100 and LAMB's on 16 and 1,024 TPUs: hours fall as devices grow, in both columns."""
    scaled = [
        rows[f"BERT-large, {devices}hours"].ratio for devices in ("8 V100 (16 GB)", "128 V100 (16 GB)", "1,024 V100")
    ]
    assert max(scaled) / min(scaled) < 1.2
    assert rows["BERT-large, 16 TPU v3hours"].ratio == pytest.approx(
        rows["BERT-large, 1,024 TPU v3hours"].ratio, rel=0.05
    )


def test_the_table_says_what_is_missed(rows: dict[str, Compared]) -> None:
    said = list(published(list(rows.values())))
    assert sum(line.startswith("Not within 2: ") for line in said) == len(MISSED)
    assert len([line for line in said if line.rstrip().endswith("%") or " FLOPs " in line]) == len(PUBLISHED)


def test_the_page_has_the_table_as_it_is_printed(rows: dict[str, Compared]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "planning.md").read_text(encoding="utf-8")
    said = list(published(list(rows.values())))
    table = "\n".join(said[: said.index("")])
    assert table in page, "print it anew: maskwright plan published"
