"""Score texts, or minimal pairs, by how likely a masked language model finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from maskwright.base.columns import aligned
from maskwright.base.words import counted
from maskwright.cli._table import bounds, cell, print_note, print_notes

if TYPE_CHECKING:
    from maskwright.tasks import Accuracy, Judged, MaskedLM, Sum

FILE = "texts: lines of a .txt file or of - (stdin); or a column of a CSV, TSV, JSONL or Parquet file"
PAIRS = "minimal pairs: a file with the columns sentence_good and sentence_bad, a .zip of such, or a folder"
METHOD = "plain: one piece is masked; within-word: all later pieces of its word too"
HEAD = f"{'log p':>12}  {'pieces':>8}  {'words':>8}  {'ppl a piece':>12}  {'ppl a word':>12}  text"


def command(
    model: Annotated[str, typer.Argument(help="a pre-trained model with a masked-LM head: folder, run folder or id")],
    texts: Annotated[list[str] | None, typer.Argument(help="texts to score")] = None,
    file: Annotated[str | None, typer.Option("--file", help=FILE)] = None,
    column: Annotated[str, typer.Option("--column", help="of --file")] = "text",
    pairs: Annotated[Path | None, typer.Option("--pairs", help=PAIRS)] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="of --pairs: the first so many of each paradigm")] = None,
    method: Annotated[Literal["plain", "within-word"], typer.Option("--method", help=METHOD)] = "plain",
    pieces: Annotated[bool, typer.Option("--pieces", help="of texts: log p of each piece too")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON: one line a text, one object for pairs")] = False,
) -> None:
    """Score texts, or minimal pairs, by how likely a masked language model finds them.

    A text's score is its pseudo-log-likelihood: the sum over its pieces of log p(piece | the text with it masked), in
    nats. ppl, the perplexity, is exp(-log p / pieces), by which only models of one vocabulary compare; or exp(-log p /
    words), words being what white space parts. Of pairs it is told how often the good sentence scores higher; ties
    count half. The interval of a paradigm is Wilson's over its pairs; a category is the mean of its paradigms, with the
    interval that theirs give together.
    """
    from rich.console import Console
    from rich.progress import track

    from maskwright.base import runtime
    from maskwright.base.errors import UserError
    from maskwright.data.pairs import read_pairs
    from maskwright.tasks import MaskedLM

    if sum(given is not None and given != [] for given in (texts, file, pairs)) != 1:
        raise UserError("Give texts, or --file, or --pairs; one of the three.")
    if pairs is None and limit is not None:
        raise UserError("--limit goes with --pairs.")
    if pairs is not None and pieces:
        raise UserError("--pieces goes with texts or --file.")
    runtime.set_threads()
    if pairs is None:
        loaded = MaskedLM.load(model, device)
        _score(loaded, texts or [], file, column, method, pieces, as_json)
        return
    found, notes = read_pairs(pairs, limit)
    loaded = MaskedLM.load(model, device)
    console = Console(stderr=True)
    judged = loaded.judge(
        track(found, "pairs", console=console, transient=True, disable=as_json or not console.is_terminal), method
    )
    if as_json:
        print(json.dumps({"method": method, "limit": limit, **judged.plain()}))
        return
    print_notes(notes)
    for line in lines_of(judged):
        print(line)
    if judged.unknown:
        print_note(f"{counted(judged.unknown, 'piece')} of the sentences could not be written with the vocabulary.")


def _score(
    model: MaskedLM, texts: list[str], file: str | None, column: str, method: Any, pieces: bool, as_json: bool
) -> None:
    """One line a text as soon as it is known, and a sum."""
    from maskwright.tasks import Sum, open_texts, texts_of

    rows = None if file is None else open_texts(file, column)
    named = ((f"Text {n}", text) for n, text in enumerate(texts, 1)) if rows is None else texts_of(rows, column)
    if not as_json:
        print_notes(model.notes)
        print(HEAD)
    total, count = Sum(), 0
    for found in model.stream(named, method):
        total, count = total + found, count + 1
        each = [(model.tokenizer.tokens([i])[0], value) for i, value in zip(found.ids, found.values, strict=True)]
        if as_json:
            more = {"each": each} if pieces else {}
            print(json.dumps({"text": found.text, **found.plain(), **more}, ensure_ascii=False), flush=True)
            continue
        print(line_of(found, " ".join(found.text.split())), flush=True)
        for piece, value in each if pieces else ():
            print(f"{value:>12.4f}  {piece}")
    if count > 1 and not as_json:
        print(line_of(total, f"({counted(count, 'text')})"))
    print_notes([] if rows is None else rows.notes)
    if total.unknown:
        print_note(f"{counted(total.unknown, 'piece')} could not be written with the vocabulary; scored as unknown.")


def line_of(found: Sum, text: str) -> str:
    """Figures under HEAD."""
    counts, perplexities = (found.pieces, found.words), (found.per_piece, found.per_word)
    cells = [f"{found.log_prob:>12.4f}", *(f"{n:>8,}" for n in counts), *(f"{p:>12,.2f}" for p in perplexities)]
    return f"{'  '.join(cells)}  {text}"


def lines_of(judged: Judged) -> list[str]:
    """One table: all pairs, fields, linguistics terms, paradigms."""
    rows = [("", "pairs", "ties", "accuracy", "95 %"), row("all", judged.overall)]
    for title, group in (("field", judged.fields), ("term", judged.terms), ("paradigm", judged.paradigms)):
        if group:
            rows += [("",) * 5, (title, *("",) * 4), *(row(f"  {name}", each) for name, each in group.items())]
    return aligned(rows)


def row(name: str, each: Accuracy) -> tuple[str, ...]:
    reach = bounds(each.accuracy.plain())
    return name, f"{each.pairs:,}", f"{each.ties:,}", cell(each.accuracy.value), reach
