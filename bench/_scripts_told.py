"""The words and tables of `bench.scripts`."""

from __future__ import annotations

from typing import Any

from bench import _measure as measure

AT_MOST = 0.75  #: of the peer's seconds
ABOUT = """\
Ours: `maskwright finetune` as `maskwright benchmark` calls it, all of it, a seed's share of {seeds} seeds' wall time. \
Peer: transformers {version}, its Trainer with the recipe that the documentation of its example scripts gives (the \
rate, batch, epochs and length stand in the table), batches padded to their longest row where the scripts pad to the \
full length; seconds from rows in memory to answers on the test rows. The same training and test rows; a tenth of ours \
(dev rows where there are some) chooses the checkpoint in place of being learnt from. MiniLM on each side. Figures are \
in points: ours the mean over seeds with its 95 % interval over seeds and rows, the peer's the mean over as many. \
The difference is that of the means, over seeds and rows. * MiniLM was trained on such rows before."""
HEAD = [
    "case", "test rows", "metric", "ours (95 %)", "peer", "ours - peer (95 %)", "ours, s", "peer, s", "ratio",
    "peer's rate, batch, epochs, length",
]  # fmt: skip


def targets(cases: dict[str, Any]) -> list[measure.Target]:
    """At least equal within the interval, and at most 0.75 of the time, case by case."""
    out = []
    for case in cases.values():
        high = case["difference"]["high"]
        out.append(measure.Target(f"{case['title']}: seconds beside the peer's", case["ratio"], "at most", AT_MOST))
        if high is not None:
            out.append(measure.Target(f"{case['title']}: upper end of ours - peer", 100 * high, "at least", 0.0))
    return out


def line(name: str, case: dict[str, Any]) -> str:
    return f"{name}: {' | '.join(rows({name: case})[0][2:])}"


def rows(cases: dict[str, Any]) -> list[list[str]]:
    out = []
    for case in cases.values():
        metric, recipe = case["metrics"][0], case["recipe"]
        figure, gap = case["figures"][metric], case["difference"]
        peer = sum(case["peer"][metric]) / len(case["peer"][metric])
        out.append([
            f"{case['title']}{'*' * case['seen']}", f"{case['rows']['test']:,}", metric,
            f"{_points(figure['value'])} ({_points(figure['low'])} to {_points(figure['high'])})", _points(peer),
            f"{_points(gap['value'])} ({_points(gap['low'])} to {_points(gap['high'])})",
            measure.number(case["seconds"]["ours"]), measure.number(case["seconds"]["peer"]), f"{case['ratio']:.2f}",
            f"{recipe['lr']:g}, {recipe['batch']}, {recipe['epochs']}, {recipe['max_length']}",
        ])  # fmt: skip
    return out


def section(result: dict[str, Any]) -> str:
    version = result["machine"]["versions"]["transformers"]
    parts = [
        "## Every task beside transformers' example scripts",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        ABOUT.format(seeds=result["seeds"], version=version),
        measure.table(HEAD, rows(result["cases"])),
        measure.targets_table(result["targets"]),
    ]
    return "\n\n".join(parts)


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
