"""Texts of chosen lengths, cut from real novels: every text has exactly the number of pieces that was drawn for it.

Drawn and cut once with a fixed seed, then kept under bench/.cache; the children read them from there.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import _measure as measure

SEED = 0
SETS = {"short": (1280, 6, 50), "long": (320, 50, 400), "equal 32": (640, 32, 32), "equal 128": (320, 128, 128)}
SPECIAL = 2  #: pieces that the tokenizer puts around a text, counted in its length


def fingerprint() -> str:
    return measure.config_hash({"seed": SEED, "sets": SETS, "novels": [f.name for f in novels()]})


def summary() -> str:
    wanted = [
        f"{count:,} texts of {low} to {high}" if low < high else f"{count:,} of exactly {low}"
        for count, low, high in SETS.values()
    ]
    return f"English novels, cut at numbers of pieces drawn uniformly (seed {SEED}): {', '.join(wanted)} pieces."


def novels() -> list[Path]:
    found = sorted(measure.data_folder("english_novels").rglob("*.txt.gz"))
    if not found:
        raise measure.Stop("There are no .txt.gz files under english_novels in MASKWRIGHT_DATA.")
    return found


def prepare() -> Path:
    """Cut the texts unless that was done. Raises Stop when the novels are missing."""
    path = measure.cache_folder() / f"texts-{fingerprint()}.json"
    if path.exists():
        return path
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(measure.minilm_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    draw, passages = random.Random(SEED), long_passages(SEED)
    found: dict[str, list[str]] = {name: [] for name in SETS}
    for name, (count, low, high) in SETS.items():
        while len(found[name]) < count:
            pieces = draw.randint(low, high)
            text = next(filter(None, (cut(tokenizer, passage, pieces) for passage in passages)))
            found[name].append(text)
    path.write_text(json.dumps(found))
    return path


def load() -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = json.loads(prepare().read_text())
    return loaded


def long_passages(seed: int) -> Iterator[str]:
    """Passages of some 3,000 characters, each from a paragraph's start, in an order fixed by the seed."""
    shuffled = random.Random(seed)
    while True:
        for path in shuffled.sample(novels(), len(novels())):
            text = gzip.decompress(path.read_bytes()).decode("utf-8-sig").replace("\r\n", "\n")
            paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
            for start in shuffled.sample(range(len(paragraphs)), min(60, len(paragraphs))):
                passage = ""
                for paragraph in paragraphs[start:]:
                    passage += paragraph + " "
                    if len(passage) > 3000:
                        yield passage.strip()
                        break


def cut(tokenizer: Any, passage: str, pieces: int) -> str | None:
    """The start of a passage: exactly `pieces` pieces, [CLS] and [SEP] too. None where a word lies across the cut."""
    encoding = tokenizer.encode(passage, add_special_tokens=False)
    inside = pieces - SPECIAL
    if len(encoding.ids) <= inside or encoding.word_ids[inside - 1] == encoding.word_ids[inside]:
        return None
    text = passage[: encoding.offsets[inside - 1][1]]
    return text if len(tokenizer.encode(text).ids) == pieces else None
