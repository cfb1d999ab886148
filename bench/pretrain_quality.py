"""Quality per minute of pre-training: held-out loss of ours beside a tuned transformers, after the same minutes.

    python -m bench.pretrain_quality [--minutes 20] [--seeds 3] [--arms "ours,ours a third,peer"] [--quick]
    python -m bench.pretrain_quality --shapes 3x192,4x256 --batches 4096,8192 --rates 2e-3 --minutes 5

Every arm is a fresh process, and what came out of it is kept in results/quality by its settings, our source and the
machine: called again, a measurement that was ended goes on with the arm that it was at. `--minutes` may be 5, 20, 60 or
any other budget; each has a place of its own in the results, one for machines with fast bf16 and one for others.
`--shapes` tries our sizes, batches and rates, from which the recipe's are chosen; what it then chooses is an arm that
is there already.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from itertools import product
from typing import Any

from bench import _losses, _quality_told
from bench import _measure as measure
from bench import _novels as novels
from bench import _pretrain_grid as grid
from bench._child import Child, serve

NAME = "pretrain_quality"
ARMS = ("ours", "ours a third", "peer")
JUDGED = 1000  #: held-out sequences, as a pre-training judges by itself
EVALUATIONS = 20  #: on the way
PAIRS = 100  #: of each of BLiMP's 67 paradigms
#: what judges both sides, and all of ours that decides the peer's figures
JUDGES = (
    "pretraining/held_out.py",
    *(f"tasks/_{name}.py" for name in ("masked_lm", "likelihood", "minimal_pairs")),
)
#: what decides ours beside its settings
SOURCE = ("base", "nn", "text", "data", "models", "training", "pretraining", *JUDGES)
KEPT = measure.RESULTS / "quality"  #: arms that were finished, each hours of work
PEER_SEED = 1  #: the grid is searched with seed 0, so that the winner is not judged by the run that chose it
#: The peer's grid: one setting after the other, the best so far kept. After five minutes no cell is far enough off the
#: plateau to be told apart (4x256, 6x384 and dropout 0.1 among them, none of which is better than this one), so that
#: rate, batch and warm-up are searched with as many minutes as the arms have, from here: the rate on both sides
#: of the first, which is the better one of the three.
FIRST: dict[str, Any] = {"size": "3x192", "lr": 1e-3, "warmup": 0.06, "batch": 32, "dropout": 0.0}
STAGES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("lr", (2e-3, 5e-4)),
    ("batch", (16, 8)),
    ("warmup", (0.2,)),
)


def main(
    minutes: float = 20, seeds: int = 3, arms: tuple[str, ...] = ARMS, pairs: int | None = PAIRS,
    tune_minutes: float | None = None, quick: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Tune the peer (or take that from the cache), then train every arm. Saved where `ours` takes part; `quick`: small
    networks, no search, nothing saved."""
    bench, usual = Bench(minutes, pairs, quick), min(minutes, 20.0)
    tuned = tune_minutes or usual
    rows = [] if quick or "peer" not in arms else bench.tune(tuned)
    cell = best(rows)["cell"] if rows else {**FIRST, "size": "2x128"} if quick else FIRST
    found = []
    for arm in arms:
        if arm == "peer":
            found.append({"arm": arm, **bench.peer(cell, minutes, PEER_SEED)})
        elif arm == "ours a third":
            found.append({"arm": "ours, a third", **bench.ours(minutes / 3, 0)})
        else:
            found += [{"arm": arm, **bench.ours(minutes, seed)} for seed in range(seeds)]
    questions = {arm["questions"] for arm in found}
    assert len(questions) == 1, f"the arms were asked different questions: {questions}"
    one = {
        "machine": measure.machine(),
        "command": command(minutes, seeds, arms, quick) + f" --tune-minutes {tuned:g}" * (tuned != usual),
        "text": novels.summary(bench.made),
        "precision": bench.switches["precision"],
        "switches": bench.switches,
        "minutes": minutes,
        "tune_minutes": tuned,
        "pairs": pairs,
        "judged": bench.judged,
        "grid": rows,
        "arms": found,
        "busy": max(arm["busy"] for arm in found),
    }
    one["targets"] = measure.dump_targets(_quality_told.targets(one))
    kept = saved()
    others = [other for other in kept["budgets"] if _quality_told.name(other) != _quality_told.name(one)]
    whole = {**kept, "budgets": [*others, one]}
    if not quick and "ours" in arms:
        measure.save(NAME, whole)
        _losses.draw(_quality_told.name(one), found)
        measure.fill("docs/results.md", "pretraining", _quality_told.page(whole))
        return whole
    return {"budgets": [one], "shapes": []}


def command(minutes: float, seeds: int, arms: tuple[str, ...], quick: bool) -> str:
    """The line that measures this again."""
    named = "" if set(arms) == set(ARMS) else f' --arms "{",".join(arms)}"'
    return f"python -m bench.{NAME} --minutes {minutes:g} --seeds {seeds}{named}" + " --quick" * quick


