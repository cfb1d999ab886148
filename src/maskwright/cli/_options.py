"""Command-line options made from the fields of configuration models, so that nothing is listed twice."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from maskwright.base.choice import Part
from maskwright.base.config import may_be_none

NONE = "none"  #: typed for an option that may be nothing


def option(name: str, field: FieldInfo) -> inspect.Parameter:
    """One optional `--name`; unless it is given, its value is None and the model's default holds."""
    default = field.default
    shown = default.name if isinstance(default, Part) else default
    known = shown is not None and not field.is_required()
    words = f"{field.description or ''}{f' (default: {shown})' if known else ''}"
    kind, flag = _plain(name, field.annotation), f"--{name.replace('_', '-')}"
    flags = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
    number = kind in (int, float) and may_be_none(field.annotation)
    more = {"parser": _number_or_none(kind), "metavar": f"<{kind.__name__}>"} if number else {}
    typed = typer.Option(flags, help=words, **more)
    annotation = Annotated[kind | None, typed]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _number_or_none(kind: type[int] | type[float]) -> Callable[[str], Any]:
    """Of an option that may be nothing, which is another value than not to be typed: the settings read "none"."""

    def read(typed: str) -> Any:
        if typed == NONE:
            return NONE
        try:
            return kind(typed)
        except ValueError:
            what = "an integer" if kind is int else "a number"
            raise typer.BadParameter(f"{typed!r} is neither {what} nor {NONE}.") from None

    return read


def _plain(name: str, annotation: Any) -> Any:
    """A type that the command line can read: a Literal becomes its choices, a part its name."""
    kinds = [a for a in (typing.get_args(annotation) or (annotation,)) if a is not type(None)]
    if typing.get_origin(annotation) is typing.Literal:
        return Enum(name, {str(a): str(a) for a in typing.get_args(annotation)}, type=str)
    return kinds[0] if kinds[0] in (int, float, str, bool) else str


def with_options(command: Callable[..., Any], fields: Mapping[str, FieldInfo]) -> Callable[..., Any]:
    """`command(..., **options)` with one option for each field in the place of `**options`."""
    own = inspect.signature(command, eval_str=True)
    fixed = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    first = [p for p in fixed if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    last = [p for p in fixed if p.kind is inspect.Parameter.KEYWORD_ONLY]
    made = [option(name, field) for name, field in fields.items()]
    command.__signature__ = own.replace(parameters=[*first, *made, *last])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*first, *made, *last]}
    return command


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it a run that was stopped and has saved itself says how to go on, and leaves with the signal's code."""
    from maskwright.training.stop import Interrupted

    try:
        yield
    except Interrupted as stopped:
        print(f"maskwright: {stopped}; go on with --resume.", file=sys.stderr)
        raise typer.Exit(stopped.code) from None


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were typed, as plain values."""
    return {k: v.value if isinstance(v, Enum) else v for k, v in options.items() if v is not None}
