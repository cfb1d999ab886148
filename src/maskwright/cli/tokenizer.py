"""Look into a tokenizer, or train one.

`explain` shows why each word of a text became the pieces it did; `train` learns a WordPiece vocabulary from files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from maskwright.text.explanation import WordExplanation

app = typer.Typer(help="Look into a tokenizer, or train one.", no_args_is_help=True)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="The text to cut.")],
    model: Annotated[str, typer.Option(help="A model's name or the folder of a checkpoint.")] = "minilm",
) -> None:
    """Show each word of a text, its pieces, and why it was cut so."""
    from maskwright.models import locate
    from maskwright.text.tokenizer import Tokenizer

    words = Tokenizer.from_folder(locate(model)).explain(text)
    if not words:
        typer.echo("The text has no words: it is empty, or only white space and control characters.")
        return
    for line in _table(words):
        typer.echo(line)


@app.command()
def train(
    files: Annotated[list[Path], typer.Argument(help="Text files in UTF-8.")],
    out: Annotated[Path, typer.Option(help="The folder to write the tokenizer to.")],
    size: Annotated[int, typer.Option(help="The most pieces the vocabulary may have.")] = 30522,
    cased: Annotated[bool, typer.Option("--cased", help="Keep case and accents.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tokenizer in --out.")] = False,
) -> None:
    """Learn a WordPiece vocabulary from text files."""
    import sys

    from maskwright.base.errors import UserError
    from maskwright.text.tokenizer import Tokenizer

    if (out / "tokenizer.json").exists() and not overwrite:
        raise UserError(f"{out} has a tokenizer already. Give another --out, or --overwrite to replace it.")
    made = Tokenizer.train(files, size=size, lowercase=not cased, progress=sys.stderr.isatty())
    made.save(out)
    fewer = "" if made.size == size else f", fewer than the {size} asked for: no other pair comes twice"
    typer.echo(f"{out}: {made.size} pieces{fewer}. Fingerprint {made.fingerprint()[:16]}.")


def _table(words: list[WordExplanation]) -> list[str]:
    """Aligned columns, and under each word the reason for its cut."""
    from rich.cells import cell_len

    rows = [("word", "normalised", "pieces", "ids", "characters")]
    for w in words:
        span = f"{w.span[0]}-{w.span[1]}"
        rows.append((w.word, w.normalised, " ".join(w.pieces), " ".join(map(str, w.ids)), span))
    cells = [[_visible(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(rows[0]))]
    lines = ["  ".join(c + " " * (w - cell_len(c)) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    out = lines[:1]
    for line, word in zip(lines[1:], words, strict=True):
        out += [line, f"    {_visible(word.why)}"]
    return out


def _visible(text: str) -> str:
    """Control characters as escapes, so that they do not act on the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
