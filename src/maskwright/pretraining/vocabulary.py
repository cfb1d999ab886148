"""What masking must know of a tokenizer's pieces: which are special, and where words begin."""

from __future__ import annotations

import unicodedata

import numpy as np

from maskwright.base.errors import UserError
from maskwright.pretraining.masking import Vocabulary
from maskwright.text.tokenizer import Tokenizer


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """Special pieces are those with a role ([CLS], [SEP], [PAD], [UNK], [MASK]), those added as special, and ids that
    have no piece. Other pieces that were added begin a word.

    Where pieces only show the space before a word ("Ġ" and "▁"), a sign of punctuation is a word for itself all the
    same, and so are Han and kana characters, which are written without spaces: as BERT cuts words before it cuts pieces
    (Devlin et al. 2019, code), and as ALBERT's masking does.

    Raises UserError when there is no [MASK].
    """
    try:
        mask = tokenizer.mask_id
    except UserError as problem:
        raise UserError(
            f"Masking needs a piece that hides others. {problem} A vocabulary by `maskwright tokenizer train` has one; "
            "in a vocab.txt, write [MASK] in the place of a piece that is not used, such as [unused0]."
        ) from None
    mark, added = tokenizer.word_mark, tokenizer.added_ids
    special = np.ones(tokenizer.size, bool)
    starts, ends = np.zeros(tokenizer.size, bool), np.zeros(tokenizer.size, bool)
    for piece, i in tokenizer.vocabulary.items():
        special[i] = i in tokenizer.special_ids
        starts[i], ends[i] = _edges(piece, *mark) if i not in added else (True, False)
    return Vocabulary(mask, special, starts, ends if ends.any() else None)


def _edges(piece: str, kind: str, mark: str) -> tuple[bool, bool]:
    """Whether a piece begins a word, and whether it ends one, whatever stands beside it."""
    match kind:
        case "continues":
            return not piece.startswith(mark), False
        case "goes on":
            return False, not piece.endswith(mark)
        case "ends":
            return False, piece.endswith(mark)
        case "none":
            return True, False
    bare = piece.removeprefix(mark)
    alone = [_alone(c, mark) for c in bare]
    white = mark == "Ġ" and piece.startswith(("ĉ", "Ċ", "č"))  # tab and line ends, as byte-level BPE writes them
    return piece.startswith(mark) or white or alone[:1] == [True], bool(alone) and all(alone)


def _alone(character: str, mark: str) -> bool:
    if mark == "Ġ" and not character.isascii():  # a byte of a longer character
        return False
    return unicodedata.category(character)[0] in "PS" or "\u3040" <= character <= "\u9fff"
