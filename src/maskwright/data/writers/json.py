"""Answers to questions by their ids, `{id: answer}`, as SQuAD's program and server take them; no answer is the empty
text."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from maskwright.base.errors import UserError
from maskwright.base.growing import GrowingFile
from maskwright.data.writers._writer import Answer, Fields, Writer

BETWEEN = b",\n"


class Json(Writer):
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def head(self, fields: Fields) -> bytes:
        missing = [name for name in ("id", "answer") if name not in fields]
        if missing:
            remedy = "--id COLUMN" if "answer" in fields else "another suffix, such as .jsonl"
            raise UserError(
                f"A .json file holds answers to questions by their ids, {{id: answer}}; these have no {missing[-1]}. "
                f"Give {remedy}."
            )
        return b""

    def block(self, answers: Sequence[Answer], fields: Fields) -> bytes:
        lines = []
        for answer in answers:
            if "error" in answer:
                raise UserError(
                    f"row {answer['row']} (line {answer['line']}) has no answer: {answer['error']} A .json file has no "
                    "place for that; write .jsonl, or mend the row."
                )
            if answer["id"] is None:
                raise UserError(
                    f"row {answer['row']} has no id, by which a .json file would hold its answer. Give it one, or "
                    "write .jsonl."
                )
            lines.append(f"{json.dumps(str(answer['id']))}: {json.dumps(answer['answer'] or '')}".encode() + BETWEEN)
        return b"".join(lines)

    def finish(self, file: GrowingFile) -> None:
        file.finish(_convert)


def _convert(part: Path, new: Path) -> None:
    """The lines as one object. Raises UserError for an id that stands twice, of which readers would lose the first."""
    with part.open("rb") as lines:
        first = dict[str, int]()
        for number, line in enumerate(lines, 1):
            name, _ = json.JSONDecoder().raw_decode(line.decode())
            if first.setdefault(name, number) != number:
                raise UserError(
                    f"rows {first[name]:,} and {number:,} have the id {name!r}, and a .json file holds one answer for "
                    "each. Give each row an id of its own, or write .jsonl."
                )
    with part.open("rb") as lines, new.open("wb") as out:
        out.write(b"{\n")
        shutil.copyfileobj(lines, out)
        if lines.tell():
            out.seek(-len(BETWEEN), os.SEEK_END)
        out.write(b"\n}\n")
