"""`build`: from files to a corpus. All cores make blocks, which are kept; then it is decided what stays."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.base.files import check_room, lock, read_json, room, write_folder, write_json
from maskwright.base.words import counted
from maskwright.data.corpus.assembling import assemble
from maskwright.data.corpus.blocks import LATER, Task, blocks, check_language
from maskwright.data.corpus.progress import Progress
from maskwright.data.corpus.reading import Reading
from maskwright.data.corpus.settings import CorpusSettings
from maskwright.data.corpus.shards import DERIVED, FACTS, FORMAT, SUMS, Corpus, part_of
from maskwright.data.corpus.sources import Found, check_places, find
from maskwright.data.corpus.workers import cores, make_all

PLAN = "plan.json"


class BuiltOtherwise(UserError):
    """What is there is of other input or settings, and `overwrite` was not said."""


def build(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    settings: CorpusSettings | Mapping[str, Any] | None = None,
    *,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    note: Callable[[str], None] | None = None,
) -> Corpus:
    """Make a corpus of text files and folders of them, in a folder `out`.

    The corpus is the same, to the byte, whatever the number of `workers` (processes; all cores by default) and however
    often the build was killed: `out.part` keeps the blocks that were finished, and `resume` goes on with them. Where
    `out` holds the corpus of the same input and settings already, that one is returned. `overwrite` replaces another
    one, and what an unfinished build left; the old corpus stays until the new one is whole. `note` is told, in a
    sentence each, what is worth knowing.

    Memory does not grow by the length of texts, as long ones come in parts of 4 million characters: prose takes at
    most 100 MB a process. It grows by their number: at most 10 bytes a sentence, 210 a document (80 where near
    duplicates are not looked for, 5,500 where each nearly repeats 31 others) and 700 a file.

    Raises UserError for input that cannot be read, where nothing is left, where nothing could be held out, for a
    folder that holds something else, and while another process builds into it.
    """
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not isinstance(settings, CorpusSettings):
        settings = parse(CorpusSettings, settings or {}, "the corpus")
    if workers is not None and workers < 1:
        raise UserError(f"workers = {workers}: at least one process is needed.")
    out, tell = _place(Path(out).expanduser()), note or (lambda sentence: None)
    check_places(inputs, out)
    check_language(settings.language)
    found = find(inputs)
    plan = _plan(found, settings)
    if (done := _finished(out, plan, overwrite)) is not None:
        tell(f"{out} holds the corpus of this input and these settings already.")
        return done
    with _held(part_of(out), plan, resume, overwrite) as part:
        kept = sum(1 for _ in part.glob("block-*.arrow"))
        if kept:
            tell(f"{counted(kept, 'block')} of an earlier session are kept.")
        paths = _make_blocks(found, settings, part, workers or cores(), quiet)
        write_folder(out, lambda folder: assemble(paths, folder, plan, settings, found.notes))
        shutil.rmtree(part)
    corpus = Corpus.open(out, verify=False)
    for sentence in corpus.facts["notes"]:
        tell(sentence)
    return corpus


def _place(out: Path) -> Path:
    """`out` with a name of its own, beside which there can be others; `.` has none."""
    return out if out.name not in ("", "..") else out.resolve()


def _plan(found: Found, settings: CorpusSettings) -> dict[str, Any]:
    """What a corpus follows from, and a digest of that."""
    versions = {name: metadata.version(name) for name in ("nupunkt", "pyarrow")}
    if settings.language is not None:
        versions["py3langid"] = metadata.version("py3langid")
    plan = {"format": FORMAT, "settings": settings.model_dump(mode="json"), "inputs": found.facts()}
    plan["versions"] = versions
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
    return {**plan, "fingerprint": digest}


def _finished(out: Path, plan: Mapping[str, Any], overwrite: bool) -> Corpus | None:
    """The corpus in `out` if it is the one that is asked for. Raises UserError for anything else that must stay."""
    if out.is_dir() and not _entries(out):
        return None
    if out.exists() and not (out / FACTS).is_file():
        raise UserError(f"{out} is there and is no corpus; nothing in it is touched. Give another --out.")
    if strange := [f.name for f in _entries(out) if f.name not in (FACTS, SUMS, *DERIVED) and f.suffix != ".arrow"]:
        raise UserError(f"{out} holds {strange[0]!r} beside a corpus; move it away, or give another --out.")
    with room(out):
        check_room(out)
    if overwrite or not out.exists():
        return None
    was = read_json(out / FACTS)
    if was.get("fingerprint") != plan["fingerprint"]:
        raise BuiltOtherwise(
            f"{out} holds a corpus that was built otherwise: {_differences(was, plan)}. Give another --out, or "
            "--overwrite to replace it."
        )
    return Corpus.open(out)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _held(part: Path, plan: Mapping[str, Any], resume: bool, overwrite: bool) -> Iterator[Path]:
    """The folder of an unfinished build, held against other processes, with this plan in it."""
    with room(part):
        check_room(part)
        part.mkdir(parents=True, exist_ok=True)
    handle = os.open(part, os.O_RDONLY)
    busy = f"Another process builds into {part}. Wait until it ends, or give another --out."
    try:
        lock(handle, busy)
        if not part.exists() or os.stat(part).st_ino != os.fstat(handle).st_ino:  # that process ended just now
            raise UserError(busy)
        _begin(part, plan, resume, overwrite)
        yield part
    finally:
        os.close(handle)


def _begin(part: Path, plan: Mapping[str, Any], resume: bool, overwrite: bool) -> None:
    mine = {name: plan[name] for name in ("format", "inputs", "versions")}
    mine["settings"] = {name: value for name, value in plan["settings"].items() if name not in LATER}
    was = read_json(part / PLAN) if (part / PLAN).is_file() else None
    strange = [f.name for f in part.iterdir() if not f.name.lstrip(".").startswith(("block-", PLAN))]
    if strange or (was is None and any(part.glob("block-*"))):
        raise UserError(f"{part} holds what is no block of a corpus ({', '.join(strange[:3])}). Move it away.")
    made = sorted(part.glob("block-*.arrow"))
    if made and not overwrite:
        assert was is not None
        if was != mine:
            raise BuiltOtherwise(
                f"{part} was begun otherwise: {_differences(was, mine)}. Go on with the same, or start anew by "
                "--overwrite."
            )
        if not resume:
            raise UserError(
                f"{part} holds {counted(len(made), 'block')} of a build that did not finish. Go on with it by "
                "--resume, or start anew by --overwrite."
            )
    if was != mine or (made and overwrite and not resume):
        for file in part.iterdir():
            file.unlink()
        write_json(part / PLAN, mine)


def _make_blocks(found: Found, settings: CorpusSettings, part: Path, workers: int, quiet: bool) -> list[Path]:
    """The files of all blocks in order; those that are there already were finished before."""
    reading = Reading(found, settings)
    paths: list[Path] = []

    def tasks() -> Iterator[Task]:
        for raws in blocks(reading):
            paths.append(part / f"block-{len(paths):06}.arrow")
            if not paths[-1].exists():
                yield Task(raws, paths[-1], settings)

    with Progress(sum(source.size for source in found.sources), quiet) as progress:
        for _ in make_all(tasks(), workers):
            progress.show(reading.position)
    return paths


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    out = []
    for part in ("settings", "versions"):
        one, other = was.get(part, {}), now[part]
        names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        out += [f"{name} was {one.get(name)!r} and is {other.get(name)!r}" for name in names]
    before, after = was.get("inputs", {"files": 0, "bytes": 0}), now["inputs"]
    if before != after:
        sizes = [f"{counted(some['files'], 'file')} of {some['bytes']:,} bytes" for some in (before, after)]
        same = " (with another content or other names)" if sizes[0] == sizes[1] else ""
        out.append(f"the input was {sizes[0]} and is {sizes[1]}{same}")
    return "; ".join(out) or "by another version of maskwright"
