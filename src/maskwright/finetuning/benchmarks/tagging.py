"""Named entities: WNUT-17 (Derczynski et al. 2017), BC5CDR (Li et al. 2016), NCBI disease (Dogan et al. 2014), and
CoNLL-2003 (Tjong Kim Sang and De Meulder 2003), which is not free.

F1 of entities, strict; the dev rows choose, the test rows are reported on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

CONLL = {"reader": "conll"}
TASK = {"name": "tagging", "kind": "spans"}
TABLE7 = "Devlin et al. 2019, table 7"


def _files(said: str, *sides: str) -> Way:
    """train, dev and test."""
    train, held, test = (Rows((side,), {}, CONLL) for side in sides)
    return Way(said, train, test, held)


def _case(name: str, title: str, *ways: Way, **more: Any) -> Case:
    return Case(name, title, TASK, ("f1", "f1_strict", "f1_conlleval", "precision", "recall"), ways, **more)


WNUT = _case(
    "wnut17", "WNUT-17",
    _files("wnut17", "wnut17/wnut17train.conll", "wnut17/emerging.dev.conll", "wnut17/emerging.test.annotated"),
)  # fmt: skip
BC5CDR = _case(
    "bc5cdr", "BC5CDR", _files("bc5cdr", "bc5cdr/train.tsv", "bc5cdr/devel.tsv", "bc5cdr/test.tsv"), seen=("minilm",)
)  # fmt: skip
NCBI = _case(
    "ncbi", "NCBI disease",
    _files("ncbi_disease", "ncbi_disease/train.tsv", "ncbi_disease/devel.tsv", "ncbi_disease/test.tsv"),
    seen=("minilm",),
)  # fmt: skip
CONLL03 = _case(
    "conll2003", "CoNLL-2003, English",
    _files("the shared task's", "conll2003/eng.train", "conll2003/eng.testa", "conll2003/eng.testb"),
    _files("its usual names", "conll2003/train.txt", "conll2003/valid.txt", "conll2003/test.txt"),
    published=tuple(
        Published(system, "f1", points, rows, TABLE7)
        for system, dev, test in (("BERT-base", 96.4, 92.4), ("BERT-large", 96.6, 92.8))
        for rows, points in (("test", test), ("dev", dev))
    ),
)  # fmt: skip


class Tagging(Benchmark):
    """Those that are at hand."""

    title: ClassVar[str] = "Named entities"
    reported: ClassVar[str] = "test"
    about: ClassVar[str] = "Reported are test rows; the dev rows chose the checkpoint and fitted the calibration."

    def cases(self) -> Sequence[Case]:
        return WNUT, BC5CDR, NCBI, CONLL03
