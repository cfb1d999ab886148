"""Make a corpus of text for pre-training, or tell what is in one.

`build` turns files and folders into clean documents of sentences, each once; `stats` prints what is known of them;
`phrases` finds the runs of words in them that belong together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from maskwright.cli._options import given, with_options
from maskwright.data.corpus.settings import CorpusSettings

app = typer.Typer(help="Make a corpus of text for pre-training, or tell what is in one.", no_args_is_help=True)

_FIELDS = CorpusSettings.model_fields
_BY_HAND = ("held_out", "held_out_names", "specials")  # a percentage, and lists, which an option is repeated for
_INPUTS = "text (.txt or no suffix), JSONL, each also .gz, Parquet, zip files, and folders of such"
_RESUME = "go on with a build that was killed"
_OVERWRITE = "replace the corpus in --out, and what an unfinished build left"
_NAMED = "a document or file kept for judging (repeat it); in place of --held-out"


def _build(
    inputs: Annotated[list[Path], typer.Argument(help=_INPUTS)],
    *,
    out: Annotated[Path, typer.Option("--out", help="the folder to write the corpus to")],
    held_out: Annotated[str | None, typer.Option("--held-out", help=f"{_FIELDS['held_out'].description}")] = None,
    held_out_name: Annotated[list[str] | None, typer.Option("--held-out-name", help=_NAMED)] = None,
    special: Annotated[list[str] | None, typer.Option("--special", help="a further special token (repeat it)")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="processes (default: one a core)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help=_RESUME)] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=_OVERWRITE)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar, no notes, no table")] = False,
    **options: Any,
) -> None:
    """Make a corpus of text files and folders of them.

    A text file is one document, unless --documents says otherwise; a row of JSONL or Parquet is one. Each is cleaned
    and cut into sentences; repeats are removed; some documents are held out for judging. Blocks that were finished are
    kept in OUT.part; after a kill the same command with --resume goes on with them.
    """
    from maskwright.base.config import parse
    from maskwright.cli._table import print_note
    from maskwright.data.corpus import build
    from maskwright.data.corpus.settings import SPECIALS
    from maskwright.data.corpus.statistics import lines

    settings = given({"held_out": held_out, **options})
    settings |= {"held_out_names": tuple(held_out_name or ()), "specials": (*SPECIALS, *(special or ()))}
    made = build(
        list(inputs),
        out,
        parse(CorpusSettings, settings, "the corpus"),
        workers=workers,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
        note=None if quiet else print_note,
    )
    if not quiet:
        for line in lines({**made.facts, "notes": []}):  # those were told already
            typer.echo(line)


@app.command()
def stats(
    corpus: Annotated[Path, typer.Argument(help="the folder of a corpus")],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Print what is known of a corpus: sizes, duplicates, what was left out, sentences that repeat."""
    from maskwright.data.corpus import Corpus
    from maskwright.data.corpus.statistics import lines

    facts = Corpus.open(corpus).facts
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    for line in lines(facts):
        typer.echo(line)


@app.command()
def phrases(
    corpus: Annotated[Path, typer.Argument(help="the folder of a corpus")],
    *,
    tokenizer: Annotated[str, typer.Option(help="the tokenizer whose pieces will be masked: a folder or a model")],
    out: Annotated[Path, typer.Option(help="the file to write (.npz)")],
    size: Annotated[int, typer.Option(min=1, help="the most collocations that are kept, the strongest")] = 800_000,
    least: Annotated[int, typer.Option(min=2, help="how often one must come")] = 11,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file in --out")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar, no examples")] = False,
) -> None:
    """Find collocations, runs of 2 to 5 words that come together more often than by chance, for the masking pmi.

    Use them by --masking pmi --set masking.file=OUT. The paper keeps 800,000 of 3 billion words; keep fewer of a
    smaller corpus.
    """
    from maskwright.data.corpus import Corpus
    from maskwright.pretraining.phrases import lines
    from maskwright.pretraining.phrases import phrases as count
    from maskwright.pretraining.reading import tokenizer_of

    pieces = tokenizer_of(tokenizer)
    found = count(Corpus.open(corpus), pieces, out, size=size, least=least, overwrite=overwrite, quiet=quiet)
    typer.echo(f"{out}: {len(found):,} collocations.")
    for line in [] if quiet else lines(found, pieces):
        typer.echo(line)


app.command("build")(with_options(_build, {name: f for name, f in _FIELDS.items() if name not in _BY_HAND}))
