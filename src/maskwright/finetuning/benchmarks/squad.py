"""SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (2018): F1 and exact match on dev questions.

Where only a part of SQuAD 2.0's dev questions is at hand, train and test are cut from it by article.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

BERT = "Devlin et al. 2019, table 2"
COLUMNS = {name: name for name in ("question", "context", "answers", "id", "title")}


def _rows(*files: str) -> Rows:
    return Rows(files, COLUMNS)


def answerable(tables: dict[str, Table]) -> dict[str, Table]:
    """Without the questions that have no answer, and without those on articles and paragraphs that the test rows have
    too."""
    places = ("title", "context")
    seen = {cell for place in places for cell in tables["test"].column(place)} if "test" in tables else set()
    out = {}
    for name, table in tables.items():
        cells = zip(table.column("answers"), *(table.column(place) for place in places), strict=True)
        kept = [i for i, (answers, *own) in enumerate(cells) if answers and (name == "test" or not seen & set(own))]
        out[name] = table.select(kept)
    return out


ONE = Case(
    "squad1", "SQuAD 1.1", {"name": "answer"}, ("f1", "exact_match"),
    (
        Way("the official files", _rows("train-v1.1.json"), _rows("dev-v1.1.json"), group="title"),
        Way(
            "answerable questions of squad2_dev_cs224n, tested on xquad.en.json",
            _rows("squad2_dev_cs224n/dev-v2.0.json"), _rows("xquad/xquad.en.json"), prepare=answerable,
            group="title", cut=True,
        ),
    ),
    options={"max_length": 384}, seen=("minilm",),
    published=(
        Published("BERT-base", "f1", 88.5, "dev", "Devlin et al. 2019, table 5"),
        Published("BERT-large", "f1", 90.9, "dev", BERT), Published("BERT-large", "exact_match", 84.1, "dev", BERT),
    ),
)  # fmt: skip
TWO = Case(
    "squad2", "SQuAD 2.0", {"name": "answer"}, ("f1", "exact_match", "f1_answerable", "no_answer"),
    (
        Way("the official files", _rows("train-v2.0.json"), _rows("dev-v2.0.json"), group="title"),
        Way(
            "squad2_dev_cs224n, cut by article", _rows("squad2_dev_cs224n/dev-v2.0.json"), shares=(0.15, 0.25),
            group="title",
        ),
    ),
    options={"max_length": 384}, seen=("minilm",),
    published=(
        Published("BERT-large", "f1", 83.1, "test server", "Devlin et al. 2019, table 3"),
        Published("BERT-large", "exact_match", 80.0, "test server", "Devlin et al. 2019, table 3"),
    ),
)  # fmt: skip


class Squad(Benchmark):
    """Both versions."""

    title: ClassVar[str] = "SQuAD"
    about: ClassVar[str] = (
        "Reported are dev questions, which chose nothing: a tenth of the training questions chose the checkpoint and "
        "the threshold of having no answer; no article is on two sides of that cut."
    )

    def cases(self) -> Sequence[Case]:
        return ONE, TWO
