"""Pre-train an encoder and fine-tune MiniLM on text that every Python carries, and print what comes out."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def command(
    out: Annotated[str, typer.Option(help="the folder for the three runs, the facts and the page")] = "runs/demo",
    seed: Annotated[int, typer.Option(min=0, help="fixes new weights, order and dropout; the rows stay")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="how often MiniLM is fine-tuned")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="a few rows and steps: only to see that it works")] = False,
) -> None:
    """Pre-train an encoder in two minutes on text that every Python carries, then fine-tune MiniLM on it, beside what
    it must beat, and print one table.

    The task: which area of the standard library does a passage of its documentation describe? The test rows come from
    modules of which nothing was read in training. An earlier demo in --out is replaced.
    """
    from maskwright.finetuning.demo import demo, text_table
    from maskwright.training.stop import Interrupted

    try:
        result = demo(out, seed, quick, say=lambda text: print(text, flush=True), seeds=seeds)
    except Interrupted as stopped:
        print(f"maskwright: {stopped}.", file=sys.stderr)
        raise typer.Exit(stopped.code) from None
    print(f"\n{text_table(result)}\n\npage: {result.page}")
