"""Fill the masks of a text: the likeliest pieces, with their probabilities."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.base.columns import aligned
from maskwright.base.words import counted
from maskwright.cli._table import print_note, print_notes

if TYPE_CHECKING:
    from maskwright.tasks import Filled

TEXTS = 'texts with [MASK] in the place of a word, such as "The [MASK] of the river was steep."; -: lines of stdin'


def command(
    model: Annotated[str, typer.Argument(help="a pre-trained model with a masked-LM head: folder, run folder or id")],
    texts: Annotated[list[str], typer.Argument(help=TEXTS)],
    top: Annotated[int, typer.Option("--top", help="so many pieces for each mask")] = 5,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one line a text")] = False,
) -> None:
    """Fill the masks of a text: the likeliest pieces, with their probabilities.

    Of several masks in one text each is filled by itself, while the others stay masked. The texts are printed as the
    tokenizer joins their pieces; what it drops, such as capitals, is gone.
    """
    from maskwright.base import runtime
    from maskwright.tasks import MaskedLM, open_texts, texts_of

    runtime.set_threads()
    loaded = MaskedLM.load(model, device)
    lines = [text for _, text in texts_of(open_texts("-"))] if texts == ["-"] else texts
    found = loaded.fill(lines, top)
    if as_json:
        for filled in found:
            print(json.dumps(asdict(filled), ensure_ascii=False))
        return
    print_notes(loaded.notes)
    several = sum(len(filled.masks) > 1 for filled in found)
    if several:
        print_note(
            f"{counted(several, 'text')} with several masks: each mask is filled by itself, the others stay masked."
        )
    print("\n\n".join("\n".join(lines_of(filled)) for filled in found))


def lines_of(filled: Filled) -> list[str]:
    """The text, and a table for each of its masks."""
    out = [filled.text]
    for number, mask in enumerate(filled.masks, 1):
        if len(filled.masks) > 1:
            out.append(f"mask {number}")
        out += aligned([(f"{c.probability:.4f}", c.piece, c.text) for c in mask], left=(1, 2))
    return out
