"""Choices: a folder is the registry, and a part comes back from JSON whole."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from maskwright.base.choice import Choice, Part, contract_of, dump, find, names, resolve
from maskwright.base.config import Config, merge, pairs, parse
from maskwright.base.errors import UserError
from maskwright.nn.pooling import Pooling
from maskwright.nn.pooling.mean import Mean

PACKAGE = {
    "__init__.py": "",
    "_shape.py": """
from maskwright.base.choice import Part
class Shape(Part):
    def area(self): raise NotImplementedError
""",
    "circle.py": """
from {package}._shape import Shape
class Circle(Shape):
    radius: float = 1.0
    def area(self): return 3 * self.radius**2
""",
    "long_box.py": """
from maskwright.base.choice import Choice
from {package}._shape import Shape
from {package}.circle import Circle
class LongBox(Shape):
    sides: tuple[int, int] = (1, 9)
    inside: Choice[Shape] | None = None
    def area(self): return self.sides[0] * self.sides[1]
""",
}
OUTSIDE = """
from {package}._shape import Shape
class Star(Shape):
    points: int = 5
    def area(self): return float(self.points)
class Stranger: pass
"""


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of parts of its own, and a module outside of it."""
    package = f"shapes_{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / package).mkdir()
    for name, code in PACKAGE.items():
        (tmp_path / package / name).write_text(code.replace("{package}", package))
    (tmp_path / f"{package}_outside.py").write_text(OUTSIDE.replace("{package}", package))
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(f"{package}._shape")


def settings(contract: type[Part]) -> type[Config]:
    """A configuration with a field that is a choice."""

    class Drawing(Config):
        shape: Choice[contract]  # type: ignore[valid-type]
        more: tuple[Choice[contract], ...] = ()  # type: ignore[valid-type]

    return Drawing


def test_the_folder_is_the_registry(shapes: ModuleType) -> None:
    assert names(shapes.Shape) == ["circle", "long-box"]
    box = find(shapes.Shape, "long-box")
    assert box.__name__ == "LongBox"
    assert box().name == "long-box"
    assert contract_of(box) is shapes.Shape


@pytest.mark.parametrize(
    "given",
    [
        "circle",
        {"name": "circle", "radius": 2.5},
        {"name": "long-box", "sides": [2, 3]},
        {"name": "long-box", "inside": {"name": "circle", "radius": 0.25}},
    ],
)
def test_a_choice_comes_back_from_json_whole(shapes: ModuleType, given: object) -> None:
    drawing = settings(shapes.Shape)
    made = parse(drawing, {"shape": given, "more": [given, "circle"]})
    again = parse(drawing, json.loads(json.dumps(made.model_dump(mode="json"))))
    assert again == made
    assert type(again.shape) is type(made.shape)
    assert again.shape.area() == made.shape.area()
    assert again.more == made.more
    wanted = given if isinstance(given, dict) else {"name": given}
    assert {k: dump(made.shape)[k] for k in wanted} == wanted
    assert json.loads(made.model_dump_json()) == made.model_dump(mode="json")


def test_an_instance_stays_what_it_is(shapes: ModuleType) -> None:
    circle = find(shapes.Shape, "circle")(radius=7)
    assert resolve(shapes.Shape, circle) is circle
    assert parse(settings(shapes.Shape), {"shape": circle}).shape is circle
    with pytest.raises(ValidationError, match="frozen"):
        circle.radius = 1


@pytest.mark.parametrize("mark", [":", "."])
def test_a_part_from_outside_by_its_dotted_path(shapes: ModuleType, mark: str) -> None:
    path = f"{shapes.__package__}_outside{mark}Star"
    drawing = settings(shapes.Shape)
    made = parse(drawing, {"shape": {"name": path, "points": 7}})
    assert made.shape.area() == 7
    assert made.shape.name == f"{shapes.__package__}_outside:Star"
    assert parse(drawing, json.loads(made.model_dump_json())) == made


def test_set_reaches_into_a_choice(shapes: ModuleType) -> None:
    table = merge({"shape": "circle"}, pairs(["shape.radius=4"]))
    assert parse(settings(shapes.Shape), table).shape.radius == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "circel",
            r"There is no shape 'circel'. Did you mean 'circle'\? Allowed: circle, long-box. One of your own is",
        ),
        ("_shape", r"There is no shape '_shape'"),
        ({"name": "circle", "radios": 1}, r"shape 'circle': There is no setting 'radios'. Did you mean 'radius'\?"),
        ({"name": "circle", "radius": "big"}, r"shape 'circle': radius = 'big': Input should be a valid number"),
        ({"radius": 1}, r"A shape is a name or a table with `name`; given: {'radius': 1}. Allowed: circle, long-box"),
        (3, r"A shape is a name or a table with `name`; given: 3"),
        ("no_such_package.module:Star", r"could not be imported: No module named .* Give package.module:Class"),
        ("{outside}:Moon", r"could not be imported: .*has no attribute 'Moon'"),
        ("{outside}:Stranger", r"is not a .*_shape.Shape; inherit from that class"),
        (".", r"could not be imported"),
    ],
)
def test_mistakes_are_said(shapes: ModuleType, given: object, message: str) -> None:
    if isinstance(given, str):
        given = given.replace("{outside}", f"{shapes.__package__}_outside")
    with pytest.raises(UserError, match=message):
        parse(settings(shapes.Shape), {"shape": given})


def test_the_parts_of_the_library() -> None:
    assert names(Pooling) == sorted(names(Pooling))
    assert {"cls", "mean"} <= set(names(Pooling))
    assert resolve(Pooling, "mean") == Mean()
    assert dump(Mean()) == {"name": "mean"}
