"""A file of any size through a model: an answer for every row, in order, and a job that a kill does not undo."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.files import sha256
from maskwright.base.growing import GrowingFile
from maskwright.data.rows import STDIN, Row, Rows
from maskwright.data.settings import Data
from maskwright.data.stream import open_rows
from maskwright.data.writers._writer import flat, writer_for
from maskwright.data.writers.jsonl import Jsonl
from maskwright.tasks import _stream
from maskwright.tasks._model import Model
from maskwright.tasks._task import Example

BLOCK = 256  #: answers that are written together
DIGITS = 16  #: of a SHA-256 in the journal: enough to tell two files apart, short enough to be read


@dataclass
class Bulk:
    """Every row of a file (`-`: standard input) with its answer.

    An answer holds `row` (from 1, whatever the line), `id` (the value of that column) and `input` (the values of
    `columns`) where they are asked for, and what the model says. A row that cannot be answered has `line`, where it
    begins in the file, and `error` instead; the job goes on.

    Raises UserError at once for a file or a setting with which no row could be answered.
    """

    model: Model
    data: str | Path
    settings: Data = field(default_factory=Data)
    format: str | None = None  #: see `open_rows`
    id: str | None = None
    columns: tuple[str, ...] = ()
    top: int | None = None  #: the likeliest classes, `top`, in the place of the probabilities of all
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        check_top(self.model, self.top)
        needs = [*self.model.task.columns(with_label=False), *([self.id] if self.id else []), *self.columns]
        self.rows = open_rows(self.data, self.settings, tuple(dict.fromkeys(needs)), self.format)

    def answers(self, skip: int = 0) -> Iterator[dict[str, Any]]:
        """One for each row behind the first `skip`. They can be taken once."""
        found = _stream.stream(self.model, self.rows, self._example, skip=skip)
        for number, (row, answer) in enumerate(found, skip + 1):
            yield self._answer(number, row, answer)

    def print(self, file: TextIO) -> Counter[str]:
        """Write JSON lines as they come. Returns the counts of rows, of errors and of texts that were cut."""
        counts: Counter[str] = Counter()
        for block, told in self._blocks():
            file.write(Jsonl().block(block, {}).decode())
            file.flush()
            counts.update(told)
        return counts

    def write(self, out: str | Path, resume: bool = False, say: Callable[[str], None] | None = None) -> Counter[str]:
        """Write a file in the format of its suffix: CSV, TSV, Parquet, JSON by id, else JSON lines.
        Returns the counts as `print`.

        It grows as `OUT.part`. After a kill the same job goes on with `resume`, and the whole is the same to the byte
        as without the kill. Before the first row `say` is told what is gone on with and what will be replaced; without
        it that goes to `rows.notes`. Raises UserError when another file, model or setting is given then, and where
        nothing can be written.
        """
        out = Path(out)
        if self._file is not None and out.exists() and out.samefile(self._file):
            raise UserError(f"{out} is the file that is read. Give another name.")
        if resume and self._file is None:
            raise UserError(
                f"A job on {self.rows.source} cannot be resumed: what comes there a second time is not known to be the "
                "same. Write it into a file first."
            )
        writer, fields = writer_for(out), self._fields()
        head = writer.head(fields)
        with GrowingFile(out, self._facts(writer.name), resume) as file:
            for note in _begun(file, resume):
                (say or self.rows.notes.append)(note)
            if not file.size:
                file.append(head)
            for block, told in self._blocks(skip=file.counts["rows"]):
                file.append(writer.block(block, fields), **told)
            writer.finish(file)
        return file.counts

    def summary(self, counts: Counter[str]) -> list[str]:
        """What a person should know of the answers, one sentence each."""
        notes = []
        if counts["cut"]:
            notes.append(cut_note(self.model, counts["cut"], counts["rows"]))
        if counts["errors"]:
            notes.append(
                f"{counts['errors']:,} of {counts['rows']:,} rows could not be answered; `error` says why in their "
                "places."
            )
        return notes

    @property
    def _file(self) -> Path | None:
        """The file that is read; None for what can be read only once."""
        path = Path(self.data).expanduser()
        return path if str(self.data) != STDIN and path.is_file() else None

    def _example(self, row: Row) -> Example:
        if row.error:
            raise UserError(row.error)
        return self.model.task.example({**dict.fromkeys(self.rows.columns), **row.cells})

    def _answer(self, number: int, row: Row, answer: dict[str, Any] | UserError) -> dict[str, Any]:
        found: dict[str, Any] = {"row": number}
        if self.id is not None:
            found["id"] = _value(row, self.id)
        if self.columns:
            found["input"] = {name: _value(row, name) for name in self.columns}
        if isinstance(answer, UserError):
            return {**found, "line": row.line, "error": str(answer)}
        return {**found, **likeliest(answer, self.top)}

    def _blocks(self, skip: int = 0) -> Iterator[tuple[list[dict[str, Any]], dict[str, int]]]:
        answers = self.answers(skip)
        while block := list(islice(answers, BLOCK)):
            cut, errors = (sum(name in answer for answer in block) for name in ("pieces_cut", "error"))
            yield block, {"rows": len(block), "errors": errors, "cut": cut}

    def _fields(self) -> dict[str, Any]:
        """The columns of a table of answers, with their types, from the answer to nothing."""
        nothing = self.model.blank()
        answer = {**self._answer(1, Row(1, {}), nothing), "pieces_cut": 0, "line": 0, "error": ""}
        fields = {name: str if cell is None else type(cell) for name, cell in flat(answer).items()}  # a label, withheld
        carried = {"id": self.id, **{f"input.{name}": name for name in self.columns}}
        return {name: self.rows.types.get(carried[name], str) if name in carried else fields[name] for name in fields}

    def _facts(self, writer: str) -> dict[str, Any]:
        """What the answers follow from to the bit, and their form."""
        device, versions = next(self.model.network.parameters()).device, runtime.versions()
        return {
            "data": None if self._file is None else sha256(self._file)[:DIGITS],
            "model": self.model.fingerprint()[:DIGITS],
            "format": self.format,
            **{f"data.{name}": value for name, value in self.settings.model_dump(exclude_defaults=True).items()},
            "id": self.id,
            "columns": list(self.columns),
            "top": self.top,
            "written as": writer,
            "precision": runtime.resolve_precision(self.model.precision, device),
            "windows": [_stream.WINDOW, _stream.CHARACTERS, _stream.TOKENS],
            **runtime.facts(device),
            **{name: versions.get(name) for name in ("maskwright", "tokenizers", "numpy")},
        }


def cut_note(model: Model, cut: int, count: int, beside: str = "") -> str:
    """Of so many of `count` texts pieces were cut off. beside: what stands with each."""
    return (
        f"{cut:,} of {count:,} texts are longer{beside} than {model.max_length} pieces and were "
        f"{model.task.shortened(model.long)}; `pieces_cut` says by how much."
    )


def _begun(file: GrowingFile, resume: bool) -> Iterator[str]:
    """What a person should know of a job before its first row."""
    if file.resumed:
        yield f"Goes on behind row {file.counts['rows']:,} of {file.part}."
    elif resume:
        there = f"{file.part} holds no whole row" if file.begun else f"There is no {file.part} to go on with"
        yield f"{there}: all rows are computed."
    if file.replaces:
        yield f"{file.path} is there already; it is replaced when all rows have their answers."


#: what a model gives that has no classes
PARTS = {"number": "a score", "tags": "labels of words", "choice": "one of a row's choices"}


def likeliest(answer: dict[str, Any], top: int | None) -> dict[str, Any]:
    """An answer with its `top` likeliest classes, likeliest first, in the place of all probabilities."""
    if top is None:
        return answer
    ranked = heapq.nlargest(top, answer["probabilities"].items(), key=lambda entry: entry[1])
    shown = [{"label": label, "probability": probability} for label, probability in ranked]
    return {name: value for name, value in answer.items() if name != "probabilities"} | {"top": shown}


def check_top(model: Model, top: int | None) -> None:
    """Raises UserError where a model has no `top` likeliest classes."""
    if top is None:
        return
    classes = len(model.blank().get("probabilities", ()))
    if not classes:
        given = PARTS.get(str(model.task.answers), "parts of a text")
        raise UserError(f"This model gives {given} and no classes, so there are no likeliest ones (top).")
    if not 1 <= top <= classes:
        raise UserError(f"top = {top}: give a number from 1 to {classes}, the classes of this model.")


def _value(row: Row, column: str) -> Any:
    """The value of a cell; None where there is none: a key that is absent, or a NaN, which JSON does not know."""
    cell = row.cells.get(column)
    return None if cell != cell else cell
