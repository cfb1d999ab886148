"""A whole benchmark in one call: each case fine-tuned with its seeds, one table of all, a file to submit.

Each case has a run folder of its own; a benchmark that was stopped goes on with the case that it was at.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.base.choice import resolve
from maskwright.base.config import merge
from maskwright.base.errors import UserError, unknown
from maskwright.base.files import read_json, write_json, write_text
from maskwright.data.table import Table
from maskwright.evaluation.evaluate import evaluate
from maskwright.finetuning._benchmark_table import page
from maskwright.finetuning.benchmarks import Benchmark, Case, Way
from maskwright.finetuning.run import Run, finetune
from maskwright.models import data_folder
from maskwright.stats.intervals import over_examples
from maskwright.stats.measures import share

RESULTS, PAGE, ZIP, SENT = "results.json", "README.md", "submission.zip", "submission"
BASELINE = ("name", "figures")  #: what is kept of one


@dataclass(frozen=True)
class Results:
    """All cases that were run, by name, as `results.json` has them; those whose rows were not found, in sentences."""

    benchmark: Benchmark
    folder: Path
    told: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def cases(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.told["cases"]
        return found


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
    what is done. Raises UserError where none of the cases is found, and where one that was named is not.
    """
    made, tell = resolve(Benchmark, name), say or (lambda _: None)
    folder, where = Path(out or f"runs/{made.name}"), data_folder(data)
    cases = _chosen(made, only)
    ways = {case.name: case.way(where) for case in cases}
    absent = [case for case in cases if ways[case.name] is None]
    if absent and (only or len(absent) == len(cases)):
        raise UserError(f"{where}: {' '.join(case.wanted() for case in absent)}")
    notes = [case.wanted() for case in absent]
    head = {"benchmark": made.name, "reported": made.reported, "model": model, "seeds": seeds}
    told = _begun(folder, {**head, "settings": dict(settings or {})})
    for case in cases:
        way = ways[case.name]
        if way is None:
            continue
        tell(f"{case.title}: {way.said}")
        run = _tuned(case, way, where, folder, model, seeds, settings or {}, resume, quiet)
        known = {**told["cases"], case.name: _told(case, way, run, where)}
        told["cases"] = {one.name: known[one.name] for one in made.cases() if one.name in known}
        for file, content in _submitted(made, case, way, run, where):
            (folder / SENT).mkdir(exist_ok=True)
            write_text(folder / SENT / file, content)
        write_json(folder / RESULTS, told)
        write_text(folder / PAGE, page(made, told))
    if (folder / SENT).is_dir():
        _zip(folder / ZIP, folder / SENT)
    return Results(made, folder, told, notes)


def _begun(folder: Path, head: dict[str, Any]) -> dict[str, Any]:
    """What an earlier call found with the same model, seeds and settings. Raises UserError where it had others."""
    if not (folder / RESULTS).exists():
        return {**head, "cases": {}}
    found: dict[str, Any] = read_json(folder / RESULTS)
    other = next((name for name, value in head.items() if found.get(name) != value), None)
    if other is not None:
        raise UserError(
            f"{folder} holds a benchmark whose {other} was {found.get(other)!r} and is {head[other]!r}. Give another "
            "--out."
        )
    return found


def _chosen(made: Benchmark, only: Sequence[str]) -> Sequence[Case]:
    cases = made.cases()
    names = [case.name for case in cases]
    for name in only:
        if name not in names:
            raise UserError(unknown(f"case of {made.title}", name, names))
    return [case for case in cases if not only or case.name in only]


def _tuned(
    case: Case, way: Way, where: Path, folder: Path, model: str, seeds: int, settings: Mapping[str, Any], resume: bool,
    quiet: bool,
) -> Run:  # fmt: skip
    tables, there = way.tables(where), (folder / case.name).exists()
    return finetune(
        train=tables["train"], eval=tables.get("eval"), test=tables.get("test"),
        task={**case.task, **way.task}, model=model, out=folder / case.name, seeds=seeds,
        settings=merge(settings_of(case, way), settings), resume=resume and there, quiet=quiet,
    )  # fmt: skip


def settings_of(case: Case, way: Way) -> dict[str, Any]:
    """What a case is trained with, and how what is missing is cut from its training rows."""
    data: dict[str, Any] = {}
    if way.shares is not None:
        data = {"eval_share": way.shares[0], "test_share": way.shares[1]}
    if way.group is not None:
        data["group"] = way.group
    return merge(merge(case.options, case.settings), {"data": data} if data else {})


def _told(case: Case, way: Way, run: Run, where: Path) -> dict[str, Any]:
    summary = run.summary
    found: dict[str, Any] = {
        "title": case.title,
        "layout": way.said,
        "cut": way.cut or way.shares is not None,
        "rows": summary["reported"]["rows"],
        "metrics": list(case.metrics),
        "figures": {name: summary["figures"][name] for name in case.metrics if name in summary["figures"]},
        "baselines": [{name: other[name] for name in BASELINE} for other in summary["baselines"]],
        "verdict": summary["verdict"],
        "published": [vars(each) for each in case.published],
        "seen": list(case.seen),
        "note": case.note,
    }
    if case.further:
        table = way.tables(where)["test"]
        answers = list(run.model.stream(_rows(table)))
        values = {name: list(measured(table, answers)) for name, measured in case.further.items()}
        found["further"] = {name: over_examples(share(each), len(each)).plain() for name, each in values.items()}
    others = {name: rows for name, rows in way.also.items() if rows.paths(where)}
    if others:
        tables = way.tables(where)
        judged = {name: evaluate(run.model, tables[name]) for name in others}
        found["also"] = {name: {"rows": each.rows, "figures": each.figures} for name, each in judged.items()}
    return found


def _submitted(made: Benchmark, case: Case, way: Way, run: Run, where: Path) -> Iterator[tuple[str, str]]:
    """The files that the benchmark's server takes of a case, as far as their rows are there."""
    sides = [(None, way.submit)] if way.submit is not None else []
    for name, rows in [*sides, *way.submit_too.items()]:
        if not rows.paths(where):
            continue
        table: Table = rows.table(where)
        sent = made.submission(case, list(run.model.stream(_rows(table))), table.column("id"))
        if sent is not None:
            yield name or sent[0], sent[1]


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    return ({name: cells[i] for name, cells in table.columns.items()} for i in range(len(table)))


def _zip(path: Path, folder: Path) -> None:
    """The files of a folder; the same bytes each time: no clock in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0)), file.read_text(encoding="utf-8"))
