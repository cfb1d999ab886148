"""BERTweet's tokenizer: the text of tweets made even, and a BPE whose codes and vocabulary are two files.

Nguyen, Vu and Nguyen 2020 (arXiv:2005.10200, section 2); the BPE is fastBPE's (Sennrich et al. 2016, arXiv:1508.07909).
PhoBERT (Nguyen and Nguyen 2020, arXiv:2003.00744) has the same files and is read as well.

- vocab.txt: a line is "piece count"; the four ids before its first line are <s>, <pad>, </s> and <unk>. A piece that
  does not end a word is written with "@@". A file that transformers saved has the id in place of the count.
- bpe.codes: a line is "left right count", the first pair being merged first; the end of a word is written "</w>". A
  file that transformers saved has no counts.

The merges are run by the `tokenizers` library under the names of the codes ("abc" inside a word, "abc</w>" at its end).
What a merge makes need not be in the vocabulary: it may be a step to a longer piece. So the library numbers all of
them for itself, and an array leads from its numbers to the model's ids, or to <unk> where there is none.

Two things differ from transformers' class in Python. Where a pair of texts is cut and the room is odd, the library
leaves the odd piece to the longer text, or of equal ones to the second; transformers always to the first. And where
the codes list a pair twice (the last place counts, as in transformers), a few words in ten thousand may merge in
another order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from maskwright.base.errors import UserError
from maskwright.base.files import write_json, write_text

VOCABULARY, CODES = "vocab.txt", "bpe.codes"
CLASSES = ("BertweetTokenizer", "PhobertTokenizer")  # transformers' names of the classes that read these two files
_NAMES = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}  # the ids 0 to 3
_MORE = {"cls": "<s>", "sep": "</s>", "mask": "<mask>"}  # added at the end where the vocabulary has them not
_END, _INNER = "</w>", "@@"
_WORD = r"[^\s\x1c-\x1f]+\n?"  # Python's \S+\n? in the words of the library, whose \s lacks the four separators
_BREAK = "\x1f"  # white space to Python, so that no normalised text holds it

_PUNCTUATION = {"’": "'", "…": "..."}
_REPLACEMENTS = (
    ("cannot ", "can not "),
    ("n't ", " n't "),
    ("n 't ", " n't "),
    ("ca n't", "can't"),
    ("ai n't", "ain't"),
    *((f"{ending} ", f" {ending} ") for ending in ("'m", "'re", "'s", "'ll", "'d", "'ve")),
    (" p . m .", " p.m."),
    (" p . m ", " p.m "),
    (" a . m .", " a.m."),
    (" a . m ", " a.m "),
)
# What newer TweetTokenizers keep together: the joiner, skin tones, the letters of flags and the black flag. They are
# hidden from it behind characters that its other rules treat alike: a mark (part of a word, as the joiner is) that only
# rare Han characters carry, and the 32 code points that Unicode keeps out of texts for good.
_JOINING = "\u200d" + "".join(map(chr, (*range(0x1F3FB, 0x1F400), *range(0x1F1E6, 0x1F200), 0x1F3F4)))
_STAND_INS = "\U000e01ef" + "".join(map(chr, range(0xFDD0, 0xFDF0)))


def normalise(text: str) -> str:
    """BERTweet's normalisation: words with single spaces between; @USER for a user and HTTPURL for a link.

    In order: ’ and … in ASCII; words as NLTK's TweetTokenizer cuts them; an emoji that is one character as its name
    (":red_heart:", by the `emoji` package; BERTweet was trained with its version 0.6.0, which names some otherwise);
    "ca n't" and its like cut as in the Penn Treebank, with "can't" and "ain't" whole; "5 p . m ." as "5 p.m.".

    The published model, and transformers' copy of NLTK, have the TweetTokenizer of 2020. Newer ones keep whole an emoji
    with a skin tone or a joiner, a flag and "</3", and four and more of a letter outside ASCII in a row; here these are
    taken apart, or shortened to three, as in 2020. What stays different is "</3" that goes on without a space; those
    characters when they are written as entities ("&eacute;" four times in a row); and names in links and addresses that
    are longer than 63 characters.

    Raises UserError when the extra `tweets` is not installed, or NLTK gives up on a text (five seconds).
    """
    words, name_emoji = _tools()
    for old, new in _PUNCTUATION.items():
        text = text.replace(old, new)
    text = " ".join(_normalise_word(word, name_emoji) for word in words(text))
    for old, new in _REPLACEMENTS:
        text = text.replace(old, new)
    return " ".join(text.split())


def _normalise_word(word: str, name_emoji: Callable[[str], str]) -> str:
    if word.startswith("@"):
        return "@USER"
    if word.lower().startswith(("http", "www")):
        return "HTTPURL"
    return _PUNCTUATION.get(word) or name_emoji(word) if len(word) == 1 else word


@cache
def _tools() -> tuple[Callable[[str], list[str]], Callable[[str], str]]:
    """The cut into words as it was in 2020, and the naming of emoji. Imported late: only who normalises has them."""
    try:
        import emoji
        from nltk.tokenize import TweetTokenizer
    except ImportError as problem:
        raise UserError(
            f"The normalisation of tweets needs the package {problem.name!r}: pip install 'maskwright[tweets]'."
        ) from None
    cut = TweetTokenizer().tokenize
    drawn_out = re.compile(r"([^\x00-\x7f])\1{3,}")
    hide, show = str.maketrans(_JOINING, _STAND_INS), str.maketrans(_STAND_INS, _JOINING)

    def words(text: str) -> list[str]:
        try:
            found = cut(drawn_out.sub(r"\1\1\1", text).translate(hide))
        except TimeoutError:
            raise UserError(f"NLTK takes too long over the tweet {text[:40]!r}…; drop or shorten it.") from None
        return [part for word in found for part in (word if word == "</3" else [word.translate(show)])]

    return words, emoji.demojize


@dataclass(frozen=True, eq=False)
class Tweets:
    """What stands around the library's BPE (an `Extension`): normalisation, the model's ids, and the two files.

    pieces and codes: the lines of the two files, number last; added: the pieces that are never cut, by id; renumbering:
    the model's id of each of the library's; names: the special pieces by role (bos, pad, eos, unk, cls, sep, mask).
    """

    pieces: list[tuple[str, str]]
    codes: list[tuple[str, str, str]]
    added: dict[int, AddedToken]
    names: dict[str, str]
    vocabulary: dict[str, int]
    renumbering: np.ndarray
    normalization: bool

    def prepare(self, text: str) -> str:
        """The normalised text, where normalisation is on: special pieces stay, the stretches between are normalised.

        A stretch that only becomes a special piece by normalisation ("&lt;s&gt;") is text, not that piece, as in
        transformers: a mark keeps the library from seeing it, and is then removed.
        """
        if not self.normalization:
            return text
        stretches = self._never_cut.split(text)  # those at odd places are special pieces
        for place in range(0, len(stretches), 2):
            plain = normalise(stretches[place])
            stretches[place] = self._never_cut.sub(lambda found: found[0][0] + _BREAK + found[0][1:], plain)
        return "".join(stretches)

    @cached_property
    def _never_cut(self) -> re.Pattern[str]:
        longest_first = sorted((token.content for token in self.added.values()), key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def renumber(self, ids: np.ndarray) -> np.ndarray:
        """The model's ids for the library's."""
        return self.renumbering[ids]

    def join(self, pieces: Sequence[str], skip_specials: bool) -> str:
        """Pieces as text, words with one space between."""
        hidden = self._hidden if skip_specials else set()
        return " ".join(piece for piece in pieces if piece not in hidden).replace(f"{_INNER} ", "").strip()

    @cached_property
    def _hidden(self) -> set[str]:
        return {*self.names.values(), *(token.content for token in self.added.values() if token.special)}

    def identity(self) -> Any:
        """The ids and the normalisation; the merges are in the library's file."""
        return {"vocabulary": self.vocabulary, "normalization": self.normalization}

    def write(self, folder: Path, specials: dict[str, str], config: dict[str, Any]) -> None:
        """vocab.txt, bpe.codes with a count in each line (transformers would misread pairs alone), and the settings."""
        write_text(folder / VOCABULARY, "".join(f"{piece} {count}\n" for piece, count in self.pieces))
        write_text(folder / CODES, "".join(f"{left} {right} {count}\n" for left, right, count in self.codes))
        names = {f"{role}_token": name for role, name in (self.names | specials).items()}
        stated = config.get("tokenizer_class")
        flags = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
        config = config | names
        config["tokenizer_class"] = stated if stated in CLASSES else CLASSES[0]
        config["normalization"] = self.normalization
        config["added_tokens_decoder"] = {
            str(i): {flag: getattr(token, flag) for flag in flags} for i, token in sorted(self.added.items())
        }
        write_json(folder / "tokenizer_config.json", dict(sorted(config.items())))
        write_json(folder / "special_tokens_map.json", names)


