"""A whole benchmark in one call: each case fine-tuned with its seeds, one table of all, a file to submit.

Each case has a run folder of its own; a benchmark that was stopped goes on inside the case that it was at, and leaves
those that are finished as they are. A case that cannot be run is told and does not end the others.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.base.choice import resolve
from maskwright.base.config import merge
from maskwright.base.errors import UserError, unknown
from maskwright.base.files import read_json, write_json, write_text
from maskwright.data.table import Table
from maskwright.finetuning._benchmark_case import predicted, submitted, told_of
from maskwright.finetuning._benchmark_table import page
from maskwright.finetuning.benchmarks import Benchmark, Case, Way, digest, digests, known_encoder
from maskwright.finetuning.run import Run, finetune
from maskwright.models import data_folder, limit
from maskwright.runs import RunFolder
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head

FORMAT = 3  #: of results.json
RESULTS, PAGE, ZIP = "results.json", "README.md", "submission.zip"
SENT, PREDICTED = "submission", "predictions"  #: folders of what a server takes, and of what a program judges


@dataclass(frozen=True)
class Results:
    """All cases that were run, by name, as `results.json` has them; those whose rows were not found, in sentences; what
    kept others from being run, by their title."""

    benchmark: Benchmark
    folder: Path
    told: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.told["cases"]
        return found


@dataclass(frozen=True)
class _Asked:
    """What all cases of a call share. data: as it was given; where: its folder; encoder: the digest of the
    model's."""

    made: Benchmark
    data: str
    where: Path
    folder: Path
    model: str
    encoder: str
    seeds: int
    settings: Mapping[str, Any]
    resume: bool
    quiet: bool
    limit: int | None  #: tokens that the model can read


