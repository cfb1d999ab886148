"""The table of a benchmark, for a page and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskwright.finetuning.benchmarks import Benchmark

HEAD = (
    "case", "metric", "figure (95 %)", "each seed", "constant", "linear model", "published, such rows",
    "published, others",
)  # fmt: skip


def rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each metric of each case, in points."""
    out = []
    for case in told["cases"].values():
        marks = "*" * (told["model"] in case["seen"]) + "+" * case["cut"]
        for i, name in enumerate(case["metrics"]):
            figure = case["figures"].get(name)
            if figure is None:
                continue
            seeds = ", ".join(_points(value) for value in figure.get("seeds", ()))
            others = [_points(other["figures"].get(name, {}).get("value")) for other in case["baselines"]]
            simple = (others[0], others[-1]) if others else ("-", "-")
            out.append(
                (
                    f"{case['title']}{marks}" if i == 0 else "", name, _spread(figure), seeds, *simple,
                    *_known(case, name, told["reported"]),
                )
            )  # fmt: skip
        for name, figure in case.get("further", {}).items():
            out.append(("", f"{name}, saved seed", _spread(figure), "", "", "", *_known(case, name, told["reported"])))
        for split, also in case.get("also", {}).items():
            for name in case["metrics"]:
                figure = also["figures"][name]
                out.append((f"  {split}, saved seed", name, _spread(figure), "", "", "", "", ""))
    return out


def mean(benchmark: Benchmark, told: Mapping[str, Any]) -> float | None:
    """Of each case's first metric; None where a case is absent or cut from other rows, whose mean is another thing."""
    cases = told["cases"]
    whole = [cases[case.name] for case in benchmark.cases() if case.name in cases]
    if len(whole) < len(benchmark.cases()) or any(case["cut"] for case in whole):
        return None
    return sum(float(case["figures"][case["metrics"][0]]["value"]) for case in whole) / len(whole)


def remarks(benchmark: Benchmark, told: Mapping[str, Any]) -> list[str]:
    """What a reader must know, one sentence each."""
    cases = told["cases"].values()
    out = [benchmark.about]
    if any(case["cut"] for case in cases):
        out.append("+ train and test were cut from dev rows, so this is no figure of the benchmark.")
    if any(told["model"] in case["seen"] for case in cases):
        out.append(f"* {told['model']} was trained on rows of this set before, so the figure flatters it.")
    out += [f"{case['title']}: {case['note']}." for case in cases if case["note"]]
    sources = {each["source"] for case in cases for each in case["published"]}
    if sources:
        out.append(f"Published: {'; '.join(sorted(sources))}.")
    return out


def page(benchmark: Benchmark, told: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *rows(told)]
    table = "\n".join("| " + " | ".join(cell or " " for cell in row) + " |" for row in lines)
    average = mean(benchmark, told)
    said = [] if average is None else [f"Mean of the first metrics: {100 * average:.1f}."]
    layouts = [
        f"- {case['title']}: {case['rows']:,} rows reported on; {case['layout']}" for case in told["cases"].values()
    ]
    text = [f"# {benchmark.title}, {told['model']}, {told['seeds']} seeds", table, *said, *remarks(benchmark, told)]
    return "\n\n".join([*text, "\n".join(layouts)]) + "\n"


def _known(case: Mapping[str, Any], metric: str, reported: str) -> tuple[str, str]:
    """What was published of the rows that are reported on here, and of others; of a cut all is of others."""
    found = [each for each in case["published"] if each["metric"] == metric]
    like = [each for each in found if each["rows"] == reported and not case["cut"]]
    sides = like, [each for each in found if each not in like]
    same, other = (", ".join(f"{e['system']} {e['points']:.1f} ({e['rows']})" for e in side) for side in sides)
    return same, other


def _points(value: Any) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _spread(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    return f"{_points(figure['value'])}" + ("" if low is None else f" ({_points(low)} to {_points(high)})")
