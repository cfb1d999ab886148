"""The demo's first half: an encoder from nothing but the docstrings of this Python, in two minutes."""

from __future__ import annotations

import json
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.base.files import write_text
from maskwright.data.corpus import build
from maskwright.finetuning.demo_corpus import documentation
from maskwright.pretraining.run import Pretrained, pretrain
from maskwright.tasks import MaskedLM

BUDGET, QUICK = "2m", "20 steps"
SMALL: dict[str, Any] = {"size": "1x64", "batch_tokens": 1024, "judge_sequences": 50}  # of a quick demo
EVERY = 8  # a quick demo keeps every eighth module
VOCABULARY = 4096  # there are a few hundred thousand words
HELD_OUT = "5%"
ASKED = (
    "Return the [MASK] of items in the list.",
    "If the file does not exist, an [MASK] is raised.",
    "The default value is [MASK].",
    "This method is [MASK] by the constructor.",
)
TOP = 4


@dataclass(frozen=True)
class Fill:
    """What the new encoder puts into the mask of a sentence: words and their probabilities, the likeliest first."""

    text: str
    words: list[tuple[str, float]]


def pretrained_here(folder: Path, seed: int, quick: bool) -> tuple[Pretrained, list[Fill]]:
    """Docstrings to a corpus, to a tokenizer, to an encoder, and what that says of four sentences."""
    texts = folder / "text" / "docstrings.jsonl"
    texts.parent.mkdir(parents=True, exist_ok=True)
    write_text(texts, "".join(json.dumps({"name": n, "text": t}) + "\n" for n, t in documents(EVERY if quick else 1)))
    corpus = build(
        texts, folder / "corpus", {"held_out": HELD_OUT, "name": "name"}, workers=1, overwrite=True, quiet=True
    )
    run = pretrain(
        text=corpus.folder,
        out=folder / "run",
        budget=QUICK if quick else BUDGET,
        vocabulary=VOCABULARY,
        seed=seed,
        overwrite=True,
        quiet=True,
        **(SMALL if quick else {}),
    )
    model = MaskedLM.load(run.model)
    return run, [Fill(text, words_in(model, text)) for text in ASKED]


def fill_lines(fills: list[Fill]) -> list[str]:
    """As a person reads them in a terminal."""
    wide = max(len(fill.text) for fill in fills)
    return [f"{f.text:<{wide}}  " + ", ".join(f"{word} {p:.0%}" for word, p in f.words) for f in fills]


def words_in(model: MaskedLM, text: str) -> list[tuple[str, float]]:
    (found,) = model.fill([text], top=TOP)
    return [(candidate.piece, candidate.probability) for candidate in found.masks[0]]


def documents(every: int = 1) -> Iterator[tuple[str, str]]:
    """(name, text) of each top-level module, and of each chapter of the language reference; or of each `every`-th."""
    units: dict[str, list[str]] = defaultdict(list)
    for name, texts in documentation(Path(sysconfig.get_path("stdlib"))):
        units[name].extend(texts)
    yield from ((name, "\n\n".join(texts)) for name, texts in sorted(units.items())[::every] if any(texts))
