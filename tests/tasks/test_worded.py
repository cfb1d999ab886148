"""Texts made of the cells of a row."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.tasks import Task
from maskwright.tasks._worded import fields, of_cells, of_table, template

ROWS: dict[str, list[Any]] = {"name": ["a bike", "a boat"], "price": [5, 7.5], "new": [True, None], "label": ["x", "y"]}


def test_a_template_is_filled() -> None:
    spec = "{name} costs {price}, {{new}}: {new}; {name}"
    assert fields(spec) == ("name", "price", "new")
    assert of_table(read(ROWS), spec) == ["a bike costs 5, {new}: yes; a bike", "a boat costs 7.5, {new}: ; a boat"]
    assert of_cells({"name": "a car", "price": None}, "{name}, {price}") == "a car, "
    with pytest.raises(UserError, match=r"no column 'price'\. Did you mean 'prize'\? .* write null"):
        of_cells({"name": "a car", "prize": 3}, "{name}, {price}")
    assert fields("name") is None
    assert template(["a", "b c"]) == "a: {a}; b c: {b c}"


def test_a_column_may_be_called_anything_but_a_brace() -> None:
    cells = {"BMI: kg": 21.5, "wow!": "yes", "a.b[0]": datetime.date(2020, 2, 1), "": "x"}
    names = [name for name in cells if name]
    assert fields(template(names)) == tuple(names)
    assert of_cells(cells, template(names)) == "BMI: kg: 21.5; wow!: yes; a.b[0]: 2020-02-01"
    assert of_cells({"at": datetime.datetime(2020, 2, 1, 8), "price": Decimal("3.10")}, "{{{at}}} {price}") == (
        "{2020-02-01 08:00:00} 3.10"
    )
    with pytest.raises(UserError, match=r"The column 'a\{x\}' has a brace in its name"):
        template(["b", "a{x}"])


@pytest.mark.parametrize("spec", ["{name", "{name} }", "{}", "{{name}", "plain {{text}}"])
def test_what_does_not_hold_together(spec: str) -> None:
    with pytest.raises(UserError, match="The template"):
        fields(spec)


def test_a_task_reads_rows_as_sentences() -> None:
    table = read(ROWS)
    made = resolve(Task, {"name": "classification", "text": "{name} for {price}"})
    assert made.columns() == ("name", "price", "label")
    assert made.texts(table)[0] == ["a bike for 5", "a boat for 7.5"]
    assert made.example({"name": "a car", "price": 3}).text == "a car for 3"
    every = resolve(Task, {"name": "classification", "text": "*"})
    assert every.columns() == ("label",)
    spelled = every.spelled(table)
    assert spelled.text == "name: {name}; price: {price}; new: {new}"
    assert spelled.texts(table)[0][0] == "name: a bike; price: 5; new: yes"
    assert spelled.spelled(table) is spelled
    with pytest.raises(UserError, match="has no column beside 'label'"):
        every.spelled(read({"label": ["x", "y"]}))
    with pytest.raises(UserError, match=r"row 1: the column 'name' holds \[1\]"):
        made.texts(read({**ROWS, "name": [[1], "b"]}))
