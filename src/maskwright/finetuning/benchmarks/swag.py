"""SWAG (Zellers et al. 2018): which of four endings goes on with a situation.

Read as BERT reads it (Devlin et al. 2019, section 4.4): the given sentence first, and each continuation whole, from its
first words on, behind it. Wrong endings were made by a language model and chosen so that they do not give themselves
away; the baseline of the continuations alone shows how far that went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

BERT = "Devlin et al. 2019, table 4"
ENDINGS = tuple(f"ending{i}" for i in range(4))
TASK = {"name": "choice", "text": "sent1", "pair": "continuations", "first": 0}


def _continued(tables: dict[str, Table]) -> dict[str, Table]:
    """With a column of the four continuations: the words that they all begin with, and each ending."""
    out = {}
    for name, table in tables.items():
        rows = zip(table.column("sent2"), *(table.column(ending) for ending in ENDINGS), strict=True)
        continued = [[f"{begun} {ending}" for ending in endings] for begun, *endings in rows]
        out[name] = replace(table, columns={**table.columns, "continuations": continued})
    return out


SWAG = Case(
    "swag", "SWAG", TASK, ("accuracy", "reciprocal_rank"),
    (
        Way("the files of its authors", Rows(("train.csv",)), Rows(("val.csv",)), prepare=_continued),
        Way(
            "the files of datasets", *(Rows((f"regular/{side}-*.parquet",)) for side in ("train", "validation")),
            prepare=_continued,
        ),
    ),
    options={"max_length": 128},
    published=(
        Published("BERT-base", "accuracy", 81.6, "dev", BERT), Published("BERT-large", "accuracy", 86.6, "dev", BERT),
    ),
)  # fmt: skip


class Swag(Benchmark):
    """One case, reported on its val rows, which choose nothing."""

    title: ClassVar[str] = "SWAG"
    about: ClassVar[str] = "Reported are the val rows, which chose nothing."

    def cases(self) -> Sequence[Case]:
        return (SWAG,)
