"""What systems said of the same rows and what is true of them, read from run folders and from anybody's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.data.read import Source, read
from maskwright.data.table import NoColumn, Table
from maskwright.evaluation._by_id import SAID, aligned, by_id, in_order
from maskwright.runs import RunFolder

PREDICTIONS = "predictions.jsonl"  #: in a run folder: the saved model's answers on the rows that it reports on
ANSWER = "answer"  #: the column of answers to questions
TRUE_ANSWERS = "answers"  #: and of the true ones
#: columns that may hold a system's answers, the first that is there
ANSWERS = (SAID, "predicted", "label", "labels", "score", ANSWER, "number", "spans", "words")
AMBIGUOUS = ("label", "labels")  #: they hold the truth as often, unless that stands elsewhere
TARGETS = ("target", "gold", "true")  #: and the true ones


@dataclass(frozen=True)
class Answers:
    """What one system said, row by row, and what is true where its file tells; of a run, what its folder knows."""

    name: str
    said: list[Any]
    targets: list[Any] | None
    table: Table
    sets: bool = False  #: whether an answer is any number of labels
    asked: bool = False  #: whether it is that to a question
    by_id: bool = False  #: whether its file holds answers to questions by their ids
    run: bool = False
    placed: bool = False  #: whether each answer was put beside its row by the row's id
    labels: tuple[str, ...] = ()  #: of a run, in its order
    ranked: bool = False  #: whether that order means something: what is further off is a worse answer
    separator: str | None = None  #: of a run with several labels a row
    texts: Mapping[str, str] = field(default_factory=dict)  #: how a run's own data call the columns `text` and `pair`
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """The cells of one side, whose they are, and where each stands."""

    name: str
    cells: list[Any]
    where: Callable[[int], str]


@dataclass(frozen=True)
class Sides:
    """The truth and two systems' answers on the same rows."""

    truth: Column
    a: Answers
    b: Answers
    notes: list[str]
    again: Column | None = None  #: the truth as B tells it, where both do
    label: str = ""  #: the truth's column, where it has a file of its own
    gold: Table | None = None  #: the rows of that file

    @property
    def asked(self) -> bool:
        """Whether something says that answers are those to questions, which are texts, and not sets of labels."""
        sides = (self.a, self.b)
        named = self.label == TRUE_ANSWERS or any(side.asked for side in sides)
        return named and not any(side.sets for side in sides)

    @property
    def certain(self) -> bool:
        """Whether that is certain: by what the truth is called, or since a side has them by id."""
        return self.asked and (self.label == TRUE_ANSWERS or any(side.by_id for side in (self.a, self.b)))

    @property
    def columns(self) -> list[Column]:
        """The truth, what A and B said, and the truth again where both tell it."""
        said = [Column(side.name, side.said, side.table.where) for side in (self.a, self.b)]
        return [self.truth, *said, *([] if self.again is None else [self.again])]

    @property
    def known(self) -> list[tuple[str, ...]]:
        """The labels of each run among the sides, first those whose order means something."""
        return [side.labels for side in sorted((self.a, self.b), key=lambda side: not side.ranked) if side.labels]


def read_sides(a: Source, b: Source, data: Source | None, label: str) -> Sides:
    """Both systems and the truth, which stands in `data` or in a column of either side.

    Raises UserError where a side has no answers, nothing says what is true, or rows are not the same.
    """
    try:
        gold = None if data is None else read(data, needs=[label], whole=True)
    except NoColumn as problem:
        raise UserError(f"{problem} Name the right one by --label NAME.") from None
    first = read_answers(a, gold is not None, gold)
    second = read_answers(b, gold is not None, first.table if gold is None else gold)
    notes = [*first.notes, *second.notes]
    if len(first.said) != len(second.said):
        raise UserError(
            f"{first.name} answers {len(first.said):,} rows and {second.name} {len(second.said):,}; a paired "
            "comparison needs the same rows in the same order."
        )
    if gold is not None and len(gold) != len(first.said):
        raise UserError(f"{gold.source} has {len(gold):,} rows, the answers are {len(first.said):,}.")
    notes += _check_rows(first, second, gold)
    if gold is not None:
        return Sides(Column("the truth", gold.column(label), gold.where), first, second, notes, None, label, gold)
    told = [Column("the truth", s.targets, s.table.where) for s in (first, second) if s.targets is not None]
    if told:
        return Sides(told[0], first, second, notes, *told[1:])
    raise UserError(
        f"Neither {first.name} nor {second.name} says what is true: it needs a column {TARGETS[0]}, or --data FILE "
        "--label COLUMN."
    )


