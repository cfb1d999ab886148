"""Configuration: frozen models, TOML files, typed `--set`, and errors that name the nearest right key.

A run's settings come from three places, later ones winning: a TOML file, keyword arguments or options, `--set` pairs.
They are merged as plain tables and then read once, so that there is one place where a mistake is found and said.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from maskwright.base.errors import UserError, nearest, unknown

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Frozen settings that refuse a key they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _none_is_nothing(cls, given: Any) -> Any:
        """TOML has no word for nothing; of a number that may be nothing it is "none"."""
        if not isinstance(given, dict):
            return given
        fields = cls.model_fields
        return {
            name: None if value == "none" and name in fields and may_be_none(fields[name].annotation) else value
            for name, value in given.items()
        }


def may_be_none(annotation: Any) -> bool:
    """Whether a setting is a number or nothing."""
    kinds = set(typing.get_args(annotation))
    return types.NoneType in kinds and bool(kinds & {int, float})


def parse(kind: type[C], table: Mapping[str, Any], source: str = "the settings") -> C:
    """`kind` from a plain table. Raises UserError with the path of every wrong key and the nearest right one."""
    try:
        return kind.model_validate(dict(table))
    except ValidationError as problem:
        lines = [_explain(kind, error) for error in problem.errors(include_url=False)]
        raise UserError(f"{source}: " + " ".join(lines)) from None


def _explain(kind: type[Config], error: Any) -> str:
    path = [str(p) for p in error["loc"]]
    where = ".".join(path)
    if error["type"] == "extra_forbidden":
        owner = _model_at(kind, path[:-1])
        allowed = list(owner.model_fields) if owner else []
        return unknown("setting", path[-1], allowed, elsewhere(kind, path[-1], allowed)) + (
            f" (At {where}.)" if len(path) > 1 else ""
        )
    if error["type"] == "missing":
        return f"The setting {where!r} is needed and was not given."
    said = error["msg"].removeprefix("Value error, ")
    return f"{where} = {error['input']!r}: {said}." if where else f"{said}."


def elsewhere(kind: type[Config], given: str, allowed: Iterable[str]) -> str | None:
    """The full path of a setting that is called `given`, or nearly so where none of `allowed` is; None for no such."""
    by_name: dict[str, str] = {}
    for path in _paths(kind):
        by_name.setdefault(path.rpartition(".")[2], path)
    close = None if nearest(given, allowed) else nearest(given, by_name)
    return by_name.get(given) or by_name.get(close or "")


def _paths(kind: type[Config], above: str = "") -> Iterator[str]:
    """The dotted names of all settings, those nearer to the top first; of a part, the settings of the default one."""
    inside: list[tuple[type[Config], str]] = []
    for name, field in kind.model_fields.items():
        yield above + name
        inner = type(field.default) if isinstance(field.default, Config) else _model_at(kind, [name])
        if inner is not None:
            inside.append((inner, f"{above}{name}."))
    for inner, path in inside:
        yield from _paths(inner, path)


def _model_at(kind: type[Config], path: list[str]) -> type[Config] | None:
    for name in path:
        field = kind.model_fields.get(name)
        if field is None:
            return None
        options = [field.annotation, *typing.get_args(field.annotation)]
        models = [o for o in options if isinstance(o, type) and issubclass(o, Config)]
        if not models:
            return None
        kind = models[0]
    return kind


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError with the line where it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not a TOML file: {problem}.") from None


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables as one; where both hold a key, `above` wins, tables within tables alike. A part that `above` names
    otherwise (`name`) takes nothing over from the one below, whose settings are not its own."""
    out = dict(below)
    for key, value in above.items():
        mine = out.get(key)
        if isinstance(value, Mapping) and isinstance(mine, str):  # "linear", then schedule.warmup=0.1
            mine = {"name": mine}
        if isinstance(value, Mapping) and isinstance(mine, Mapping):
            another = "name" in value and "name" in mine and value["name"] != mine["name"]
            value = dict(value) if another else merge(mine, value)
        out[key] = value
    return out


def pairs(given: Iterable[str]) -> dict[str, Any]:
    """Tables from `a.b=value` texts. A value is read as TOML (3e-5, true, [1, 2]); what is not TOML is a text."""
    out: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set {text!r}: write it as name=value, for example train.lr=3e-5.")
        inner: Any = _value(value.strip())
        for name in reversed(key.strip().split(".")):
            inner = {name: inner}
        out = merge(out, inner)
    return out


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def describe(annotation: Any) -> str:
    """A type as a person writes it: `int`, `float`, `text`, for help texts."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(describe(a) for a in typing.get_args(annotation) if a is not type(None))
    return {str: "text", Path: "path"}.get(annotation, getattr(annotation, "__name__", str(annotation)))
