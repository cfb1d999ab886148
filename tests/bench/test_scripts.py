"""The measurement beside transformers' example scripts: both sides on a few rows, and one judge. Nothing is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _measure as measure  # noqa: E402
from bench import _script_cases as cases  # noqa: E402
from bench import _script_sides as sides  # noqa: E402
from bench import _scripts_told as told  # noqa: E402
from bench import scripts  # noqa: E402
from maskwright.finetuning.benchmarks import Case, Rows, Way  # noqa: E402

RECIPE = {"batch": 4, "lr": 1e-3, "epochs": 1, "max_length": 24, "stride": 4, "none": True}


def case(name: str, task: dict[str, Any], metric: str) -> Case:
    way = Way("made", Rows(("train.jsonl",)), Rows(("test.jsonl",)))
    return Case(name, name, task, (metric,), (way,), options={"max_length": 24})


MADE: dict[str, tuple[Case, list[dict[str, Any]]]] = {
    "classes": (
        case("classes", {"name": "classification"}, "accuracy"),
        [{"text": f"a {word} film", "label": word} for word in ("good", "bad")] * 8,
    ),
    "numbers": (
        case("numbers", {"name": "regression"}, "pearson"),
        [{"text": f"a {word} film", "label": 0.5 + i} for i, word in enumerate(("good", "bad", "dull"))] * 8,
    ),
    "tagging": (
        case("tagging", {"name": "tagging", "kind": "spans", "text": "words"}, "f1"),
        [{"words": ["the", word, "was"], "label": ["O", "B-thing", "O"]} for word in ("film", "play")] * 8,
    ),
    "answer": (
        case("answer", {"name": "answer"}, "f1"),
        [
            {"question": "what was it", "context": f"the {word} was good", "answers": [word] if i else [], "id": str(i)}
            for i, word in enumerate(("film", "play", "book"))
        ]
        * 8,
    ),
    "choice": (
        case("choice", {"name": "choice"}, "accuracy"),
        [{"question": "what was it", "choices": ["a film", "a play"], "label": i} for i in (0, 1)] * 8,
    ),
}


@pytest.fixture
def made(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measure, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(measure, "minilm_folder", lambda: tiny)
    monkeypatch.setattr(scripts, "KEPT", tmp_path / "kept")
    return tmp_path


@pytest.mark.parametrize("name", MADE)
def test_both_sides_answer_the_same_rows(name: str, made: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, rows = MADE[name]
    for side in ("train", "test"):
        (made / f"{side}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.setitem(cases.CASES, name, one)
    monkeypatch.setitem(cases.PLACES, name, lambda: made)
    cut = cases.cut(name)
    written = json.loads(cut.rows.read_text())
    assert len(written["test"]) == len(rows) == cut.counts["test"]
    assert 0 < len(written["train"]) < len(rows)
    asked = {"kind": cut.kind, "names": cut.names, "recipe": {**RECIPE, **cut.recipe}, "precision": "fp32", "seed": 0}
    peer = sides.answer({**asked, "rows": str(cut.rows)})
    assert len(peer["answers"]) == len(rows)
    truth = {
        "classes": lambda row: row["label"],
        "numbers": lambda row: row["label"],
        "tagging": lambda row: [{"start": 4, "end": 4 + len(row["words"][1]), "label": "thing"}],
        "answer": lambda row: row["answers"],
        "choice": lambda row: row["label"] + 1,
    }[name]
    said = {"tagging": "spans", "answer": "answer"}.get(name, "prediction")
    right = [{"target": truth(row), said: truth(row)} for row in rows]
    if name == "answer":
        right = [{**row, "answer": row["target"][0] if row["target"] else ""} for row in right]
    ours = {"predictions": right, "seconds": 3.0, "seeds": 1, "memory": {}, "figures": {cut.metric: {
        "value": 1.0, "low": 1.0, "high": 1.0, "seeds": [1.0],
    }}}  # fmt: skip
    found = scripts.judged(cut, ours, [{**peer, "memory": {}}])
    assert found["difference"]["value"] == pytest.approx(1.0 - found["peer"][cut.metric][0])
    result = {
        "machine": measure.machine(), "command": "x", "seeds": 3, "busy": 0.0, "cases": {name: {
            "title": name, "metrics": [cut.metric], "rows": cut.counts,
            "seen": False, "recipe": asked["recipe"], **found,
        }},
    }  # fmt: skip
    result["targets"] = measure.dump_targets(told.targets(result["cases"]))
    assert "100.0 (100.0 to 100.0)" in scripts.section(result)


def test_the_ends_of_an_answer_in_a_window() -> None:
    places = np.array([(0, 0), (0, 4), (0, 0), (0, 3), (4, 8), (9, 12), (0, 0)])
    inside = np.array([False, False, False, True, True, True, False])
    assert sides._ends({"text": "film was", "start": 4}, places, inside) == (4, 5)
    assert sides._ends({"text": "lm", "start": 6}, places, inside) == (4, 4)
    assert sides._ends({"text": "beyond", "start": 13}, places, inside) == (0, 0)
    assert sides._ends(None, places, inside) == (0, 0)


def test_answers_come_from_the_best_window_and_none_where_that_scores_more(tiny: Path) -> None:
    kind = sides.Answer(AutoTokenizer.from_pretrained(tiny), [], {**RECIPE, "max_length": 10, "stride": 1})
    rows = [{"question": "what", "context": "the film was good and the play was bad", "answer": None}]
    features = kind.features(rows, False)
    assert len(features) > 1
    outputs = [[np.zeros(len(f["input_ids"])), np.zeros(len(f["input_ids"]))] for f in features]
    place = int(np.flatnonzero(kind.windows[-1][2])[-1])
    start, end = kind.windows[-1][1][place]
    outputs[-1][0][place] = outputs[-1][1][place] = 3.0
    assert kind.answers(rows, features, outputs) == [rows[0]["context"][start:end]]
    for starts, ends in outputs:
        starts[0] = ends[0] = 4.0
    assert kind.answers(rows, features, outputs) == [""]
