"""Classify texts by classes that are only told in words, with a model of entailment."""

from __future__ import annotations

import json
from typing import Annotated

import typer

TEXTS = "texts; -: lines of standard input"
CLASSES = "the classes by comma, or name=sentence (repeat it), whose sentence stands for itself"
TEMPLATE = "the sentence of a class, {} being its name"


def command(
    model: Annotated[str, typer.Argument(help="a model of entailment: a model folder or a run folder")],
    texts: Annotated[list[str], typer.Argument(help=TEXTS)],
    classes: Annotated[list[str], typer.Option("--class", help=CLASSES)],
    template: Annotated[str, typer.Option("--template", help=TEMPLATE)] = "This text is about {}.",
    many: Annotated[bool, typer.Option("--many", help="a text may have several classes, or none")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
) -> None:
    """Classify texts by classes that are only told in words, with a model of entailment.

    The answer is the class whose sentence follows from the text most surely; one JSON line a text. Such a model is made
    by `maskwright finetune --task entailment`.
    """
    from maskwright.base import runtime
    from maskwright.base.errors import UserError
    from maskwright.tasks import ZeroShot, load, open_texts, texts_of

    told = [one for one in classes if "=" in one]
    plain = [name for one in classes if "=" not in one for name in one.split(",")]
    if told and plain:
        raise UserError(f"--class {told[0]} tells a sentence and --class {plain[0]} does not; tell all, or none.")
    given = {name.strip(): sentence.strip() for name, _, sentence in (one.partition("=") for one in told)}
    runtime.set_threads()
    judge = ZeroShot(load(model, device), given or plain, template, many)
    lines = (text for _, text in texts_of(open_texts("-"))) if texts == ["-"] else texts
    for answer in judge.stream(lines):
        print(json.dumps(answer, ensure_ascii=False), flush=True)