def benchmark(
    name: str | Benchmark,
    data: str | Path,
    *,
    out: str | Path | None = None,
    model: str = "minilm",
    only: Sequence[str] = (),
    seeds: int = 3,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> Results:
    """Fine-tune `model` on the cases of a benchmark whose rows lie in the folder `data`, or in a set on the hub
    (owner/name).

    out: runs/NAME by default. only: names of cases. settings: as those of `finetune`, on top of each case's. say: told
    what is done. Raises UserError where none of the cases is found or can be run, and where one that was named is not
    found.
    """
    made, tell = resolve(Benchmark, name), say or (lambda _: None)
    folder, where = Path(out or f"runs/{made.name}"), data_folder(data)
    given = settings or {}
    _check(given)
    cases = _chosen(made, only)
    encoder = "" if given.get("weights") == "random" else digest(model)
    asked = _Asked(made, str(data), where, folder, model, encoder, seeds, given, resume, quiet, limit(model))
    ways = {case.name: way for case in cases if (way := case.way(where)) is not None}
    absent = [case.wanted() for case in cases if case.name not in ways]
    if absent and (only or not ways):
        raise UserError(f"{where}: {' '.join(absent)}")
    found = [(case, ways[case.name]) for case in cases if case.name in ways]
    told = _begun(asked)
    _may_go_on(asked, ways, told)
    encoder = known_encoder(model) if any(case.seen for case, _ in found) else None
    failed: dict[str, str] = {}
    for case, way in found:
        tell(f"{case.title}: {way.said}")
        told["failed"].pop(case.title, None)
        try:
            told["cases"] |= {case.name: _case(asked, case, way, told["cases"].get(case.name), encoder)}
        except UserError as problem:
            failed[case.title] = told["failed"][case.title] = str(problem)
            tell(f"{case.title} was not run: {problem}")
        _write(asked, told)
    if len(failed) == len(found):
        raise UserError(sentences(failed))
    return Results(made, folder, told, absent, failed)


def sentences(failed: Mapping[str, str]) -> str:
    """What kept cases from being run; once where it is the same for all."""
    same = set(failed.values())
    return same.pop() if len(same) == 1 else " ".join(f"{title}: {problem}" for title, problem in failed.items())


def settings_of(case: Case, way: Way) -> dict[str, Any]:
    """What a case is trained with, and how what is missing is cut from its training rows."""
    data: dict[str, Any] = {}
    if way.shares is not None:
        data = {"eval_share": way.shares[0], "test_share": way.shares[1]}
    if way.group is not None:
        data["group"] = way.group
    return merge(merge(merge(case.options, case.settings), way.settings), {"data": data} if data else {})


def _chosen(made: Benchmark, only: Sequence[str]) -> Sequence[Case]:
    cases = made.cases()
    names = [case.name for case in cases]
    for name in only:
        if name not in names:
            raise UserError(unknown(f"case of {made.title}", name, names))
    return [case for case in cases if not only or case.name in only]


def _check(settings: Mapping[str, Any]) -> None:
    """Raises UserError for settings that are the benchmark's own, and would be another's than its page says."""
    taken = next((name for name in ("model", "seeds", "out") if name in settings), None)
    if taken is not None:
        raise UserError(f"{taken} is one for all cases of a benchmark: give --{taken} in the place of --set {taken}=.")


def _begun(asked: _Asked) -> dict[str, Any]:
    """What an earlier call found with the same weights, seeds and settings. Raises UserError where it had others."""
    head: dict[str, Any] = {"format": FORMAT, "benchmark": asked.made.name, "model": asked.model}
    head |= {"encoder": asked.encoder, "seeds": asked.seeds, "settings": dict(asked.settings)}
    head = json.loads(json.dumps(head, default=str))  # as it will be read
    if not (asked.folder / RESULTS).exists():
        return {**head, "cases": {}, "failed": {}}
    found: dict[str, Any] = read_json(asked.folder / RESULTS)
    other = next((name for name, value in head.items() if found.get(name) != value), None)
    if other is not None:
        raise UserError(
            f"{asked.folder} holds a benchmark whose {other} was {found.get(other)!r} and is {head[other]!r}. Give "
            "another --out."
        )
    return found


def _may_go_on(asked: _Asked, ways: Mapping[str, Way], told: Mapping[str, Any]) -> None:
    """Raises UserError, before anything is run, where a case was begun and that was not said, or of other rows."""
    for name, way in ways.items():
        folder, before = asked.folder / name, told["cases"].get(name)
        if not folder.exists():
            continue
        if not asked.resume:
            raise UserError(f"{folder} already holds a run. Go on by --resume, or give another --out.")
        if before is not None and before["files"] != digests(asked.where, way.sides(asked.where)):
            raise UserError(
                f"{folder} was made of rows in {before['data']} ({before['layout']}); those in {asked.data} "
                f"({way.said}) are others. Give another --out, or delete that folder to begin the case anew."
            )


def _case(asked: _Asked, case: Case, way: Way, before: Mapping[str, Any] | None, encoder: str | None) -> dict[str, Any]:
    """What is told of a case, with what it was made of; run and judged only where that was not done before."""
    made_of = {
        "data": asked.data,
        "files": digests(asked.where, way.sides(asked.where)),
        "unlabelled": digests(asked.where, way.sent(asked.where)),
    }
    if before is not None and _is_finished(asked, case, before, made_of):
        return {**before, **made_of}
    tables, (settings, shorter) = way.tables(asked.where), _fitting(asked, settings_of(case, way))
    unlabelled = {name: rows.table(asked.where) for name, rows in way.sent(asked.where).items()}
    run = finetune(
        train=tables["train"], eval=tables.get("eval"), test=tables.get("test"),
        also={side: tables[side] for side in way.also if side in tables}, task={**case.task, **way.task},
        model=asked.model, out=asked.folder / case.name, seeds=asked.seeds,
        settings=settings, resume=asked.resume, quiet=asked.quiet,
    )  # fmt: skip
    told = told_of(asked.made, case, way, run, tables, encoder)
    told["notes"] += shorter
    return {**told, **made_of, "sent": _sent(asked, case, way, run, tables, unlabelled)}


def _fitting(asked: _Asked, usual: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a case is trained with; a note where an encoder cannot read as much of a text as the case usually has."""
    found = merge(usual, asked.settings)
    length = usual.get("max_length")
    if resolve(Long, found.get("long", Head())).whole and "max_length" not in asked.settings:
        return {**found, "max_length": None}, []
    if (
        length is None
        or asked.limit is None
        or length <= asked.limit
        or {"max_length", "positions"} & {*asked.settings}
    ):
        return found, []
    note = f"at most {asked.limit} pieces of a text are read at a time, all that the encoder takes; usual are {length}"
    return {**found, "max_length": asked.limit}, [note]


def _is_finished(asked: _Asked, case: Case, before: Mapping[str, Any], made_of: Mapping[str, Any]) -> bool:
    same = all(before[name] == made_of[name] for name in ("files", "unlabelled"))
    there = all((asked.folder / file).exists() for file in before["sent"])
    return same and there and RunFolder(asked.folder / case.name).complete


def _sent(
    asked: _Asked, case: Case, way: Way, run: Run, tables: Mapping[str, Table], unlabelled: Mapping[str, Table]
) -> list[str]:
    """Writes the files that judges take. Returns their paths in the benchmark's folder."""
    files = {
        SENT: submitted(asked.made, case, run, unlabelled),
        PREDICTED: predicted(asked.made, case, way, run, tables),
    }
    out = []
    for folder, each in files.items():
        for name, content in each:
            write_text(asked.folder / folder / name, content)
            out.append(f"{folder}/{name}")
    return out


def _write(asked: _Asked, told: dict[str, Any]) -> None:
    """results.json, the page, and the archive of what is to be sent; nothing while no case has come through."""
    if not told["cases"]:
        return
    told["cases"] = {one.name: told["cases"][one.name] for one in asked.made.cases() if one.name in told["cases"]}
    write_json(asked.folder / RESULTS, told)
    write_text(asked.folder / PAGE, page(asked.made, told))
    if (asked.folder / SENT).is_dir():
        _zip(asked.folder / ZIP, asked.folder / SENT)


def _zip(path: Path, folder: Path) -> None:
    """The files of a folder; the same bytes each time: no clock in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, file.read_text(encoding="utf-8"), zipfile.ZIP_DEFLATED)
