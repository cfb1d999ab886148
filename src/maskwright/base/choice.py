"""`Choice[Contract]`: one typed way to name a swappable part.

A folder is the registry. Its contract stands in a file that starts with `_`; every other file holds one part, a
class that inherits from the contract, and the file's name (with `-` for `_`) is the part's public name. A field typed
`Choice[Contract]` accepts a name, a table with `name` and settings, or an instance, and writes itself out whole::

    schedule: Choice[Schedule] = Linear()
    # "cosine"   {"name": "cosine", "warmup": 0.06}   Cosine(warmup=0.06)   "my_package.schedules:Sawtooth"

A part from outside the tree is named by dotted path, `package.module:Class`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError, unknown

P = TypeVar("P", bound="Part")


class Part(Config):
    """A swappable part: frozen settings and the behaviour that they steer."""

    called: ClassVar[str | None] = None  #: what a person calls such a part, where the class's name does not say it

    @property
    def name(self) -> str:
        """The name that finds this part again: its file's, or a dotted path for a part from outside."""
        return name_of(type(self))


def folder_of(contract: type[Part]) -> str:
    """The package whose files are the parts of `contract`."""
    return contract.__module__.rpartition(".")[0]


def contract_of(part: type[Part]) -> type[Part]:
    """The class that a part was made to: the highest one below `Part` in its ancestry."""
    return next(c for c in reversed(part.__mro__) if issubclass(c, Part) and c is not Part)


def name_of(part: type[Part]) -> str:
    folder, _, stem = part.__module__.rpartition(".")
    if folder == folder_of(contract_of(part)) and not stem.startswith("_"):
        return stem.replace("_", "-")
    return f"{part.__module__}:{part.__qualname__}"


def names(contract: type[Part]) -> list[str]:
    """All names in the contract's folder, sorted."""
    package = importlib.import_module(folder_of(contract))
    found = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg)
    return sorted(n.replace("_", "-") for n in found if not n.startswith("_"))


def find(contract: type[P], name: str) -> type[P]:
    """The class called `name`. Raises UserError that lists the names when there is none."""
    if ":" in name or "." in name:
        return _from_outside(contract, name)
    if name not in names(contract):
        raise UserError(
            unknown(contract.called or contract.__name__.lower(), name, names(contract))
            + " One of your own is named by its dotted path, package.module:Class."
        )
    module = importlib.import_module(f"{folder_of(contract)}.{name.replace('-', '_')}")
    parts = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, contract) and c.__module__ == module.__name__
    ]
    assert len(parts) == 1, f"{module.__name__} must hold exactly one {contract.__name__}, it holds {parts}"
    return parts[0]


def _from_outside(contract: type[P], path: str) -> type[P]:
    module_name, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as problem:
        raise UserError(f"{path!r} could not be imported: {problem}. Give package.module:Class.") from problem
    if not (isinstance(found, type) and issubclass(found, contract)):
        raise UserError(f"{path!r} is not a {contract.__module__}.{contract.__name__}; inherit from that class.")
    return found


def resolve(contract: type[P], given: Any) -> P:
    """A part from a name, a table with `name`, or an instance (returned as it is)."""
    if isinstance(given, contract):
        return given
    if isinstance(given, str):
        given = {"name": given}
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UserError(
            f"{_article(contract.__name__.lower())} is a name or a table with `name`; given: {given!r}. "
            f"Allowed: {', '.join(names(contract))}."
        )
    settings = dict(given)
    name = settings.pop("name")
    return parse(find(contract, name), settings, source=f"{contract.__name__.lower()} {name!r}")


def dump(part: Part) -> dict[str, Any]:
    """The table that `resolve` turns back into an equal part."""
    return {"name": part.name, **part.model_dump(mode="json")}


class _Choice:
    """Teaches pydantic to read and write a part whole; without it a subclass's own fields are lost on the way out."""

    def __get_pydantic_core_schema__(self, source: type[Part], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda given: resolve(source, given),
            serialization=core_schema.plain_serializer_function_ser_schema(dump),
        )


T = TypeVar("T")
Choice = Annotated[T, _Choice()]


def _article(noun: str) -> str:
    return f"{'An' if noun[0] in 'aeiou' else 'A'} {noun}"
