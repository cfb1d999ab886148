"""Bulk prediction: a file of many short texts through `maskwright predict`, beside the forward pass alone.

    python -m bench.predict [--texts 1000000]      (fewer texts: printed, not saved)

The command runs in a process of its own, start and writing included. Its rate and peak memory are taken on the way, at
100,000 answers, and at the end. The forward pass alone computes the same batches of the same texts, already encoded, in
another process, before and after; the two never run at the same time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench import _texts as texts
from bench._child import ArmFailed, Child, serve
from bench.start import answer as make_model
from bench.start import command

NAME = "predict"
FULL = 1_000_000  #: texts of a measurement that is saved
MARK = 100_000  #: answers behind which memory must not grow
FORWARD = 65_536  #: texts that the forward pass alone computes each time
FLATNESS, SHARE = 1.1, 0.9
PAUSE = 0.2  #: seconds between two looks at the process


# ---------------------------------------------------------------- the forward pass alone


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: make the model, or compute the scores of texts that were encoded before."""
    return make_model(request) if "out" in request else forward(**request)


def forward(model: str, data: str, count: int) -> dict[str, Any]:
    """Seconds for the first `count` texts, in the windows and batches that the command computes."""
    from maskwright.base import runtime
    from maskwright.tasks import _stream, load

    runtime.set_threads()
    loaded = load(model)
    with open(data, encoding="utf-8") as file:
        found = [json.loads(line)["sentence"] for line in islice(file, count)]
    starts = range(0, len(found), _stream.WINDOW)
    windows = [loaded.encode(found[start : start + _stream.WINDOW]) for start in starts]
    loaded.scores(windows[0])  # whatever is made at a first call
    begun = time.perf_counter()
    for window in windows:
        loaded.scores(window)
    return {"seconds": time.perf_counter() - begun, "texts": len(found)}


# ---------------------------------------------------------------- the command


class Watched:
    """One run of the command, looked at from outside: answers in its journal, and its peak memory."""

    def __init__(self, arguments: list[str], out: Path) -> None:
        self.log, self.read = out.with_name(f"{out.name}.part.log"), 0
        self.rows, self.peak = 0, 0.0
        env = {**os.environ, "HF_HUB_OFFLINE": "1"}
        self.begun = time.perf_counter()
        self.process = subprocess.Popen([command(), *arguments], stderr=subprocess.PIPE, text=True, env=env)

    def look(self) -> bool:
        """Take what is there to see; False when the process has ended."""
        running = self.process.poll() is None
        with contextlib.suppress(OSError):  # it may end between two lines
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
            self.peak = max(self.peak, int(line.split()[1]) / 1024 if line else 0)
        with contextlib.suppress(FileNotFoundError), open(self.log, "rb") as file:
            file.seek(self.read)
            new = file.read()
            new = new[: new.rfind(b"\n") + 1]
            self.read += len(new)
            self.rows += sum(json.loads(line).get("counts", {}).get("rows", 0) for line in new.splitlines())
        return running


def watch(arguments: list[str], out: Path, mark: int) -> dict[str, Any]:
    """Run the command to its end. Raises ArmFailed when it fails.

    `at mark` and `at end`: texts a second since the first answers were seen, and the peak in MiB; `seconds`: all of it.
    """
    watched = Watched(arguments, out)
    first: tuple[float, int] | None = None
    found: dict[str, Any] = {}

    def rate(rows: int, now: float) -> dict[str, float] | None:
        passed = now - first[0] if first else 0
        return {"rate": (rows - first[1]) / passed, "peak": watched.peak} if first and passed else None

    while watched.look():
        if first is None and watched.rows:
            first = time.perf_counter(), watched.rows
        if "at mark" not in found and watched.rows >= mark and (told := rate(watched.rows, time.perf_counter())):
            found["at mark"] = told
        time.sleep(PAUSE)
    ended = time.perf_counter()
    said = " ".join((watched.process.communicate()[1] or "").split())
    if watched.process.returncode:
        raise ArmFailed(f"maskwright predict ended with {watched.process.returncode}: {said[-400:]}")
    with open(out, "rb") as file:
        answers = sum(1 for _ in file)
    return {**found, "seconds": ended - watched.begun, "texts": answers, "at end": rate(answers, ended), "notes": said}


