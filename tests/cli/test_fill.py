"""`maskwright fill`: what it prints, and what it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_table_for_each_text(run: Run, words: Path) -> None:
    code, out, err = run("fill", words, "the [MASK] was dull", "a [MASK] and a [MASK]", "--top", 3)
    assert code == 0
    first, second = out.strip().split("\n\n")
    assert first.splitlines()[0] == "the [MASK] was dull"
    assert len(first.splitlines()) == 4
    likely = [float(line.split()[0]) for line in first.splitlines()[1:]]
    assert likely == sorted(likely, reverse=True)
    assert [line for line in second.splitlines() if line.startswith("mask")] == ["mask 1", "mask 2"]
    assert "1 text with several masks: each mask is filled by itself" in err


def test_json_and_stdin(run: Run, words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the [MASK] was dull", "[MASK]"]
    _, out, _ = run("fill", words, *texts, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [filled["text"] for filled in found] == texts
    assert [len(filled["masks"][0]) for filled in found] == [5, 5]
    assert set(found[0]["masks"][0][0]) == {"piece", "probability", "text"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO("\n".join(texts).encode()))))
    assert run("fill", words, "-", "--json")[1] == out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("no mask here",), "Text 1 ('no mask here') holds no mask. Write [MASK]"),
        (("[MASK]", "--top", 0), "top = 0: give a number from 1 to"),
        (("[MASK]" + " film" * 40,), "this model reads 24"),
        (("[MASK]", "--device", "tpux"), "The device 'tpux' cannot be used here"),
    ],
)
def test_mistakes(args: tuple[str, ...], said: str, run: Run, words: Path) -> None:
    code, out, err = run("fill", words, *args)
    assert (code, out) == (2, "")
    assert said in err


def test_a_model_without_the_head(run: Run, minilm: Path) -> None:
    code, _, err = run("fill", minilm, "the [MASK]")
    assert code == 2
    assert "holds no weights that turn hidden states into scores of pieces" in err
    assert f"maskwright pretrain TEXT --model {minilm}" in err
