"""What a benchmark tells of one case: its figures, what stands beside them, and the files that its judges take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.data.table import Table
from maskwright.evaluation.compare import PREDICTIONS
from maskwright.evaluation.figures import figure
from maskwright.finetuning._seeds import Trained
from maskwright.finetuning.benchmarks import CUT, Benchmark, Case, Way
from maskwright.finetuning.run import Run
from maskwright.runs import RunFolder
from maskwright.stats.measures import share

TESTED = "test"  #: the side that is reported on


def told_of(
    benchmark: Benchmark, case: Case, way: Way, run: Run, tables: Mapping[str, Table], encoder: str | None
) -> dict[str, Any]:
    """As JSON, what `results.json` has of a case. encoder: see `known_encoder`."""
    summary = run.summary
    return {
        "title": case.title,
        "layout": way.said,
        "reported": way.rows_reported(benchmark.reported),
        "rows": summary["reported"]["rows"],
        "metrics": list(case.metrics),
        "figures": {name: summary["figures"][name] for name in case.metrics if name in summary["figures"]},
        "further": _further(case, run, tables[TESTED]) if case.further else {},
        "also": {
            side: {"rows": each["rows"], "figures": {name: each["figures"][name] for name in case.metrics}}
            for side, each in summary.get("also", {}).items()
        },
        "baselines": _simple(summary["baselines"]),
        "verdict": summary["verdict"],
        "published": [vars(each) for each in case.published],
        "seen": encoder if encoder in case.seen else None,
        "notes": case.notes(way, tables),
    }


def _simple(baselines: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a constant answer, the first of the baselines, and of a linear model, whose name says that it is a
    regression; a task may have only the one, or neither."""
    linear = [other["figures"] for other in baselines if other["name"].endswith("regression")]
    return {
        **({"constant": baselines[0]["figures"]} if baselines else {}),
        **({"linear": linear[0]} if linear else {}),
    }


def _further(case: Case, run: Run, table: Table) -> dict[str, Any]:
    """The official metrics that the task does not tell, of the answers that each seed gave."""
    model, folder = run.model, RunFolder(run.folder)
    examples, said = model.task.examples(table, model.labels), []
    for seed in run.summary["seeds"]:
        one = Trained.found(seed, folder.seed(seed))
        assert one is not None, "a run that is complete has all of its seeds"
        said.append(model.task.decode(one.scores[TESTED], model.labels, one.calibration, examples))
    out = {}
    for name, measured in case.further.items():
        values = [measured(table, answers) for answers in said]
        out[name] = figure([share(each) for each in values], len(values[0]))
    return out


def submitted(made: Benchmark, case: Case, run: Run, tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    """The files that the benchmark's server takes of a case: names and contents. tables: of `Way.sent`."""
    for name, table in tables.items():
        sent = made.submission(case, list(run.model.stream(_rows(table))), table.column("id"))
        if sent is not None:
            yield name or sent[0], sent[1]


def predicted(
    made: Benchmark, case: Case, way: Way, run: Run, tables: Mapping[str, Table]
) -> Iterator[tuple[str, str]]:
    """The file that the benchmark's own program judges, where the rows that it knows are reported on."""
    table = tables.get(TESTED)
    if table is None or "id" not in table.columns or way.rows_reported(made.reported) == CUT:
        return
    lines = (run.folder / PREDICTIONS).read_text(encoding="utf-8").split("\n")
    found = made.predicted(case, [json.loads(line) for line in lines if line], table.column("id"))
    if found is not None:
        yield found


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    return ({name: cells[i] for name, cells in table.columns.items()} for i in range(len(table)))
