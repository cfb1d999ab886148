"""Do the intervals hold what they promise? Simulated sets whose true figure is known.

    python -m bench.coverage [--sets 2000]

Each set is drawn from a population; the interval of `stats.intervals` covers when the population's own figure lies
in it. A 95 % interval should cover in 93 to 97 % of sets. Also: how often the tests of `stats.comparison` find
a difference where there is none (at most 5 %), and where there is one of the size that they call resolvable (80 %).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench import _measure as measure
from maskwright.stats import comparison, intervals, measures

SIZES = (50, 200, 1000, 5000)
RESAMPLES = 1000
POPULATION = 1_000_000
Rows = tuple[np.ndarray, ...]


def three_classes(random: np.random.Generator, n: int) -> Rows:
    """60, 30 and 10 % of rows, right in 85, 75 and 60 % of them."""
    y = random.choice(3, n, p=[0.6, 0.3, 0.1])
    right = random.random(n) < np.array([0.85, 0.75, 0.6])[y]
    return y, np.where(right, y, (y + random.integers(1, 3, n)) % 3)


def nearly(share: float, random: np.random.Generator, n: int) -> Rows:
    """One class, and answers of which `share` are right."""
    return np.zeros(n), (random.random(n) >= share).astype(float)


def labelled(random: np.random.Generator, n: int) -> Rows:
    """Ten labels in 4 to 30 % of rows, each answered where its score is high."""
    share = np.geomspace(0.04, 0.3, 10)
    y = random.random((n, 10)) < share
    return y, random.normal(size=y.shape) + 2 * y > 1


def scored(random: np.random.Generator, n: int) -> Rows:
    y = random.random(n) < 0.3
    return y, random.normal(size=n) + 1.2 * y


def numbers(random: np.random.Generator, n: int) -> Rows:
    y = random.normal(size=n)
    return y, 0.8 * y + 0.6 * random.normal(size=n)


#: metric -> (population, measure)
METRICS: dict[str, tuple[Callable[..., Rows], Callable[..., measures.Measure]]] = {
    "accuracy": (three_classes, measures.accuracy),
    "accuracy of 95 %": (partial(nearly, 0.95), measures.accuracy),
    "accuracy of 98 %": (partial(nearly, 0.98), measures.accuracy),
    "balanced accuracy": (three_classes, measures.balanced_accuracy),
    "F1, macro": (three_classes, measures.f1),
    "MCC": (three_classes, measures.matthews),
    "F1 of labels, micro": (labelled, partial(measures.labels_f1, average="micro")),
    "F1 of labels, macro": (labelled, measures.labels_f1),
    "AUC": (scored, measures.auc),
    "average precision": (scored, measures.average_precision),
    "Pearson": (numbers, measures.pearson),
    "Spearman": (numbers, measures.spearman),
    "mean absolute error": (numbers, lambda y, p: measures.mean(np.abs(y - p))),
}


def truth(name: str) -> float:
    draw, make = METRICS[name]
    rows = draw(np.random.default_rng(12345), POPULATION)
    return float(make(*rows)(np.ones((1, POPULATION)))[0])


def covered(n: int, true: dict[str, float], seeds: range) -> np.ndarray:
    """(metrics, 3): how many sets have an interval, how many intervals hold the truth, and the sum of their widths."""
    found = np.zeros((len(true), 3))
    for seed in seeds:
        for i, name in enumerate(true):  # one after the other on the same set: resamples are drawn once
            draw, make = METRICS[name]
            rows = draw(np.random.default_rng([7, n, seed]), n)
            interval = intervals.over_examples(make(*rows), n, resamples=RESAMPLES, seed=seed)
            if np.isfinite(interval.low):
                found[i] += 1, true[name] in interval, interval.high - interval.low
    return found


def seeds_covered(runs: int, seeds: range) -> np.ndarray:
    """(2,): how often the combined interval of a mean of `runs` seeds holds the truth, and the one over examples alone.

    Each seed's accuracy is 0.85 give or take 0.01, and 500 rows judge it.
    """
    found = np.zeros(2)
    for seed in seeds:
        random = np.random.default_rng([8, runs, seed])
        rates = random.normal(0.85, 0.01, runs)
        hard = random.random(500)  # a row is hard for all seeds alike
        kept = [measures.share(hard < rate) for rate in rates]
        values = [float(m(np.ones((1, 500)))[0]) for m in kept]
        examples = intervals.over_examples(measures.average(kept), 500, resamples=RESAMPLES, seed=seed)
        found += 0.85 in intervals.combined(examples, intervals.over_seeds(values)), 0.85 in examples
    return found


def answers(n: int, gain: float, seed: int) -> Rows:
    """Two systems of which 10 % of rows (or `gain` of them, if that is more) are right in one alone, A having `gain`
    more."""
    random = np.random.default_rng([9, n, seed])
    kind, apart = random.random(n), max(0.1, gain)
    a = kind < 0.6 + (apart + gain) / 2
    b = (kind < 0.6) | (kind > 1 - (apart - gain) / 2)
    return np.ones(n), a.astype(float), b.astype(float)


TESTS: dict[str, Callable[..., float]] = {
    "McNemar": comparison.mcnemar,
    "randomisation": partial(comparison.randomisation, measures.accuracy, resamples=RESAMPLES),
}


def found_by(n: int, gain: float, seeds: range) -> np.ndarray:
    """(tests + 1,): how often each calls a difference real at 5 %, and how often its interval holds `gain`."""
    out = np.zeros(len(TESTS) + 1)
    for seed in seeds:
        y, a, b = answers(n, gain, seed)
        out += [*(test(y, a, b) < 0.05 for test in TESTS.values()), gain in comparison.paired_shares(a, b)]
    return out


def main(sets: int = 2000) -> dict[str, Any]:
    machine = measure.machine()
    parts = [range(start, min(sets, start + 50)) for start in range(0, sets, 50)]
    coverage, tests = [], []
    with ProcessPoolExecutor(initializer=threadpool_limits, initargs=(1,)) as pool:  # a core each

        def shares(of: Callable[[range], np.ndarray]) -> Any:
            return (np.sum(list(pool.map(of, parts)), axis=0) / sets).tolist()

        true = {name: truth(name) for name in METRICS}
        for n in SIZES:
            for name, (given, held, width) in zip(true, shares(partial(covered, n, true)), strict=True):
                row = {"metric": name, "rows": n, "true": true[name], "given": given}
                coverage.append({**row, "coverage": held / given, "width": width / given})
                print(coverage[-1], flush=True)
        names = ("combined", "examples")
        seeds = [{"seeds": k, **dict(zip(names, shares(partial(seeds_covered, k)), strict=True))} for k in (2, 3, 5)]
        for n in SIZES:
            gain = comparison.smallest_difference(n, 0.1)
            names = (*TESTS, "interval")
            level, power = (dict(zip(names, shares(partial(found_by, n, d)), strict=True)) for d in (0.0, gain))
            tests.append({"rows": n, "gain": gain, "level": level, "power": power})
            print(tests[-1], flush=True)
    result = {"machine": machine, "sets": sets, "coverage": coverage, "seeds": seeds, "tests": tests}
    measure.save("coverage", result)
    return result


def section(result: dict[str, Any]) -> str:
    """The figures as the page shows them."""

    def percent(share: float) -> str:
        return f"{100 * share:.1f} %"

    sizes = sorted({row["rows"] for row in result["coverage"]})
    by = {(row["metric"], row["rows"]): row for row in result["coverage"]}
    names = list(dict.fromkeys(row["metric"] for row in result["coverage"]))

    def cell(row: dict[str, Any]) -> str:
        some = "" if row["given"] == 1 else f" (of the {percent(row['given'])} that have one)"
        return percent(row["coverage"]) + some

    cover = [[name, *(cell(by[name, n]) for n in sizes)] for name in names]
    seeds = [[str(row["seeds"]), percent(row["combined"]), percent(row["examples"])] for row in result["seeds"]]
    tests = [
        [
            f"{row['rows']:,}", test, percent(row["level"][test]), f"{100 * row['gain']:.1f} points",
            percent(row["power"][test]),
        ]
        for row in result["tests"]
        for test in row["level"]
        if test != "interval"
    ]  # fmt: skip
    held = "; ".join(
        f"{row['rows']:,} rows: {percent(row['level']['interval'])} and {percent(row['power']['interval'])}"
        for row in result["tests"]
    )
    off = [
        f"{row['metric']} on {row['rows']:,} rows ({percent(row['coverage'])})"
        for row in by.values()
        if not 0.93 <= row["coverage"] <= 0.97
    ]
    outside = f"Outside of 93 to 97 %: {', '.join(off)}." if off else "All lie within 93 to 97 %."
    return "\n\n".join([
        f"`python -m bench.coverage --sets {result['sets']}`, {result['machine']['date']}.",
        f"How many of {result['sets']:,} simulated sets have a 95 % interval that holds the true figure:",
        measure.table(["metric", *(f"{n:,} rows" for n in sizes)], cover),
        outside,
        "A mean over seeds, judged on 500 rows: the interval over examples and seeds, and the one over examples alone:",
        measure.table(["seeds", "examples and seeds", "examples alone"], seeds),
        "How often a test calls a difference real: where there is none (it should be at most 5 %), and where there "
        "is one of the size that the set is said to show in four of five cases:",
        measure.table(["rows", "test", "no difference", "difference", "found"], tests),
        f"The interval of the difference holds the true one, where there is none and where there is: {held}.",
    ])  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", type=int, default=2000)
    measure.fill("docs/honesty.md", "simulated", section(main(parser.parse_args().sets)))
