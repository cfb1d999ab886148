"""From a corpus to pieces: a tokenizer learnt from it, and its pieces on disk, so that memory does not grow with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.files import alone, check_sums, read_json, room, write_folder, write_json
from maskwright.base.words import counted
from maskwright.data.corpus import Corpus, build
from maskwright.data.corpus.building import BuiltOtherwise
from maskwright.data.corpus.held_out import EmptySide
from maskwright.data.corpus.shards import DERIVED, FACTS, Document
from maskwright.data.corpus.texts import Texts
from maskwright.models import locate
from maskwright.pretraining.encoded import Encoded, encode
from maskwright.text.tokenizer import Tokenizer

HELD_OUT = "1%"  #: of text that is no corpus yet
BLOCK = 4_000_000  #: characters that are encoded at once
IDS = np.dtype("<i4")
TOKENIZERS, PIECES = DERIVED


def corpus_of(text: str, out: Path, say: Callable[[str], None] | None, quiet: bool, renew: bool = False) -> Corpus:
    """The corpus in a folder, or one that is made of text in `out`, of which 1 % of the documents is held out. renew:
    one that was made there before may be replaced where the text is another now.

    Raises UserError where nothing is held out, by which the run would be judged, and for text of which nothing can be.
    """
    if (Path(text) / FACTS).is_file() or not Path(text).exists():
        corpus = Corpus.open(text)
    else:
        settings = {"held_out": HELD_OUT}
        try:
            try:
                corpus = build(text, out, settings, resume=True, quiet=quiet, note=say)
            except BuiltOtherwise:
                if not renew:
                    raise
                corpus = build(text, out, settings, overwrite=True, quiet=quiet, note=say)
        except EmptySide:  # its message tells of options that are those of `corpus build`
            raise UserError(_too_few(text)) from None
    if not corpus.shards("held-out"):
        raise UserError(
            f"{text} has no held-out documents, by which the run is judged. Build the corpus with some: maskwright "
            "corpus build TEXTS --out CORPUS --held-out 1% (or --held-out-name NAME). Where the text is one file, "
            "--documents blank-lines makes a document of each part."
        )
    return corpus


def _too_few(text: str) -> str:
    return (
        f"{text} has too few documents to hold one out, by which the run is judged: a text file is one document. Give "
        "more files; or make a document of each part between blank lines, and train on that corpus: maskwright corpus "
        f"build {shlex.quote(text)} --out corpus/ --documents blank-lines --held-out {HELD_OUT}"
    )


def beside(corpus: Corpus, out: Path) -> Path:
    """Where what is made of a corpus is kept for the next run: in its own folder, or in the run's where nobody may
    write there."""
    return corpus.folder if os.access(corpus.folder, os.W_OK) else out


def learn(corpus: Corpus, size: int, cased: bool, kept: Path, progress: bool = False) -> Tokenizer:
    """A WordPiece tokenizer of the training text, whose held-out documents it does not see; from the folder `kept`
    where it was learnt before."""
    folder = kept / TOKENIZERS / f"{size}-{'cased' if cased else 'uncased'}"
    with alone(folder.parent):  # another run on this corpus may be at the same
        if not folder.is_dir():
            found = Tokenizer.train(Texts([corpus.folder]), size=size, lowercase=not cased, progress=progress)
            write_folder(folder, lambda into: found.save(into))
    return Tokenizer.from_folder(folder)


def tokenizer_of(name: str) -> Tokenizer:
    """The tokenizer of a model, or of a folder that `maskwright tokenizer train` wrote."""
    folder = Path(name)
    own = folder.is_dir() and any((folder / file).is_file() for file in ("tokenizer.json", "vocab.txt"))
    return Tokenizer.from_folder(folder if own else locate(name))


def pieces_of(corpus: Corpus, split: str, tokenizer: Tokenizer, kept: Path) -> Encoded:
    """The pieces of a split, mapped from files in the folder `kept`, which are written where they are not yet there.

    Raises UserError for files that another tokenizer, or another corpus, has made.
    """
    folder = kept / PIECES / f"{split}-{tokenizer.fingerprint()[:16]}"
    made_by = {"tokenizer": tokenizer.fingerprint(), "corpus": corpus.fingerprint, "split": split}
    with alone(folder.parent):
        if not folder.is_dir():
            write_folder(folder, lambda into: _write(into, corpus.documents(split), tokenizer, made_by))
    told = read_json(folder / "pieces.json")
    if told["made_by"] != made_by:
        differ = [name for name in made_by if told["made_by"].get(name) != made_by[name]]
        raise UserError(
            f"The pieces in {folder} were made with another {' and '.join(differ)} (the fingerprints differ). Remove "
            "that folder, and they are made anew; or give the same as then."
        )
    ids = np.memmap(folder / "ids.bin", IDS, "r") if told["pieces"] else np.zeros(0, IDS)
    if len(ids) != told["pieces"]:
        raise UserError(
            f"{folder / 'ids.bin'} holds {len(ids):,} pieces, not the {told['pieces']:,} that were written: it was cut "
            "short. Remove that folder, and they are made anew."
        )
    try:
        check_sums(folder)
    except (OSError, UserError):
        raise UserError(
            f"The pieces in {folder} are damaged: they are not those that were written. Remove that folder, and they "
            "are made anew."
        ) from None
    sentences, documents = (np.load(folder / f"{name}.npy") for name in ("sentences", "documents"))
    return Encoded(ids, sentences, documents, told["unknown"])


def _write(folder: Path, documents: Iterator[Document], tokenizer: Tokenizer, made_by: dict[str, str]) -> None:
    sentences, counts, unknown = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], 0
    pieces = sums = 0
    folder.mkdir(parents=True, exist_ok=True)
    with room(folder), open(folder / "ids.bin", "wb") as file:
        for block in _blocks(documents):
            part = encode(block, tokenizer)
            _are_text(part.ids, tokenizer)
            file.write(part.ids.astype(IDS).tobytes())
            sentences.append(part.sentences[1:] + pieces)
            counts.append(part.documents[1:] + sums)
            pieces, sums, unknown = pieces + len(part.ids), sums + len(part.sentences) - 1, unknown + part.unknown
        np.save(folder / "sentences.npy", np.concatenate(sentences))
        np.save(folder / "documents.npy", np.concatenate(counts))
    write_json(folder / "pieces.json", {"made_by": made_by, "pieces": pieces, "unknown": unknown})


def _are_text(ids: np.ndarray, tokenizer: Tokenizer) -> None:
    """Raises UserError for special pieces that the text spells, which the network would take for its own."""
    special = sorted(tokenizer.special_ids - {tokenizer.unk_id})
    found, counts = np.unique(ids[np.isin(ids, special)], return_counts=True)
    if len(found):
        names = tokenizer.tokens(found.tolist())
        told = ", ".join(f"{name} ({counted(int(times), 'time')})" for name, times in zip(names, counts, strict=True))
        options = " ".join(f"--special {shlex.quote(name)}" for name in names)
        raise UserError(
            f"The text spells special pieces of this tokenizer: {told}. Build a corpus in which they are parted: "
            f"maskwright corpus build TEXT --out corpus/ --held-out 1% {options}"
        )


def _blocks(documents: Iterator[Document]) -> Iterator[list[list[str]]]:
    """Documents, so many at once that they are encoded on all cores and still fit."""
    block: list[list[str]] = []
    size = 0
    for document in documents:
        block.append(document.sentences)
        size += sum(map(len, document.sentences))
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block
