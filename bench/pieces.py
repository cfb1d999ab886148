"""Into how many pieces MiniLM's vocabulary cuts the words of prose, and of texts that are none.

    python -m bench.pieces

The figures are those that a run says before it trains: of up to a thousand texts of each set, evenly spread. They are
what `maskwright.data._fragments.MANY`, from which on it is a warning, was set by.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import _measure as measure
from bench.tasks import functions

FILES = 150  #: of Python's library, the first by name


def lines(*path: str) -> list[str]:
    """Of a file under the data folder those that hold something."""
    text = (measure.data_folder(path[0]) / Path(*path[1:])).read_text(encoding="utf-8")
    return [line.strip() for line in text.split("\n") if line.strip()]


def cells(name: str, column: str, *path: str) -> list[str]:
    from maskwright.data.read import read

    return [str(cell) for cell in read(measure.data_folder(name) / Path(*path), needs=(column,)).column(column)]


def judgments() -> list[str]:
    folder = measure.data_folder("legal_rhetorical_roles") / "docs"
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.txt")))
    return [line.partition("\t")[0] for text in texts for line in text.split("\n") if line.strip()]


def python() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:FILES]:
        yield from functions(path.read_text(encoding="utf-8", errors="replace"))


def table() -> list[str]:
    """The rows of a table of measures as `--text "*"` makes texts of them."""
    from sklearn.datasets import load_breast_cancer

    from maskwright.data.table import Table
    from maskwright.tasks._worded import of_table, template

    found = load_breast_cancer()
    names = [str(name) for name in found.feature_names]
    columns = {name: [f"{cell:g}" for cell in column] for name, column in zip(names, found.data.T, strict=True)}
    return of_table(Table(columns, "breast cancer", list(range(1, len(found.data) + 1))), template(names))


SETS: dict[str, Callable[[], list[str]]] = {
    "films (SST-2)": lambda: cells("sst2_sentences", "1", "dev.tsv"),
    "encyclopedia (WikiText-2)": lambda: [
        line for line in lines("wikitext2_valid_test", "valid.raw.txt") if not line.startswith("=")
    ],
    "judgments (India's Supreme Court)": judgments,
    "tweets (TweetEval, emotion)": lambda: lines("tweeteval", "emotion", "test_text.txt"),
    "German (STS-B)": lambda: cells("stsb", "1", "stsb-de-dev.csv"),
    "Python (its library's functions)": lambda: list(python()),
    "a table (breast cancer, 30 measures)": table,
}


def main() -> None:
    from maskwright.data._fragments import fragments
    from maskwright.data.facts import Side
    from maskwright.data.table import Table
    from maskwright.models import locate
    from maskwright.text.tokenizer import Tokenizer

    tokenizer, rows = Tokenizer.from_folder(locate("minilm")), []
    for name, texts_of in SETS.items():
        texts = texts_of()
        side = Side(name, Table({"text": texts}, name, list(range(1, len(texts) + 1))), texts)
        (found,) = fragments([side], tokenizer)
        spaced, each, lacks = (
            found.values[key] for key in ("pieces_between_spaces", "pieces_per_word", "unknown_share")
        )
        rows.append([name, f"{spaced:.2f}", f"{each:.2f}", f"{100 * lacks:.2f} %", found.severity])
    head = ["texts", "pieces between two spaces", "pieces a word, sign by sign", "unknown pieces", "told as a"]
    print(measure.table(head, rows))


if __name__ == "__main__":
    try:
        main()
    except measure.Stop as reason:
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
