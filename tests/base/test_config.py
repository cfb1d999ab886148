"""Settings from tables, TOML and `--set`, with errors that name the nearest right key."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from maskwright.base.config import Config, describe, merge, pairs, parse, read_toml
from maskwright.base.errors import UserError, nearest, unknown


class Train(Config):
    lr: float = 3e-5
    epochs: int = Field(default=3, ge=1)
    clip: float | None = 1.0


class Data(Config):
    path: Path
    columns: tuple[str, ...] = ()
    keep: Literal["head", "tail"] = "head"


class Run(Config):
    train: Train = Train()
    data: Data | None = None
    seeds: tuple[int, ...] = (0,)
    name: str = ""

    @model_validator(mode="after")
    def _named(self) -> Run:
        if self.name == "forbidden":
            raise ValueError("this run may not have that name")
        return self


def said(table: dict, source: str = "the settings") -> str:
    with pytest.raises(UserError) as caught:
        parse(Run, table, source)
    return str(caught.value)


def test_settings_are_read_and_frozen() -> None:
    run = parse(Run, {"train": {"lr": 1, "clip": None}, "data": {"path": "a.csv", "columns": ["x"]}})
    assert run.train == Train(lr=1.0, clip=None)
    assert run.data == Data(path=Path("a.csv"), columns=("x",))
    assert parse(Run, run.model_dump(mode="json")) == run
    with pytest.raises(ValidationError, match="frozen"):
        run.name = "other"


def test_an_unknown_setting_names_the_nearest() -> None:
    assert said({"nmae": "x"}, "run.toml") == (
        "run.toml: There is no setting 'nmae'. Did you mean 'name'? Allowed: data, name, seeds, train."
    )


def test_a_nested_one_says_where() -> None:
    assert said({"train": {"epoch": 2}}) == (
        "the settings: There is no setting 'epoch'. Did you mean 'epochs'? Allowed: clip, epochs, lr. (At train.epoch.)"
    )
    optional = said({"data": {"path": "a", "colums": []}})
    assert "no setting 'colums'. Did you mean 'columns'? Allowed: columns, keep, path. (At data.colums.)" in optional


def test_one_that_stands_elsewhere_is_named_by_its_path() -> None:
    assert said({"epochs": 2}) == (
        "the settings: There is no setting 'epochs'. Did you mean 'train.epochs'? Allowed: data, name, seeds, train."
    )
    assert "There is no setting 'colums'. Did you mean 'data.columns'?" in said({"colums": []})
    assert "There is no setting 'lr'. Did you mean 'train.lr'?" in said({"data": {"path": "a", "lr": 1}})
    assert "There is no setting 'seed'. Did you mean 'seeds'?" in said({"seed": 1})


def test_nothing_near_lists_what_there_is() -> None:
    assert "There is no setting 'zzz'. Allowed: data, name, seeds, train." in said({"zzz": 1})


def test_a_missing_setting() -> None:
    assert said({"data": {}}) == "the settings: The setting 'data.path' is needed and was not given."


def test_a_wrong_value_says_its_place_and_what_is_allowed() -> None:
    assert said({"train": {"epochs": "many"}}).startswith("the settings: train.epochs = 'many': Input should be a")
    assert said({"train": {"epochs": 0}}) == (
        "the settings: train.epochs = 0: Input should be greater than or equal to 1."
    )
    assert "data.keep = 'both': Input should be 'head' or 'tail'." in said({"data": {"path": "a", "keep": "both"}})
    assert "seeds.1 = 'x'" in said({"seeds": [0, "x"]})
    assert "train.lr = nan" in said({"train": {"lr": float("nan")}})


def test_a_rule_of_the_whole_is_said_plainly() -> None:
    assert said({"name": "forbidden"}) == "the settings: this run may not have that name."


def test_all_mistakes_are_said_at_once() -> None:
    text = said({"nmae": 1, "train": {"lr": "fast", "epochs": 0}})
    assert "'nmae'" in text
    assert "train.lr = 'fast'" in text
    assert "train.epochs = 0" in text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("3e-5", 3e-5),
        ("-1.5E+3", -1500.0),
        ("1_000", 1000),
        ("true", True),
        ("false", False),
        ("[1, 2]", [1, 2]),
        ('["a", "b"]', ["a", "b"]),
        ("[]", []),
        ('{name = "cosine", warmup = 0.1}', {"name": "cosine", "warmup": 0.1}),
        ("cosine", "cosine"),
        ('"3"', "3"),
        ("", ""),
        ("True", "True"),
        ("a=b", "a=b"),
        ("runs/my run", "runs/my run"),
        ("#1 String", "#1 String"),
        ("C:\\data", "C:\\data"),
        ("[broken", "[broken"),
    ],
)
def test_pairs_are_typed(text: str, value: object) -> None:
    got = pairs([f"a.b={text}"])
    assert got == {"a": {"b": value}}
    assert type(got["a"]["b"]) is type(value)


def test_pairs_of_one_table_come_together_and_later_ones_win() -> None:
    assert pairs(["train.lr=1", "train.epochs=2", "name=x", "train.lr=3"]) == {
        "train": {"lr": 3, "epochs": 2},
        "name": "x",
    }
    assert pairs(["schedule=cosine", "schedule.warmup=0.1"]) == {"schedule": {"name": "cosine", "warmup": 0.1}}
    assert pairs([" train.lr = 3e-5 "]) == {"train": {"lr": 3e-5}}
    assert pairs([]) == {}


@pytest.mark.parametrize("text", ["train.lr", "=3", "  =3", ""])
def test_a_pair_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match=r"write it as name=value, for example train.lr=3e-5"):
        pairs([text])


def test_merge() -> None:
    below = {"a": 1, "train": {"lr": 1, "epochs": 2}, "schedule": "linear", "pooling": {"name": "mean"}}
    above = {"a": 2, "train": {"lr": 3}, "schedule": {"warmup": 0.1}, "pooling": "cls", "new": {"x": 1}}
    kept = {key: dict(v) if isinstance(v, dict) else v for key, v in below.items()}
    assert merge(below, above) == {
        "a": 2,
        "train": {"lr": 3, "epochs": 2},
        "schedule": {"name": "linear", "warmup": 0.1},
        "pooling": "cls",
        "new": {"x": 1},
    }
    assert below == kept, "what is merged stays as it was"


TABLES = st.recursive(
    st.integers() | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(*[st.dictionaries(st.sampled_from("abc"), TABLES, max_size=3)] * 3)
def test_merging_is_associative_and_has_an_end(one: dict, two: dict, three: dict) -> None:
    assert merge(one, {}) == merge({}, one) == merge(one, one) == one
    assert merge(merge(one, two), two) == merge(one, two)
    for key, value in two.items():
        if not isinstance(value, dict):
            assert merge(one, two)[key] == value
    assert set(merge(merge(one, two), three)) == {*one, *two, *three}


def test_toml(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('name = "ü"\n[train]\nlr = 3e-5\n', encoding="utf-8")
    assert read_toml(file) == {"name": "ü", "train": {"lr": 3e-5}}
    file.write_text("name = 1\nlr = = 2\n")
    with pytest.raises(UserError, match=r"run.toml is not a TOML file: .*line 2"):
        read_toml(file)
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"run.toml is not a TOML file"):
        read_toml(file)
    with pytest.raises(UserError, match=r"There is no file '.*nowhere.toml'"):
        read_toml(tmp_path / "nowhere.toml")


def test_nearest_looks_past_case_and_keeps_the_real_name() -> None:
    assert nearest("LEARNING_RATE", ["learning_rate", "epochs"]) == "learning_rate"
    assert nearest("label", ["Label", "text"]) == "Label"
    assert nearest("qqq", ["learning_rate"]) is None
    assert nearest("x", []) is None
    assert unknown("column", "txt", []) == "There is no column 'txt'. Allowed: none."


def test_types_are_described_for_help() -> None:
    assert [describe(t) for t in (int, str, Path, float | None, int | str)] == [
        "int",
        "text",
        "path",
        "float",
        "int or text",
    ]
