"""Runs of several labels a row: they learn, they are split by label, and their folder needs no other file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskwright
from maskwright.base.errors import UserError
from maskwright.evaluation import evaluate

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]
TAGS = ("film", "good", "play")


def several(tune: Tune, tagged: Reviews, **options: Any) -> Any:
    return tune(**{"task": "multi-label", "train": tagged, **options})


def test_it_learns(tune: Tune, tagged: Reviews) -> None:
    """Each label is a word of the text, or follows from one."""
    run = several(tune, tagged, settings={"train": {"epochs": 30}})
    judged = evaluate(maskwright.load(run.folder), tagged)
    assert judged.metrics["f1_macro"] >= 0.95
    assert run.metrics["eval"]["f1_macro"] >= 0.8
    answers = run.predict(tagged["text"])
    right = [sorted(answer["labels"]) == tags for answer, tags in zip(answers, tagged["label"], strict=True)]
    assert np.mean(right) == judged.metrics["exact_match"] >= 0.9


def test_one_row_of_figures_and_the_thresholds_that_are_saved(tune: Tune, tagged: Reviews) -> None:
    """Thresholds change what is answered, so every figure of a run is with them."""
    held = {column: cells[:40] for column, cells in tagged.items()}
    run = several(tune, tagged, test=held, seeds=2)
    saved = evaluate(maskwright.load(run.folder), held)
    each = run.summary["figures"]["f1_macro"]["seeds"]
    assert saved.metrics["f1_macro"] == pytest.approx(each[run.summary["seeds"].index(run.summary["saved"]["seed"])])
    for name, figure in run.summary["figures"].items():
        assert run.metrics["test"][name] == pytest.approx(figure["value"]), name
    chosen = [json.loads((run.folder / f"seeds/{s}/metrics.json").read_text())["eval"]["f1_macro"] for s in (0, 1)]
    assert run.summary["saved"]["seed"] == int(np.argmax(chosen))
    assert min(chosen) > 0  # at one half these two epochs answer nothing


def test_its_rows_are_split_by_label_and_those_without_one_counted(tune: Tune, tagged: Reviews) -> None:
    run = several(tune, tagged)
    assert "the data given was split by label with seed 0: 64 train, 8 eval, 8 test rows." in run.notes
    bare = sum(not tags for tags in tagged["label"])
    told = [note for note in run.notes if "rows have no label" in note]
    assert sum(int(note.split(": ")[1].split(" of ")[0]) for note in told) == bare > 0
    assert told[0].startswith("train: ")
    assert json.loads((run.folder / "config.json").read_text())["notes"] == run.notes
    assert list(run.metrics["eval"])[:7] == [
        "f1_macro", "f1_micro", "f1_weighted", "f1_samples", "exact_match", "hamming_loss", "mean_average_precision",
    ]  # fmt: skip


def test_however_labels_are_written_the_model_is_the_same(tune: Tune, tagged: Reviews, tmp_path: Path) -> None:
    rest = {"text": tagged["text"]}
    columns = {tag: [tag in tags for tags in tagged["label"]] for tag in TAGS}
    (tmp_path / "names.txt").write_text("\n".join(TAGS))
    ways: dict[str, tuple[Reviews, dict[str, Any]]] = {
        "texts": ({**rest, "label": ["; ".join(tags) for tags in tagged["label"]]}, {"separator": ";"}),
        "indicators": ({**rest, **columns}, {"labels": "film,good,play"}),
        "ids": (
            {**rest, "label": [[TAGS.index(tag) for tag in tags] for tags in tagged["label"]]},
            {"names": tmp_path / "names.txt"},
        ),
    }
    lists = several(tune, tagged, out="lists")
    weights = (lists.folder / "model" / "model.safetensors").read_bytes()
    for way, (rows, options) in ways.items():
        run = several(tune, tagged, train=rows, out=way, **options)
        assert run.metrics == lists.metrics, way
        assert (run.folder / "model" / "model.safetensors").read_bytes() == weights, way
        assert run.model.labels == lists.model.labels


def test_names_are_in_the_folder_and_the_file_is_not_needed_again(tune: Tune, tagged: Reviews, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(TAGS))
    rows = {"text": tagged["text"], "label": [",".join(str(TAGS.index(t)) for t in tags) for tags in tagged["label"]]}
    run = several(tune, tagged, train=rows, names=names)
    names.unlink()
    assert evaluate(maskwright.load(run.folder), rows).metrics["f1_macro"] > 0
    config = json.loads((run.folder / "config.json").read_text())
    assert config["settings"]["task"]["names"] == list(TAGS)
    again = maskwright.finetune({**config["settings"], "out": str(tmp_path / "again")}, train=rows, quiet=True)
    assert again.metrics == run.metrics


def test_a_class_may_be_named_by_its_id_too(tune: Tune, reviews: Reviews) -> None:
    """The same file of names serves classification."""
    ids = {"text": reviews["text"], "label": [("bad", "good").index(label) for label in reviews["label"]]}
    run = tune(train=ids, names=["bad", "good"])
    assert run.metrics == tune(out="named").metrics
    assert run.model.labels.names == ("bad", "good")


@pytest.mark.parametrize("side", ["eval", "test"])
def test_a_label_that_training_has_not_seen(tune: Tune, tagged: Reviews, tmp_path: Path, side: str) -> None:
    with pytest.raises(UserError) as caught:
        several(tune, tagged, **{side: {"text": ["a", "b"], "label": [["good"], ["play", "flim"]]}})
    assert str(caught.value) == (
        "the data given row 2: There is no label 'flim'. Did you mean 'film'? Allowed: film, good, play. It stands in "
        "1 row."
    )
    assert not (tmp_path / "run").exists()


def test_a_rare_label_is_always_trained_on(tune: Tune, tagged: Reviews) -> None:
    for row in (0, 7, 79):
        labels = [[*tags, "rare"] if i == row else tags for i, tags in enumerate(tagged["label"])]
        run = several(tune, tagged, train={**tagged, "label": labels}, out=str(row), settings={"train": {"epochs": 1}})
        assert "rare" in run.model.labels.names
        assert any("1 of 4 labels stand in no row (rare)" in note for note in run.notes if note.startswith("eval: "))


def test_a_new_head_starts_from_the_odds_of_the_labels_and_a_trained_one_does_not(tune: Tune, tagged: Reviews) -> None:
    still = {"train": {"lr": 1e-12, "epochs": 1}}
    first = several(tune, tagged, eval=tagged, settings=still, out="first")
    share = np.mean([[tag in row for tag in TAGS] for row in tagged["label"]], axis=0)
    bias = first.model.network.classifier.out.bias.detach().numpy()
    assert bias.tolist() == pytest.approx(np.log(share / (1 - share)).tolist(), abs=0.05)
    trained = several(tune, tagged, eval=tagged, out="trained")
    again = several(tune, tagged, eval=tagged, model=trained.folder, settings=still, out="again")
    kept = [run.model.network.classifier.out.bias.detach().numpy() for run in (trained, again)]
    assert np.abs(kept[0] - kept[1]).max() < 1e-6 < np.abs(kept[0] - bias).max()
    random = several(tune, tagged, eval=tagged, weights="random", settings=still, out="random")
    assert random.model.network.classifier.out.bias.tolist() == pytest.approx(bias.tolist(), abs=1e-6)
