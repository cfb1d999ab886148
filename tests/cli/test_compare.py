"""`maskwright compare`: one sentence, a table, JSON, and a run folder beside a file of anybody's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def test_a_run_beside_a_file(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    answers = [json.loads(line) for line in (finished["single"] / "predictions.jsonl").read_text().splitlines()]
    other = tmp_path / "other.csv"
    other.write_text("prediction\n" + "good\n" * len(answers))
    code, out, err = run("compare", finished["single"], other)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith(("These 8 rows do not tell", str(finished["single"])))
    rows = {words[0]: words[1] for line in out.splitlines() if len(words := line.split()) > 1}
    right = sum(a["label"] == a["target"] for a in answers) - sum(a["target"] == "good" for a in answers)
    assert float(rows["accuracy"]) == round(right / len(answers), 4)
    assert "McNemar, exact: p = " in out


def test_json_is_one_object(run: Run, finished: dict[str, Path]) -> None:
    code, out, _ = run("compare", finished["single"], finished["single"], "--json")
    assert code == 0
    told = json.loads(out)
    assert told["differences"]["accuracy"]["value"] == 0.0
    assert told["differences"]["accuracy"]["p"] == 1.0


def test_a_folder_without_answers_is_refused(run: Run, tmp_path: Path, finished: dict[str, Path]) -> None:
    code, out, err = run("compare", tmp_path, finished["single"])
    assert (code, out) == (2, "")
    assert f"{tmp_path} is no finished run: it holds no predictions.jsonl" in err
