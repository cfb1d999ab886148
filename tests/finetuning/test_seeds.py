"""Several seeds, the rows that choose and those that are reported on, and the calibration that goes with the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import maskwright
from maskwright.base.errors import UserError
from maskwright.evaluation.evaluate import evaluate
from maskwright.finetuning import _seeds
from maskwright.finetuning.settings import SMALL, Finetune
from maskwright.stats.intervals import over_seeds

pytestmark = pytest.mark.usefixtures("undrawn")

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]


def test_three_seeds_are_the_default_on_few_rows_and_one_on_many() -> None:
    assert Finetune().numbers(SMALL) == [0, 1, 2]
    assert Finetune().numbers(SMALL + 1) == [0]
    assert Finetune(seed=7).numbers(10) == [7, 8, 9]
    assert Finetune(seed=7, seeds=2).numbers(10**6) == [7, 8]


def test_each_seed_is_the_run_that_it_would_be_alone(tune: Tune) -> None:
    together = tune(seeds=3, out="together")
    alone = tune(seed=0, out="alone")
    for name in ("log.jsonl", "metrics.json", "scores.safetensors"):
        assert (together.folder / "seeds/0" / name).read_bytes() == (alone.folder / "seeds/0" / name).read_bytes()
    logs = {(together.folder / f"seeds/{seed}/log.jsonl").read_bytes() for seed in (0, 1, 2)}
    assert len(logs) == 3
    assert sorted(p.name for p in (together.folder / "seeds").iterdir()) == ["0", "1", "2"]


def test_figures_are_means_over_seeds_with_both_sources_of_doubt(tune: Tune) -> None:
    run = tune(seeds=3)
    each = [json.loads((run.folder / f"seeds/{s}/metrics.json").read_text())["test"]["accuracy"] for s in (0, 1, 2)]
    figure = run.summary["figures"]["accuracy"]
    assert figure["seeds"] == pytest.approx(each)
    assert figure["value"] == pytest.approx(np.mean(each)) == run.metrics["test"]["accuracy"]
    assert figure["over"] == "examples and seeds"
    seeds = over_seeds(each)
    assert figure["low"] <= seeds.low + 1e-9
    assert figure["high"] >= seeds.high - 1e-9
    assert tune(seeds=1, out="one").summary["figures"]["accuracy"]["over"] == "examples"


def test_further_rows_are_judged_by_each_seed(tune: Tune, reviews: Reviews) -> None:
    """They change nothing else, and a run that goes on needs them again."""
    some = {name: cells[:30] for name, cells in reviews.items()}
    run, plain = tune(seeds=2, also={"some": some}), tune(seeds=2, out="plain")
    assert run.summary["figures"] == plain.summary["figures"]
    assert "also" not in plain.summary
    told = run.summary["also"]["some"]
    assert told["rows"] == 30
    each = [json.loads((run.folder / f"seeds/{s}/metrics.json").read_text())["some"]["accuracy"] for s in (0, 1)]
    assert told["figures"]["accuracy"]["seeds"] == pytest.approx(each)
    assert run.metrics["some"]["accuracy"] == pytest.approx(np.mean(each))
    saved = run.summary["saved"]["seed"]
    assert evaluate(run.model, some).metrics["accuracy"] == pytest.approx(each[saved])
    assert tune(seeds=2, also={"some": some}, resume=True).summary == run.summary
    with pytest.raises(UserError, match="has changed since it was started"):
        tune(seeds=2, resume=True)
    with pytest.raises(UserError, match="'test' is that of a side of the run"):
        tune(also={"test": some}, out="other")


def test_the_saved_seed_is_chosen_by_rows_that_no_figure_uses(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, said = _seeds.judge, {"eval": iter([0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5])}
    sizes = {8: "eval"}  # the eval rows are told from the test rows by their number

    def planted(model: Any, encodings: Any, examples: Any, **options: Any) -> Any:
        found = judge(model, encodings, examples, **options)
        if len(examples) in sizes:
            found.metrics["accuracy"] = next(said["eval"])
        return found

    monkeypatch.setattr(_seeds, "judge", planted)
    run = tune(seeds=3, settings={"data": {"eval_share": 0.1, "test_share": 0.2}})
    why = "the best accuracy on the eval rows, which no reported figure uses"
    assert run.summary["saved"] == {"seed": 1, "why": why}
    described = json.loads((run.folder / "model/maskwright.json").read_text())
    assert described["provenance"]["seed"] == 1
    scores = load_file(run.folder / "seeds/1/scores.safetensors")["test"]
    answers = [json.loads(line) for line in (run.folder / "predictions.jsonl").read_text().splitlines()]
    assert [a["label"] for a in answers] == [("bad", "good")[i] for i in scores.argmax(-1)]


def test_where_the_reported_rows_chose_the_checkpoint_it_is_said_and_nothing_is_calibrated(
    tune: Tune, reviews: Reviews
) -> None:
    run = tune(seeds=2, eval={c: v[:30] for c, v in reviews.items()})
    assert run.summary["reported"]["chose"]
    assert "flatters" in run.summary["verdict"][0]
    assert run.summary["saved"]["why"] == (
        "the first seed: there are no rows but the reported ones, which may not choose"
    )
    assert run.summary["calibration"] is None
    assert "not calibrated" in run.summary["verdict"][-1]
    assert run.model.calibration is None


def test_eval_rows_without_test_rows_are_reported_on_and_choose_nothing(tune: Tune, reviews: Reviews) -> None:
    held = {c: v[:30] for c, v in reviews.items()}
    run = tune(eval=held, settings={"data": {"eval_chooses": False}})
    assert run.summary["reported"] == {"split": "test", "source": "the data given", "rows": 30, "chose": False}
    assert run.metrics["eval"]["rows"] == 8
    assert any("choose nothing" in note for note in run.notes)
    assert run.summary["calibration"]["rows"] == 8


def test_the_model_carries_its_calibration_and_predictions_apply_it(tune: Tune, reviews: Reviews) -> None:
    run = tune(settings={"data": {"eval_share": 0.3}, "train": {"epochs": 6}})
    model = maskwright.load(run.folder)
    fitted = run.summary["calibration"]
    assert model.calibration is not None
    assert model.calibration.temperature == pytest.approx(fitted["temperature"])
    assert fitted["split"] == "eval"
    text = reviews["text"][0]
    scores = model.scores(model.encode([text])).astype(np.float64)[0] / model.calibration.temperature
    wanted = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    assert model.predict(text)[0]["probability"] == pytest.approx(wanted.max(), abs=1e-6)
    assert set(fitted["conformal"]) == {"0.8", "0.9", "0.95", "0.99"}
    assert set(run.summary["sureness"]["error"]) == {"before", "after"}


def test_a_seed_that_is_done_is_not_trained_again(tune: Tune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = tune(seeds=2, out="whole")
    train = _seeds.Loop.run

    def stops(loop: Any) -> Any:
        if loop.folder.name == "1":
            raise KeyboardInterrupt
        return train(loop)

    monkeypatch.setattr(_seeds.Loop, "run", stops)
    with pytest.raises(KeyboardInterrupt):
        tune(seeds=2, out="cut")
    seen = []
    monkeypatch.setattr(_seeds.Loop, "run", lambda loop: (seen.append(loop.folder.name), train(loop))[1])
    again = tune(seeds=2, out="cut", resume=True)
    assert seen == ["1"]
    assert again.summary == whole.summary
    assert (again.folder / "model/model.safetensors").read_bytes() == (
        whole.folder / "model/model.safetensors"
    ).read_bytes()


def test_baselines_stand_beside_the_model_with_a_verdict(tune: Tune) -> None:
    run = tune(baselines=True, settings={"data": {"test_share": 0.3}, "train": {"epochs": 8}})
    names = [other["name"] for other in run.summary["baselines"]]
    assert names == ["majority class", "TF-IDF + logistic regression"]
    majority = run.summary["baselines"][0]
    assert majority["figures"]["accuracy"]["value"] == pytest.approx(0.6, abs=0.1)
    assert "majority class" in majority["sentence"]
    assert 0 < majority["difference"]["p"] <= 1
    assert majority["difference"]["low"] <= majority["difference"]["value"] <= majority["difference"]["high"]
    assert len(run.summary["verdict"]) == 3


def test_regression_has_figures_and_no_probabilities(tune: Tune) -> None:
    run = tune(task="regression", label="score", seeds=2)
    assert run.summary["calibration"] is None
    assert run.summary["baselines"] == []
    assert set(run.summary["figures"]) == {"pearson", "spearman", "mae", "mse", "r_squared"}
    assert json.loads((run.folder / "predictions.jsonl").read_text().splitlines()[0]).keys() == {
        "where", "text", "target", "score",
    }  # fmt: skip


def test_numbers_stand_beside_their_mean_and_counted_words(tune: Tune) -> None:
    """At no learning rate a new head answers near the mean, and worse than it; the verdict says so in words."""
    run = tune(task="regression", label="score", baselines=True, settings={"train": {"lr": 1e-9}})
    mean, ridge = run.summary["baselines"]
    assert (mean["name"], ridge["name"]) == ("mean of the training rows", "TF-IDF + ridge regression")
    assert mean["figures"]["pearson"]["value"] is None
    assert (mean["metric"], ridge["metric"]) == ("mae", "pearson")
    ours, theirs = (f["mae"]["value"] for f in (run.summary["figures"], mean["figures"]))
    assert mean["difference"]["value"] == pytest.approx(theirs - ours), "above 0 is in favour of the model"
    assert ours > theirs
    assert (
        f"Its mae of {ours:.3f} is worse than the {theirs:.3f} of always answering the mean"
        in run.summary["verdict"][-1]
    )
    assert "TF-IDF + ridge regression" in run.summary["verdict"][1]
    for name in ("report.html", "README.md"):
        told = (run.folder / name).read_text()
        assert all(words in told for words in (mean["name"], ridge["name"], "mae differs by")), name


def test_several_labels_stand_beside_the_commonest_and_counted_words(tune: Tune, tagged: Reviews) -> None:
    run = tune(task="multi-label", train=tagged, baselines=True, settings={"data": {"eval_share": 0.3}})
    common, tfidf = run.summary["baselines"]
    assert (common["name"], tfidf["name"]) == ("commonest labels", "TF-IDF + logistic regression")
    assert common["settings"]["answer"] in ("film", "good", "play", "film, good")
    assert tfidf["figures"]["f1_macro"]["value"] > 0.9 > common["figures"]["f1_macro"]["value"]
    ours = run.summary["figures"]["f1_macro"]["value"]
    for other in (common, tfidf):
        assert other["metric"] == "f1_macro"
        told = ours - other["figures"]["f1_macro"]["value"]
        assert other["difference"]["value"] == pytest.approx(told), "each with its own thresholds"
    assert "f1_macro differs by" in run.summary["verdict"][1]
