"""Writes transformers.md from what families, tasks and ways to read long texts say of themselves:
`python docs/_transformers.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskwright.base.choice import find, names, resolve
from maskwright.base.errors import UserError
from maskwright.models import families, family
from maskwright.models._family import reference_heads
from maskwright.tasks import Task
from maskwright.tasks._joined import check_long
from maskwright.tasks.long import Long

HERE = Path(__file__).parent
#: by `Long.alike`
ALIKE = {"all": "equal", "short": "equal for texts of one chunk", "none": "other logits"}


def page() -> str:
    """The page as text."""
    parts = [
        "# Heads in transformers",
        "Written by `python docs/_transformers.py` from the files of families, tasks and ways to read long texts; do "
        "not edit by hand.",
        "What is saved is a folder in the layout of transformers. **equal**: the class at the head of the column, with "
        "the family's name before it, loads that folder whole and gives the same logits for the same pieces; a test "
        "holds that of every such cell. An empty cell: there is no such head, or no such class. How logits become "
        "answers stays here in each case: chains of tags, windows of long texts, n-best answers, thresholds and "
        "temperatures.",
        table(),
    ]
    return "\n\n".join(parts) + "\n"


def table() -> str:
    heads = columns()
    title = ["of", *(f"`{head}`: {ending}" for head, ending in heads.items()), "in transformers"]
    rows = [*map(family_row, families()), *task_rows(), *map(long_row, names(Long))]
    told = [[of, *(cells.get(head, "") for head in heads), said] for of, cells, said in rows]
    lines = [f"| {' | '.join(cells)} |" for cells in (title, ["---"] * len(title), *told)]
    return "\n".join(lines)


def columns() -> dict[str, str]:
    """Heads that transformers has in some family, first those of tasks: by our name what its classes end with."""
    found: dict[str, set[str]] = {find(Task, name).head: set() for name in names(Task)}
    for kind in map(family, families()):
        for head in reference_heads(kind):
            found.setdefault(head, set()).add(kind.HEADS[head].architecture.removeprefix(prefix(kind)))
    assert all(len(endings) == 1 for endings in found.values()), "one column has one ending"
    return {head: endings.pop() for head, endings in found.items()}


def prefix(kind: Any) -> str:
    architecture: str = kind.HEADS["bare"].architecture
    return architecture.removesuffix("Model")


Row = tuple[str, dict[str, str], str]  #: what it is of, its cells by head, what is otherwise


def family_row(name: str) -> Row:
    kind = family(name)
    own = [f"`{head}`" for head in kind.HEADS if head not in reference_heads(kind)]
    said = f"not there: {', '.join(own)}" if own else getattr(kind, "OTHERWISE", "")
    called = f"`{name}`: {prefix(kind)}..." if hasattr(kind, "NAMES") else f"`{name}`, an arm"
    return called, dict.fromkeys(reference_heads(kind), "equal"), said


def task_rows() -> Iterator[Row]:
    """Tasks of which transformers makes something else, as they are or with one of their switches turned."""
    for name in names(Task):
        plain: Task = resolve(Task, name)
        switches = [field for field, info in type(plain).model_fields.items() if info.annotation is bool]
        turned = [(field, plain.model_copy(update={field: not getattr(plain, field)})) for field in switches]
        cases = [(f"`{name}`", plain), *((f"`{name}` with `task.{field}`", task) for field, task in turned)]
        yield from ((called, {task.head: "equal"}, task.otherwise) for called, task in cases if task.otherwise)


def long_row(name: str) -> Row:
    long: Long = resolve(Long, name)
    heads = {find(Task, task).head for task in names(Task) if allowed(long, task)}
    return f"`--long {name}`", dict.fromkeys(heads, ALIKE[long.alike]), long.otherwise or ""


def allowed(long: Long, task: str) -> bool:
    try:
        check_long(long, resolve(Task, task))
    except UserError:
        return False
    return True


if __name__ == "__main__":
    (HERE / "transformers.md").write_text(page(), encoding="utf-8")
