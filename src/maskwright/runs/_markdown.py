"""Markdown and YAML of a model card: whatever anybody has written into a run is text in them, never markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from maskwright.runs._words import clean, line, short, spelt
from maskwright.runs.shapes import Cell


def yaml(value: Mapping[str, Any] | Sequence[Any], indent: str = "") -> Iterator[str]:
    """Lines of block-style YAML. Scalars are written as JSON, which YAML reads; keys are our own plain words."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list):
                yield f"{indent}{key}:"
                yield from yaml(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(inner)}"
    else:
        for inner in value:
            if isinstance(inner, Mapping):
                first, *rest = yaml(inner, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(inner)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(clean(value), ensure_ascii=False)
    text = json.dumps(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text and text not in ("true", "false") else text


def md(text: object, most: int = 300) -> str:
    """Text for Markdown on one line: cut with a mark, and nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", line(text, most))


def grid(head: Iterable[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table."""
    names = list(head)
    lines = [[md(name, 60) for name in names], ["---"] * len(names), *([md(spelt(c)) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {md(sentence, 1000)}" for sentence in sentences)


def code(text: object) -> str:
    """A code span, in which no backslash would help against a backtick."""
    inside = line(text, 60).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
    return f"`{inside}`"


def fence(text: Any, language: str) -> str:
    """A block of code whose fence is longer than any run of backticks in it; nothing where there is no code."""
    if not text:
        return ""
    whole = short(text, 10_000)
    mark = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", whole)), default=0))
    return f"{mark}{language}\n{whole}\n{mark}"
