"""Parts of the rows: a planted weakness is found, none is made up, and a rare text is rare."""

from __future__ import annotations

import numpy as np

from maskwright.evaluation.slices import LEAST, error_slices, rarity, slices


def test_a_planted_weakness_is_found_and_named() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 60, 900)
    hits = random.random(900) < np.where(lengths > 45, 0.5, 0.95)
    worst = slices(hits, {"length": lengths}, {})[0]
    assert worst.worse
    assert worst.name.startswith("length, high")
    assert worst.figure.value < worst.rest


def test_without_one_hardly_any_is_claimed() -> None:
    claims = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        hits = random.random(600) < 0.8
        numbers = {"a": random.random(600), "b": random.random(600)}
        columns = {"c": random.integers(0, 5, 600).tolist()}
        claims += any(part.worse for part in slices(hits, numbers, columns))
    assert claims <= 10, "5 of 100 are expected, Holm's correction being for all parts together"


def test_larger_errors_are_found_and_smaller_ones_are_not_called_worse() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(3, 60, 600)
    errors = random.normal(size=600) * np.where(lengths > 45, 2.0, 1.0)
    found = error_slices(errors, {"length": lengths}, {})
    assert found[0].worse
    assert found[0].name.startswith("length, high")
    assert found[0].figure.low > found[0].rest
    assert not any(part.worse for part in found[1:])


def test_without_a_difference_of_errors_hardly_any_is_claimed() -> None:
    claims = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        numbers, columns = {"a": random.random(200)}, {"c": random.integers(0, 3, 200).tolist()}
        claims += any(part.worse for part in error_slices(random.standard_cauchy(200), numbers, columns))
    assert claims <= 10


def test_columns_of_many_values_and_tiny_parts_are_left_out() -> None:
    hits = np.ones(200, bool)
    columns = {"id": list(range(200)), "kind": ["x"] * (200 - LEAST + 1) + ["y"] * (LEAST - 1), "one": [1] * 200}
    assert slices(hits, {}, columns) == []


def test_rarity_is_the_mean_surprise_of_the_pieces() -> None:
    seen = np.array([7, 0, 0])  # with one added to each: 8 of 10, 1 of 10, 1 of 10
    found = rarity(np.array([0, 0, 1, 0, 2]), np.array([0, 2, 3, 3, 5]), seen)
    common, rare = -np.log2(0.8), -np.log2(0.1)
    assert np.allclose(found, [common, rare, 0.0, (common + rare) / 2])