def read(
    folder: Path, named: Mapping[str, str], stored: Mapping[int, AddedToken], normalization: bool
) -> tuple[Backend, Tweets]:
    """The tokenizer in a folder. named: special pieces by role, where they are not the usual ones; stored: added pieces
    by id. Raises UserError naming the file and line of a mistake."""
    names = _NAMES | _MORE | dict(named)
    pieces = _read_vocabulary(folder / VOCABULARY, [names[role] for role in _NAMES])
    codes = _read_codes(folder / CODES)
    vocabulary = {piece: i for i, piece in enumerate([*(names[role] for role in _NAMES), *(p for p, _ in pieces)])}
    added: dict[int, AddedToken] = {}
    used = range(len(vocabulary))
    for i, token in sorted(stored.items()):
        if vocabulary.get(token.content, -1 if i in used else i) != i:
            raise UserError(
                f"{folder}: the added piece {token.content!r} is stored with the id {i}, which does not fit the "
                f"{len(pieces)} lines of {VOCABULARY}. The files are not of one model."
            )
        vocabulary[token.content] = i
        added[i] = token
    for name in names.values():
        i = vocabulary.setdefault(name, len(vocabulary))
        added.setdefault(i, AddedToken(name, special=True, normalized=False))
    backend, renumbering = _build(vocabulary, names, codes, added)
    if normalization:
        backend.normalizer = normalizers.Replace(_BREAK, "")
    return backend, Tweets(pieces, codes, added, names, vocabulary, renumbering, normalization)


