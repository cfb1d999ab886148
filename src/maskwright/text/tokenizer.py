"""The tokenizer: texts in, packed pieces out. A thin, unchanging shell around the `tokenizers` library.

Shapes: B texts (or pairs of texts), N pieces of all of them together.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import models

from maskwright.base.errors import UserError
from maskwright.text import additions, explanation, folder, wordpiece
from maskwright.text.encodings import Encodings, join
from maskwright.text.extension import Extension
from maskwright.text.inputs import checked

Keep = Literal["head", "tail"]
Mark = Literal["begins", "continues", "goes on", "ends", "none"]
_BLOCK = 16_384  # texts encoded at once: enough for every core, while the library's own objects stay small in memory
_CUTTERS = 4  # truncating copies kept


class Tokenizer:
    """Text to ids and back, for a vocabulary with the special pieces [CLS], [SEP], [PAD], [UNK] and [MASK].

    A tokenizer never changes: padding and truncation, which the library keeps as state, are off for good, and texts
    that are too long are encoded again by a truncating copy. So calls from several threads do not disturb each other.

    A text that holds a special piece literally, such as "[SEP]", gets that special piece, as in transformers.
    """

    def __init__(
        self,
        backend: Backend,
        specials: dict[str, str],
        config: dict[str, Any] | None = None,
        extension: Extension | None = None,
    ) -> None:
        """`backend` without padding and truncation; `specials`: the special pieces by role (cls, sep, pad, unk, mask);
        `config`: further keys for tokenizer_config.json; `extension`: what the library cannot express, such as a
        normalisation in Python or ids that are not the backend's. Use the class methods instead."""
        self._backend = backend
        self._specials = dict(specials)
        self._config = dict(config or {})
        self._extension = extension
        self._cutters: dict[tuple[int, Keep], Backend] = {}

    @classmethod
    def from_folder(cls, path: str | Path, normalise: bool | None = None) -> Tokenizer:
        """The tokenizer of a checkpoint's folder: tokenizer.json, or else vocab.txt; BERTweet's with bpe.codes.

        normalise: whether BERTweet's makes user names, links and emoji even (@USER, HTTPURL, :red_heart:), as in the
        tweets that it was trained on; None: as its files say.

        do_lower_case, strip_accents and tokenize_chinese_chars in tokenizer_config.json win over tokenizer.json, as in
        transformers. A vocab.txt without a stated do_lower_case lower-cases exactly when none of its pieces, those in
        brackets left aside, has an upper-case letter (transformers would always lower-case).

        Raises UserError when neither file is there or one is damaged.
        """
        return cls(*folder.read_folder(path, normalise))

    @classmethod
    def from_vocabulary(
        cls,
        path_or_list: str | Path | Sequence[str],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        chinese_characters: bool = True,
    ) -> Tokenizer:
        """BERT's WordPiece around a vocab.txt or a list of pieces. strip_accents None: as `lowercase` says.

        Raises UserError naming the line of an empty or repeated piece, or when [UNK], [CLS] or [SEP] is missing.
        """
        if isinstance(path_or_list, (str, os.PathLike)):
            source = str(path_or_list)
            pieces = wordpiece.read_vocabulary(path_or_list)
        else:
            source = "the given vocabulary"
            pieces = wordpiece.check_vocabulary(path_or_list, source)
        backend = wordpiece.build(
            pieces,
            source,
            lowercase=lowercase,
            strip_accents=strip_accents,
            chinese_characters=chinese_characters,
        )
        return cls(backend, wordpiece.SPECIALS)

    @classmethod
    def train(
        cls,
        files_or_texts: Iterable[str | os.PathLike[str]] | os.PathLike[str],
        *,
        size: int = 30522,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        chinese_characters: bool = True,
        min_frequency: int = 2,
        alphabet: int = 1000,
        progress: bool = False,
    ) -> Tokenizer:
        """Learn a WordPiece vocabulary of at most `size` pieces; fewer when the text has no more frequent pairs.

        A Path is a file to read (UTF-8, line by line), a str is a text. The text is read several times: what can be
        gone through again, as a list, is; an iterator is first made a list, which has to fit into memory. The same text
        gives the same vocabulary, on any number of cores. At most `alphabet` characters are kept, the most frequent
        ones; a pair is merged when it comes `min_frequency` times.

        Raises UserError for no text, a file that is not UTF-8, or a size too small for the characters.
        """
        pieces = wordpiece.learn(
            files_or_texts,
            size=size,
            lowercase=lowercase,
            strip_accents=strip_accents,
            chinese_characters=chinese_characters,
            min_frequency=min_frequency,
            alphabet=alphabet,
            progress=progress,
        )
        return cls.from_vocabulary(
            pieces, lowercase=lowercase, strip_accents=strip_accents, chinese_characters=chinese_characters
        )

    def extended(self, words: Iterable[str]) -> Tokenizer:
        """This tokenizer with each of these words as one piece, its id behind the last, in the order given.

        A text without any of them is cut as before, longer words that begin with one included. Words that are one piece
        already change nothing. How, and where a word stands whole: `text.additions`. Decoding does not give back the
        space before a new word of a Unigram vocabulary, and a sign right behind one may be cut as if it began a word.

        Raises UserError for what is not one word of letters and digits, and for a vocabulary that cannot be extended.
        """
        if self._extension is not None:
            raise UserError(
                "BERTweet's vocabulary cannot be extended by words: its two files know merges alone. Extend RoBERTa's, "
                "or train a vocabulary on your text: maskwright tokenizer train."
            )
        made = additions.with_words(self._backend, list(words))
        # A class of transformers that builds its rules anew from the pieces would lose what is new here.
        kind = {} if isinstance(made.model, models.WordPiece) else {"tokenizer_class": "PreTrainedTokenizerFast"}
        return Tokenizer(made, self._specials, {**self._config, **kind})

    def normal(self, word: str) -> str:
        """A word after case, accents and the tokenizer's other rules, without white space around it."""
        return additions.normal(self._backend, self.prepare(word))

    def new_piece(self, word: str) -> str | None:
        """What `extended` would call the piece of a word; None where the word is one piece already or cannot be."""
        if self._extension is not None or additions.is_whole(self._backend, word):
            return None
        return additions.piece_of(self._backend, word)

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        keep: Keep = "head",
        details: bool = False,
        prepared: bool = False,
    ) -> Encodings:
        """Encode B texts as [CLS] A [SEP], or B pairs (`texts[b]`, `pairs[b]`) as [CLS] A [SEP] B [SEP], on all cores.

        Texts of more than `max_length` pieces, specials included, are cut: `keep` says which end stays. Of a pair
        the longer text is cut first. details: spans and words as well. Spans point into the text as it is cut, which
        for a tokenizer with a normalisation of its own (BERTweet's) is the normalised text. prepared: the texts are so
        already, by `prepare`.

        Raises UserError for what is not text (row named), for `texts` and `pairs` of unequal length, and for a
        `max_length` that leaves no room for text.
        """
        inputs = checked(texts, pairs)
        if self._extension is not None and not prepared:
            inputs = _prepared(inputs, self._extension)
        limit = None if max_length is None else (max_length, self._cutter(max_length, keep, pairs is not None))
        starts = range(0, max(len(inputs), 1), _BLOCK)
        return join([self._encode_block(inputs[s : s + _BLOCK], limit, details) for s in starts])

    def prepare(self, text: str) -> str:
        """The text as it is cut, into which spans point: another one only for a tokenizer with a normalisation of its
        own."""
        return text if self._extension is None else self._extension.prepare(text)

    def _encode_block(self, inputs: list[Any], limit: tuple[int, Backend] | None, details: bool) -> Encodings:
        found = _run(self._backend, inputs, details)
        full_lengths = np.fromiter(map(len, found), np.int64, len(found))
        if limit is not None:
            max_length, cutter = limit
            long = np.flatnonzero(full_lengths > max_length)
            for row, cut in zip(long, _run(cutter, [inputs[row] for row in long], details), strict=True):
                found[row] = cut
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        count = int(offsets[-1])
        ids = np.fromiter(chain.from_iterable(e.ids for e in found), np.int32, count)
        if self._extension is not None:
            ids = self._extension.renumber(ids)
        segments = np.fromiter(chain.from_iterable(e.type_ids for e in found), np.uint8, count)
        spans = words = None
        if details:
            numbers = chain.from_iterable(chain.from_iterable(e.offsets for e in found))
            spans = np.fromiter(numbers, np.int32, 2 * count).reshape(count, 2)
            indices = chain.from_iterable(e.word_ids for e in found)
            words = np.fromiter((-1 if word is None else word for word in indices), np.int32, count)
        unknown_id = self.vocabulary.get(self._specials["unk"], -1)
        unknown = int((ids == unknown_id).sum())
        return Encodings(ids, segments, offsets, full_lengths, unknown, spans, words, unknown_id)

    def _cutter(self, max_length: int, keep: Keep, paired: bool) -> Backend:
        """A copy that truncates; the last few are kept. Never the backend itself: other threads may be using it."""
        if keep not in ("head", "tail"):
            raise UserError(f"keep={keep!r}: allowed are 'head' (the beginning stays) and 'tail' (the end stays).")
        specials = self._backend.num_special_tokens_to_add(paired)
        if max_length <= specials:
            raise UserError(
                f"max_length={max_length} leaves no room for text: {'a pair' if paired else 'a text'} has {specials} "
                f"special pieces. Give {specials + 1} or more."
            )
        key = (max_length, keep)
        cutter = self._cutters.get(key)
        if cutter is None:
            cutter = Backend.from_str(self._backend.to_str())
            direction = "right" if keep == "head" else "left"  # the library names the side that is cut away
            cutter.enable_truncation(max_length, strategy="longest_first", direction=direction)
            self._cutters = dict([*self._cutters.items(), (key, cutter)][-_CUTTERS:])
        return cutter

    def decode(self, ids: Sequence[int] | np.ndarray, skip_specials: bool = True) -> str:
        """The text of a sequence of ids. Case, accents and spacing that encoding dropped do not come back."""
        if self._extension is not None:
            return self._extension.join(self.tokens(ids), skip_specials)
        return str(self._backend.decode(self._checked(ids), skip_special_tokens=skip_specials))

    def tokens(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """The piece of each id. Raises UserError for an id that the vocabulary does not have."""
        return [self._pieces[i] for i in self._checked(ids)]

    def explain(self, text: str) -> list[explanation.WordExplanation]:
        """Each word of `text`, its pieces, and why it was cut so. Raises UserError when this is not a WordPiece."""
        return explanation.explain(self._backend, checked([text], None)[0])

    def save(self, path: str | Path) -> None:
        """Write tokenizer.json, vocab.txt (WordPiece), tokenizer_config.json and special_tokens_map.json.

        BERTweet's has vocab.txt and bpe.codes instead of tokenizer.json. transformers' AutoTokenizer loads the folder
        and encodes as this does.
        """
        if self._extension is not None:
            self._extension.write(Path(path), self._specials, folder.kept(self._config))
            return
        folder.write_tokenizer(path, self._backend, self._specials, self._config)

    def fingerprint(self) -> str:
        """SHA-256 of the serialised tokenizer, as hexadecimal: equal exactly when all rules and pieces are."""
        rules = json.loads(self._backend.to_str())
        if self._extension is not None:
            rules = {"backend": rules, "extension": self._extension.identity()}
        canonical = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Id of each piece, added pieces included. Do not change it."""
        return dict(self._backend.get_vocab() if self._extension is None else self._extension.vocabulary)

    @cached_property
    def _pieces(self) -> dict[int, str]:
        return {i: piece for piece, i in self.vocabulary.items()}

    @cached_property
    def size(self) -> int:
        """One more than the highest id, added pieces included: the rows an embedding must have at least."""
        return max(self.vocabulary.values()) + 1

    @cached_property
    def added_ids(self) -> dict[int, bool]:
        """Ids of the pieces that were added to the vocabulary and are never cut; True for those that are special."""
        found = self._backend.get_added_tokens_decoder().values()
        return {self.vocabulary[t.content]: t.special for t in found if t.content in self.vocabulary}

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special pieces: those with a role, such as [CLS], and those added as special."""
        return frozenset({*self.role_ids.values()} | {i for i, special in self.added_ids.items() if special})

    @cached_property
    def role_ids(self) -> dict[str, int]:
        """Ids of the special pieces by role (cls, sep, pad, unk, mask), of those that the vocabulary has."""
        return {role: self.vocabulary[p] for role, p in self._specials.items() if p in self.vocabulary}

    @property
    def word_mark(self) -> tuple[Mark, str]:
        """How pieces show words: what the mark does, and the mark.

        "begins": a piece that starts with it begins a word ("Ġ" of byte-level BPE, "▁" of sentencepiece); "continues":
        one that starts with it does not ("##" of WordPiece); "goes on": the word of a piece that ends with it goes on
        with the next ("@@" of BERTweet); "ends": such a piece is the last of a word ("</w>"); "none": each piece is a
        word.
        """
        model = self._backend.model
        if self._extension is not None:
            return "goes on", "@@"
        if isinstance(model, models.WordPiece):
            return "continues", model.continuing_subword_prefix
        if getattr(model, "end_of_word_suffix", None):
            return "ends", model.end_of_word_suffix
        if "ByteLevel(" in repr(self._backend.pre_tokenizer):
            return "begins", "Ġ"
        return ("begins", "▁") if any(piece.startswith("▁") for piece in self.vocabulary) else ("none", "")

    @property
    def lowercase(self) -> bool:
        """Whether texts are lower-cased before they are cut."""
        rules = self._backend.normalizer
        return rules is not None and rules.normalize_str("A").strip("▁ ") == "a"

    @property
    def cls_id(self) -> int:
        """Id of the piece that starts every sequence."""
        return self._special("cls")

    @property
    def sep_id(self) -> int:
        """Id of the piece that ends every text."""
        return self._special("sep")

    @property
    def pad_id(self) -> int:
        """Id of the piece that fills dense batches."""
        return self._special("pad")

    @property
    def unk_id(self) -> int:
        """Id of the piece for words that cannot be written with the vocabulary."""
        return self._special("unk")

    @property
    def mask_id(self) -> int:
        """Id of the piece that hides another one."""
        return self._special("mask")

    def _special(self, role: str) -> int:
        piece = self._specials[role]
        if piece not in self.vocabulary:
            raise UserError(
                f"The vocabulary of {len(self.vocabulary)} pieces has no {piece!r}, which is its piece for {role!r}. "
                f"Add it, or name the right piece as {role}_token in tokenizer_config.json."
            )
        return self.vocabulary[piece]

    def _checked(self, ids: Sequence[int] | np.ndarray) -> list[int]:
        numbers: list[int] = np.asarray(ids, dtype=np.int64).tolist()
        wrong = next((i for i in numbers if i not in self._pieces), None)
        if wrong is not None:
            raise UserError(f"The vocabulary has no piece with the id {wrong}; its ids go from 0 to {self.size - 1}.")
        return numbers


def _run(backend: Backend, inputs: list[Any], details: bool) -> list[Any]:
    return backend.encode_batch(inputs) if details else backend.encode_batch_fast(inputs)


def _prepared(inputs: list[Any], extension: Extension) -> list[Any]:
    prepare = extension.prepare
    return [prepare(text) if isinstance(text, str) else (prepare(text[0]), prepare(text[1])) for text in inputs]
