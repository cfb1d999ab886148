"""Look at rows before anything is trained on them.

`check` finds repeats, leaks between splits, contradicting labels, rare classes, texts that are cut, and strange rows.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from maskwright.cli._options import given, with_options
from maskwright.finetuning.settings import FILES, Data, Finetune, task_options

app = typer.Typer(help="Look at rows before anything is trained on them.", no_args_is_help=True)

_MODEL = "count in the pieces of this encoder: a folder, or minilm; without it nothing is said of pieces"
_CORPUS = "text that the encoder was trained on, in which the rows are looked for (repeat it)"
_SET = "how files are read and columns are named, e.g. data.header=false (repeat it)"


def _check(
    config: Annotated[str | None, typer.Argument(help="a run file (TOML); options win over it")] = None,
    *,
    model: Annotated[str | None, typer.Option("--model", help=_MODEL)] = None,
    corpus: Annotated[list[str] | None, typer.Option("--corpus", help=_CORPUS)] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="leave with exit code 1 when there are errors")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    **options: Any,
) -> None:
    """Say what is worth knowing of the rows of a run: errors first, then warnings, then facts.

    Takes the files, columns and run file that `maskwright finetune` takes. Nothing is changed or dropped.
    """
    from maskwright.base.config import pairs
    from maskwright.finetuning.check import check_data

    facts = check_data(config, model=model, corpus=corpus or (), settings=pairs(set_ or []), **given(options))
    if as_json:
        print(json.dumps(facts.plain(), ensure_ascii=False))
    else:
        for text in facts.sentences():
            print(text)
        counts = (len(facts.of_severity(severity)) for severity in ("error", "warning", "fact"))
        print("\nerrors: {:,}, warnings: {:,}, facts: {:,}".format(*counts))
    if strict and facts.of_severity("error"):
        raise typer.Exit(1)


_fields = {
    **{name: Data.model_fields[name] for name in FILES},
    **task_options(),
    **{name: Finetune.model_fields[name] for name in ("task", "max_length", "long")},
}
app.command("check")(with_options(_check, _fields))
