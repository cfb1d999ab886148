"""`report.html`: one page that says what a run found, made from the files of its folder and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import write_text
from maskwright.base.words import counted
from maskwright.runs import _pictures, shapes
from maskwright.runs._drawing import ROWS, cut, draw
from maskwright.runs._page import Section, e, items, page, paragraphs, table, terms
from maskwright.runs._words import calibration, flat, line, opening, promise
from maskwright.runs.curves import training
from maskwright.runs.record import LOG, SEVERITY, Record, listed
from maskwright.runs.record import table as table_of
from maskwright.runs.shapes import Cell, Curve, Histogram, Table
from maskwright.stats.intervals import Interval

LIMIT = 3_000_000  #: bytes of a page; facts that would pass it are named and left in metrics.json
PART = 300_000  #: bytes of any other section
TITLES = 20_000  #: bytes kept free to name the facts that are left out
SENTENCES = 100  #: notes, or findings of one severity
SYSTEMS = 12  #: baselines in the table and the picture
COLUMNS = 12  #: metrics in the table
LABELS = 50
PLACES = 10  #: rows that a finding names
#: What is counted beside the metrics of a split, in words.
COUNTS = {
    "rows": "rows",
    "texts_cut": "texts that were cut",
    "pieces_cut": "pieces cut off them",
    "unknown_pieces": "pieces not in the vocabulary",
}
COUNTED = "Rows and pieces of every split"
PLURAL = {"error": "Errors", "warning": "Warnings", "fact": "Facts"}


def report(folder: str | Path) -> str:
    """The page of a run as text. Raises UserError when the folder holds no run.

    It stands alone: no script, nothing fetched, pictures inside, every text escaped, under LIMIT bytes. What a folder
    lacks is left out. The same folder gives the same page.
    """
    record = Record.read(folder)
    before = [
        _section("figures", "Figures", _figures(record), "metrics.json"),
        _section("training", "Training", _training(record), LOG),
    ]
    after = [
        _section("data", "Data", _data(record), "data.json"),
        _section("notes", "Notes", _notes(record), "config.json"),
        _section("settings", "Settings", _terms(record.settings, "settings"), "config.json"),
        _section("machine", "Versions and machine", _machine(record), "config.json"),
        _section("repeat", "Repeat it", _command(record), "config.json"),
    ]
    room = LIMIT - TITLES - len(_page(record, [*before, *after]).encode())
    return _page(record, [*before, Section("details", "In detail", _facts(record, room)), *after])


def write_report(folder: str | Path) -> Path:
    """Write `report.html` into a run's folder, in the place of an older one. Returns its path."""
    path = Path(folder) / "report.html"
    write_text(path, report(folder))
    return path


def _page(record: Record, sections: Sequence[Section]) -> str:
    title = f"{record.task} with {line(record.base, 80)}"
    foot = "Every figure here is read from config.json, metrics.json, data.json and log.jsonl in this run's folder."
    if record.whole:
        foot = "Every figure here stands in metrics.json too, in this run's folder; settings, versions and the machine "
        foot += "are those of config.json."
    return page(f"{title} - maskwright", _top(record, title), sections, foot)


def _section(name: str, title: str, body: str, whole: str) -> Section:
    """A section, unless it would crowd out the page."""
    if len(body.encode()) > PART:
        body = f'<p class="cut">Left out, as this page would be too large; it is in {e(whole)}.</p>\n'
    return Section(name, title, body)


def _top(record: Record, title: str) -> str:
    """Title, date and size, and the verdict."""
    facts = [e(record.path.resolve().name, 80)]
    if record.started is not None:
        day = f"{record.started.day} {record.started:%B %Y}"
        facts.append(f'<time datetime="{record.started:%Y-%m-%dT%H:%M:%SZ}">{day}</time>')
    if record.seeds:
        facts.append(counted(len(record.seeds), "seed"))
    reported = table_of(record.metrics.get("reported"))
    if isinstance(reported.get("rows"), int):
        rows, split = counted(reported["rows"], str(reported.get("of", "row"))), e(reported.get("split", ""), 40)
        facts.append(f"judged on {rows} ({split}) of {e(reported.get('source', 'the data'), 120)}")
    said = listed(record.metrics.get("verdict"))
    verdict = paragraphs(map(opening, said[:10])) + cut("sentences", 10, len(said))
    if not record.metrics:
        verdict = paragraphs(["This run is not finished: it has no metrics.json yet."])
    return (
        '<p class="eyebrow">maskwright</p>\n'
        f"<h1>{e(title[:1].upper() + title[1:], 160)}</h1>\n"
        f'<p class="facts-line soft">{" · ".join(facts)}</p>\n'
        + (f'<section class="verdict" aria-label="Verdict">\n{verdict}</section>' if verdict else "")
    )


