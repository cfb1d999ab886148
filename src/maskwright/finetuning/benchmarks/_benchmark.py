"""The contract of a benchmark: its cases, and what is made of their answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from maskwright.base.choice import Part
from maskwright.finetuning.benchmarks._case import Case


class Benchmark(Part):
    """Cases in the order of their table."""

    title: ClassVar[str]
    about: ClassVar[str]  #: what a reader of its table must know, in sentences
    reported: ClassVar[str] = "dev"  #: the rows that are reported on, as `Published.rows` names them

    @abstractmethod
    def cases(self) -> Sequence[Case]: ...

    def submission(
        self, case: Case, answers: Sequence[Mapping[str, Any]], ids: Sequence[Any]
    ) -> tuple[str, str] | None:
        """The name and the content of the file that the benchmark's server takes for a case; None where it takes none.
        answers: of its unlabelled rows; ids: as the rows have them, or their numbers from 0."""
        return None
