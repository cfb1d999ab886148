"""What a piece stands for, whatever its vocabulary's marks: the same text in two vocabularies has the same form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenizers import decoders

from maskwright.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Form:
    """text: what stands in a text; begins: whether the piece begins a word; None: it may, or goes on with one. Signs
    and single Han or kana characters are words for themselves in any place."""

    text: str
    begins: bool | None

    def __str__(self) -> str:
        """As it is to be given to a tokenizer."""
        return self.text if self.begins is False else f" {self.text}"


def forms(tokenizer: Tokenizer) -> dict[int, Form]:
    """The form of each piece that stands for text: special pieces do not, nor do bytes of which no character is
    whole."""
    kind, mark = tokenizer.word_mark
    read = _READERS[kind](mark)
    added, special = tokenizer.added_ids, tokenizer.special_ids
    out = {}
    for piece, i in tokenizer.vocabulary.items():
        text, begins = read(piece) if i not in added else (piece, True)
        if i not in special and text and "\ufffd" not in text:
            out[i] = Form(text, None if _alone(text) else begins)
    return out


Read = Callable[[str], tuple[str, bool | None]]


def _continues(mark: str) -> Read:
    return lambda piece: (piece.removeprefix(mark), not piece.startswith(mark) or piece == mark)


def _begins(mark: str) -> Read:
    if mark != "Ġ":
        return lambda piece: (piece.removeprefix(mark).replace(mark, " "), piece.startswith(mark))
    bytes_of = decoders.ByteLevel()

    def read(piece: str) -> tuple[str, bool]:
        text: str = bytes_of.decode([piece])
        return text.removeprefix(" "), text.startswith(" ")

    return read


def _unsaid(mark: str) -> Read:
    """The mark says how a word goes on, and nothing of its beginning."""
    return lambda piece: (piece.removesuffix(mark), None)


def _none(mark: str) -> Read:
    return lambda piece: (piece, True)


_READERS = {"continues": _continues, "begins": _begins, "goes on": _unsaid, "ends": _unsaid, "none": _none}


def _alone(text: str) -> bool:
    return not any(map(str.isalnum, text)) or (len(text) == 1 and "\u3040" <= text <= "\u9fff")
