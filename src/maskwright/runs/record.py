"""What a run wrote about itself, read back for those who show it: the page, the card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.base.words import counted
from maskwright.runs.folder import RunFolder


@dataclass(frozen=True)
class Record:
    """The facts of a run folder as plain values. What the folder lacks is empty here; what is damaged is said."""

    path: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    data: dict[str, Any]
    model: dict[str, Any]  #: model/config.json and, under "maskwright", model/maskwright.json
    logs: dict[int, list[dict[str, Any]]]  #: the lines of log.jsonl by seed
    started: datetime | None  #: by the clock of the first seed
    problems: tuple[str, ...]  #: one sentence for each thing that could not be read

    @staticmethod
    def read(folder: str | Path) -> Record:
        """Raises UserError when the folder holds no run, or its config.json or metrics.json cannot be read."""
        run = RunFolder(Path(folder))
        if not run.path.is_dir() or not run.is_run:
            raise UserError(
                f"{folder} is no run of maskwright: it holds no config.json with settings and data. Give the folder "
                "that --out named."
            )
        logs: dict[int, list[dict[str, Any]]] = {}
        problems = []
        for file in sorted(run.path.glob("seeds/*/log.jsonl"), key=lambda f: (len(f.parent.name), f.parent.name)):
            if file.parent.name.isdecimal():
                logs[int(file.parent.name)], torn = _lines(file)
                problems += (
                    [f"{file.relative_to(run.path)}: {counted(torn, 'line')} could not be read."] if torn else []
                )
        return Record(
            path=run.path,
            config=table(read_json(run.config)),
            metrics=_table_in(run.metrics),
            data=_table_in(run.path / "data.json"),
            model=_table_in(run.model / "config.json") | {"maskwright": _table_in(run.model / "maskwright.json")},
            logs=logs,
            started=_started([run.seed(seed) / "timings.jsonl" for seed in logs]),
            problems=tuple(problems),
        )

    @property
    def settings(self) -> dict[str, Any]:
        return table(self.config.get("settings"))

    @property
    def task(self) -> str:
        return str(self.metrics.get("task") or table(self.settings.get("task")).get("name") or "a task")

    @property
    def base(self) -> str:
        """The model that it started from."""
        return str(self.metrics.get("base") or self.settings.get("model") or "a model")

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Metrics and counts by split. A summary of one seed is these alone."""
        found = self.metrics if self.metrics.keys().isdisjoint({"task", "metrics"}) else self.metrics.get("metrics")
        return {name: table(values) for name, values in table(found).items()}

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """The reported figures with their intervals, the main one first."""
        found = {n: table(f) for n, f in table(self.metrics.get("figures")).items() if "value" in table(f)}
        main = self.metrics.get("main")
        return {main: found[main], **found} if isinstance(main, str) and main in found else found

    @property
    def answered(self) -> list[tuple[str, dict[str, dict[str, Any]]]]:
        """The figures by who gave the answers, this model ("") first: in some pre-trainings another network does."""
        asked = table(self.metrics.get("asked"))
        if not asked.get("who"):
            return [("", self.figures)]
        own = {name: figure for name, figure in self.figures.items() if name in listed(asked.get("beside"))}
        return [("", own), (str(asked["who"]), {n: f for n, f in self.figures.items() if n not in own})]

    @property
    def seeds(self) -> list[int]:
        return [seed for seed in listed(self.metrics.get("seeds")) if isinstance(seed, int)] or list(self.logs)

    @property
    def whole(self) -> bool:
        """Whether metrics.json holds every figure of the page; a run that is not finished, or an older one, has some of
        them in other files alone."""
        return self.metrics.keys() >= {"data", "notes", "training"}

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Where the rows of each split came from: source, rows, sha256."""
        found = table(self.metrics.get("data")).get("sources") if self.whole else self.config.get("data")
        return {name: table(values) for name, values in table(found).items()}

    @property
    def notes(self) -> list[Any]:
        """What there was to say before training and during it."""
        return listed((self.metrics if self.whole else self.config).get("notes"))

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Facts about the data, the most serious first."""
        given = table(self.metrics.get("data")) if self.whole else self.data
        found = [f for f in map(table, listed(given.get("findings"))) if f]
        return sorted(found, key=lambda f: SEVERITY.index(f["severity"]) if f.get("severity") in SEVERITY else 3)


SEVERITY = ("error", "warning", "fact")
LOG = "seeds/<n>/log.jsonl"


def table(value: Any) -> dict[str, Any]:
    """A table of JSON, or an empty one where there is none."""
    return dict(value) if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """A list of JSON, or an empty one where there is none."""
    return value if isinstance(value, list) else []


def _table_in(file: Path) -> dict[str, Any]:
    return table(read_json(file)) if file.is_file() else {}


def _lines(file: Path) -> tuple[list[dict[str, Any]], int]:
    """The tables in a file of JSON lines, and how many lines are none: a killed run may leave half a line."""
    out, torn = [], 0
    for text in file.read_bytes().splitlines():
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            out.append(found)
        else:
            torn += 1
    return out, torn


def _started(files: list[Path]) -> datetime | None:
    """The first moment on the clocks of a run."""
    times = [row["time"] for file in files if file.is_file() for row in _lines(file)[0][:1] if _is_time(row)]
    return datetime.fromtimestamp(min(times), UTC) if times else None


def _is_time(row: Mapping[str, Any]) -> bool:
    time = row.get("time")
    return isinstance(time, int | float) and 0 < time < 1e11
