"""A vocabulary that knows more words: each whole, as one piece, and all else cut as before.

Just writing a word into a vocabulary would not do. WordPiece takes the longest match, so that with a piece "cardio" the
word "cardiology" would begin with it; merges and scores that make a word would work inside of longer words too. So

- in a WordPiece and a Unigram vocabulary a word is an added piece of the `tokenizers` library (single_word): found in
  the text, after case and accents, where no letter, digit or underscore is beside it;
- in a BPE vocabulary it is a piece as it stands behind a space ("Ġcardio"), with `ignore_merges`: words that the
  vocabulary has as a whole are looked up before merges are tried. All pieces that merges make are the same either way;
  a piece that no merge can make, such as RoBERTa's "madeupword0000", becomes whole too. At the beginning of a text and
  behind a bracket, where no space is, the word is cut as before.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, models
from tokenizers import Tokenizer as Backend

from maskwright.base.errors import UserError


def piece_of(backend: Backend, word: str) -> str | None:
    """What the piece of a word would be called; None where it cannot be one: it is several words, holds signs, or is
    nothing after normalisation."""
    plain = normal(backend, word)
    if not plain or not all(_in_words(c) for c in plain) or normal(backend, plain) != plain:
        return None
    if isinstance(backend.model, models.BPE):
        found = _behind_space(backend, plain)
        return found[0] if len(found) == 1 else None
    found = [plain] if backend.pre_tokenizer is None else [w for w, _ in backend.pre_tokenizer.pre_tokenize_str(plain)]
    return plain if len(found) == 1 else None


def normal(backend: Backend, word: str) -> str:
    """The word after case, accents and the other rules of the tokenizer, without white space around it."""
    return backend.normalizer.normalize_str(word).strip() if backend.normalizer else word.strip()


def with_words(backend: Backend, words: Sequence[str]) -> Backend:
    """A copy that has each word as one piece, with the ids behind the last, in the order of the words. Words that are
    one piece already need no other, and a word that comes twice is taken once.

    Raises UserError for a word that cannot be a piece, and for a vocabulary that cannot be extended so.
    """
    if isinstance(backend.model, models.BPE):
        extended, kind = _in_vocabulary, "BPE"
        _check_bpe(backend)
    elif isinstance(backend.model, models.WordPiece | models.Unigram):
        extended, kind = _added, type(backend.model).__name__
    else:
        raise UserError(
            f"A vocabulary of the kind {type(backend.model).__name__} cannot be extended by words, only WordPiece, BPE "
            "and Unigram. Train a vocabulary on your text: maskwright tokenizer train."
        )
    pieces = dict.fromkeys(_checked(backend, word) for word in words if not is_whole(backend, word))
    size = max(backend.get_vocab().values()) + 1
    made = extended(backend, list(pieces))
    wanted = {**backend.get_vocab(), **{piece: size + i for i, piece in enumerate(pieces)}}
    if made.get_vocab() != wanted:
        raise UserError(
            f"This {kind} vocabulary of {backend.get_vocab_size():,} pieces has gaps in its ids, which end at "
            f"{size - 1:,}: new words would take ids of others. Train a vocabulary on your text: maskwright tokenizer "
            "train."
        )
    return made


def is_whole(backend: Backend, word: str) -> bool:
    """Whether a word, behind a space, is one piece already."""
    found = backend.encode(f" {normal(backend, word)}", add_special_tokens=False).tokens
    return len(found) == 1 and found[0] != getattr(backend.model, "unk_token", None)


def _checked(backend: Backend, word: str) -> str:
    piece = piece_of(backend, word)
    if piece is None:
        raise UserError(
            f"{word!r} cannot be a new piece of this vocabulary: it must be one word of letters and digits, as the "
            "tokenizer cuts words (maskwright tokenizer explain shows how). Give its words one by one."
        )
    return piece


def _added(backend: Backend, pieces: list[str]) -> Backend:
    made = Backend.from_str(backend.to_str())
    # Unigram vocabularies write the space before a word into the word; the space before an added piece is part of it.
    behind = isinstance(backend.model, models.Unigram)
    made.add_tokens([AddedToken(piece, single_word=True, normalized=True, lstrip=behind) for piece in pieces])
    return made


def _check_bpe(backend: Backend) -> None:
    model: Any = backend.model
    if backend.pre_tokenizer is None or model.end_of_word_suffix or model.continuing_subword_prefix:
        raise UserError(
            "Of BPE vocabularies only those can be extended by words that cut a text into words first and mark the "
            "space before a word (Ġ or ▁), as RoBERTa's does. Train a vocabulary on your text: maskwright tokenizer "
            "train."
        )


def _in_vocabulary(backend: Backend, pieces: list[str]) -> Backend:
    rules = json.loads(backend.to_str())
    model, known = rules["model"], backend.get_vocab()
    size = max(known.values()) + 1
    # Added pieces stand in the vocabulary too, so that reading the file gives them the ids that they had.
    model["vocab"] |= {token["content"]: token["id"] for token in rules["added_tokens"]}
    model["vocab"] |= {piece: size + i for i, piece in enumerate(pieces)}
    model["ignore_merges"] = True
    return Backend.from_str(json.dumps(rules))


def _behind_space(backend: Backend, word: str) -> list[str]:
    return [found for found, _ in backend.pre_tokenizer.pre_tokenize_str(f" {word}")]


def _in_words(character: str) -> bool:
    """Whether the library holds it for a part of a word: letters, marks, decimal digits."""
    category = unicodedata.category(character)
    return category[0] in "LM" or category in ("Nd", "Nl")
