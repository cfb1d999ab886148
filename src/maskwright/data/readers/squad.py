"""SQuAD's JSON, 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): articles of paragraphs, each with its questions.

A row is a question: `question`, `context`, `answers` (each with its text and the character of the context where it
starts, counted from 0; none where the question has no answer), `id` and `title`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.doubts import repeated_ids
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._text import decode
from maskwright.data.settings import Encoded
from maskwright.data.table import Table

COLUMNS = ("question", "context", "answers", "id", "title")


class Squad(Reader, Encoded):
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        source = str(path)
        text, notes = decode(path, self.encoding)
        if not text.strip():
            raise UserError(f"{source} is empty; a file of rows is needed.")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise UserError(f"{source} is no JSON: {problem}. Rows one a line are JSON lines (.jsonl).") from None
        if not isinstance(content, Mapping) or not isinstance(content.get("data"), list):
            raise UserError(
                f'{source} is JSON, but not in the form of SQuAD ({{"data": [{{"paragraphs": ...}}]}}). Write rows as '
                "JSON lines, one object a line (.jsonl)."
            )
        rows = list(_rows(content["data"], source))
        notes += _doubts(rows, source)
        columns = {name: [row[name] for row in rows] for name in COLUMNS}
        lines = list(range(1, len(rows) + 1))
        names = ["" if row["id"] is None else f" ({row['id']})" for row in rows]
        places = [f"{source} question {i}{name}" for i, name in zip(lines, names, strict=True)]
        table = Table(columns, source, lines, notes, "question", places)
        notes += repeated_ids(table)
        return table


def _rows(articles: Sequence[Any], source: str) -> Iterator[dict[str, Any]]:
    for number, article in enumerate(articles, 1):
        where = f"{source}, article {number}"
        for paragraph in _list(article, "paragraphs", where):
            for question in _list(paragraph, "qas", where):
                context = paragraph.get("context")
                if not isinstance(context, str) or not isinstance(question.get("question"), str):
                    raise UserError(f"{where}: a question or its context is no text.")
                _check_signs((context, question), where)
                yield {
                    "question": question["question"],
                    "context": context,
                    "answers": question.get("answers"),
                    "id": question.get("id"),
                    "title": article.get("title"),
                    "impossible": question.get("is_impossible"),
                }


def _check_signs(cells: Any, where: str) -> None:
    """Half of a surrogate pair can be escaped in JSON, but no tokenizer and no file takes it."""
    try:
        json.dumps(cells, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{where}, question {cells[1].get('id', cells[1].get('question'))!r}: an escape \\ud800 to \\udfff stands "
            "without its partner; it is no character."
        ) from None


def _list(thing: Any, name: str, where: str) -> list[dict[str, Any]]:
    found = thing.get(name) if isinstance(thing, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise UserError(f"{where} has no list of {name}, as SQuAD has.")
    return found  # type: ignore[return-value]


def _doubts(rows: Sequence[Mapping[str, Any]], source: str) -> list[str]:
    """What does not fit together and is taken as the answers say."""
    told = [i for i, row in enumerate(rows, 1) if row["impossible"] is not None and row["answers"] is not None]
    odd = [i for i in told if bool(rows[i - 1]["impossible"]) == bool(rows[i - 1]["answers"])]
    if not odd:
        return []
    return [
        f"{source}: is_impossible says otherwise than the answers of {counted(len(odd), 'question')} (first "
        f"question {odd[0]}); the answers count."
    ]
