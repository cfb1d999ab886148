"""Pages of the site that lie outside of `docs/`, or that are made from the source while it is built.

mkdocs calls the functions `on_...` (see `hooks` in mkdocs.yml). Everything else here runs without it, for the tests.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

REPOSITORY = Path(__file__).parents[1]

#: Pages of the site that are files of the repository, by their name there.
ELSEWHERE = {
    "index.md": "README.md",
    "architecture.md": "ARCHITECTURE.md",
    "measurements.md": "bench/RESULTS.md",
    "changelog.md": "CHANGELOG.md",
}
SOURCE = "src/maskwright"
#: Code, which stays as it is, or the target of a link.
_LINK = re.compile(r"(?P<code>^( *)(```+|~~~+).*?^\2\3[ ]*$|`[^`\n]+`)|(?<=\]\()(?P<target>[^)\s]+)", re.M | re.S)


def on_config(config: Any) -> Any:
    config.nav = navigation(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(REPOSITORY / source).read_text(encoding="utf-8")))
    for page, make in MADE.items():
        files.append(File.generated(config, page, content=make()))
    for source in sorted((REPOSITORY / SOURCE).rglob("*.py")):  # to which pages lead, as they are
        name = source.relative_to(REPOSITORY).as_posix()
        files.append(File.generated(config, name, content=source.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return moved(markdown, page.file.src_uri)


def navigation(nav: list[Any]) -> list[Any]:
    """`nav` of mkdocs.yml, in which a pattern such as `decisions/*.md` stands for all files that it finds."""
    out: list[Any] = []
    for entry in nav:
        ((title, target),) = entry.items() if isinstance(entry, dict) else ((None, entry),)
        if isinstance(target, list):
            out.append({title: navigation(target)})
        elif "*" in target:
            found = sorted((REPOSITORY / "docs").glob(target), key=lambda path: (path.stem != "README", path.name))
            out += [path.relative_to(REPOSITORY / "docs").as_posix() for path in found]
        else:
            out.append(entry)
    return out


def moved(markdown: str, page: str) -> str:
    """The text of a page with links that are right in the repository turned into links that are right in the site."""
    homes = {source: name for name, source in ELSEWHERE.items()}
    here = posixpath.dirname(ELSEWHERE.get(page, f"docs/{page}"))

    def move(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or target.startswith("#") or re.match(r"[a-z][a-z0-9+.-]*:", target):
            return match[0]
        path, hash_, anchor = target.partition("#")
        source = posixpath.normpath(posixpath.join(here, path))
        home = homes.get(source) or (source.removeprefix("docs/") if source.startswith("docs/") else None)
        if source.startswith(f"{SOURCE}/"):
            home = source
        if home is None:  # not a page: the strict build says so
            return target
        return posixpath.relpath(home, posixpath.dirname(page) or ".") + hash_ + anchor

    return _LINK.sub(move, markdown)


def command_line() -> str:
    """Every verb with its options, as `--help` has them."""
    from maskwright.cli.main import tree, verbs

    intro = (
        "What `maskwright VERB --help` says, for each verb. Settings that have no option: [run files](run_files.md)."
    )
    return "\n".join(["# Command line", "", intro, *_command("maskwright", tree(verbs()))])


def _command(path: str, command: Any) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner:
        records = [r for r in (p.get_help_record(context) for p in command.get_params(context)) if r]
        yield from ("", f"## {path}", "", _plain(inspect.cleandoc(command.help or "")), "")
        yield from ("```text", " ".join([path, *command.collect_usage_pieces(context)]), "```", "")
        yield from (f"- `{name}`: {_plain(words)}" for name, words in records)
    for name, verb in inner.items():
        yield from _command(f"{path} {name}", verb)


def run_files() -> str:
    """Every setting of a run, from the fields that hold them."""
    from maskwright.base.choice import Part
    from maskwright.base.config import Config
    from maskwright.finetuning.settings import Finetune

    intro = (
        "What a run file of `maskwright finetune` may say; `--set train.lr=3e-5` and keyword arguments reach the same "
        "names. Where a part is named, its own settings stand beside its `name` in a table."
    )
    lines = ["# Run files", "", intro, "", "## At the top", ""]
    tables: dict[str, type[Config]] = {}
    for name, field in Finetune.model_fields.items():
        if isinstance(field.default, Config) and not isinstance(field.default, Part):
            tables[name] = type(field.default)
        else:
            lines += _setting(name, field)
    for name, table in tables.items():
        lines += ["", f"## `[{name}]`", ""]
        lines += [line for key, field in table.model_fields.items() for line in _setting(key, field)]
    return "\n".join(lines)


def _setting(name: str, field: Any, indent: str = "") -> Iterator[str]:
    from maskwright.base.choice import Part, find, names

    default = field.default.name if isinstance(field.default, Part) else field.default
    known = "" if field.is_required() else f" (default: `{'none' if default is None else default}`)"
    words = f": {_plain(field.description)}" if field.description else ""
    yield f"{indent}- `{name}`{known}{words}"
    for contract in _contracts(field.annotation):
        for part in names(contract):
            yield f"{indent}    - `{part}`"
            for key, own in find(contract, part).model_fields.items():
                yield from _setting(key, own, indent + " " * 8)


def _contracts(annotation: Any) -> Iterator[Any]:
    """The contracts of parts in a type: `Schedule`, or `Tracker | None`."""
    from maskwright.base.choice import Part

    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _contracts(inner)


def _plain(text: str) -> str:
    """Text whose `<` Markdown would take for HTML; in code it would not."""
    return re.sub(r"`[^`]*`|<", lambda found: "&lt;" if found[0] == "<" else found[0], text)


def python() -> str:
    """The names of `import maskwright`, and what the functions among them return."""
    import maskwright

    public = {name: getattr(maskwright, name) for name in maskwright.__all__ if name != "__version__"}
    listed: dict[str, Any] = {f"maskwright.{name}": found for name, found in sorted(public.items())}
    for found in public.values():
        given = None if inspect.isclass(found) else inspect.signature(found, eval_str=True).return_annotation
        if inspect.isclass(given) and given.__module__.startswith("maskwright"):
            listed.setdefault(given.__name__, given)
    lines = ["# Python", "", "All that `import maskwright` gives, and the objects that come back."]
    for heading, found in listed.items():
        lines += ["", f"::: {found.__module__}.{found.__qualname__}"]
        lines += ["    options:", f"      heading: {heading}", f"      toc_label: {heading}"]
    return "\n".join(lines)


#: Pages that are made from the source.
MADE: dict[str, Callable[[], str]] = {"cli.md": command_line, "run_files.md": run_files, "python.md": python}
