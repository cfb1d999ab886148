"""Golden encodings: hard texts and their ids, stored beside a model, so that a changed tokenizer is found on load."""

from __future__ import annotations

from typing import Any

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer

# Each text shows one thing that versions, settings or damaged files have been seen to change.
GOLDEN_TEXTS: tuple[str, ...] = (
    "",
    "The quick Brown FOX, jumps over the lazy dog.",
    "Crème brûlée, naïve Ångström, İstanbul, Straße, cafe\u0301",
    "我爱北京天安门 and 東京タワー mixed with English한국어",
    "Emoji 😀👍🏽👨\u200d👩\u200d👧 and flags 🇩🇪",
    "Donaudampfschifffahrtsgesellschaft antidisestablishmentarianism " + "q" * 101,
    "Don't stop—believin'! (e.g., \"quotes\" & 'more') $5.00 50% a_b #tag @user ``x''…",
    "3.14159 1,000,000 1e-5 0x1F 2024-02-29 12:30 ½ ² Ⅳ",
    "con\x00trol\x07 char\u200bacters\ufeff soft\u00adhyphen \ufffd",
    "  leading\tand\nlines\r\nand\u00a0no-break\u3000spaces  ",
    "Literal [CLS] and [SEP] and [MASK], but [mask] and [ UNK ]",
    "https://example.org/a?b=c&d=e#f someone@example.org C:\\temp\\file.txt",
    "Ελλάδα, ΟΔΟΣ, Москва, שָׁלוֹם, العَرَبِيَّة, हिन्दी, ไทย",
    "unhappiness playing tokenization bioinformatics",
)


def golden(tokenizer: Tokenizer) -> dict[str, Any]:
    """The golden texts and their ids, ready for JSON: {"texts": [...], "ids": [[...], ...]}."""
    return {"texts": list(GOLDEN_TEXTS), "ids": _ids(tokenizer, list(GOLDEN_TEXTS))}


def check_golden(tokenizer: Tokenizer, stored: dict[str, Any]) -> None:
    """Encode the stored texts again. Raises UserError with the first text that is cut otherwise, and both encodings."""
    texts, expected = stored.get("texts"), stored.get("ids")
    if not isinstance(texts, list) or not isinstance(expected, list) or not texts or len(texts) != len(expected):
        raise UserError("The golden encodings are damaged: they must hold as many `ids` as `texts`, and at least one.")
    found = _ids(tokenizer, texts)
    wrong = [i for i in range(len(texts)) if found[i] != expected[i]]
    if wrong:
        i = wrong[0]
        raise UserError(
            f"The tokenizer is not the one that was stored with the model: {len(wrong)} of {len(texts)} golden texts "
            f"are encoded otherwise. The first is {texts[i]!r}. Stored: {expected[i]}. "
            f"Now: {found[i]} ({' '.join(tokenizer.tokens(found[i]))}). Put the model's own tokenizer files back."
        )


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    encoded = tokenizer.encode(texts)
    return [encoded.ids[start:end].tolist() for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False)]
