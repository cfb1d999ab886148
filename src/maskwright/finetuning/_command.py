"""The command line that repeats a run: all that was asked for and is not the default."""

from __future__ import annotations

import shlex

from maskwright.base.choice import dump, find
from maskwright.base.command import is_word, sets
from maskwright.finetuning.settings import FILES, Finetune, gather
from maskwright.tasks import Task


def command(asked: Finetune) -> str:
    """`maskwright finetune ...` with short options where there are some, and --set for the rest."""
    settings, usual = asked.model_dump(mode="json"), gather(None, {}, {}).model_dump(mode="json")
    task = dump(asked.task)
    words = ["--task", task["name"]]
    files = {name: settings["data"].pop(name) for name in FILES}
    plain = {name: value for name, value in settings.items() if name in Finetune.model_fields and is_word(value)}
    own = {name: value for name, value in task.items() if name != "name"}
    defaults = {name: field.default for name, field in find(Task, task["name"]).model_fields.items()}
    short = [
        *((name, value, None) for name, value in files.items()),
        *((name, own[name], defaults[name]) for name in own if is_word(own[name])),
        *((name, value, usual[name]) for name, value in plain.items()),
    ]
    for name, value, default in short:
        if value != default and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    rest = {name: value for name, value in settings.items() if name not in plain and name != "task"}
    long = {"task": {name: value for name, value in own.items() if not is_word(value) and value != defaults[name]}}
    words += [*sets(rest, usual), *sets(long, {})]
    return shlex.join(["maskwright", "finetune", *words])
