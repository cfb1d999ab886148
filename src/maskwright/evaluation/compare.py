"""Two systems' answers on the same rows: which is better, and could these rows tell?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base.errors import UserError, unknown
from maskwright.data.labels import Labels
from maskwright.data.read import Source, read
from maskwright.data.table import Table
from maskwright.runs import RunFolder
from maskwright.stats import measures
from maskwright.stats.comparison import Verdict, holm, mcnemar, sentence
from maskwright.stats.comparison import compare as paired
from maskwright.stats.measures import Measure

PREDICTIONS = "predictions.jsonl"  #: in a run folder: the saved model's answers on the rows that it reports on
#: columns that may hold a system's answers, the first that is there
ANSWERS = ("prediction", "predicted", "label", "score")
TARGETS = ("target", "gold", "true")  #: and the true ones


@dataclass(frozen=True)
class Answers:
    """What one system said, row by row, and what is true where its file tells."""

    name: str
    said: list[Any]
    targets: list[Any] | None
    texts: list[Any] | None
    table: Table


@dataclass(frozen=True)
class Comparison:
    """The verdict on each metric, the first of them in words."""

    a: str
    b: str
    rows: int
    verdicts: dict[str, Verdict]
    corrected: dict[str, float]  #: p of each metric, corrected for looking at all of them (Holm)
    sentence: str
    mcnemar: float | None = None  #: exact p on the rows that only one system got right, for classes

    def plain(self) -> dict[str, Any]:
        told = {
            name: {**v.difference.plain(), "p": v.p, "p_holm": self.corrected[name], "resolvable": v.resolvable}
            for name, v in self.verdicts.items()
        }
        return {
            "a": self.a,
            "b": self.b,
            "rows": self.rows,
            "sentence": self.sentence,
            "differences": told,
            "mcnemar": self.mcnemar,
        }


def compare(
    a: Source, b: Source, data: Source | None = None, label: str = "label", metric: str | None = None
) -> Comparison:
    """The paired verdict on two systems that answered the same rows in the same order.

    a, b: a run folder, a file, or rows with a column `prediction`, `label` or `score`. The truth stands in `data` under
    `label`, or in a column `target` of either side (a run folder has it). metric: the one that the sentence is about;
    accuracy or pearson unless stated. Raises UserError where the sides do not answer the same rows.
    """
    first, second = _answers(a), _answers(b)
    _same_rows(first, second)
    targets = _targets(first, second, data, label)
    y, said = _comparable(targets, first, second)
    classes = y.dtype.kind == "i"
    count = int(max(y.max(), *(s.max() for s in said))) + 1 if classes else 0

    def make(name: str) -> Any:
        return lambda true, given: _measures(true, given, count)[name]

    names = list(_measures(y, said[0], count))
    main = metric or names[0]
    if main not in names:
        raise UserError(unknown("metric", main, names))
    verdicts = {name: paired(make(name), y, *said) for name in names}
    return Comparison(
        first.name,
        second.name,
        len(y),
        verdicts,
        holm({name: verdict.p for name, verdict in verdicts.items()}),
        sentence(first.name, second.name, main, verdicts[main], len(y)),
        mcnemar(y, *said) if classes else None,
    )


def _measures(targets: np.ndarray, said: np.ndarray, classes: int) -> dict[str, Measure]:
    if classes:
        return measures.classification(targets, said, classes)
    return measures.regression(targets, said)


def _answers(source: Source) -> Answers:
    name = str(source) if isinstance(source, str | Path) else "the rows given"
    if isinstance(source, str | Path) and Path(source).is_dir():
        source = _of_run(Path(source))
    table = read(source)
    column = next((c for c in ANSWERS if c in table.columns), None)
    if column is None:
        raise UserError(
            f"{name} has no column of answers. Name one of its columns ({', '.join(table.columns)}) "
            f"{', '.join(ANSWERS[:-1])} or {ANSWERS[-1]}."
        )
    truth = next((c for c in TARGETS if c in table.columns), None)
    texts = table.columns.get("text")
    return Answers(name, table.column(column), table.column(truth) if truth else None, texts, table)


def _of_run(path: Path) -> Path:
    folder = RunFolder(path)
    file = path / PREDICTIONS
    if not file.exists():
        finished = "was made before there were comparisons" if folder.complete else "is no finished run"
        raise UserError(f"{path} {finished}: it holds no {PREDICTIONS}. Give a file of predictions, or run it again.")
    return file


def _same_rows(a: Answers, b: Answers) -> None:
    if len(a.said) != len(b.said):
        raise UserError(
            f"{a.name} answers {len(a.said):,} rows and {b.name} {len(b.said):,}; a paired comparison needs the same "
            "rows in the same order."
        )
    for i, (one, two) in enumerate(zip(a.texts or [], b.texts or [], strict=False)):
        if str(one).split() != str(two).split():
            raise UserError(
                f"{a.table.where(i)} and {b.table.where(i)} are not the same text ({_short(one)} and {_short(two)}). "
                "Give both systems the same rows in the same order."
            )


def _short(text: Any) -> str:
    found = str(text)
    return repr(found if len(found) <= 40 else found[:40] + "...")


def _targets(a: Answers, b: Answers, data: Source | None, label: str) -> list[Any]:
    if data is not None:
        table = read(data, needs=[label])
        if len(table) != len(a.said):
            raise UserError(f"{table.source} has {len(table):,} rows, the answers are {len(a.said):,}.")
        return table.column(label)
    found = a.targets if a.targets is not None else b.targets
    if found is None:
        raise UserError(
            f"Neither {a.name} nor {b.name} says what is true: it needs a column {TARGETS[0]}, or --data FILE "
            "--label COLUMN."
        )
    return found


def _comparable(targets: Sequence[Any], a: Answers, b: Answers) -> tuple[np.ndarray, list[np.ndarray]]:
    """Targets and answers as indices of classes, or as numbers where all are numbers and some are no whole ones."""
    sides = [list(targets), a.said, b.said]
    numbers = [_numbers(side) for side in sides]
    if all(found is not None for found in numbers) and any(
        (found % 1 != 0).any() for found in numbers if found is not None
    ):
        y, first, second = (found for found in numbers if found is not None)
        return y, [first, second]
    tables = [a.table, a.table, b.table]
    names = Labels(tuple(dict.fromkeys(str(cell) for side in sides for cell in side)))
    y, first, second = (names.encode([str(c) for c in s], t.where) for s, t in zip(sides, tables, strict=True))
    return y, [first, second]


def _numbers(cells: Sequence[Any]) -> np.ndarray | None:
    try:
        found = np.array([float(cell) for cell in cells])
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found).all() else None


def predictions(
    answers: Sequence[dict[str, Any]],
    targets: Sequence[Any],
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    table: Table,
) -> str:
    """A run's answers as JSON lines: where the row stands, its texts, what is true, what was said."""
    lines = []
    for i, (answer, target) in enumerate(zip(answers, targets, strict=True)):
        second = {} if pairs is None else {"pair": pairs[i]}
        said = {name: value for name, value in answer.items() if name != "probabilities"}
        told = {"where": table.where(i), "text": texts[i], **second, "target": target, **said}
        lines.append(json.dumps(told, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)
