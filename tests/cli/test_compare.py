"""`maskwright compare`: one sentence, a table, JSON, and a run folder beside a file of anybody's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., tuple[int, str, str]]


def test_a_run_beside_a_file(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    answers = [json.loads(line) for line in (finished["single"] / "predictions.jsonl").read_text().splitlines()]
    other = tmp_path / "other.csv"
    other.write_text("prediction\n" + "good\n" * len(answers))
    code, out, err = run("compare", finished["single"], other)
    assert code == 0
    assert err.startswith(f"note: Whether the rows of {other} are those of the other side could not be checked")
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


def test_the_file_of_true_labels_is_not_taken_for_a_system(
    run: Run, finished: dict[str, Path], csv_file: str, tmp_path: Path
) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("".join(Path(csv_file).read_text().splitlines(keepends=True)[:9]))
    code, out, err = run("compare", finished["single"], gold)
    assert (code, out) == (2, "")
    assert "the column 'label' may hold answers or what is true" in " ".join(err.split())


def test_a_run_of_several_labels_a_row(
    run: Run, tiny: Path, tagged: dict[str, list[Any]], sets: list[str], tmp_path: Path
) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "emo"
    rows = [{"text": text, "label": tags} for text, tags in zip(tagged["text"], tagged["label"], strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("finetune", "--task", "multi-label", "--model", tiny, "--train", path, "--out", out, "--seeds", 1)
    assert run(*words, "--set", "train.epochs=1", "--set", "baselines=false", *sets)[0] == 0
    code, said, err = run("compare", out, out, "--json")
    assert (code, err) == (0, "")
    told = json.loads(said)
    assert {name: d["value"] for name, d in told["differences"].items()} == {
        "f1_macro": 0, "f1_micro": 0, "f1_weighted": 0, "f1_samples": 0, "exact_match": 0, "hamming_loss": 0,
    }  # fmt: skip
    answers = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    other = tmp_path / "other.csv"
    other.write_text("prediction\n" + "".join(f'"{"; ".join(a["target"])}"\n' for a in answers))
    code, said, _ = run("compare", out, other, "--separator", ";", "--metric", "exact_match")
    assert code == 0
    assert "exact_match differs by" in " ".join(said.split())
