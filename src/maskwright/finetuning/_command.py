"""The command line that repeats a run: all that was asked for and is not the default."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.base.choice import dump, find
from maskwright.base.config import pairs
from maskwright.finetuning.settings import FILES, Finetune, gather
from maskwright.tasks import Task


def command(asked: Finetune) -> str:
    """`maskwright finetune ...` with short options where there are some, and --set for the rest."""
    settings, usual = asked.model_dump(mode="json"), gather(None, {}, {}).model_dump(mode="json")
    task = dump(asked.task)
    words = ["--task", task["name"]]
    files = {name: settings["data"].pop(name) for name in FILES}
    plain = {name: value for name, value in settings.items() if name in Finetune.model_fields and _is_word(value)}
    own = {name: value for name, value in task.items() if name != "name"}
    defaults = {name: field.default for name, field in find(Task, task["name"]).model_fields.items()}
    short = [
        *((name, value, None) for name, value in files.items()),
        *((name, own[name], defaults[name]) for name in own if _is_word(own[name])),
        *((name, value, usual[name]) for name, value in plain.items()),
    ]
    for name, value, default in short:
        if value != default and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    rest = {name: value for name, value in settings.items() if name not in plain and name != "task"}
    long = {"task": {name: value for name, value in own.items() if not _is_word(value) and value != defaults[name]}}
    for key, value in [*_changed(rest, usual), *_changed(long, {})]:
        words += ["--set", f"{key}={_value(value)}"]
    return shlex.join(["maskwright", "finetune", *words])


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _changed(given: Mapping[str, Any], usual: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots and values that are not `usual`; of another part than the usual one, all its settings."""
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
    return json.dumps(value, ensure_ascii=False)