def saved() -> dict[str, Any]:
    """What stands in the results: budgets, one of each number of minutes and precision, and our shapes."""
    path = measure.RESULTS / f"{NAME}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"budgets": [], "shapes": []}
    return found


class Bench:
    """Arms with what they share: text, questions, the peer's fastest switches, the cache."""

    def __init__(self, minutes: float, pairs: int | None, quick: bool) -> None:
        from maskwright.base.runtime import device, has_fast_bf16

        if pairs != 0:
            measure.data_folder("blimp")  # says at once when it is missing
        self.quiet, self.made, self.quick, self.pairs = measure.Quiet(), novels.prepare(), quick, pairs
        self.text, self.judged = fingerprint(self.made), 50 if quick else JUDGED
        self.precision = "bf16" if has_fast_bf16(device("cpu")) else "fp32"
        self._switches: dict[str, Any] | None = None

    @property
    def switches(self) -> dict[str, Any]:
        """The peer's fastest ones in a bare loop, as `bench.pretrain` finds them."""
        if self._switches is None:
            rows = [] if self.quick else self._searched()
            self._switches = grid.fastest(rows, "blocks", self.precision, loop="bare")
        return self._switches

    def _searched(self) -> list[dict[str, Any]]:
        with tempfile.TemporaryDirectory() as network:
            request = {"recipe": "same", "work": "blocks", "precision": self.precision, "size": grid.SIZE}
            with grid.open_side(self.made, "ours", request) as child:
                child.ask({"save": network})
            rows: list[dict[str, Any]] = grid.found(self.made, network, self.precision, self.quiet)["found"]
        return rows

    def ours(self, minutes: float, seed: int, settings: dict[str, Any] | None = None) -> Any:
        """`maskwright.pretrain` by its recipe; settings: what is otherwise."""
        given = {**({"size": "2x128"} if self.quick else {}), **(settings or {})}
        train = {"evaluations": EVALUATIONS, "checkpoint_minutes": "none", "device": "cpu", **given.get("train", {})}
        given = {**given, "train": train}
        asked = {"side": "ours", "settings": given, "seed": seed, "minutes": minutes, "pairs": self.pairs}
        source = measure.source(*SOURCE, without=("pretraining/recipes",), comments=False)
        return self.arm(asked, {"settings": settled(minutes, given), "source": source})

    def peer(
        self, cell: dict[str, Any], minutes: float, seed: int, pairs: int | None = -1, evaluations: int = EVALUATIONS
    ) -> Any:
        asked = {"side": "peer", "cell": cell, "switches": self.switches, "seed": seed, "minutes": minutes}
        asked |= {"evaluations": evaluations, "pairs": self.pairs if pairs == -1 else pairs}
        return self.arm(asked, {"source": measure.source(*JUDGES)})

    def arm(self, asked: dict[str, Any], decided: dict[str, Any]) -> dict[str, Any]:
        """One training, from the cache where it was finished before. decided: what decides it beside what is asked."""
        asked = {**asked, "judged": self.judged}
        key = {**asked, **decided, "text": self.text, "sides": sides_hash()}
        out = measure.cache_folder("quality") / measure.config_hash(key)

        def train() -> dict[str, Any]:
            quiet = measure.Quiet()
            quiet.check(in_words(asked))
            print(f"{in_words(asked)} ...", flush=True)
            env = {"TORCHINDUCTOR_CACHE_DIR": str(measure.cache_folder("inductor"))}
            if asked["side"] == "peer":
                env["OMP_NUM_THREADS"] = str(asked["switches"]["threads"])
            with Child(f"bench.{NAME}", f"{asked['side']} {out.name}", env) as child:
                places = {"corpus": str(self.made.corpus), "tokenizer": str(self.made.tokenizer), "out": str(out)}
                told = child.ask({**asked, **places})
            quiet.check("the end of it")
            return {**told, "busy": quiet.worst, "date": measure.today()}

        name = f"quality-{asked['side']}"
        kept = {"found": train()} if self.quick else measure.cached(name, key, train, in_words(asked), KEPT)
        found: dict[str, Any] = {**kept["found"], "seed": asked["seed"]}
        print(f"{in_words(asked)}: {_quality_told.figures(found)}", flush=True)
        return found

    def tune(self, minutes: float) -> list[dict[str, Any]]:
        """The peer's grid: a row each, in the order tried."""
        rows: list[dict[str, Any]] = []

        def try_(cell: dict[str, Any]) -> None:
            if any(row["cell"] == cell for row in rows):
                return
            told = self.peer(cell, minutes, 0, pairs=0, evaluations=1)
            rows.append({"cell": cell, **{name: told[name] for name in ("final", "tokens", "steps", "unigram")}})

        def improve(name: str, values: tuple[Any, ...]) -> None:
            chosen = best(rows)["cell"]
            for value in values:
                try_({**chosen, name: value})

        try_(FIRST)
        for stage in STAGES:
            improve(*stage)
        return rows


