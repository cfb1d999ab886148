"""How fast texts become pieces: our tokenizer beside transformers', both over the `tokenizers` library.

    python -m bench.encode

What is measured is what each side adds to the library's own threads: ours packs all pieces into one array.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import _measure as measure
from bench._child import Child, serve
from bench._trainer import read

NAME = "encode"
LONGEST = 128
TURNS = 7


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: seconds of each side, in turns, over the same texts, and whether the pieces agree."""
    from transformers import AutoTokenizer

    from maskwright.text.tokenizer import Tokenizer

    texts: list[str] = request["texts"]
    folder = measure.minilm_folder()
    ours, peer = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    packed = ours.encode(texts, max_length=LONGEST)  # both sides once before the clock: the library starts its threads
    listed = peer(texts, truncation=True, max_length=LONGEST)["input_ids"]
    if packed.ids.tolist() != [piece for row in listed for piece in row]:
        raise ValueError("the two sides cut the texts into different pieces")
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(TURNS):
        seconds["ours"].append(_seconds(lambda: ours.encode(texts, max_length=LONGEST)))
        seconds["peer"].append(_seconds(lambda: peer(texts, truncation=True, max_length=LONGEST)))
    return {"seconds": seconds, "pieces": len(packed.ids)}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> dict[str, Any]:
    texts, _ = read("train")
    quiet = measure.Quiet()
    quiet.check(NAME)
    with Child(f"bench.{NAME}", "both") as child:
        found = child.ask({"texts": texts}, 300)
    seconds = found["seconds"]
    ratio = measure.median(seconds["ours"]) / measure.median(seconds["peer"])
    result = {
        "machine": measure.machine(),
        "command": "python -m bench.encode",
        "texts": len(texts),
        **found,
        "targets": measure.dump_targets([measure.Target("time to encode, ours / peer", ratio, "at most", 1.0)]),
        "busy": quiet.worst,
    }
    measure.save(NAME, result)
    return result


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    sides = {"ours": "ours, packed", "peer": "transformers, lists"}
    rows = [[label, measure.spread(1000 * s for s in result["seconds"][side])] for side, label in sides.items()]
    return "\n\n".join(
        [
            "## Encode: texts to pieces",
            f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
            f"{result['texts']:,} SST-2 sentences, {result['pieces']:,} pieces, at most {LONGEST} a text, the same "
            f"pieces on both sides; {TURNS} turns in one process.",
            measure.table(["side", "median (smallest to largest), ms"], rows),
            measure.targets_table(result["targets"]),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        argparse.ArgumentParser(
            prog="python -m bench.encode", description=(__doc__ or "").partition("\n")[0]
        ).parse_args()
        run(main, section)
