"""What tasks over a set of labels share: its names, the size of the head, and what Hugging Face is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from maskwright.data.label_names import check_names, name_ids, read_names
from maskwright.data.labels import Labels
from maskwright.tasks._task import Task


class LabelSetTask(Task):
    """One output of the head for each label of a set that is found in the training rows."""

    head: ClassVar[str] = "classification"

    names: tuple[str, ...] | None = Field(None, description="file with the names of labels that are ids, line 1 for 0")

    @field_validator("names", mode="before")
    @classmethod
    def _from_file(cls, value: Any) -> Any:
        """A file is read at once: a run and a saved model hold the names, and no path that may lead nowhere."""
        if not isinstance(value, str | Path):
            return value
        return None if value == "none" else read_names(value)

    @field_validator("names")
    @classmethod
    def _checked(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else check_names(value, "task.names")

    def named(self, labels: Iterable[Any], where: Callable[[int], str]) -> list[Any]:
        """Labels as cells hold them, ids replaced by their names; `where(i)` says where label i stands."""
        return list(labels) if self.names is None else name_ids(labels, self.names, where)

    def label_set(self, labels: Iterable[Any], where: Callable[[int], str]) -> Labels:
        """The set of labels that `named` gave: in the order of their ids where these have names."""
        found = Labels.discover(labels, where)
        if self.names is None:
            return found
        kept = set(found.names)
        return Labels(tuple(name for name in self.names if name in kept))

    def classes(self, labels: Labels | None) -> int:
        assert labels is not None
        return len(labels)

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        assert labels is not None
        return {
            "id2label": {str(i): name for i, name in enumerate(labels.names)},
            "label2id": {name: i for i, name in enumerate(labels.names)},
            "problem_type": self.problem,
        }
