"""SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (2018): F1 and exact match on dev questions.

Where only a part of SQuAD 2.0's dev questions is at hand, train and test are cut from it by article.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from maskwright.base.words import counted
from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, LeftOut, Published, Rows, Way

BERT, TABLE3 = "Devlin et al. 2019, table 2", "Devlin et al. 2019, table 3"
COLUMNS = {name: name for name in ("question", "context", "answers", "id", "title")}
OFFICIAL, PARQUET = "the official files", "the files of datasets"
PLACES = ("title", "context")
#: of some thousand questions: with the usual 32 at a rate of 5e-5 hardly an answer is found in so few steps
FEW: dict[str, Any] = {"train": {"lr": 1e-4, "batch_size": 16, "epochs": 2}}
FEW_SAID = "with few questions it is 2 epochs at a rate of 1e-4, in batches of 16"


def _way(said: str, *files: str, **more: Any) -> Way:
    """train, and dev where there are two files."""
    return Way(said, *(Rows((file,), COLUMNS) for file in files), group="title", **more)


def answerable(tables: dict[str, Table]) -> dict[str, Table]:
    """Without the questions that have no answer, and of the test questions without those on articles and paragraphs
    that the training rows have too."""
    train, test = (
        table.select([i for i, answers in enumerate(table.column("answers")) if answers])
        for table in (tables["train"], tables["test"])
    )
    seen = {cell for place in PLACES for cell in train.column(place)}
    places = zip(*(test.column(place) for place in PLACES), strict=True)
    kept = [i for i, own in enumerate(places) if not seen & set(own)]
    left = len(test) - len(kept)
    told = f"{left:,} of {counted(len(test), 'question')} left out, whose article or paragraph is learnt from."
    notes = [*test.notes, LeftOut(told, left)] if left else test.notes
    return {**tables, "train": train, "test": replace(test.select(kept), notes=notes)}


ONE = Case(
    "squad1", "SQuAD 1.1", {"name": "answer"}, ("f1", "exact_match"),
    (
        _way(OFFICIAL, "train-v1.1.json", "dev-v1.1.json"),
        _way(PARQUET, "plain_text/train-*.parquet", "plain_text/validation-*.parquet"),
        _way(
            "answerable questions of squad2_dev_cs224n, tested on other articles of xquad.en.json",
            "squad2_dev_cs224n/dev-v2.0.json", "xquad/xquad.en.json", prepare=answerable, cut=True, settings=FEW,
            note=FEW_SAID,
        ),
    ),
    options={"max_length": 384}, seen=("minilm",),
    published=(
        Published("BERT-base, single", "f1", 88.5, "dev", "Devlin et al. 2019, table 5"),
        Published("BERT-large, single", "f1", 90.9, "dev", BERT),
        Published("BERT-large, single", "exact_match", 84.1, "dev", BERT),
    ),
)  # fmt: skip
TWO = Case(
    "squad2", "SQuAD 2.0", {"name": "answer"}, ("f1", "exact_match", "f1_answerable", "no_answer"),
    (
        _way(OFFICIAL, "train-v2.0.json", "dev-v2.0.json"),
        _way(PARQUET, "squad_v2/train-*.parquet", "squad_v2/validation-*.parquet"),
        _way(
            "squad2_dev_cs224n, cut by article", "squad2_dev_cs224n/dev-v2.0.json", shares=(0.15, 0.25), settings=FEW,
            note=f"15 % of its questions choose, 25 % are reported on; {FEW_SAID}",
        ),
    ),
    options={"max_length": 384}, seen=("minilm",),
    published=(
        Published("BERT-large, single", "f1", 81.9, "dev", TABLE3),
        Published("BERT-large, single", "exact_match", 78.7, "dev", TABLE3),
        Published("BERT-large, single", "f1", 83.1, "test server", TABLE3),
        Published("BERT-large, single", "exact_match", 80.0, "test server", TABLE3),
    ),
)  # fmt: skip


class Squad(Benchmark):
    """Both versions."""

    title: ClassVar[str] = "SQuAD"
    about: ClassVar[str] = (
        "Reported are dev questions, which chose nothing: a part of the training questions (a tenth, unless a set's "
        "own remark says otherwise) chose the checkpoint and the threshold of having no answer; no article is on two "
        "sides of that cut."
    )

    def cases(self) -> Sequence[Case]:
        return ONE, TWO

    def predicted(self, case: Case, answers: Sequence[Mapping[str, Any]], ids: Sequence[Any]) -> tuple[str, str] | None:
        """{id: answer}, which is what evaluate-v1.1.py and evaluate-v2.0.py judge; the empty text is no answer."""
        told = {str(name): answer["answer"] for name, answer in zip(ids, answers, strict=True)}
        return f"{case.name}.json", json.dumps(told, ensure_ascii=False, indent=0) + "\n"
