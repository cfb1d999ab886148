"""The command `maskwright`: finds the verb that was typed, imports that one file, and says mistakes in one paragraph.

The folder is the list of verbs. Each file of `cli/` but this one and those that start with `_` is a verb: its name
with `-` for `_`, its help the first line of its docstring, read without importing it. The file defines either
`command`, a function whose signature typer turns into options, or `app`, a `typer.Typer()` with verbs of its own.
Only the verb that runs is imported, so that the root answers before typer, pydantic or torch would be loaded.
"""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import maskwright.cli as folder
from maskwright import __version__
from maskwright.base.errors import UserError, unknown

OPTIONS = {
    "--help": "Show this list and exit. After a verb: that verb's own help.",
    "--version": "Show the version and exit.",
    "--install-completion": "Teach the current shell to complete maskwright's verbs and options.",
    "--show-completion": "Print what --install-completion would install.",
}
COMPLETE = "_MASKWRIGHT_COMPLETE"  # set by the shell's completion script when it asks for words
CONTEXT = {"help_option_names": ["-h", "--help"]}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default). Returns the exit code, or leaves with one by SystemExit.

    2 is a person's mistake, said on stderr without a traceback; 130 is Ctrl-C.
    """
    args = list(sys.argv[1:] if args is None else args)
    try:
        return _dispatch(args)
    except UserError as mistake:
        print(_paragraph(f"error: {mistake}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def verbs() -> dict[str, Path]:
    """Every verb and its file, by name."""
    files = (file for path in folder.__path__ for file in Path(path).glob("*.py"))
    named = {file.stem.replace("_", "-"): file for file in files if not file.stem.startswith("_")}
    named.pop("main", None)
    return dict(sorted(named.items()))


def summary(file: Path) -> str:
    """The first line of a file's docstring, without importing the file."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


def tree(names: Iterable[str], completion: bool = False) -> Any:
    """One typer command that holds the verbs `names`, imported now; with `completion`, also the options that set it up.

    Help is plain text, like the root's: read as markup, a "[serve]" in a docstring would vanish.
    """
    import typer

    root = typer.Typer(add_completion=completion, rich_markup_mode=None, context_settings=CONTEXT)
    root.callback()(lambda: None)  # with a callback the root stays a group even when it holds one verb
    for name in names:
        module = importlib.import_module(f"{folder.__name__}.{name.replace('-', '_')}")
        if hasattr(module, "app"):
            root.add_typer(module.app, name=name, help=module.__doc__, no_args_is_help=True)
        else:
            root.command(name, help=module.command.__doc__ or module.__doc__)(module.command)
    return typer.main.get_command(root)


def _dispatch(args: list[str]) -> int:
    if COMPLETE in os.environ or (args and args[0] in ("--install-completion", "--show-completion")):
        return tree(verbs(), completion=True)(args, prog_name="maskwright", complete_var=COMPLETE) or 0
    if not args or args[0] in ("-h", "--help"):
        print(_help())
        return 0
    if args[0] == "--version":
        print(f"maskwright {__version__}")
        return 0
    verb = args[0]
    if verb.startswith("-"):
        raise UserError(unknown("option", verb, OPTIONS) + " A verb's own options come after the verb.")
    if verb not in verbs():
        raise UserError(unknown("command", verb, verbs()) + " See maskwright --help.")
    return tree([verb])(args, prog_name="maskwright") or 0


def _help() -> str:
    width = min(shutil.get_terminal_size().columns, 100)
    listed = {verb: summary(file) for verb, file in verbs().items()}
    column = max(map(len, [*listed, *OPTIONS])) + 4

    def table(rows: dict[str, str]) -> str:
        indent = " " * column
        return "\n".join(
            textwrap.fill(text, width, initial_indent=f"  {name}".ljust(column), subsequent_indent=indent)
            for name, text in rows.items()
        )

    return (
        "Usage: maskwright VERB [OPTIONS]\n\n"
        "Bidirectional encoders, the BERT family, for their whole life.\n\n"
        f"Verbs:\n{table(listed)}\n\nOptions:\n{table(OPTIONS)}\n\n"
        "maskwright VERB --help tells what a verb takes."
    )


def _paragraph(text: str) -> str:
    """One paragraph, wrapped for a person at a terminal, one line for a log or a pipe."""
    text = " ".join(text.split())
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
