"""Fine-tuning on questions: learnt, reported, resumed, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright
from maskwright.data.table import Table
from maskwright.finetuning import _rows
from maskwright.finetuning.settings import gather_rows

Tune = Callable[..., Any]
Rows = dict[str, list[Any]]


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


# Long questions and contexts


def test_a_question_that_is_cut_is_named_and_nothing_is_said_against_it(
    ask: Tune, questions: Rows, undrawn: None
) -> None:
    long = {"question": "the film was dull " * 6, "context": "the song was dull", "answers": ["song"]}
    held: Rows = {name: [*cells[1:4], long[name]] for name, cells in questions.items()}
    run = ask({"epochs": 1}, test=held, max_length=16)
    lengths = run.model.tokenizer.encode(held["question"], held["context"]).lengths
    assert lengths[-1] == 31
    assert [note for note in run.notes if " test texts " in note] == [
        "1 of 4 test texts are longer than 16 pieces and were cut at the end of the question (first at the data given "
        f"row 4): 15 pieces, {15 / lengths.sum():.1%} of all, are never seen."
    ]
    found = json.loads((run.folder / "data.json").read_text())["findings"]
    (told,) = [one for one in found if one["kind"] == "lengths" and one["values"]["split"] == "test"]
    assert told["where"] == ["the data given row 4: 31 pieces"]
    card = (run.folder / "README.md").read_text()
    assert "one of more than half as many is cut at its end; of the 4 reported ones 1 were." in card
    assert "nothing of it is cut off" not in card


def test_windows_and_cuts_are_told_without_contradiction(ask: Tune, questions: Rows, undrawn: None) -> None:
    """Long contexts, some behind long questions too; and windows that cannot share as much as was asked."""
    train = {**questions, "context": [" ".join([text] * 5) for text in questions["context"]]}
    test = {name: cells[:4] for name, cells in train.items()}
    test["question"] = ["the film was dull " * 4, *test["question"][1:]]
    run = ask({"epochs": 1}, train=train, test=test, max_length=16)
    (of_train,) = [note for note in run.notes if " train texts " in note]
    of_test = [note for note in run.notes if " test texts " in note]
    assert of_train.endswith("; they are read in windows that overlap, and nothing is cut off.")
    assert of_test[0] == "4 of 4 test texts are longer than 16 pieces; they are read in windows that overlap."
    assert of_test[1].startswith("1 of 4 test texts are longer than 16 pieces and were cut at the end of the question")
    (shared,) = [note for note in run.notes if "share as few as" in note]
    assert shared.startswith("Windows share as few as 3 pieces where 128 were asked for: ")
    (lengths,) = [fact for fact in run.summary["facts"] if fact["title"] == "How long the texts are"]
    assert lengths["note"].endswith("in windows that overlap. Of 1 the first text, which stands in each, was cut.")


# What belongs on one side


def sides(rows: Rows, **data: Any) -> tuple[dict[str, Table], str]:
    asked, sources = gather_rows(None, {"task": "answer"}, {"data": data}, {"train": rows, "eval": None, "test": None})
    tables, notes = _rows.read_tables(asked, sources)
    assert sorted(cell for table in tables.values() for cell in table.column("id")) == list(range(120))
    return tables, notes[-1]


def paragraphs(articles: int) -> Rows:
    """Three questions on each of 40 contexts, which are of so many articles."""
    contexts = [f"the film was good {i // 3}" for i in range(120)]
    return {"question": ["what was it"] * 120, "context": contexts, "answers": [["film"]] * 120, "id": list(range(120)),
            "title": [f"article {i // 3 % articles}" for i in range(120)]}  # fmt: skip


def apart(tables: dict[str, Table], column: str) -> bool:
    held = [set(table.column(column)) for table in tables.values()]
    return sum(map(len, held)) == len(set().union(*held))


def test_questions_on_one_article_go_to_one_side() -> None:
    tables, note = sides(paragraphs(10))
    assert apart(tables, "title")
    assert [len(table) for table in tables.values()] == [96, 12, 12]
    assert note == (
        "the data given was split with seed 0: 96 train, 12 eval, 12 test rows. Groups of 'title' were kept whole: 8 "
        "train, 1 eval, 1 test. --set data.group=NAME keeps others whole."
    )


@pytest.mark.parametrize("articles", [1, 2, 4])
def test_where_articles_are_too_few_questions_on_one_context_go_to_one_side(articles: int) -> None:
    """Three parts of two articles cannot be, and one of four would take too much from the training side."""
    tables, note = sides(paragraphs(articles))
    assert apart(tables, "context")
    assert not apart(tables, "title")
    assert [len(table) for table in tables.values()] == [96, 12, 12]
    assert "Groups of 'context' were kept whole: 32 train, 4 eval, 4 test." in note


def test_without_titles_contexts_are_kept_whole() -> None:
    rows = paragraphs(10)
    for some in ({**rows, "title": [None, *rows["title"][1:]]}, {n: c for n, c in rows.items() if n != "title"}):
        assert "Groups of 'context' were kept whole" in sides(some)[1]


def test_what_cannot_be_kept_whole_is_said_and_another_group_may_be_asked_for() -> None:
    rows = {**paragraphs(1), "context": ["the film was good"] * 120}
    tables, note = sides(rows)
    assert note.endswith(" There are too few groups of 'title' or 'context' to keep each on one side.")
    assert [len(table) for table in tables.values()] == [96, 12, 12]
    rows = paragraphs(10)
    assert sides({**rows, "writer": [i % 20 for i in range(120)]}, group="writer")[1].endswith(
        "Groups of 'writer' were kept whole: 16 train, 2 eval, 2 test."
    )
    alone = {**rows, "context": [f"the film was {i}" for i in range(120)], "title": [None] * 120}
    assert sides(alone)[1] == "the data given was split with seed 0: 96 train, 12 eval, 12 test rows."


def test_doubtful_rows_are_told_before_training(ask: Tune, questions: Rows, undrawn: None) -> None:
    ids = [str(i) for i in range(80)]
    run = ask({"epochs": 1}, train={**questions, "id": [*ids[:79], "3"], "question": ["", *questions["question"][1:]]})
    assert run.notes[:2] == [
        "the data given: 1 id stands at several rows: '3' at the data given row 4 and the data given row 80.",
        "the data given: 1 question is empty (first at the data given row 1).",
    ]


@pytest.mark.realdata
def test_a_real_file_is_read_as_it_stands(tune: Tune, data: Path, minilm: Path) -> None:
    table = maskwright.data.read.read(data / "squad2_dev_cs224n/dev-v2.0.json")
    run = tune(
        task="answer", model=minilm, train=table.select(range(16)), test=table.select(range(2000, 2010)),
        max_length=256, settings={"train": {"epochs": 1}},
    )  # fmt: skip
    assert 0 <= run.metrics["test"]["exact_match"] <= run.metrics["test"]["f1"] <= 1