def read_answers(source: Source, truth_elsewhere: bool, gold: Table | None = None) -> Answers:
    """One side. truth_elsewhere: the truth has a file of its own, so that a column `label` must hold answers; gold: the
    rows of that file, which answers are put beside by their ids, where both have them."""
    found = by_id(source)
    if found is not None:
        table = in_order(found, gold, str(source))
        return Answers(str(source), table.column(SAID), None, table, asked=True, by_id=True, placed=True)
    path = Path(source).expanduser() if isinstance(source, str | Path) else None
    folder = path if path is not None and path.is_dir() else None
    table = read(source if folder is None else _of_run(folder))
    beside = None if gold is None else aligned(table, gold)
    table = table if beside is None else beside
    name = str(source) if isinstance(source, str | Path) else "the rows given"
    truth = next((c for c in TARGETS if c in table.columns), None)
    column = next((c for c in ANSWERS if c in table.columns), None)
    if column is None:
        raise UserError(
            f"{name} has no column of answers. Name one of its columns ({', '.join(table.columns)}) "
            f"{', '.join(ANSWERS[:3])}, {ANSWERS[3]}, {ANSWERS[4]} or {ANSWERS[5]}."
        )
    if column in AMBIGUOUS and not truth and not truth_elsewhere:
        raise UserError(
            f"{name}: the column {column!r} may hold answers or what is true, and nothing beside it tells which. If it "
            f"holds answers, call it {ANSWERS[0]}, or give the true ones in a column {TARGETS[0]} or by --data FILE "
            "--label COLUMN."
        )
    taken = column == "score" and not truth and not truth_elsewhere
    note = f"The column 'score' of {name} is taken for its answers, not for what is true."
    return Answers(
        name=name,
        said=table.column(column),
        targets=table.column(truth) if truth else None,
        table=table,
        sets=column == "labels",
        asked=column == ANSWER,
        placed=beside is not None,
        notes=(note,) if taken else (),
        **({} if folder is None else _known(folder)),
    )


def predictions(
    answers: Iterable[dict[str, Any]],
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


def _of_run(path: Path) -> Path:
    folder = RunFolder(path)
    file = path / PREDICTIONS
    if not file.exists():
        finished = "was made before there were comparisons" if folder.complete else "is no finished run"
        raise UserError(f"{path} {finished}: it holds no {PREDICTIONS}. Give a file of predictions, or run it again.")
    return file


def _known(path: Path) -> dict[str, Any]:
    """What a run's folder says of its answers: its labels in their order, how it cuts cells, its columns of texts."""
    folder = RunFolder(path)
    told = read_json(folder.metrics) if folder.metrics.exists() else {}
    task = read_json(folder.config).get("settings", {}).get("task", {}) if folder.config.exists() else {}
    return {
        "run": True,
        "labels": tuple(told.get("labels") or ()),
        "ranked": task.get("name") == "ordinal",
        "separator": task.get("separator"),
        "texts": {role: task[role] for role in ("text", "pair") if task.get(role)},
    }


def _check_rows(a: Answers, b: Answers, gold: Table | None) -> list[str]:
    """Raises UserError where two sides say that their rows are not the same; notes where they cannot say."""
    if b.placed and (a.placed or gold is None):
        return []
    called = {role: (*(s.texts[role] for s in (a, b) if role in s.texts), role) for role in ("text", "pair")}
    one, two = (_texts(side.table, {} if side.run else called) for side in (a, b))
    same = _same(a.table, one, b.table, two)
    alone = []
    if gold is not None:
        known = [_same(gold, _texts(gold, called), side.table, found) for side, found in ((a, one), (b, two))]
        same = same or all(known)
        alone = [] if any(known) else [gold.source]
    alone = ([] if same else [b.name if one else a.name]) + alone
    columns = " or ".join(dict.fromkeys(called["text"]))
    return [
        f"Whether the rows of {name} are those of the other side could not be checked beyond their number: not both "
        f"have a column {columns}."
        for name in alone
    ]


def _texts(table: Table, called: Mapping[str, tuple[str, ...]]) -> dict[str, list[Any]]:
    """The columns of texts that a table has, by what they are; a run's own file calls them so."""
    names = {role: called.get(role, (role,)) for role in ("text", "pair")}
    found = {role: next((n for n in some if n in table.columns), None) for role, some in names.items()}
    return {role: table.column(name) for role, name in found.items() if name is not None}


def _same(one: Table, texts: Mapping[str, list[Any]], two: Table, others: Mapping[str, list[Any]]) -> bool:
    """Whether the texts of two tables could be compared. Raises UserError at the first that differ."""
    for role in (role for role in texts if role in others):
        for i, (a, b) in enumerate(zip(texts[role], others[role], strict=True)):
            if str(a).split() != str(b).split():
                raise UserError(
                    f"{one.where(i)} and {two.where(i)} are not the same text ({_short(a)} and {_short(b)}). "
                    "Give both systems the same rows in the same order."
                )
    return "text" in texts and "text" in others


def _short(text: Any) -> str:
    found = str(text)
    return repr(found if len(found) <= 40 else found[:40] + "...")