def _figures(record: Record) -> str:
    """This run beside the baselines, each seed, calibration, and every split."""
    found = list(calibration(table_of(record.metrics.get("calibration"))))
    fitted = terms(found[:ROWS]) + cut("measures", ROWS, len(found))
    fitted = f"<h3>Calibration</h3>\n{fitted}" if found else ""
    return _beside(record) + _each_seed(record) + fitted + _splits(record)


def _beside(record: Record) -> str:
    metrics = list(record.figures)[:COLUMNS]
    if not metrics:
        return ""
    baselines = [b for b in map(table_of, listed(record.metrics.get("baselines"))) if b]
    ours = f"this run, mean of {counted(len(record.seeds), 'seed')}" if len(record.seeds) > 1 else "this run"
    systems = [(who or ours, figures) for who, figures in record.answered]
    systems += [(str(b.get("name", "a baseline")), table_of(b.get("figures"))) for b in baselines[:SYSTEMS]]
    found = [(name, [shapes.cell(figures.get(metric, "")) for metric in metrics]) for name, figures in systems]
    dots = [(name, _interval(cells[0])) for name, cells in found]
    drawn = [(name, dot) for name, dot in dots if dot is not None]
    return (
        table("Figures", ["", *metrics], [[name, *cells] for name, cells in found], first=True)
        + cut("metrics", COLUMNS, len(record.figures))
        + cut("baselines", SYSTEMS, len(baselines))
        + paragraphs([_promises(found)], "note")
        + f"<figure>{_pictures.intervals('Figures', metrics[0], drawn)}</figure>\n"
        + paragraphs(opening(b.get("sentence")) for b in baselines[:SYSTEMS])
    )


def _interval(cell: Cell) -> Interval | None:
    """A figure as the picture shows it; a number alone is a dot without an interval."""
    if isinstance(cell, int | float):
        return Interval(cell, math.nan, math.nan)
    return cell if isinstance(cell, Interval) and math.isfinite(cell.value) else None


def _promises(found: Iterable[tuple[str, Sequence[Cell]]]) -> str:
    """What the intervals in a table are, with the names of their rows where they differ."""
    names: dict[str, list[str]] = {}
    for name, cells in found:
        known = [c for c in cells if isinstance(c, Interval) and math.isfinite(c.high)]
        if known:
            names.setdefault(promise(known[0]), []).append(line(name, 60))
    whose = {words: f" ({', '.join(rows)})" if len(names) > 1 else "" for words, rows in names.items()}
    listing = "; ".join(f"the {words}{rows}" for words, rows in whose.items())
    return f"Beneath each figure: {listing}." if listing else ""


def _each_seed(record: Record) -> str:
    """The figures of each seed, and which one was saved."""
    saved = table_of(record.metrics.get("saved"))
    by_seed = {name: listed(figure.get("seeds")) for name, figure in record.figures.items()}
    metrics = [name for name, values in by_seed.items() if len(values) == len(record.seeds)][:COLUMNS]
    why = paragraphs([_saved(saved)])
    if len(record.seeds) < 2 or not metrics:
        return why
    names = [f"seed {seed}{' (saved)' if seed == saved.get('seed') else ''}" for seed in record.seeds]
    rows = [[name, *(by_seed[metric][i] for metric in metrics)] for i, name in enumerate(names)]
    shape = Table("Each seed", ["", *metrics], rows)
    return f"<h3>{shape.title}</h3>\n{draw(shape)}{why}"


def _saved(saved: dict[str, Any]) -> str:
    """Which seed's model was kept, and why, as a sentence."""
    why = str(saved.get("why") or "").rstrip(".")
    return f"Saved: seed {saved['seed']}, {why}." if why and "seed" in saved else opening(why)


def _splits(record: Record) -> str:
    """Metrics of every split, one column each, and beneath them how much there was of what."""
    splits = record.splits
    names = dict.fromkeys(name for values in splits.values() for name, value in values.items() if _simple(value))
    mean = ", mean over seeds" if len(record.seeds) > 1 else ""
    parts = [
        (f"Every split{mean}", [name for name in names if name not in COUNTS]),
        (COUNTED, [name for name in COUNTS if name in names]),
    ]
    out = ""
    for title, kept in parts:
        rows = [[COUNTS.get(name, name), *(values.get(name, "") for values in splits.values())] for name in kept]
        out += f"<h3>{title}</h3>\n{draw(Table(title, ['', *splits], rows))}" if rows else ""
    if {"eval", "test"} <= splits.keys():
        thresholds = table_of(record.metrics.get("calibration")).get("thresholds")
        fitted = " and the thresholds were fitted on them" if thresholds else ""
        out += f"<p>The eval rows chose the checkpoint{fitted}: their figures flatter.</p>\n"
    return out


