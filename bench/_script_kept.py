"""What `bench.scripts` keeps of a side's answers: numbers and labels, and nothing of the rows' texts, which stay where
the data is. Both sides have them in one form, by the kind of the task:

    classes    a label, or a number
    tagging    spans: [first character, behind the last one, label]
    answer     [first character, behind the last one] of the context; [0, 0] is no answer
    choice     its number, from 1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench import _measure as measure
from bench._script_cases import Cut
from maskwright.data.tags import spans

Row = dict[str, Any]
SPAN = ("start", "end", "label")
NONE = [0, 0]


def shortened(made: Cut, side: Row) -> Row:
    """A side's answer with `said` in the place of what it has answered row by row. Raises Stop where ours was judged
    on other rows than the peer."""
    rows, rest = made.test(), {key: value for key, value in side.items() if key not in ("predictions", "answers")}
    if "answers" in side:
        return {**rest, "said": [_of_peer(made.kind, row, one) for row, one in zip(rows, side["answers"], strict=True)]}
    own = [row["target"] for row in side["predictions"]]
    if own != made.truth:
        raise measure.Stop(f"{made.name}: ours was judged on other rows, or on other truths, than the peer.")
    return {**rest, "said": [_of_ours(made.kind, one) for one in side["predictions"]]}


def _of_ours(kind: str, row: Row) -> Any:
    if kind == "tagging":
        return [[span[part] for part in SPAN] for span in row["spans"]]
    if kind == "answer":
        return [row["start"], row["end"]] if row["answer"] else NONE
    if kind == "choice":
        return row["number"]
    return row["label"] if "label" in row else row["score"]


def _of_peer(kind: str, row: Row, said: Any) -> Any:
    if kind == "tagging":
        bounds = row["bounds"]
        return [[bounds[span.first][0], bounds[span.last - 1][1], span.label] for span in spans(said)]
    if kind == "answer":
        start = row["context"].index(said)
        return [start, start + len(said)] if said else NONE
    return said


def written(made: Cut, said: Sequence[Any]) -> list[Row]:
    """As lines of a file that `compare` takes."""
    rows, column = made.test(), "answer" if made.kind == "answer" else "prediction"
    return [{column: _told(made.kind, row, one)} for row, one in zip(rows, said, strict=True)]


def _told(kind: str, row: Row, said: Any) -> Any:
    if kind == "tagging":
        return [dict(zip(SPAN, span, strict=True)) for span in said]
    return row["context"][slice(*said)] if kind == "answer" else said
