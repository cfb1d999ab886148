"""The contract of a benchmark: its cases, and what is made of their answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from maskwright.base.choice import Part
from maskwright.finetuning.benchmarks._case import Case, Published


class Benchmark(Part):
    """Cases in the order of their table."""

    title: ClassVar[str]
    about: ClassVar[str]  #: what a reader of its table must know, in sentences
    reported: ClassVar[str] = "dev"  #: the rows that are reported on, as `Published.rows` names them
    average: ClassVar[str] = ""  #: how a mean of first metrics differs from the benchmark's own score; "": none is told
    sends: ClassVar[Sequence[str]] = ()  #: the files that its server takes, all of them
    scores: ClassVar[Sequence[Published]] = ()  #: published of the benchmark's own score

    @abstractmethod
    def cases(self) -> Sequence[Case]: ...

    def submission(
        self, case: Case, answers: Sequence[Mapping[str, Any]], ids: Sequence[Any]
    ) -> tuple[str, str] | None:
        """The name and the content of the file that the benchmark's server takes for a case; None where it takes none.
        answers: of its unlabelled rows; ids: as the rows have them, or their numbers from 0."""
        return None

    def predicted(self, case: Case, answers: Sequence[Mapping[str, Any]], ids: Sequence[Any]) -> tuple[str, str] | None:
        """The name and the content of the file that the benchmark's own program judges a case by; None where it has
        none. answers: of the rows that are reported on, by the saved model; ids: of these rows."""
        return None
