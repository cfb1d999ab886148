"""The layout of drawn masks for reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.pretraining.masking.span import Span
from maskwright.pretraining.masking.token import Token
from maskwright.pretraining.show import Shown, Trial, lines, trials

TEXT = "The quick brown fox jumps over the lazy dog, unhappily for the eigenvector."

TRIAL = Trial(["[CLS]", "a", "[MASK]", "[MASK]", "x", "[SEP]"], 2, [2, 3, 4], ["bc", "##d", "e"],
              ["masked", "masked", "random"], [0, 0, 1])  # fmt: skip


def test_lines_are_aligned() -> None:
    assert lines([TRIAL, TRIAL])[:5] == [
        "trial 1",
        "  [CLS]  a  [MASK]  [MASK]   x       [SEP]",
        "            bc      ##d      e",
        "            masked  +masked  random",
        "",
    ]
    assert lines([TRIAL, TRIAL])[-1] == (
        "6 of 8 pieces chosen (75.0%; special ones are not counted): 4 masked, 2 random, 0 kept"
    )


def test_long_texts_are_folded() -> None:
    found = lines([TRIAL], width=20)
    assert found == [
        "trial 1",
        "  [CLS]  a  [MASK]",
        "            bc",
        "            masked",
        "  [MASK]   x",
        "  ##d      e",
        "  +masked  random",
        "  [SEP]",
        "",
        found[-1],
    ]


def test_wide_characters_and_controls() -> None:
    odd = Trial(["京都", "\x1b", "a"], 0, [2], ["b"], ["kept"], [0])
    assert lines([odd])[1:4] == [r"  京都  \x1b  a", "              b", "              kept"]


def test_trials_are_epochs(minilm: Path) -> None:
    found = trials(TEXT, Shown(model=str(minilm), masking=Span(rate=0.3, copies=2), trials=4))
    assert found[0] == found[2] != found[1] == found[3]
    for trial in found:
        assert len(trial.tokens) == 23
        assert trial.specials == 2
        assert trial.units[0] == 0
        assert len(trial.places) == len(trial.labels) == len(trial.rules) == len(trial.units)
    other = trials(TEXT, Shown(model=str(minilm), masking=Span(rate=0.3), seed=1, trials=1))
    assert other[0] != found[0]


def test_nothing_to_mask(minilm: Path) -> None:
    for text in ("", "  ", "[SEP]"):
        with pytest.raises(UserError, match="has no pieces that could be masked"):
            trials(text, Shown(model=str(minilm), masking=Token()))
