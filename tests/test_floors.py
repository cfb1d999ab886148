"""The floors hold: a package imports only from strictly lower ones, and nothing imports an oracle or the root."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

FLOORS = {
    "base": 0,
    "nn": 1,
    "text": 1,
    "stats": 1,
    "models": 2,
    "runs": 2,
    "training": 3,
    "data": 3,
    "tasks": 4,
    "pretraining": 5,
    "evaluation": 5,
    "analysis": 5,
    "finetuning": 6,
    "serving": 6,
    "compression": 7,
    "lab": 8,
    "cli": 9,
}
ORACLES = {"transformers", "sentence_transformers", "peft", "captum", "seqeval", "minicons", "datasets"}
ROOT = Path(__file__).parents[1] / "src" / "maskwright"


class Import(NamedTuple):
    """One import: where it stands and the dotted name that it asks for, `package.module.name` where a name is given."""

    file: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"


def imports(file: Path, root: Path) -> Iterator[Import]:
    """Every import of a file at any depth: statements, and `import_module` or `__import__` with a literal name.

    Relative names are made absolute, with `root` as the package `maskwright`.
    """
    package = ["maskwright", *file.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = absolute("." * level + (module or ""), package)
                found = [f"{origin}.{alias.name}" for alias in names]
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[given, *_]) if called in (
                "import_module",
                "__import__",
            ):
                found = [absolute(literal_head(given), package)]
            case _:
                continue
        yield from (Import(file, node.lineno, name) for name in found if name)


def absolute(name: str, package: list[str]) -> str:
    """`..models.bert` as seen from `package`, written out; a name without leading dots as it is."""
    level = len(name) - len(name.lstrip("."))
    above = package[: len(package) - level + 1] if level else []
    return ".".join([*above, *filter(None, [name[level:]])])


def literal_head(node: ast.expr) -> str:
    """The text of a literal, or of an f-string up to the last dot before its first hole; empty for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text.rpartition(".")[0]
        case _:
            return ""


def sources(root: Path) -> list[Path]:
    return sorted(root.rglob("*.py"))


def violations(root: Path) -> list[str]:
    """One sentence for each import that climbs, stays on its floor, or goes through the root; and for each stranger."""
    out = [
        f"{path} is a package or module that FLOORS does not name"
        for path in sorted(root.iterdir())
        if path.stem not in {*FLOORS, "__init__", "__main__"} and (path.suffix == ".py" or sources(path))
    ]
    for file in sources(root):
        mine = file.relative_to(root).parts[0]
        if mine not in FLOORS:
            continue
        for found in imports(file, root):
            top, _, rest = found.name.partition(".")
            theirs = rest.partition(".")[0]
            if top != "maskwright" or theirs in (mine, "__version__"):
                continue
            if theirs not in FLOORS:
                out.append(f"{found}: the root; import the package that holds the name")
            elif FLOORS[theirs] >= FLOORS[mine]:
                out.append(f"{found}: {mine} is on floor {FLOORS[mine]}, {theirs} on {FLOORS[theirs]}")
    return out


def imports_of(tops: set[str], root: Path, under: str = "") -> list[str]:
    """Each import of one of the top-level packages `tops` in the files of `root` (in the folder `under` of it)."""
    found = (i for file in sources(root / under) for i in imports(file, root))
    return [str(i) for i in found if i.name.partition(".")[0] in tops]


def test_packages_import_only_from_lower_floors() -> None:
    assert len(sources(ROOT)) > len(FLOORS) / 2, f"{ROOT} holds hardly any source; was it moved?"
    assert not violations(ROOT), "\n".join(violations(ROOT))


def test_nothing_under_src_imports_an_oracle() -> None:
    found = imports_of(ORACLES, ROOT)
    assert not found, "\n".join(found)


def test_stats_does_not_import_torch() -> None:
    found = imports_of({"torch"}, ROOT, "stats")
    assert not found, "\n".join(found)


