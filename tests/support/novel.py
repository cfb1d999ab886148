"""A small text with something to learn: who does what follows from a grammar of few words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from maskwright.data.corpus import Corpus, build

WHO = ["the baker", "a sailor", "the old teacher", "my neighbour", "the young doctor"]
DOES = {"bakes": ["bread", "a cake"], "reads": ["a book", "the letter"], "mends": ["a roof", "the boat"]}
WHERE = ["in the village", "by the river", "at home", "near the harbour"]


def sentence(source: np.random.Generator) -> str:
    verb = str(source.choice(list(DOES)))
    return f"{source.choice(WHO)} {verb} {source.choice(DOES[verb])} {source.choice(WHERE)}.".capitalize()


def texts(documents: int = 40, sentences: int = 24) -> list[str]:
    source = np.random.default_rng(11)
    return [" ".join(sentence(source) for _ in range(sentences)) for _ in range(documents)]


def corpus(folder: Path, **settings: object) -> Corpus:
    """The same as a corpus, a tenth of it held out."""
    files = folder / "texts"
    files.mkdir(parents=True)
    for number, text in enumerate(texts()):
        (files / f"{number:02}.txt").write_text(text)
    return build(files, folder / "corpus", {"held_out": 4, **settings}, workers=1, quiet=True)
