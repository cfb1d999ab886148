"""The words and tables of `bench.scripts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench import _measure as measure
from maskwright.finetuning.benchmarks import CUT

AT_MOST = 0.75  #: of the peer's seconds
ABOUT = """\
**Ours** is `maskwright finetune` as `maskwright benchmark` calls it, all of it, a seed's share of {seeds} seeds' wall \
time. **Peer** is transformers {version}, its Trainer with the recipe that the documentation of its example scripts \
gives, batches padded to their longest row where the scripts pad to the full length; seconds from rows in memory to \
answers on the test rows, the mean over its seeds. MiniLM on each side, at {precision}. The rows are the same, and \
the peer learns from all that its recipe would learn from. Where there are no dev rows ours splits a part of them off, \
which chooses its checkpoint and is not learnt from. Dev rows choose ours' checkpoint, and neither side learns from \
them."""
FIGURES = """\
In points: ours the mean over seeds with its 95 % interval over seeds and rows, the peer's the mean over as many. The \
difference is that of the means, over seeds and rows. ¹ A peer that takes about an hour a seed has one: its figure is \
that of one model, which is taken to vary from seed to seed as one of ours does. Of the case's metrics those that \
answers alone can tell. * MiniLM was trained on such rows before. + The set's training rows are not at hand: rows of \
its dev file were cut into those that are learnt from and these, so that no figure is the set's own."""
TIMES = """\
The recipes differ, and not in speed alone: a ratio holds the epochs of both. The ratio an epoch is that of seconds \
for an epoch, all that a side does shared out over its epochs. As in the scripts, the peer's rows come in random \
order. Its Trainer can put rows of like lengths into a batch, which the recipes leave out: what it would take so \
(grouped) is told from one seed, some batches of every length timed in the place of all. The limit is set against the \
recipe. A side that was finished is kept with its times; ° the two were timed on different days."""
HEAD = ["case", "test rows", "metric", "ours (95 %)", "peer", "ours - peer (95 %)"]
CLOCKS = [
    "case", "learnt from: ours, peer", "ours, s", "peer, s", "ratio", "ratio an epoch", "peer grouped, s", "ratio",
    "ours: rate, batch, epochs, length", "peer", "machine", "day",
]  # fmt: skip

Case = dict[str, Any]


def targets(cases: dict[str, Case]) -> list[measure.Target]:
    """At most 0.75 of the time, and by each metric at least equal within the interval, case by case."""
    out = []
    for case in cases.values():
        title = case["title"]
        out.append(measure.Target(f"{title}: seconds beside the peer's", ratio(case), "at most", AT_MOST))
        for metric, gap in case["differences"].items():
            high = None if gap["high"] is None else 100 * gap["high"]
            out.append(measure.Target(f"{title}: upper end of ours - peer, {metric}", high, "at least", 0.0))
    return out


def ratio(case: Case, beside: str = "peer") -> float:
    return float(case["seconds"]["ours"] / case["seconds"][beside])


def ratio_an_epoch(case: Case) -> float:
    epochs = {side: case["recipes"][side]["epochs"] for side in ("ours", "peer")}
    return float(ratio(case) * epochs["peer"] / epochs["ours"])


def line(case: Case) -> str:
    """A finished case in a line, for whoever watches."""
    figures = "; ".join(" | ".join(row[2:]) for row in figure_rows(case))
    return f"{case['title']}: {figures}; {' | '.join(clock_row(case)[2:8])}"


def figure_rows(case: Case) -> list[list[str]]:
    """A row for each metric."""
    out = []
    for i, (metric, gap) in enumerate(case["differences"].items()):
        others = case["peer"][metric]
        first = [f"{case['title']}{marks(case)}", f"{case['rows']['test']:,}"] if i == 0 else ["", ""]
        figure, other = measure.with_interval(case["figures"][metric]), measure.points(sum(others) / len(others))
        other += " ¹" * (len(others) < len(case["figures"][metric]["seeds"]))
        out.append([*first, metric, figure, other, measure.with_interval(gap)])
    return out


def marks(case: Case) -> str:
    return "*" * case["seen"] + "+" * (case["reported"] == CUT)


def notes(cases: list[Case]) -> str:
    """What must be known of the rows, case by case."""
    return "\n".join(f"- {case['title']}: {note}" for case in cases for note in case["notes"])


def clock_row(case: Case) -> list[str]:
    rows, seconds = case["rows"], case["seconds"]
    return [
        case["title"], f"{rows['train']:,}, {rows['peer']:,}",
        *(measure.number(seconds[side]) for side in ("ours", "peer")), f"{ratio(case):.2f}",
        f"{ratio_an_epoch(case):.2f}", measure.number(seconds["grouped"]), f"{ratio(case, 'grouped'):.2f}",
        *(recipe(case["recipes"][side]) for side in ("ours", "peer")), processor(case), days(case),
    ]  # fmt: skip


def recipe(told: dict[str, Any]) -> str:
    return f"{told['lr']:g}, {told['batch']}, {told['epochs']:g}, {told['max_length'] or 'all'}"


def processor(case: Case) -> str:
    """The one that both sides were timed on, in short: a side is kept for its processor alone."""
    return joined(facts["processor"].partition(" (family")[0] for some in case["machines"].values() for facts in some)


def days(case: Case) -> str:
    """The day on which both sides were timed, or those of each."""
    found = {side: sorted({measure.day(facts) for facts in some}) for side, some in case["machines"].items()}
    if found["ours"] == found["peer"] and len(found["ours"]) == 1:
        return found["ours"][0]
    return f"{', '.join(found['ours'])}; peer {', '.join(found['peer'])} °"


def section(result: dict[str, Any], of: int) -> str:
    """of: how many cases there are, whether measured or not."""
    cases: list[Case] = list(result["cases"].values())
    machines = [facts for case in cases for some in case["machines"].values() for facts in some]
    versions = {facts["versions"]["transformers"] for facts in machines}
    busy = measure.disturbance(max(case["busy"] for case in cases))
    about = ABOUT.format(
        seeds=result["seeds"], version=joined(versions), precision=joined(case["precision"] for case in cases)
    )
    so_far = "" if len(cases) == of else f", so far {len(cases)} of {of} cases"
    parts = [
        "## Every task beside transformers' example scripts",
        f"`{result['command']}`{so_far}. {measure.describe_all(machines)} {busy}",
        about,
        FIGURES,
        measure.table(HEAD, [row for case in cases for row in figure_rows(case)]),
        notes(cases),
        TIMES,
        measure.table(CLOCKS, [clock_row(case) for case in cases]),
        measure.targets_table(result["targets"]),
    ]
    return "\n\n".join(part for part in parts if part)


def joined(values: Iterable[str]) -> str:
    return " and ".join(sorted(set(values)))
