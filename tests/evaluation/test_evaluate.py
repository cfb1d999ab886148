"""Metrics of a model on labelled rows, with counts of what was cut, and the columns said when they are others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.settings import Data
from maskwright.evaluation import evaluate
from maskwright.tasks import Model, Task
from maskwright.tasks.classification import Classification
from maskwright.tasks.regression import Regression

Reviews = dict[str, list[Any]]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def model(tiny: Path) -> Callable[..., Model]:
    """An untrained model, its classes shifted so that no prediction is the same everywhere."""

    def make(task: Any = None, **options: Any) -> Model:
        chosen = task or Classification()
        labels = Labels(("bad", "good")) if isinstance(chosen, Classification) else None
        torch.manual_seed(1)
        made = Model.build(tiny, chosen, labels, precision="fp32", **options)
        made.network.eval()
        return made

    return make


def balance(model: Model, texts: list[str]) -> Model:
    with torch.no_grad():
        model.network.classifier.out.bias -= torch.from_numpy(model.scores(model.encode(texts))).median(0).values
    return model


def test_its_metrics_are_those_of_its_predictions(model: Callable[..., Model], reviews: Reviews) -> None:
    made = balance(model(), reviews["text"])
    judged = evaluate(made, reviews)
    answers = made.predict(reviews["text"])
    said = [answer["label"] for answer in answers]
    assert set(said) == {"bad", "good"}, "both answers come, so that the metrics differ"
    truth = reviews["label"]
    good = [answer["probabilities"]["good"] for answer in answers], [label == "good" for label in truth]
    assert judged.metrics == {
        "accuracy": pytest.approx(np.mean([s == t for s, t in zip(said, truth, strict=True)])),
        "f1_macro": pytest.approx(reference.f1_score(truth, said, average="macro")),
        "mcc": pytest.approx(reference.matthews_corrcoef(truth, said)),
        "balanced_accuracy": pytest.approx(reference.balanced_accuracy_score(truth, said)),
        "f1": pytest.approx(reference.f1_score(truth, said, pos_label="good")),
        "auc": pytest.approx(reference.roc_auc_score(good[1], good[0])),
        "average_precision": pytest.approx(reference.average_precision_score(good[1], good[0])),
    }
    assert judged.rows == 80


def test_regression_of_pairs(model: Callable[..., Model], reviews: Reviews) -> None:
    made = model(Regression(pair="other", label="score"))
    judged = evaluate(made, reviews)
    scores = [a["score"] for a in made.predict(reviews["text"], reviews["other"])]
    truth = np.array(reviews["score"])
    assert judged.metrics["pearson"] == pytest.approx(np.corrcoef(scores, truth)[0, 1])
    assert judged.metrics["mae"] == pytest.approx(np.abs(np.array(scores) - truth).mean(), rel=1e-5)
    assert judged.metrics["mse"] == pytest.approx(((np.array(scores) - truth) ** 2).mean(), rel=1e-5)


def test_every_source_of_rows_gives_the_same(
    model: Callable[..., Model], reviews: Reviews, tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    made = model()
    expected = evaluate(made, reviews).plain()
    records = [dict(zip(reviews, row, strict=True)) for row in zip(*reviews.values(), strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for source in (records, iter(records), write_csv(tmp_path / "rows.csv", reviews), tmp_path / "rows.jsonl"):
        assert evaluate(made, source).plain() == expected


def test_what_was_cut_and_unknown_is_counted(model: Callable[..., Model]) -> None:
    rows = {"text": ["the film was dull dull dull", "a ∞ play", "a ∞ ∂ book"], "label": ["bad", "good", "good"]}
    judged = evaluate(model(max_length=6), rows)
    assert (judged.texts_cut, judged.pieces_cut, judged.unknown_pieces) == (1, 2, 3)
    plain = judged.plain()
    assert (plain["rows"], plain["texts_cut"], plain["pieces_cut"], plain["unknown_pieces"]) == (3, 1, 2, 3)


def test_an_undefined_metric_is_null_in_json(model: Callable[..., Model]) -> None:
    judged = evaluate(model(Regression(label="score")), {"text": ["a film", "a play"], "score": [1, 1]})
    assert math.isnan(judged.metrics["pearson"])
    assert judged.plain()["pearson"] is None
    json.dumps(judged.plain(), allow_nan=False)


def test_how_the_file_is_read_can_be_said_and_is_told(model: Callable[..., Model], tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("the film was dull;bad\na lovely play;good\n")
    made = model(Classification(text="1", label="2"))
    judged = evaluate(made, file, Data(reader="csv", header=False, delimiter=";"))
    assert judged.rows == 2
    assert any("semicolon-separated, no header" in note for note in judged.notes)


def test_what_may_be_a_slip_is_told(tiny: Path) -> None:
    torch.manual_seed(0)
    made = Model.build(tiny, resolve(Task, {"name": "answer", "none": "yes"}), None, precision="fp32")
    rows = {"question": ["the film", "the film"], "context": ["a lovely play", ""], "answers": [["play"], []]}
    judged = evaluate(made, {**rows, "id": ["a", "a"]})
    assert any("empty" in note for note in judged.notes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            {"text": ["a film"]},
            "There is no column 'label'. Allowed: text. Name the right one by --set task.label=NAME.",
        ),
        ({"text": ["a film"], "lable": ["good"]}, "Did you mean 'lable'?"),
        ({"text": ["a film", "a play"], "label": ["good", "fine"]}, "row 2: There is no label 'fine'."),
        ({"text": [None], "label": ["good"]}, "row 1: the column 'text' holds None where a text is needed."),
        ({"text": [], "label": []}, "holds no rows."),
    ],
)
def test_rows_that_cannot_be_judged(model: Callable[..., Model], rows: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(model(), rows)
    assert said in str(caught.value)
