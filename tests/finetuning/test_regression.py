"""Numbers in any unit: learnt, judged, kept, saved and gone on with in the unit that the rows have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import maskwright
from maskwright.evaluation import evaluate
from maskwright.finetuning import _seeds

pytestmark = pytest.mark.usefixtures("undrawn")

Tune = Callable[..., Any]
Rows = dict[str, list[Any]]


@pytest.fixture
def prices(reviews: Rows) -> Rows:
    """The reviews with scores from 1,000 to 3,000."""
    return {"text": reviews["text"], "price": [1000 + 400 * score for score in reviews["score"]]}


@pytest.fixture
def sell(tune: Tune, prices: Rows) -> Tune:
    def go(**options: Any) -> Any:
        train = {"epochs": 20, "lr": 2e-3, **options.pop("set", {})}
        settings = {"train": train, "data": {"eval_share": 0.2}}
        return tune(train=prices, task="regression", label="price", settings=settings, **options)

    return go


def test_prices_are_learnt_in_their_own_unit(sell: Tune, prices: Rows) -> None:
    run = sell()
    y = np.array(prices["price"])
    judged = evaluate(maskwright.load(run.folder), prices).metrics
    assert judged["mae"] < 0.7 * np.abs(y - y.mean()).mean()
    assert judged["pearson"] > 0.8
    assert run.metrics["eval"]["mae"] < 600
    said = [answer["score"] for answer in run.predict(prices["text"])]
    assert np.mean(said) == pytest.approx(y.mean(), rel=0.1)
    assert json.loads((run.folder / "seeds/0/log.jsonl").read_text().splitlines()[1])["loss"] < 5, "in variances"


def test_what_is_judged_while_training_is_in_the_same_unit(sell: Tune) -> None:
    run = sell()
    lines = [json.loads(line) for line in (run.folder / "seeds/0/log.jsonl").read_text().splitlines()]
    evaluations = [line["evaluation"] for line in lines if "evaluation" in line]
    best = max(evaluations, key=lambda each: each["pearson"])
    assert best["mae"] == pytest.approx(run.metrics["eval"]["mae"], rel=1e-6)


def test_an_earlier_checkpoint_is_kept_in_the_same_unit(sell: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first evaluation is made the best: its weights come back from a checkpoint."""
    judge, seen = _seeds.judge, []

    def planted(*given: Any, **options: Any) -> Any:
        found = judge(*given, **options)
        found.metrics["pearson"] = -float(len(seen))
        seen.append(found.metrics["mae"])
        return found

    monkeypatch.setattr(_seeds, "judge", planted)
    run = sell()
    assert len(seen) > 20
    assert run.metrics["eval"]["mae"] == pytest.approx(seen[0], rel=1e-6)


def test_a_run_that_was_stopped_ends_with_the_same_bits(sell: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    often = {"checkpoint_minutes": 0.0}
    whole = sell(out="whole", set=often)
    judge, seen = _seeds.judge, []

    def stops(*given: Any, **options: Any) -> Any:
        seen.append(given)
        if len(seen) == 7:
            raise KeyboardInterrupt
        return judge(*given, **options)

    monkeypatch.setattr(_seeds, "judge", stops)
    with pytest.raises(KeyboardInterrupt):
        sell(out="cut", set=often)
    assert (whole.folder.parent / "cut/seeds/0/checkpoints/last").is_dir()
    again = sell(out="cut", set=often, resume=True)
    assert len(seen) < 7 + 20, "it did go on"
    for name in ("model/model.safetensors", "seeds/0/log.jsonl", "seeds/0/scores.safetensors", "metrics.json"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_training_goes_on_from_a_model_in_natural_units(sell: Tune, tmp_path: Path) -> None:
    """At no learning rate to speak of, the second run repeats the first one's answers."""
    first = sell()
    second = sell(model=str(first.folder / "model"), out="second", set={"epochs": 1, "lr": 1e-12})
    was, found = (load_file(run.folder / "seeds/0/scores.safetensors") for run in (first, second))
    assert found["eval"] == pytest.approx(was["eval"], rel=1e-4)
