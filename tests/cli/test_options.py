"""Options are made from fields: their names, types, defaults and help stand in one place."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from maskwright.base.choice import Choice
from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError
from maskwright.cli._options import given, with_options
from maskwright.cli._table import cell, print_counts, print_figures, print_notes
from maskwright.data.corpus import CorpusSettings
from maskwright.training.schedules import Schedule
from maskwright.training.schedules.linear import Linear

runner = CliRunner()


class Settings(Config):
    """One field of each kind."""

    out_folder: str = Field(description="the folder")
    count: int = Field(3, description="how many")
    rate: float | None = Field(None, description="how fast")
    keep: Literal["head", "tail"] = Field("head", description="which end")
    flag: bool = Field(False, description="whether")
    schedule: Choice[Schedule] = Field(Linear(), description="how it moves")


@pytest.fixture
def app() -> tuple[typer.Typer, list[dict[str, Any]]]:
    """A command with an argument, the options of Settings and one of its own; and what it was called with."""
    calls: list[dict[str, Any]] = []

    def command(file: Annotated[str, typer.Argument()] = "none", *, loud: bool = False, **options: Any) -> None:
        """Do it."""
        calls.append({"file": file, "loud": loud, **given(options)})

    made = typer.Typer()
    made.command()(with_options(command, Settings.model_fields))
    return made, calls


def test_nothing_typed_is_nothing_given(app: Any) -> None:
    assert runner.invoke(app[0], []).exit_code == 0
    assert app[1] == [{"file": "none", "loud": False}]


def test_what_is_typed_comes_with_its_type(app: Any) -> None:
    words = "--out-folder o --count 5 --rate 0.5 --keep tail --flag --schedule cosine --loud here"
    done = runner.invoke(app[0], words.split())
    assert done.exit_code == 0, done.output
    assert app[1] == [
        {
            "file": "here", "loud": True, "out_folder": "o", "count": 5, "rate": 0.5, "keep": "tail", "flag": True,
            "schedule": "cosine",
        }
    ]  # fmt: skip
    assert type(app[1][0]["keep"]) is str, "a plain value, not a choice of the command line"


@pytest.mark.parametrize("words", [["--count", "x"], ["--rate", "fast"], ["--keep", "middle"], ["--cuont", "3"]])
def test_what_cannot_be_is_refused(app: Any, words: list[str]) -> None:
    assert runner.invoke(app[0], words).exit_code == 2
    assert app[1] == []


def test_help_says_what_the_fields_say(app: Any) -> None:
    words = " ".join(runner.invoke(app[0], ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output.split())
    for said in ("the folder", "how many (default: 3)", "how fast", "which end (default: head)", "(default: linear)"):
        assert said in words
    assert "--out-folder" in words
    assert "how fast (default" not in words, "nothing is no default worth a word"
    assert "the folder (default" not in words


def test_its_own_options_stand_before_and_after() -> None:
    def command(file: str, *, last: bool = False, **options: Any) -> None: ...

    made = with_options(command, Settings.model_fields)
    names = list(inspect.signature(made).parameters)
    assert names == ["file", *Settings.model_fields, "last"]


def test_a_table_has_a_row_a_metric_of_each_system(capsys: pytest.CaptureFixture[str]) -> None:
    sure = {"value": 0.5, "low": 0.4, "high": 0.6, "over": "examples and seeds", "seeds": [0.4, 0.6]}
    none = {"value": None, "low": None, "high": None, "over": "examples and seeds", "seeds": [None]}
    print_figures("rows.csv", {"": {"accuracy": sure, "mcc": none}, "majority": {"accuracy": sure}})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rows.csv                value  95 % over examples and seeds  each seed"
    assert lines[1] == "accuracy               0.5000  0.4000 to 0.6000              0.4000  0.6000"
    assert lines[2] == "mcc                 undefined  undefined"
    assert lines[3].startswith("majority: accuracy     0.5000  0.4000 to 0.6000")


def test_counts_are_said_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    print_counts({"rows": 5, "texts_cut": 1200, "pieces_cut": 0})
    assert capsys.readouterr().out == "1,200 texts were cut\n"


def test_cells() -> None:
    assert [cell(v) for v in (None, 3, 0.12345, 1e6)] == ["undefined", "3", "0.1235", "1000000.0000"]


def test_notes_do_not_end_up_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_notes(["one", "two"])
    assert capsys.readouterr() == ("", "note: one\nnote: two\n")


def test_a_number_that_may_be_nothing_reads_none() -> None:
    """Which is another value than not to be typed."""
    fields = {"limit": FieldInfo.from_annotated_attribute(int | None, 100), "share": FieldInfo(annotation=float | None)}
    calls: list[dict[str, Any]] = []

    def command(**options: Any) -> None:
        """Do it."""
        calls.append(given(options))

    made = typer.Typer()
    made.command()(with_options(command, fields))
    for words in ([], ["--limit", "none", "--share", "0.5"], ["--limit", "7", "--share", "none"]):
        assert runner.invoke(made, words).exit_code == 0
    assert calls == [{}, {"limit": "none", "share": 0.5}, {"limit": 7, "share": "none"}]
    refused = runner.invoke(made, ["--limit", "2.5"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert refused.exit_code == 2
    assert "'2.5' is neither an integer nor none." in refused.output


def test_settings_read_none_where_options_offer_it() -> None:
    """Of numbers alone: a folder may be called none."""

    class Limits(Config):
        most: int | None = 100
        share: float | None = 0.5
        folder: str | None = "here"
        steps: int = 3

    assert parse(Limits, {"most": "none", "share": "none", "folder": "none"}).model_dump() == {
        "most": None, "share": None, "folder": "none", "steps": 3,
    }  # fmt: skip
    with pytest.raises(UserError, match="steps = 'none'"):
        parse(Limits, {"steps": "none"})
    assert parse(CorpusSettings, {"max_words": "none"}).max_words is None
