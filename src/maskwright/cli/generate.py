"""Write a text with a masked language model: masks are filled, the least sure ones anew."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from maskwright.base.columns import aligned
from maskwright.cli._options import given, with_options
from maskwright.cli._table import print_note, print_notes
from maskwright.tasks import LIMITS, Generation


def _command(
    model: Annotated[str, typer.Argument(help="a pre-trained model with a masked-LM head: folder, run folder or id")],
    prompt: Annotated[str, typer.Argument(help="what the text begins with; it stays as it is")] = "",
    *,
    trace: Annotated[bool, typer.Option("--trace", help="print every step: what was seen, what came out")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object, with every step")] = False,
    **options: object,
) -> None:
    """Write a text with a masked language model: masks are filled, the least sure ones anew.

    An encoder is no generator: the number of pieces is fixed beforehand, pieces that are drawn in one pass do not know
    of each other, and no pass gives the probability of the text. Each step draws fewer pieces anew than the one before,
    those of the lowest probability. The same settings give the same text.
    """
    from maskwright.base import runtime
    from maskwright.tasks import MaskedLM

    runtime.set_threads()
    loaded = MaskedLM.load(model, device)
    found = loaded.generate(prompt, **given(options))
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    print_notes(loaded.notes)
    print_note(LIMITS)
    if trace:
        rows = [("step", "masked", "log p", "text")]
        for number, step in enumerate(found.trace, 1):
            rows.append((str(number), str(len(step.remasked)), "", step.seen))
            rows.append(("", "", f"{step.log_prob:.3f}", step.text))
        print("\n".join([*aligned(rows, left=(3,)), ""]))
    print(found.text)


command = with_options(_command, Generation.model_fields)
