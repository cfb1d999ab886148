"""Two systems on the same rows: the verdict, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.evaluation.compare import compare

RANDOM = np.random.default_rng(0)
TRUE = [str(i) for i in RANDOM.integers(0, 3, 400)]


def wrong(share: float, seed: int) -> list[str]:
    """The true labels with a share of them moved on by one."""
    random = np.random.default_rng(seed)
    return [str((int(t) + 1) % 3) if random.random() < share else t for t in TRUE]


def test_a_clear_difference_is_said_with_its_interval() -> None:
    found = compare({"prediction": wrong(0.1, 1), "target": TRUE}, {"prediction": wrong(0.3, 2)})
    assert found.sentence.startswith("the rows given is better than the rows given: accuracy differs by 0.")
    assert found.verdicts["accuracy"].resolved
    assert found.mcnemar is not None
    assert found.mcnemar < 0.001
    assert set(found.verdicts) == {"accuracy", "f1_macro", "mcc"}
    assert all(found.corrected[name] >= verdict.p for name, verdict in found.verdicts.items())


def test_what_cannot_be_told_apart_is_said_with_what_could() -> None:
    found = compare({"prediction": wrong(0.2, 1), "target": TRUE}, {"prediction": wrong(0.2, 2)})
    assert "These 400 rows do not tell" in found.sentence
    assert "they would show a difference of" in found.sentence


def test_files_of_any_system_and_a_file_of_the_truth(tmp_path: Path) -> None:
    a, b, gold = tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "gold.csv"
    a.write_text("label\n" + "\n".join(wrong(0.1, 1)) + "\n")
    b.write_text("".join(json.dumps({"prediction": p}) + "\n" for p in wrong(0.3, 2)))
    gold.write_text("id,truth\n" + "".join(f"{i},{t}\n" for i, t in enumerate(TRUE)))
    found = compare(str(a), str(b), data=str(gold), label="truth")
    assert found.sentence.startswith(f"{a} is better than {b}")
    told = json.loads(json.dumps(found.plain()))
    assert told["rows"] == 400
    assert told["differences"]["accuracy"]["value"] == pytest.approx(found.verdicts["accuracy"].difference.value)


def test_numbers_are_compared_as_a_regression() -> None:
    true = RANDOM.normal(size=200)
    near, far = true + RANDOM.normal(size=200) * 0.2, true + RANDOM.normal(size=200) * 2
    found = compare({"score": near.tolist(), "target": true.tolist()}, {"score": far.tolist()})
    assert set(found.verdicts) == {"pearson", "spearman", "mae", "mse"}
    assert "better" in found.sentence
    assert found.mcnemar is None


@pytest.mark.parametrize(
    ("a", "b", "options", "words"),
    [
        (
            {"prediction": ["1", "2"], "target": ["1", "2"]},
            {"prediction": ["1"]},
            {},
            "answers 2 rows and .* 1; a paired",
        ),
        ({"prediction": ["1", "2"]}, {"prediction": ["1", "2"]}, {}, "says what is true: it needs a column target"),
        (
            {"said": ["1", "2"]},
            {"prediction": ["1", "2"]},
            {},
            "has no column of answers. Name one of its columns \\(said",
        ),
        (
            {"prediction": ["1", "2"], "target": ["1", "2"], "text": ["x", "y"]},
            {"prediction": ["1", "2"], "text": ["x", "z"]},
            {},
            "are not the same text \\('y' and 'z'\\)",
        ),
        (
            {"prediction": ["1", "2"], "target": ["1", "2"]},
            {"prediction": ["1", "2"]},
            {"metric": "acuracy"},
            "Did you mean 'accuracy'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(a: Any, b: Any, options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        compare(a, b, **options)
