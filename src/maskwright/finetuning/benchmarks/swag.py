"""SWAG (Zellers et al. 2018): which of four endings goes on with a situation.

Wrong endings were made by a language model and chosen so that they do not give themselves away; the baseline of the
endings alone shows how far that went.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

BERT = "Devlin et al. 2019, table 4"
TASK = {
    "name": "choice", "text": "{sent1} {sent2}", "pair": "ending0,ending1,ending2,ending3", "first": 0,
}  # fmt: skip

SWAG = Case(
    "swag", "SWAG", TASK, ("accuracy", "reciprocal_rank"),
    (
        Way("the files of its authors", Rows(("train.csv",)), Rows(("val.csv",))),
        Way("the files of datasets", *(Rows((f"regular/{side}-*.parquet",)) for side in ("train", "validation"))),
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
