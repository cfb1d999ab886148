"""Which rows are learnt from, which choose, which are reported on: files, splits and groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.finetuning import _rows
from maskwright.finetuning.settings import gather

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]


def outcome(folder: Path, seed: int = 0) -> tuple[bytes, bytes, bytes]:
    """The weights, the log and the metrics as bytes."""
    names = ("model/model.safetensors", f"seeds/{seed}/log.jsonl", f"seeds/{seed}/metrics.json")
    return tuple((folder / name).read_bytes() for name in names)  # type: ignore[return-value]


def sides(tiny: Path, reviews: Reviews, seed: int = 0, **data: Any) -> dict[str, Any]:
    asked = gather(None, {"model": tiny, "out": "unused", "seed": seed}, {"data": data})
    return _rows.read_tables(asked, {"train": reviews, "eval": None, "test": None})[0]


def test_one_file_is_split_by_class_the_same_way_each_time(tune: Tune, tiny: Path, reviews: Reviews) -> None:
    unique = {**reviews, "id": list(range(80))}
    parts = sides(tiny, unique)
    ids = {name: table.column("id") for name, table in parts.items()}
    assert sorted(i for part in ids.values() for i in part) == list(range(80))
    for name, good, bad in (("train", 38, 26), ("eval", 5, 3), ("test", 5, 3)):
        labels = parts[name].column("label")
        assert abs(labels.count("good") - good) <= 1, name
        assert abs(labels.count("bad") - bad) <= 1, name
    assert {n: t.column("id") for n, t in sides(tiny, unique).items()} == ids
    assert {n: t.column("id") for n, t in sides(tiny, unique, seed=1).items()} != ids
    assert "the data given was split by class with seed 0: 64 train, 8 eval, 8 test rows." in tune().notes


def test_shares_are_settings(tune: Tune) -> None:
    run = tune(settings={"data": {"eval_share": 0.25, "test_share": 0}})
    assert "the data given was split by class with seed 0: 60 train, 20 eval rows." in run.notes
    assert set(run.metrics) == {"eval"}
    assert run.metrics["eval"]["rows"] == 20


def test_regression_is_split_without_classes(tune: Tune) -> None:
    run = tune(task="regression", label="score")
    assert "the data given was split with seed 0: 64 train, 8 eval, 8 test rows." in run.notes


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"eval": 20}, {"eval": 20}),
        ({"eval": 20, "test": 10}, {"eval": 20, "test": 10}),
        ({"test": 10}, {"eval": 8, "test": 10}),
    ],
)
def test_given_sides_are_used_as_they_are(
    tune: Tune, reviews: Reviews, given: dict[str, int], rows: dict[str, int]
) -> None:
    """Without test rows none are split off once an eval file is given: that file says how the data are cut."""
    sources = {name: {column: cells[:count] for column, cells in reviews.items()} for name, count in given.items()}
    run = tune(**sources)
    assert {name: metrics["rows"] for name, metrics in run.metrics.items()} == rows
    data = json.loads((run.folder / "config.json").read_text())["data"]
    assert data["train"]["rows"] == (80 if "eval" in given else 72)


def test_rows_of_one_group_go_to_one_side(tune: Tune, tiny: Path, reviews: Reviews) -> None:
    owned = {**reviews, "user": [f"u{row // 4}" for row in range(80)], "id": list(range(80))}
    parts = sides(tiny, owned, group="user")
    users = {name: set(table.column("user")) for name, table in parts.items()}
    assert sorted(i for table in parts.values() for i in table.column("id")) == list(range(80))
    assert sorted(user for held in users.values() for user in held) == sorted({*owned["user"]})
    assert {name: len(table) for name, table in parts.items()} == {"train": 64, "eval": 8, "test": 8}
    for name, table in parts.items():
        assert abs(table.column("label").count("good") / len(table) - 0.6) <= 0.16, name
    assert {name: set(t.column("user")) for name, t in sides(tiny, owned, seed=1, group="user").items()} != users
    run = tune(train=owned, settings={"data": {"group": "user"}})
    assert (
        "the data given was split by class with seed 0: 64 train, 8 eval, 8 test rows. Groups of 'user' were kept "
        "whole: 16 train, 2 eval, 2 test." in run.notes
    )
    assert json.loads((run.folder / "config.json").read_text())["settings"]["data"]["group"] == "user"


def test_groups_of_a_regression_and_a_column_called_by_its_number(tune: Tune, reviews: Reviews, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    scored = zip(reviews["text"], reviews["score"], strict=True)
    file.write_text("".join(f"{text},{score},{row // 8}\n" for row, (text, score) in enumerate(scored)))
    columns = {"text": "1", "label": "2"}
    run = tune(train=file, task="regression", settings={"data": {"group": 3, "test_share": 0}}, **columns)
    assert any(
        note.endswith("72 train, 8 eval rows. Groups of '3' were kept whole: 9 train, 1 eval.") for note in run.notes
    )


def test_doubtful_labels_are_noted(tune: Tune, reviews: Reviews) -> None:
    mixed = [label.title() if row % 2 else label for row, label in enumerate(reviews["label"])]
    notes = tune(train={**reviews, "label": mixed}).notes
    assert (
        "The labels 'Bad' and 'bad', and 'Good' and 'good' differ only in upper and lower case; they are separate "
        "classes." in notes
    )


def test_a_folder_of_texts_is_as_good_as_a_file(tune: Tune, reviews: Reviews, tmp_path: Path) -> None:
    rows = sorted(
        (label, f"{row:03}.txt", text)
        for row, (text, label) in enumerate(zip(reviews["text"], reviews["label"], strict=True))
    )
    for label, name, text in rows:
        path = tmp_path / "reviews" / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = tune(train=tmp_path / "reviews", out="folder")
    table = {"text": [text for _, _, text in rows], "label": [label for label, _, _ in rows]}
    assert outcome(folder.folder) == outcome(tune(train=table, out="table").folder)
    data = json.loads((folder.folder / "config.json").read_text())["data"]
    assert data["train"]["rows"] == 64
    (tmp_path / "reviews" / rows[0][0] / rows[0][1]).write_text("another text")
    with pytest.raises(UserError, match=r"The data of .* has changed since it was started"):
        tune(train=tmp_path / "reviews", out="folder", resume=True)
