"""`maskwright generate`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_text_and_its_limits(run: Run, words: Path) -> None:
    args = ("generate", words, "the film", "--length", 6, "--steps", 3, "--temperature", 0.8)
    code, out, err = run(*args, "--seed", 4)
    assert code == 0
    assert out.startswith("the film")
    assert len(out.splitlines()) == 1
    assert "An encoder is no generator" in err
    assert run(*args, "--seed", 4)[1] == out
    assert run(*args, "--seed", 5)[1] != out


def test_the_trace(run: Run, words: Path) -> None:
    _, out, _ = run("generate", words, "the film", "--length", 6, "--steps", 3, "--trace")
    head, *steps, _, text = out.splitlines()
    assert head.split() == ["step", "masked", "log", "p", "text"]
    assert [line.split()[:2] for line in steps[::2]] == [["1", "6"], ["2", "4"], ["3", "2"]]
    assert steps[0].count("[MASK]") == 6
    assert steps[-1].endswith(text)
    told = json.loads(run("generate", words, "the film", "--length", 6, "--steps", 3, "--json")[1])
    assert told["text"] == text
    assert [len(step["remasked"]) for step in told["trace"]] == [6, 4, 2]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("the [MASK]",), "Masks within a text are filled by maskwright fill"),
        (("the film", "--length", 40), "Give at most 20"),
        (("the film", "--length", 0), "length = 0"),
        (("the film", "--method", "beam"), "'beam' is not one of"),
    ],
)
def test_mistakes(args: tuple[str, ...], said: str, run: Run, words: Path) -> None:
    code, out, err = run("generate", words, *args)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
