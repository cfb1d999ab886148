"""`maskwright show` prints what `models.show` counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from maskwright.cli import main as cli
from maskwright.models import show

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*args: str) -> tuple[int, str, str]:
        try:
            code = cli.main(["show", *args])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return go


def test_the_command_prints_sizes_parts_and_memory(run: Run) -> None:
    code, out, err = run("bert-large", "--head", "pretraining")
    assert (code, err) == (0, "")
    words = [line.split() for line in out.splitlines()]
    assert ["layers", "24"] in words
    assert ["vocabulary", "30,522"] in words
    assert ["blocks", "attention", "4,198,400", "24", "100,761,600", "30.0%", "27,380.4"] in words
    assert ["next", "sentence", "2,050", "2,050", "0.0%", "0.0"] in words
    assert ["all", "336,226,108", "100.0%", "87,191.7"] in words
    assert ["weights", "in", "fp32", "1,344.9", "MB"] in words
    assert max(map(len, out.splitlines())) <= 100


def test_the_command_prints_json(run: Run) -> None:
    code, out, _ = run("bert-tiny", "--json")
    assert code == 0
    assert json.loads(out) == asdict(show("bert-tiny"))


def test_the_command_says_mistakes(run: Run) -> None:
    code, out, err = run("bert-hug")
    assert (code, out) == (2, "")
    assert err.startswith("error: There is no model 'bert-hug'.")


def test_the_list_sets_counted_beside_published(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for name, counted, published in (
        ("albert-xxlarge", "222,595,584", "235 M"),
        ("deberta-v2-v3-base", "183,831,552", "86 M"),
        ("bert-base", "110,106,428", "110 M"),
        ("roberta-bertweet-base", "134,899,968", "135 M"),
    ):
        assert f" {counted} " in lines[name]
        assert f" {published} " in lines[name]
    assert "albert-xxlarge: the paper's number" in out
    assert "deberta-v2-v3-base: without its 98,380,800 word vectors it has 85,450,752" in out


def test_models_stand_side_by_side(run: Run) -> None:
    """Names that people use, sizes that one has and another has not, and sums of parameters and operations."""
    code, out, _ = run("--compare", "bert", "gpt", "transformer")
    assert code == 0
    totals = next(line for line in out.splitlines() if line.strip().startswith("parameters: all")).split()
    assert totals[2:] == ["109,482,240", f"{show('gpt').total:,}", f"{show('transformer').total:,}"]
    assert "MFLOP: all, 128 tokens" in out
    assert show("transformer").total == 63_082_496, "its decoder is counted"
    code, _, err = run("bert", "gpt")
    assert code == 2
    assert "--compare sets them side by side" in err


def test_one_draws_one_model_or_compares_several(run: Run) -> None:
    for args, said in (
        (("--compare", "--diagram", "bert", "gpt"), "--compare and --diagram are both given"),
        (("--compare", "bert"), "name at least two, not 1"),
        (("--compare",), "name at least two, not 0"),
        (("--diagram",), "--diagram draws a model, and none is named"),
    ):
        code, out, err = run(*args)
        assert (code, out) == (2, "")
        assert said in err


def test_the_diagram_has_the_shapes_of_the_network(run: Run) -> None:
    code, out, _ = run("albert-base", "--diagram")
    assert code == 0
    words = " ".join(out.split())
    assert "ids (T)" in words
    assert "30000 x 128" in words
    assert "12 x PostNormBlock, the same one each time" in words
    assert "768 -> 2304" in words
    code, out, _ = run("modernbert-base", "--diagram")
    assert "sees 64 before and 64 after it" in " ".join(out.split())
