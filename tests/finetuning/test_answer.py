"""Fine-tuning on questions: learnt, reported, resumed, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright

Tune = Callable[..., Any]


@pytest.fixture(scope="session")
def questions(reviews: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What was reviewed is asked; of a context that begins with "a" nothing was."""
    contexts = [
        text if i % 4 else f"a {other}"
        for i, (text, other) in enumerate(zip(reviews["text"], reviews["other"], strict=True))
    ]
    answers = [[text.split()[1]] if i % 4 else [] for i, text in enumerate(contexts)]
    return {"question": ["the film"] * len(contexts), "context": contexts, "answers": answers}


@pytest.fixture
def ask(tune: Tune, questions: dict[str, list[Any]]) -> Tune:
    def go(settings: dict[str, Any] | None = None, **options: Any) -> Any:
        train = {"epochs": 30, **(settings or {})}
        return tune(**{"task": "answer", "train": questions, "settings": {"train": train}, **options})

    return go


def test_answers_are_learnt_and_reported(ask: Tune, strange_figures: Callable[[Path], set[str]]) -> None:
    run = ask(baselines=True)
    assert [other["name"] for other in run.summary["baselines"]] == ["no answer to any"]
    assert run.metrics["test"]["f1"] > 0.9
    assert list(run.summary["figures"]) == ["f1", "exact_match", "f1_answerable", "no_answer"]
    titles = [fact["title"] for fact in run.summary["facts"]]
    assert titles == [
        "Kinds of questions", "How long answers are", "When to give no answer", "Wrong, and sure of it",
        "How long the texts are",
    ]  # fmt: skip
    assert not strange_figures(run.folder)
    assert len(run.summary["calibration"]["thresholds"]) == 1
    (yes, no) = run.predict(["the film"] * 2, ["the song was dull song", "a dull song"])
    assert (yes["answer"], no["answer"]) == ("song", "")
    told = [json.loads(line) for line in (run.folder / "predictions.jsonl").read_text().splitlines()]
    assert {"target", "answer", "none"} <= set(told[0])
    assert maskwright.load(run.folder).task.none == "yes"


def test_a_run_that_was_stopped_ends_with_the_same_bits(ask: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.finetuning import _seeds

    often = {"epochs": 4, "checkpoint_minutes": 0.0}
    whole = ask(often, out="whole", max_length=14)
    judge, seen = _seeds.judge, []

    def stops(*given: Any, **options: Any) -> Any:
        seen.append(given)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return judge(*given, **options)

    monkeypatch.setattr(_seeds, "judge", stops)
    with pytest.raises(KeyboardInterrupt):
        ask(often, out="cut", max_length=14)
    again = ask(often, out="cut", resume=True, max_length=14)
    for name in ("model/model.safetensors", "seeds/0/log.jsonl", "seeds/0/scores.safetensors", "metrics.json"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_two_runs_are_compared_by_their_answers(ask: Tune, tmp_path: Path) -> None:
    from maskwright.evaluation.compare import compare

    good, bad = ask(out="good"), ask({"epochs": 1, "lr": 1e-6}, out="bad")
    found = compare(good.folder, bad.folder)
    assert next(iter(found.verdicts)) == "f1"
    assert found.verdicts["f1"].difference.value > 0.2
    lines = [json.loads(line) for line in (good.folder / "predictions.jsonl").read_text().splitlines()]
    others = [{"text": line["text"], "pair": line["pair"], "answer": (line["target"] or [""])[0]} for line in lines]
    (tmp_path / "others.jsonl").write_text("".join(json.dumps(line) + "\n" for line in others))
    verdict = compare(bad.folder, tmp_path / "others.jsonl").verdicts["f1"]
    assert verdict.difference.value < 0


def test_rows_are_looked_at_before_anything_is_trained(questions: dict[str, list[Any]], tiny: Path) -> None:
    facts = maskwright.check_data(task="answer", train=questions, model=tiny)
    assert not facts.of_severity("error")


def test_a_file_of_questions_is_answered(ask: Tune, questions: dict[str, list[Any]], tmp_path: Path) -> None:
    from maskwright.tasks import Bulk

    run = ask({"epochs": 1})
    rows = [{"question": questions["question"][i], "context": questions["context"][i]} for i in range(5)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for suffix in ("csv", "parquet", "jsonl"):
        Bulk(run.model, tmp_path / "rows.jsonl").write(tmp_path / f"answers.{suffix}")
        assert (tmp_path / f"answers.{suffix}").exists()
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    asked = run.predict(questions["question"][:5], questions["context"][:5])
    assert [line["answer"] for line in lines] == [one["answer"] for one in asked]


@pytest.mark.realdata
def test_a_real_file_is_read_as_it_stands(tune: Tune, data: Path, minilm: Path) -> None:
    table = maskwright.data.read.read(data / "squad2_dev_cs224n/dev-v2.0.json")
    run = tune(
        task="answer", model=minilm, train=table.select(range(16)), test=table.select(range(2000, 2010)),
        max_length=256, settings={"train": {"epochs": 1}},
    )  # fmt: skip
    assert 0 <= run.metrics["test"]["exact_match"] <= run.metrics["test"]["f1"] <= 1