def settled(minutes: float, settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of ours, so that a recipe which comes to the same is the same."""
    from maskwright.pretraining.settings import gather

    return gather({"text": "-", "budget": f"{60 * minutes:g}s"}, {}, settings).model_dump(mode="json")


def fingerprint(made: novels.Novels) -> str:
    """Changes with the text and its pieces, whatever code of ours made them."""
    from maskwright.data.corpus import Corpus

    return measure.config_hash([Corpus.open(made.corpus).fingerprint, made.read_tokenizer().fingerprint()])


def sides_hash() -> str:
    """Changes with what an arm does in its process."""
    files = ("_quality_sides.py", "_masked_peer.py", "_novels.py")
    return measure.config_hash([(measure.HERE / name).read_text(encoding="utf-8") for name in files])


def best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return min(rows, key=lambda row: float(row["final"]["loss"]))


def in_words(asked: dict[str, Any]) -> str:
    if asked["side"] == "peer":
        return f"peer, {_quality_told.cell_words(asked['cell'])}, {asked['minutes']:.3g} minutes, seed {asked['seed']}"
    given, of_its_own = asked["settings"], ("evaluations", "checkpoint_minutes", "device")
    train = {name: value for name, value in given["train"].items() if name not in of_its_own}
    said = {name: value for name, value in {**given, "train": train}.items() if name != "phases" and value}
    if "phases" in given:
        said["pieces a step"] = given["phases"][0]["batch_tokens"]
    more = ", ".join(f"{name} {value}" for name, value in said.items()) or "the recipe"
    return f"ours, {more}, {asked['minutes']:.3g} minutes, seed {asked['seed']}"


# ---------------------------------------------------------------- our shapes


def shapes(
    sizes: list[str], batches: list[int | None], rates: list[float | None], minutes: float, sets: list[str],
    judged_pairs: int | None = PAIRS, quick: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Our recipe at each size, batch (pieces a step) and rate (None: the recipe's), for so many minutes: a table by
    loss. Rows are added to those that stand in the results."""
    from maskwright.base.config import merge, pairs

    bench, more = Bench(minutes, judged_pairs, quick), pairs(sets)
    rows = []
    for size, batch, rate in product(sizes, batches, rates):
        given: dict[str, Any] = {"size": size, **({"phases": phases_of(minutes, batch)} if batch else {})}
        given = merge(given, {"train": {"lr": rate}} if rate else {})
        told = bench.ours(minutes, 0, merge(given, more))
        kept = ("final", "tokens", "steps", "parameters", "phases", "date")
        row = {"minutes": minutes, "precision": bench.precision, "size": size, "batch": batch, "lr": rate, "sets": sets}
        rows.append({**row, **{name: told[name] for name in kept}})
    known = saved()
    label = ("minutes", "precision", "size", "batch", "lr", "sets")
    new = [[row[name] for name in label] for row in rows]
    rows += [row for row in known["shapes"] if [row[name] for name in label] not in new]
    if quick:
        return {"budgets": [], "shapes": rows}
    result = {**known, "shapes": rows}
    measure.save(NAME, result)
    return result


def phases_of(minutes: float, batch: int) -> list[dict[str, Any]]:
    """The recipe's phase with other batches."""
    return [{**settled(minutes, {})["phases"][0], "batch_tokens": batch}]


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    return _quality_told.section(result)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m bench.{NAME}", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3, help="of our arm")
    parser.add_argument("--arms", default=",".join(ARMS), help="by comma; saved where `ours` takes part")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of each of BLiMP's paradigms; 0: none")
    parser.add_argument("--tune-minutes", type=float, help="of the peer's grid; by default the same, and at most 20")
    parser.add_argument("--quick", action="store_true", help="small networks, no search, nothing saved")
    parser.add_argument("--shapes", help="our sizes by comma, in place of the arms")
    parser.add_argument("--batches", help="with --shapes: pieces a step, by comma; by default the recipe's")
    parser.add_argument("--rates", help="with --shapes: learning rates, by comma; by default the recipe's")
    parser.add_argument("--set", action="append", default=[], help="with --shapes: any setting, NAME=VALUE")
    given = parser.parse_args(arguments)
    given.arms = tuple(arm.strip() for arm in given.arms.split(","))
    if not set(given.arms) <= set(ARMS):
        parser.error(f"--arms: allowed are {', '.join(ARMS)}")
    if given.shapes is None and (given.batches or given.rates or given.set):
        parser.error("--batches, --rates and --set go with --shapes")
    return given


def asked(given: argparse.Namespace) -> dict[str, Any]:
    """What a command line asks for."""
    if given.shapes is None:
        return main(given.minutes, given.seeds, given.arms, given.pairs, given.tune_minutes, given.quick)
    batches: list[int | None] = [int(value) for value in given.batches.split(",")] if given.batches else [None]
    rates: list[float | None] = [float(value) for value in given.rates.split(",")] if given.rates else [None]
    return shapes(given.shapes.split(","), batches, rates, given.minutes, given.set, given.pairs, given.quick)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(importlib.import_module("bench._quality_sides").Arm().answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: asked(given), section)
