"""A command line that repeats what settings say: what was asked for and is not the default, as a person would type
it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.base.config import pairs


def is_word(value: Any) -> bool:
    """Whether a value can stand behind an option as it is."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def sets(given: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """`--set NAME=VALUE` for each setting that is not `usual`; of another part than the usual one, all its settings."""
    return [word for key, value in _changed(given, usual) for word in ("--set", f"{key}={_value(value)}")]


def _changed(given: Mapping[str, Any], usual: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        before = usual.get(name)
        if isinstance(value, Mapping):
            same = isinstance(before, Mapping) and before.get("name") == value.get("name")
            yield from _changed(value, before if same and before else {}, f"{prefix}{name}.")
        elif value != before:
            yield f"{prefix}{name}", value


def _value(value: Any) -> str:
    """As --set reads it: what would be read as something else, or is no text, as TOML."""
    if value is None:
        return "none"
    if isinstance(value, str) and pairs([f"v={value}"]) == {"v": value} and value == value.strip():
        return value
    return _toml(value)


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line; in a table nothing is what stands there unless it is named."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '"none"' if value is None else json.dumps(value, ensure_ascii=False)
