"""The table of a benchmark, for a page and for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from maskwright.base.words import counted
from maskwright.finetuning.benchmarks import CUT, Benchmark

HEAD = (
    "case", "metric", "figure (95 %)", "each seed", "constant", "linear model", "published, such rows",
    "published, others",
)  # fmt: skip
ROWS = {"test server": "rows of the test server", CUT: "rows cut from dev"}  #: what is no word before "rows"
SIMPLE = ("constant", "linear")  #: the columns of simple systems, as `results.json` calls them


def rows(benchmark: Benchmark, told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each metric of each case, in points, and one for published scores of the whole."""
    sources = _sources(benchmark, told)
    out = []
    for case in told["cases"].values():
        marks = "*" * bool(case["seen"]) + "+" * _is_cut(case)
        found = [*_lines(case["figures"]), *_lines(case["further"])]
        for i, (name, *cells) in enumerate(found):
            simple = [_points(case["baselines"].get(kind, {}).get(name, {}).get("value")) for kind in SIMPLE]
            known = _known(case, name, "", sources)
            out.append((f"{case['title']}{marks}" if i == 0 else "", name, *cells, *simple, *known))
        for side, also in case["also"].items():
            for name, *cells in _lines(also["figures"]):
                out.append((f"  {side}{marks}", name, *cells, "", "", *_known(case, name, side, sources)))
    if benchmark.scores:
        said = _said([vars(each) for each in benchmark.scores], sources)
        out.append((f"{benchmark.title}, the whole", "its own score", "", "", "", "", "", said))
    return out


def mean(benchmark: Benchmark, told: Mapping[str, Any]) -> float | None:
    """Of each case's first metric, for a benchmark that has a mean. None where a case is absent, has none, was cut from
    other rows or is reported on other rows than the benchmark says, whose mean is another thing."""
    cases = told["cases"]
    whole = [cases[case.name] for case in benchmark.cases() if case.name in cases]
    if (
        not benchmark.average
        or len(whole) < len(benchmark.cases())
        or any(case["reported"] != benchmark.reported for case in whole)
    ):
        return None
    values = [case["figures"][case["metrics"][0]]["value"] for case in whole]
    return None if None in values else sum(values) / len(values)


def remarks(benchmark: Benchmark, told: Mapping[str, Any]) -> list[str]:
    """What a reader must know, one sentence each."""
    cases, average = list(told["cases"].values()), mean(benchmark, told)
    out = [] if average is None else [f"Mean of the first metrics: {100 * average:.1f}. {benchmark.average}"]
    out.append(benchmark.about)
    if any(map(_is_cut, cases)):
        out.append("Sets marked +: train and test were cut from dev rows, so these are no figures of the benchmark.")
    out += [_flattered(told["model"], name) for name in dict.fromkeys(case["seen"] for case in cases) if name]
    out += [f"{case['title']}: {note.rstrip('.')}." for case in cases for note in case["notes"]]
    places = {place: [case["title"] for case in cases if case["data"] == place] for place in _places(cases)}
    if len(places) > 1:
        listed = "; ".join(f"{', '.join(titles)} in {place}" for place, titles in places.items())
        out.append(f"The rows were not all found in one place: {listed}.")
    out += _unsent(benchmark, cases)
    out += [f"{title} has no figures here: {problem}" for title, problem in told["failed"].items()]
    sources = _sources(benchmark, told)
    if sources:
        out.append(f"Published: {'; '.join(f'[{number}] {source}' for source, number in sources.items())}.")
    return out


def _unsent(benchmark: Benchmark, cases: list[Any]) -> list[str]:
    """Which files a submission lacks, where there is one."""
    sent = {PurePosixPath(file).name for case in cases for file in case["sent"]}
    missing = [name for name in benchmark.sends if name not in sent]
    if not missing or len(missing) == len(benchmark.sends):
        return []
    return [
        f"submission.zip lacks {len(missing)} of the {len(benchmark.sends)} files that the server takes, since their "
        f"rows are not here or their sets were not run: {', '.join(missing)}."
    ]


def page(benchmark: Benchmark, told: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *rows(benchmark, told)]
    table = "\n".join("| " + " | ".join(cell or " " for cell in row) + " |" for row in lines)
    layouts = "\n".join(
        f"- {case['title']}: {case['rows']:,} {_rows_of(case)} reported on; {case['layout']}"
        for case in told["cases"].values()
    )
    title = f"# {benchmark.title}, {told['model']}, {counted(told['seeds'], 'seed')}"
    return "\n\n".join([title, table, *remarks(benchmark, told), layouts]) + "\n"


def _lines(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Of each metric its name, the figure with its interval, and each seed's."""
    for name, figure in figures.items():
        yield name, _spread(figure), ", ".join(_points(value) for value in figure.get("seeds", ()))


def _rows_of(case: Mapping[str, Any]) -> str:
    return ROWS.get(case["reported"], f"{case['reported']} rows")


def _is_cut(case: Mapping[str, Any]) -> bool:
    return bool(case["reported"] == CUT)


def _places(cases: list[Any]) -> list[str]:
    return list(dict.fromkeys(case["data"] for case in cases))


def _flattered(model: str, encoder: str) -> str:
    began = "" if model == encoder else f", which {model} is or began from,"
    return f"Sets marked *: {encoder}{began} was trained on rows of them before, so the figures flatter it."


def _known(case: Mapping[str, Any], metric: str, side: str, sources: Mapping[str, int]) -> tuple[str, str]:
    """What was published of the rows that are reported on here, and of others; of a cut all is of others."""
    found = [each for each in case["published"] if (each["metric"], each["side"]) == (metric, side)]
    same = [each for each in found if each["rows"] == case["reported"]]
    return _said(same, sources), _said([each for each in found if each not in same], sources)


def _said(published: list[Any], sources: Mapping[str, int]) -> str:
    return ", ".join(f"{e['system']} {e['points']:.1f} ({e['rows']}) [{sources[e['source']]}]" for e in published)


def _sources(benchmark: Benchmark, told: Mapping[str, Any]) -> dict[str, int]:
    """Where figures were published, numbered as they come."""
    found = [each["source"] for case in told["cases"].values() for each in case["published"]]
    found += [each.source for each in benchmark.scores]
    return {source: number for number, source in enumerate(dict.fromkeys(found), 1)}


def _points(value: Any) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _spread(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    return f"{_points(figure['value'])}" + ("" if low is None else f" ({_points(low)} to {_points(high)})")
