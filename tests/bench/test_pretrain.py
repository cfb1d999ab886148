"""The measurements of pre-training: what is made of their figures, and both sides on a few sentences.

Nothing is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _losses, _masked_peer, _pretrain_sides, _quality_sides, _quality_told, pretrain, pretrain_quality  # noqa: E402
from bench import _measure as measure  # noqa: E402
from bench import _novels as novels  # noqa: E402
from bench import _pretrain_grid as grid  # noqa: E402

SUBJECTS = "the old captain|my sister|a young doctor|his uncle|the tall sailor|our friend|that lady|the king".split("|")
VERBS = "saw|followed|remembered|answered|forgot|admired|met|left".split("|")
PLACES = "at the river|in the garden|near the house|by the sea|under the bridge|on the hill".split("|")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> novels.Novels:
    """Four small texts, one of them held out."""
    draw, folder = np.random.default_rng(0), tmp_path_factory.mktemp("novels")
    (folder / "texts").mkdir()
    for number in range(4):
        words = [[draw.choice(part) for part in (SUBJECTS, VERBS, SUBJECTS, PLACES)] for _ in range(900)]
        lines = [f"{' '.join(sentence).capitalize()}." for sentence in words]
        (folder / "texts" / f"{number}.txt").write_text(" ".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "CACHE", folder / "cache")
        return novels.prepare(folder / "texts", ("3.txt",), 150)


def opened(made: novels.Novels, **request: Any) -> Any:
    side = _pretrain_sides.Side()
    side.answer({"corpus": str(made.corpus), "tokenizer": str(made.tokenizer), **request})
    return side


# ---------------------------------------------------------------- the text


def test_blocks_have_one_length_and_cross_no_document() -> None:
    from maskwright.pretraining.encoded import Encoded

    ids, bounds = np.arange(50, dtype=np.int32), np.array([0, 7, 20, 33, 50])
    found = novels.blocks(Encoded(ids, bounds, np.array([0, 2, 4])), 11)  # documents of 20 and 30 pieces, blocks of 9
    assert found.ids.tolist() == [*range(18), *range(20, 47)]
    starts, ends = novels.sequences(found, 11)
    assert (ends - starts).tolist() == [9] * 5
    assert len(found) == 5


def test_sentences_are_joined_to_nothing() -> None:
    from maskwright.pretraining.encoded import Encoded

    found = novels.sentences(Encoded(np.arange(30, dtype=np.int32), np.array([0, 4, 9, 30]), np.array([0, 3])))
    starts, ends = novels.sequences(found, 12)
    assert (starts.tolist(), ends.tolist()) == ([0, 4, 9, 19, 29], [4, 9, 19, 29, 30])  # the last one in three parts


def test_held_out_texts_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A text.")
    with pytest.raises(measure.Stop, match=r"b\.txt, which is held out, is not in"):
        novels.prepare(tmp_path, ("b.txt",))


@pytest.mark.realdata
def test_every_twentieth_novel_is_held_out() -> None:
    names = sorted(path.name for path in measure.data_folder("english_novels").iterdir())
    assert tuple(names[:: novels.EVERY]) == novels.HELD_OUT


def test_a_change_of_source_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    place = tmp_path / "src" / "maskwright" / "nn"
    place.mkdir(parents=True)
    (place / "a.py").write_text("a = 1")
    before = measure.source("nn")
    assert measure.source("nn") == before
    (place / "a.py").write_text("a = 2")
    assert measure.source("nn") != before


# ---------------------------------------------------------------- both sides


def test_both_sides_are_one_network_on_the_same_rows(made: novels.Novels, tmp_path: Path) -> None:
    request = {"recipe": "same", "work": "blocks", "precision": "fp32", "size": "2x64"}
    ours = opened(made, open="ours", **request)
    parameters = ours.answer({"save": str(tmp_path)})["parameters"]
    cell = {**grid.usual("blocks", "fp32"), "threads": 1}
    peer = opened(made, open="peer", cell=cell, network=str(tmp_path))
    assert sum(p.numel() for p in peer.side.peer.network.parameters()) == parameters
    mine, theirs = (side.answer({"judge": 20}) for side in (ours, peer))
    assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
    assert mine["bits_per_byte"] == pytest.approx(theirs["bits_per_byte"], abs=1e-5)
    told = [side.answer({"steps": 1}) for side in (ours, peer)]
    assert [one["tokens"] for one in told] == [[grid.BATCH * novels.LENGTH]] * 2
    assert len(told[0]["seconds"]) == len(told[1]["seconds"]) == 1
    assert 0 < told[0]["feeding"][0] < told[0]["seconds"][0]
    assert 0.05 * told[0]["tokens"][0] < told[0]["scored"][0] < 0.25 * told[0]["tokens"][0]


def test_padding_is_no_piece(made: novels.Novels, tmp_path: Path) -> None:
    ours = opened(made, open="ours", recipe="same", work="sentences", precision="fp32", size="1x64")
    ours.answer({"save": str(tmp_path)})
    cell = {**grid.usual("sentences", "fp32"), "threads": 1}
    told = opened(made, open="peer", cell=cell, network=str(tmp_path)).answer({"steps": 2})
    assert all(tokens < cells for tokens, cells in zip(told["tokens"], told["cells"], strict=True))
    mine = ours.answer({"steps": 2})
    assert mine["tokens"] == mine["cells"]


def test_operations_are_those_of_the_products(made: novels.Novels) -> None:
    side = opened(made, open="ours", recipe="same", work="blocks", precision="fp32", size="2x64").side
    tokens, scored, w, inner, v = 256, 40, 64, 256, side.start.config.vocabulary
    block = 2 * tokens * (4 * w * w + 2 * w * inner) + 2 * 2 * w * novels.LENGTH * tokens
    head = 2 * scored * (w * w + w * v)
    found = side.operations(tokens, scored)
    assert found["model"] == pytest.approx(3 * (2 * block + head))
    kept = 2 * tokens * 2 * w * w + 2 * scored * (2 * w * w + 2 * w * inner) + 2 * 2 * w * novels.LENGTH * scored
    assert found["computed"] == pytest.approx(3 * (block + kept + head))


def test_the_peers_rate_rises_and_falls() -> None:
    assert [_masked_peer.linear(p, 2.0, 0.2) for p in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 1, 2, 1, 0])


def test_an_arm_of_each_side_is_judged_alike(made: novels.Novels, tmp_path: Path) -> None:
    shared = {"corpus": str(made.corpus), "tokenizer": str(made.tokenizer), "judged": 40, "pairs": 0, "seed": 0}
    switches = {**grid.usual("blocks", "fp32"), "threads": torch.get_num_threads()}
    cell = {**pretrain_quality.FIRST, "size": "1x64", "batch": 8}
    theirs = _quality_sides.Arm().answer({
        **shared, "side": "peer", "cell": cell, "switches": switches, "minutes": 1 / 60, "evaluations": 2,
        "out": str(tmp_path / "peer"),
    })  # fmt: skip
    assert len(theirs["curve"]) == 2
    assert theirs["curve"][-1]["seconds"] >= 1
    assert theirs["tokens"] == theirs["steps"] * 8 * novels.LENGTH
    train = {"evaluations": 2, "checkpoint_minutes": "none", "device": "cpu", "precision": "fp32"}
    phases = [{"length": 128, "batch_tokens": 512}]
    settings = {"size": "1x64", "train": train, "phases": phases, "budget": "20 steps"}
    mine = _quality_sides.Arm().answer({
        **shared, "side": "ours", "settings": settings, "minutes": 1, "out": str(tmp_path / "ours")
    })  # fmt: skip
    assert mine["questions"] == theirs["questions"]
    assert mine["steps"] == 20
    assert [point["tokens"] for point in mine["curve"]] == sorted(point["tokens"] for point in mine["curve"])
    assert mine["curve"][-1]["tokens"] == pytest.approx(mine["tokens"])
    assert mine["curve"][-1]["loss"] == pytest.approx(mine["final"]["loss"], abs=0.01)
    assert 0 < mine["lead"] < mine["curve"][0]["seconds"] < mine["whole"]


# ---------------------------------------------------------------- what is made of figures


def turn(arm: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"arm": arm, "seconds": [seconds] * 2, "tokens": [100, 100], "cells": [100, 100], **more}


def timed() -> dict[str, Any]:
    """A result of bench.pretrain in which ours takes 1 s a step and the peer 2 s."""
    extra = {"scored": [15, 15], "feeding": [0.02, 0.02]}
    turns = [turn("ours", 1.0, **extra), turn("peer", 2.0), turn("ours, our recipe", 0.8, **extra)]
    peaks = [("ours", 80.0), ("ours, our recipe", 85.0), ("peer", 120.0), ("peer, not compiled", 100.0)]
    done = {"ours": {"model": 70.0, "computed": 60.0}, "ours, our recipe": {"model": 72.0, "computed": 66.0}}
    machine = {"processor": "p", "cores": 2, "system": "s", "python": "3", "versions": {}, "date": "today"}
    return {
        "machine": machine, "command": "c", "text": "Novels.", "precision": "bf16", "size": "6x384", "parameters": 9,
        "grid": [{"cell": grid.usual("blocks", "bf16"), "step": 0.5, "token": 0.1}], "searched": "today", "busy": 0.0,
        "cells": {"peer": grid.usual("blocks", "bf16")}, "turns": turns, "losses": [9.0, 9.0],
        "probes": {"fp32 0": {"a": 50.0}, "bf16 0": {"a": 90.0, "b": 100.0}}, "operations": done,
        "peaks": [{"arm": arm, "memory": {"vm_hwm": peak, "children": 0.0}} for arm, peak in peaks],
    }  # fmt: skip


def test_targets_of_speed() -> None:
    found = {target.name: target for target in pretrain.targets(timed())}
    assert found["speed, the same on both sides (bf16)"].value == 2.0
    assert found["speed, our recipe against theirs (bf16)"].value == 2.5
    assert found["speed, sentences as they come (bf16)"].value is None
    assert found["operations of the model, % of the fastest product (bf16)"].value == pytest.approx(70)
    assert found["making masks and batches, % of our step"].value == pytest.approx(2)
    assert found["peak memory, ours / peer (bf16)"].value == pytest.approx(0.8)


def test_section_of_speed_says_every_figure() -> None:
    result = timed() | {"targets": measure.dump_targets(pretrain.targets(timed()))}
    shown = pretrain.section(json.loads(json.dumps(result)))
    for figure in (
        "6x384, at bf16",
        "100 (100 to 100)",
        "2.50",
        "70 %",
        "60 %",
        "2.00 %",
        "peer, not compiled",
        "not measured",
    ):
        assert figure in shown, figure


def test_fastest_cell_may_be_asked_for_a_switch() -> None:
    def row(token: float, **more: Any) -> dict[str, Any]:
        return {"cell": {**grid.usual("blocks", "fp32"), **more}, "token": token}

    rows = [row(3.0), row(1.0, compile=True), row(2.0, loop="trainer"), {**row(0.5), "failed": "no"}]
    del rows[3]["token"]
    assert grid.fastest(rows, "blocks", "fp32")["compile"] is True
    assert grid.fastest(rows, "blocks", "fp32", compile=False)["loop"] == "trainer"
    with pytest.raises(measure.Stop, match="No cell of the peer's grid ran sentences at fp32"):
        grid.fastest(rows, "sentences", "fp32")
    assert grid.fastest([], "blocks", "fp32", loop="bare") == grid.usual("blocks", "fp32")


def test_a_loss_is_reached_between_two_points() -> None:
    curve = [{"seconds": s, "loss": loss} for s, loss in ((10.0, 6.0), (20.0, 5.0), (30.0, 4.0))]
    assert _quality_told.reached(curve, 4.5) == 25.0
    assert _quality_told.reached(curve, 6.5) == 10.0
    assert _quality_told.reached(curve, 3.0) is None


def trained(arm: str, losses: list[float], seed: int = 0) -> dict[str, Any]:
    share = {"value": 0.55, "low": 0.5, "high": 0.6}
    final = {"loss": losses[-1], "bits_per_byte": losses[-1] / 3, "accuracy": 0.3}
    points = [{"seconds": 60.0 * (i + 1), "tokens": 1e6 * (i + 1), "loss": loss} for i, loss in enumerate(losses)]
    return {
        "arm": arm, "seed": seed, "curve": points, "final": final, "shape": "4x256", "steps": 10, "tokens": 3_000_000,
        "whole": 200.0, "unigram": 6.4, "asked": 500, "text_pieces": 6_000_000, "questions": "q", "date": "today",
        "pairs": {"overall": share, "terms": {"island_effects": share}},
    }  # fmt: skip


def budget() -> dict[str, Any]:
    arms = [trained("ours", [5.0, 4.0, 3.0]), trained("ours", [5.2, 4.0, 3.2], 1), trained("ours, a third", [4.4])]
    machine = {"processor": "p", "cores": 2, "system": "s", "python": "3", "versions": {}, "date": "today"}
    row = {"cell": pretrain_quality.FIRST, "final": {"loss": 6.3}, "tokens": 9, "steps": 3, "unigram": 6.4}
    one = {
        "machine": machine, "command": "c", "text": "Novels.", "precision": "bf16", "minutes": 3.0, "tune_minutes": 3.0,
        "switches": grid.usual("blocks", "bf16"), "pairs": 100, "judged": 1000, "grid": [row], "busy": 0.0,
        "arms": [*arms, trained("peer", [6.0, 5.0, 4.5], 1)],
    }  # fmt: skip
    return one | {"targets": measure.dump_targets(_quality_told.targets(one))}


def test_targets_of_quality() -> None:
    share, gain, third, left = _quality_told.targets(budget())
    assert share.value == pytest.approx((90 + 60 * (1 + 0.7 / 1.2)) / 2 / 180)
    assert gain.value == pytest.approx(4.5 - 3.1)
    assert third.value == pytest.approx(-0.1)
    assert left.value == pytest.approx(6.4 - 4.5)
    alone = budget()
    alone["arms"] = alone["arms"][:2]
    assert [target.value for target in _quality_told.targets(alone)] == [None] * 4


def test_section_of_quality_says_every_figure() -> None:
    phases = [{"batch_tokens": 4096}]
    shape = {"minutes": 5.0, "size": "3x192", "batch": None, "lr": None, "sets": [], "parameters": 2_000_000}
    shape |= {
        "precision": "fp32",
        "tokens": 1_000_000,
        "final": {"loss": 4.75, "bits_per_byte": 1.6},
        "phases": phases,
        "date": "a day",
    }
    shown = pretrain_quality.section(json.loads(json.dumps({"budgets": [budget()], "shapes": [shape]})))
    for figure in (
        "After 3 minutes, bf16",
        "0.50 passes",
        "55.0 (50.0 to 60.0)",
        "island effects",
        "3.200",
        "4.750",
        "a day",
    ):
        assert figure in shown, figure
    assert "Its shape, rate, warm-up" in shown
    alone = budget() | {"grid": []}
    alone["arms"] = [arm for arm in alone["arms"] if arm["arm"] != "peer"]
    assert "The peer was not measured" in pretrain_quality.section({"budgets": [alone], "shapes": []})
    assert "| no " in shown  # the grid's row sits on the plateau


def test_picture_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_losses, "DOCS", tmp_path)
    _losses.draw(_quality_told.name(budget()), budget()["arms"])
    assert (tmp_path / "pretrain-3m-bf16.svg").read_text().count("<svg") == 1


def test_the_peers_grid_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is best at another rate, batch and warm-up than the first."""
    wanted = {"size": "3x192", "lr": 5e-4, "warmup": 0.2, "batch": 16, "dropout": 0.0}
    bench = object.__new__(pretrain_quality.Bench)

    def peer(cell: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        wrong = sum(cell[name] != value for name, value in wanted.items())
        return {"final": {"loss": 6.5 + wrong}, "tokens": 1, "steps": 1, "unigram": 6.4, "busy": 0.0, "date": "today"}

    monkeypatch.setattr(bench, "peer", peer, raising=False)
    rows = bench.tune(1.0)
    assert pretrain_quality.best(rows)["cell"] == wanted
    cells = [row["cell"] for row in rows]
    assert all(cells.count(cell) == 1 for cell in cells)


def test_options_that_do_not_fit_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--rates", "1e-3"], "go with --shapes"), (["--arms", "us"], "allowed are ours")):
        with pytest.raises(SystemExit):
            pretrain_quality.options(arguments)
        assert words in capsys.readouterr().err


def test_a_recipe_that_chooses_what_was_tried_has_its_arm() -> None:
    own = pretrain_quality.settled(20, {})
    tried = {"size": own["size"], "phases": pretrain_quality.phases_of(20, own["phases"][0]["batch_tokens"])}
    assert pretrain_quality.settled(20, tried) == own
    assert pretrain_quality.phases_of(20, 512)[0] == {**own["phases"][0], "batch_tokens": 512}
    assert pretrain_quality.settled(20, {**tried, "size": "1x64"}) != own