def test_the_drawing_shows_what_there_is() -> None:
    """ARCHITECTURE.md draws each package on its floor, in code type if it has content, in italics if it is planned."""
    page = (ROOT.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| ([^|]+) \|", page, re.MULTILINE)
    drawn = {name: (int(floor), mark) for floor, cell in rows for mark, name in re.findall(r"([`*])(\w+)[`*]", cell)}
    there = {name for name in FLOORS if any(file.stat().st_size for file in sources(ROOT / name))}
    assert drawn == {name: (floor, "`" if name in there else "*") for name, floor in FLOORS.items()}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running `code`."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    here = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    return set(subprocess.check_output([sys.executable, "-c", code], text=True, env=here).split())


def test_the_root_is_lazy() -> None:
    loaded = loaded_by("import maskwright; dir(maskwright); maskwright.__version__")
    assert "maskwright" in loaded
    assert not loaded & {"torch", "numpy", "pydantic", "typer", "tokenizers", "pyarrow", "matplotlib"}


def test_the_root_finds_its_names() -> None:
    import maskwright
    from maskwright.base.errors import UserError

    assert maskwright.UserError is UserError
    assert set(maskwright.__all__) <= set(dir(maskwright))
    assert set(maskwright._HOME) == {*maskwright.__all__} - {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'finetunes'"):
        maskwright.finetunes  # noqa: B018


# The checker itself: it must find what it is there to find.


def plant(root: Path, where: str, code: str) -> Path:
    file = root / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("where", "code", "name"),
    [
        ("nn/a.py", "import maskwright.models.bert", "maskwright.models.bert"),
        ("nn/a.py", "import os, maskwright.models as m", "maskwright.models"),
        ("nn/a.py", "from maskwright.models import bert", "maskwright.models.bert"),
        ("nn/a.py", "from maskwright import models", "maskwright.models"),
        ("nn/a.py", "from ..models import bert", "maskwright.models.bert"),
        ("nn/a.py", "from .. import models", "maskwright.models"),
        ("nn/deep/a.py", "from ...models.bert import Config", "maskwright.models.bert.Config"),
        ("nn/__init__.py", "from ..models import bert", "maskwright.models.bert"),
        ("nn/a.py", "def late():\n    if True:\n        from maskwright.cli import main", "maskwright.cli.main"),
        ("nn/a.py", "import importlib\nimportlib.import_module('maskwright.tasks.x')", "maskwright.tasks.x"),
        ("nn/a.py", "from importlib import import_module\nimport_module(f'maskwright.tasks.{1}')", "maskwright.tasks"),
        ("nn/a.py", "import importlib\nimportlib.import_module('..tasks', __package__)", "maskwright.tasks"),
        ("nn/a.py", "__import__('maskwright.tasks')", "maskwright.tasks"),
        (
            "nn/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import maskwright.runs",
            "maskwright.runs",
        ),
        ("nn/a.py", "from maskwright.text.tokenizer import Tokenizer", "maskwright.text.tokenizer.Tokenizer"),
        ("base/a.py", "from maskwright import UserError", "maskwright.UserError"),
        ("base/a.py", "import maskwright", "maskwright"),
    ],
)
def test_a_planted_violation_is_found_with_its_place(tmp_path: Path, where: str, code: str, name: str) -> None:
    file = plant(tmp_path, where, code)
    (found,) = violations(tmp_path)
    assert found.startswith(f"{file}:{len(code.splitlines())} imports {name}: ")


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("nn/a.py", "from maskwright.base.errors import UserError"),
        ("nn/a.py", "from maskwright.nn.b import x\nfrom . import b\nfrom .b import x\nimport maskwright.nn.b"),
        ("nn/deep/a.py", "from ..b import x\nfrom ...base import files"),
        ("cli/a.py", "from maskwright import __version__\nfrom maskwright.lab import claims"),
        ("nn/a.py", "import importlib\nname = 'x'\nimportlib.import_module(name)\nimport torch.nn"),
        ("__init__.py", "from maskwright.tasks import load"),
    ],
)
def test_an_allowed_import_is_left_alone(tmp_path: Path, where: str, code: str) -> None:
    plant(tmp_path, where, code)
    assert violations(tmp_path) == []


@pytest.mark.parametrize("where", ["utils/a.py", "helpers.py"])
def test_a_package_without_a_floor_is_found(tmp_path: Path, where: str) -> None:
    plant(tmp_path, where, "")
    (found,) = violations(tmp_path)
    assert found == f"{tmp_path / where.partition('/')[0]} is a package or module that FLOORS does not name"


@pytest.mark.parametrize("oracle", sorted(ORACLES))
def test_a_planted_oracle_is_found(tmp_path: Path, oracle: str) -> None:
    file = plant(tmp_path, "models/a.py", f"def compare():\n    from {oracle}.x import y")
    assert imports_of(ORACLES, tmp_path) == [f"{file}:2 imports {oracle}.x.y"]