# ---------------------------------------------------------------- the measurement


def write_texts(path: Path, count: int) -> None:
    """`count` texts of 6 to 50 pieces, drawn with a fixed seed from those of the forward measurement."""
    known, draw = texts.load()["short"], random.Random(texts.SEED)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps({"id": number, "sentence": draw.choice(known)}) + "\n")


def main(count: int = FULL) -> dict[str, Any]:
    texts.prepare()
    command()
    quiet, mark = measure.Quiet(), min(MARK, count // 5)
    alone: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=measure.cache_folder()) as folder:
        data, model, out = Path(folder) / "texts.jsonl", Path(folder) / "run", Path(folder) / "answers.jsonl"
        write_texts(data, count)
        with Child(f"bench.{NAME}", "a small model") as child:
            child.ask({"out": str(model)}, 300)

        def compute() -> None:
            quiet.check("the forward pass alone")
            with Child(f"bench.{NAME}", "forward") as child:
                request = {"model": str(model), "data": str(data), "count": min(count, FORWARD)}
                alone.append(child.ask(request))
            print(f"forward alone: {rate_of(alone[-1]):,.0f} texts a second", flush=True)

        compute()
        quiet.check("the command")
        arguments = ["predict", str(model), "--data", str(data), "--out", str(out), "--id", "id"]
        told = watch(arguments, out, mark)
        print(f"predict: {rate_of(told):,.0f} texts a second, start included", flush=True)
        compute()
    if told["texts"] != count:
        raise ArmFailed(f"maskwright predict wrote {told['texts']:,} answers to {count:,} texts.")
    result = {
        "machine": measure.machine(),
        "command": f"python -m bench.predict --texts {count}",
        "texts": count,
        "mark": mark,
        "predict": told,
        "forward": alone,
        "targets": measure.dump_targets(targets(told, alone, mark)),
        "busy": quiet.worst,
    }
    if count >= FULL:
        measure.save(NAME, result)
    return result


def rate_of(timed: dict[str, Any]) -> float:
    """Texts a second."""
    return float(timed["texts"] / timed["seconds"])


def targets(told: dict[str, Any], alone: list[dict[str, Any]], mark: int) -> list[measure.Target]:
    before, after = (told.get(name) or {} for name in ("at mark", "at end"))
    growth = after["peak"] / before["peak"] if before.get("peak") and after.get("peak") else None
    share = rate_of(told) / measure.median(rate_of(timed) for timed in alone)
    return [
        measure.Target(f"peak memory at the end / at {mark:,} answers", growth, "at most", FLATNESS),
        measure.Target("texts a second, predict with its start / forward alone", share, "at least", SHARE),
    ]


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    told, alone = result["predict"], [rate_of(timed) for timed in result["forward"]]
    rows = [["forward alone, texts already encoded", measure.spread(alone), "-"]]
    for name, words in (("at mark", f"predict, up to {result['mark']:,} answers"), ("at end", "predict, to the end")):
        if told.get(name):
            rows.append([words, measure.number(told[name]["rate"]), f"{told[name]['peak']:,.0f}"])
    rows.append(["predict, start included", measure.number(rate_of(told)), "-"])
    parts = [
        "## Bulk prediction: many short texts through the command line",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        f"{result['texts']:,} texts of 6 to 50 pieces, drawn from 1,280 of English novels, as JSON lines through "
        "`maskwright predict --data --out --id` with a MiniLM classifier at its default precision; rates are counted "
        "from the first answers on unless the start is included. Forward alone is the same batches, already encoded.",
        measure.table(["", "texts a second", "peak (VmHWM), MiB"], rows),
        measure.targets_table(result["targets"]),
    ]
    return "\n\n".join(parts)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m bench.{NAME}", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--texts", type=int, default=FULL, help=f"saved from {FULL:,} on; at least 5")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: main(max(5, given.texts)), section)
