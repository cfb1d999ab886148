"""`--set` beside a saved model: how its file is read, and which columns it has there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwright.data.settings import Data
    from maskwright.tasks import Model

SET = "how the file is read and its columns, e.g. data.header=false, task.text=review (repeat it)"


def with_sets(model: Model, given: list[str] | None) -> tuple[Model, Data]:
    """The model with its task's settings changed, and how to read its file."""
    from maskwright.base.choice import dump, resolve
    from maskwright.base.config import merge, pairs, parse
    from maskwright.base.errors import UserError, unknown
    from maskwright.data.settings import Data
    from maskwright.tasks import Task

    sets, allowed = pairs(given or []), ("data", "task")
    for name, value in sets.items():
        if name not in allowed or not isinstance(value, dict):
            raise UserError(unknown("--set here", name, [f"{a}.NAME" for a in allowed]))
    model.task = resolve(Task, merge(dump(model.task), sets.get("task", {})))
    return model, parse(Data, sets.get("data", {}), "--set data")
