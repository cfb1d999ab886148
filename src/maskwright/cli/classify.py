"""Classify texts by classes that are only told in words, with a model of entailment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import _answers
from maskwright.cli._sets import SET, with_sets

if TYPE_CHECKING:
    from maskwright.tasks import Model

TEXTS = "texts; -: lines of standard input"
CLASSES = "the classes by comma, or name=sentence (repeat it), whose sentence stands for itself"
TEMPLATE = "the sentence of a class, {} being its name"
LABEL = "column of --data that holds the true classes: the answers are judged by them, and not given"
ENTAILS = "the model's label that says that a sentence follows, where its name does not tell"
DENIES = "its label that says that a sentence does not follow"


def command(
    model: Annotated[str, typer.Argument(help="a model of entailment: a model folder or a run folder")],
    texts: Annotated[list[str] | None, typer.Argument(help=TEXTS)] = None,
    *,
    classes: Annotated[list[str], typer.Option("--class", help=CLASSES)],
    template: Annotated[str, typer.Option("--template", help=TEMPLATE)] = "This text is about {}.",
    many: Annotated[bool, typer.Option("--many", help="a text may have several classes, or none")] = False,
    entails: Annotated[str | None, typer.Option("--entails", help=ENTAILS)] = None,
    denies: Annotated[str | None, typer.Option("--denies", help=DENIES)] = None,
    data: _answers.DataFile = None,
    label: Annotated[str | None, typer.Option("--label", help=LABEL)] = None,
    format_: _answers.Format = None,
    out: _answers.Out = None,
    top: _answers.Top = None,
    id_: _answers.Id = None,
    columns: _answers.Columns = "",
    resume: _answers.Resume = False,
    strict: _answers.Strict = False,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SET)] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
) -> None:
    """Classify texts by classes that are only told in words, with a model of entailment.

    The answer is the class whose sentence follows from the text most surely; one JSON line a text. Such a model is made
    by `maskwright finetune --task entailment`. Files are answered as `maskwright predict` answers them: the column of
    the texts is `text`, or what --set task.text= says.
    """
    from maskwright.base import runtime
    from maskwright.base.errors import UserError
    from maskwright.tasks import Bulk, ZeroShot, check_top, load, open_texts, texts_of

    if (data is None) == (not texts):
        raise UserError("Give the texts either as arguments (-: lines of standard input) or as a file by --data.")
    of_data = {"--format": format_, "--id": id_, "--columns": columns, "--resume": resume, "--strict": strict}
    _answers.go_with_data(data, {"--out": out, "--label": label, **of_data})
    if resume and out is None:
        raise UserError("--resume goes with --out: what stdout took is not known.")
    if label is not None and (
        given := [name for name, value in {"--out": out, "--top": top, **of_data}.items() if value]
    ):
        raise UserError(f"With --label the answers are judged and not given; {given[0]} has no part in it.")
    runtime.set_threads()
    judge = ZeroShot(load(model, device), _classes(classes), template, many, entails=entails, denies=denies)
    told, settings = with_sets(judge.model, set_)
    if data is not None and label is not None:
        from maskwright.cli._table import print_judgement
        from maskwright.evaluation import evaluate

        told.task = told.task.model_copy(update={"label": label})
        print_judgement(data, evaluate(told, data, settings))
    elif data is not None:
        _answers.answer_file(
            Bulk(told, data, settings, format_, id_, _answers.names_of(columns), top), out, resume, strict
        )
    else:
        check_top(told, top)
        _print(told, (text for _, text in texts_of(open_texts("-"))) if texts == ["-"] else texts or [], top)


def _classes(given: list[str]) -> dict[str, str] | list[str]:
    """Names with their sentences, or names alone."""
    from maskwright.base.errors import UserError

    told = [one for one in given if "=" in one]
    plain = [name for one in given if "=" not in one for name in one.split(",")]
    if told and plain:
        raise UserError(f"--class {told[0]} tells a sentence and --class {plain[0]} does not; tell all, or none.")
    out: dict[str, str] = {}
    for name, _, sentence in (one.partition("=") for one in told):
        if name.strip() in out:
            raise UserError(f"The class {name.strip()!r} comes twice; give each once.")
        out[name.strip()] = sentence.strip()
    return out or plain


def _print(model: Model, texts: Iterable[str], top: int | None) -> None:
    """A JSON line a text, and how many of them were cut."""
    from maskwright.cli._table import print_note
    from maskwright.tasks import cut_note, likeliest

    count = cut = 0
    for answer in model.stream(texts):
        print(json.dumps(likeliest(answer, top), ensure_ascii=False), flush=True)
        count, cut = count + 1, cut + ("pieces_cut" in answer)
    if cut:
        print_note(cut_note(model, cut, count, ", with a sentence,"))