def _build(
    vocabulary: Mapping[str, int],
    names: Mapping[str, str],
    codes: Sequence[tuple[str, str, str]],
    added: Mapping[int, AddedToken],
) -> tuple[Backend, np.ndarray]:
    """The library's BPE over all that the merges know, and the model's id of each of its numbers."""
    unknown = names["unk"]
    numbers = {unknown: 0}
    symbols = [part for left, right, _ in codes for part in (left, right, left + right)]
    symbols += [piece + _END for piece in vocabulary if len(piece) == 1]
    symbols += [piece[0] for piece in vocabulary if len(piece) == 1 + len(_INNER) and piece.endswith(_INNER)]
    for symbol in symbols:
        numbers.setdefault(symbol, len(numbers))
    ids = [vocabulary.get(_written(symbol), vocabulary[unknown]) for symbol in numbers]
    merges = [(left, right) for left, right, _ in codes]
    backend = Backend(models.BPE(numbers, merges, unk_token=unknown, end_of_word_suffix=_END))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    for i, token in sorted(added.items()):
        # Not normalised: transformers finds these pieces in the text as it was given.
        flags = {"lstrip": token.lstrip, "rstrip": token.rstrip, "single_word": token.single_word, "normalized": False}
        add = backend.add_special_tokens if token.special else backend.add_tokens
        add([AddedToken(token.content, special=token.special, **flags)])
        place = backend.token_to_id(token.content)
        assert place is not None, "it was added in the line above"
        ids[place : place + 1] = [i]  # in the place of a symbol, or behind the last one
    cls, sep = names["cls"], names["sep"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 {sep}:0 $B:0 {sep}:0",
        special_tokens=[(name, backend.token_to_id(name)) for name in dict.fromkeys((cls, sep))],
    )
    return backend, np.array(ids, np.int32)


def _written(symbol: str) -> str:
    """The piece of the vocabulary for a symbol of the codes."""
    return symbol.removesuffix(_END) if symbol.endswith(_END) else symbol + _INNER


def _read_vocabulary(path: Path, first: Sequence[str]) -> list[tuple[str, str]]:
    """The pieces and their counts. `first`: the pieces whose ids come before the first line."""
    lines = _lines(path)
    if not lines:
        raise UserError(f"{path}: the vocabulary is empty. Give one piece and its count a line.")
    seen = dict.fromkeys(first, 0)
    found: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        piece, _, count = line.strip().rpartition(" ")
        if not piece or not count.isdecimal():
            raise UserError(f"{path}, line {number}: {line[:60]!r} is not a piece and its count, with a space between.")
        if piece in seen:
            place = f"stands in line {seen[piece]} already" if seen[piece] else "has its id before the first line"
            raise UserError(f"{path}, line {number}: the piece {piece!r} {place}. Each piece may come once.")
        seen[piece] = number
        found.append((piece, count))
    return found


def _read_codes(path: Path) -> list[tuple[str, str, str]]:
    """The pairs to merge, in order, and their counts; 0 where a line is a pair alone."""
    found: list[tuple[str, str, str]] = []
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if len(words) not in (2, 3):
            raise UserError(
                f"{path}, line {number}: {line[:60]!r} is not a pair of pieces to merge, with or without its count."
            )
        found.append((words[0], words[1], words[2] if len(words) == 3 else "0"))
    return found


def _lines(path: Path) -> list[str]:
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise UserError(f"{path}, line {line}: not text in UTF-8 ({problem.reason}). Get the file again.") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
