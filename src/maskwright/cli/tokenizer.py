"""Look into a tokenizer, or train one.

`explain` shows why each word of a text became the pieces it did; `stats` tells how it cuts a text, beside others;
`train` learns a WordPiece vocabulary from files or a corpus.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.base.columns import aligned, visible

if TYPE_CHECKING:
    from maskwright.text.cuts import Cuts
    from maskwright.text.explanation import WordExplanation

app = typer.Typer(help="Look into a tokenizer, or train one.", no_args_is_help=True)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="The text to cut.")],
    model: Annotated[str, typer.Option(help="A model or a tokenizer's folder.")] = "minilm",
) -> None:
    """Show each word of a text, its pieces, and why it was cut so."""
    from maskwright.pretraining.reading import tokenizer_of

    words = tokenizer_of(model).explain(text)
    if not words:
        typer.echo("The text has no words: it is empty, or only white space and control characters.")
        return
    for line in _table(words):
        typer.echo(line)


@app.command()
def stats(
    texts: Annotated[list[Path], typer.Argument(help="Text files in UTF-8, or a corpus of `maskwright corpus build`.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A model or a tokenizer's folder (repeat it to compare; default: minilm).")
    ] = None,
    split: Annotated[str, typer.Option(help="Which documents of a corpus: train or held-out.")] = "train",
    words: Annotated[int, typer.Option(min=0, help="How many of the longest and of the most frequent words.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how tokenizers cut a text: pieces a word, unknown pieces, words kept whole, words that are cut.

    A word is a run of letters and digits; signs, Han and kana characters are words one by one: so for every tokenizer.
    """
    import json
    from dataclasses import asdict

    from maskwright.data.corpus.texts import Texts
    from maskwright.pretraining.reading import tokenizer_of
    from maskwright.text.cuts import cuts

    named = {name: tokenizer_of(name) for name in model or ["minilm"]}
    found = {name: cuts(tokenizer, Texts(texts, split), words) for name, tokenizer in named.items()}
    if as_json:
        told = {name: {**asdict(one), **one.shares} for name, one in found.items()}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for line in _figures(found):
        typer.echo(line)


@app.command()
def train(
    texts: Annotated[list[Path], typer.Argument(help="Text files in UTF-8, or a corpus of `maskwright corpus build`.")],
    out: Annotated[Path, typer.Option(help="The folder to write the tokenizer to.")],
    size: Annotated[int, typer.Option(help="The most pieces the vocabulary may have.")] = 30522,
    cased: Annotated[bool, typer.Option("--cased", help="Keep case and accents.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tokenizer in --out.")] = False,
) -> None:
    """Learn a WordPiece vocabulary from text files, or from the training documents of a corpus."""
    import sys

    from maskwright.base.errors import UserError
    from maskwright.data.corpus.texts import Texts
    from maskwright.text.tokenizer import Tokenizer

    if (out / "tokenizer.json").exists() and not overwrite:
        raise UserError(f"{out} has a tokenizer already. Give another --out, or --overwrite to replace it.")
    made = Tokenizer.train(Texts(texts), size=size, lowercase=not cased, progress=sys.stderr.isatty())
    made.save(out)
    fewer = "" if made.size == size else f", fewer than the {size} asked for: no other pair comes twice"
    typer.echo(f"{out}: {made.size} pieces{fewer}. Fingerprint {made.fingerprint()[:16]}.")


def _figures(found: dict[str, Cuts]) -> list[str]:
    """A column for each tokenizer, and below the words that each cuts."""
    rows = [("", *found)]
    for name in ("words", "pieces"):
        rows.append((name, *(f"{getattr(one, name):,}" for one in found.values())))
    rows.append(("pieces a word", *(f"{one.pieces_per_word:.4f}" for one in found.values())))
    for name, shown in _SHARES.items():
        rows.append((shown, *(f"{one.shares[name]:.3%}" for one in found.values())))
    lines = aligned(rows, indent=0)
    for name, one in found.items():
        where = f" by {name}" if len(found) > 1 else ""
        for title, examples in (("longest words cut", one.longest), ("most frequent words cut", one.frequent)):
            if examples:
                cells = [(e.word, "" if e.count is None else f"{e.count:,}", " ".join(e.pieces)) for e in examples]
                lines += ["", f"{title}{where}", *aligned(cells, left=(0, 1, 2), indent=0)]
        if one.missed:
            lines.append(f"Too many different words to count all at once: up to {one.missed:,} of each may be missing.")
    return lines


_SHARES = {
    "whole_share": "words kept whole",
    "with_unknown_share": "words with an unknown piece",
    "unknown_share": "pieces that are unknown",
}


def _table(words: list[WordExplanation]) -> list[str]:
    """Aligned columns, and under each word the reason for its cut."""
    rows = [("word", "normalised", "pieces", "ids", "characters")]
    for w in words:
        span = f"{w.span[0]}-{w.span[1]}"
        rows.append((w.word, w.normalised, " ".join(w.pieces), " ".join(map(str, w.ids)), span))
    lines = aligned(rows, left=range(len(rows[0])), indent=0)
    out = lines[:1]
    for line, word in zip(lines[1:], words, strict=True):
        out += [line, f"    {visible(word.why)}"]
    return out