def _simple(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _training(record: Record) -> str:
    """Loss and evaluations over the steps, a line for each seed."""
    saved, main = table_of(record.metrics.get("saved")).get("seed"), record.metrics.get("main")
    drawn = listed(record.metrics.get("training")) if record.whole else []
    drawn = drawn or [shape.plain() for shape in training(record.logs, saved, main)]
    parts = "".join(_fact(plain, number) for number, plain in enumerate(drawn, 1))
    return f'<div class="columns even">\n{parts}</div>\n' if parts else ""


def _facts(record: Record, room: int) -> str:
    """The facts in the order in which they came; pictures stand side by side where there is room for them."""
    out, size, left = "", 0, []
    for number, plain in enumerate(listed(record.metrics.get("facts")), 1):
        part = _fact(plain, number) if size < room - TITLES else ""  # nearly full: draw nothing in vain
        if part and size + len(part.encode()) <= room:
            out, size = out + part, size + len(part.encode())
        else:
            left.append(f"{number} ({line(table_of(plain).get('title', ''), 60)})")
    if left:
        some = ", ".join(left[:20]) + (f" and {len(left) - 20:,} more" if len(left) > 20 else "")
        out += f'<p class="cut wide">Left out, as this page would be too large: fact {e(some, 1500)}; all are in '
        out += "metrics.json.</p>\n"
    return f'<div class="columns">\n{out}</div>\n' if out else ""


def _fact(plain: Any, number: int) -> str:
    try:
        shape = shapes.read(plain)
    except UserError as problem:
        return f'<p class="cut wide">Fact {number} in metrics.json cannot be shown: {e(problem)}</p>\n'
    wide = "" if isinstance(shape, Curve | Histogram) else ' class="wide"'
    return f"<section{wide}>\n<h3>{e(shape.title)}</h3>\n{draw(shape)}</section>\n"


def _rows(of: dict[str, Any]) -> Cell:
    return shapes.cell(of["rows"]) if "rows" in of else ""


def _data(record: Record) -> str:
    """Where the rows came from, the labels, and what was found in them, the most serious first."""
    out = ""
    rows = [
        [name, str(of.get("source", "")), _rows(of), str(of.get("sha256", ""))[:12]]
        for name, of in record.sources.items()
    ]
    if rows:
        head = ["", "source", "rows", "SHA-256 begins"]
        filled = [i for i in range(len(head)) if any(row[i] != "" for row in rows)]  # a corpus has neither of the last
        out += table("Data", [head[i] for i in filled], [[row[i] for i in filled] for row in rows])
    labels = listed(record.metrics.get("labels"))
    if labels:
        names = ", ".join(line(name, 40) for name in labels[:LABELS])
        out += f"<p>{counted(len(labels), 'label')}: {e(names, 5000)}.</p>\n" + cut("labels", LABELS, len(labels))
    findings = record.findings
    for severity in (*SEVERITY, None):
        kind = [f for f in findings if (f["severity"] if f.get("severity") in SEVERITY else None) == severity]
        if kind:
            out += f"<h3>{PLURAL.get(severity or '', 'Other findings')}</h3>\n<ul>"
            out += "".join(f'<li class="{severity or "other"}">{_finding(f)}</li>\n' for f in kind[:SENTENCES])
            out += f"</ul>\n{cut('findings', SENTENCES, len(kind), 'data.json')}"
    return out


def _finding(found: dict[str, Any]) -> str:
    """What was found, and beneath it the rows that it names."""
    where = [_place(place) for place in listed(found.get("where"))]
    more = [f"and {len(where) - PLACES:,} more in data.json"] if len(where) > PLACES else []
    places = items([*where[:PLACES], *more], "places") if where else ""
    kind = f"<b>{e(found['kind'], 60)}</b>: " if found.get("kind") else ""
    return f"{kind}{e(found.get('sentence', ''), 1000)}{places}"


def _place(place: Any) -> str:
    """Where a row stands: a text as it is, a table as source:line and what else it says."""
    if not isinstance(place, dict):
        return line(place)
    rest = dict(place)
    source = ":".join(str(rest.pop(name)) for name in ("source", "line") if rest.get(name) is not None)
    return " ".join(filter(None, [line(source, 200), *(f"{line(n, 40)}: {line(v, 120)}" for n, v in rest.items())]))


def _notes(record: Record) -> str:
    notes = [*record.problems, *record.notes]
    return items(notes[:SENTENCES]) + cut("notes", SENTENCES, len(notes), "config.json") if notes else ""


def _terms(values: dict[str, Any], what: str, whole: str = "config.json") -> str:
    named = list(flat(values))
    return terms(named[:ROWS]) + cut(what, ROWS, len(named), whole)


def _machine(record: Record) -> str:
    versions, machine = (_terms(table_of(record.config.get(name)), name) for name in ("versions", "machine"))
    return versions + machine


def _command(record: Record) -> str:
    command = record.config.get("command")
    return f"<pre><code>{e(command, 10_000)}</code></pre>\n" if command else ""
