"""Small tokenizers of other kinds than WordPiece, in folders of the Hugging Face layout."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, processors
from tokenizers import Tokenizer as Backend

from maskwright.text.tokenizer import Tokenizer

NAMES = {"cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
LINES = ["the dog doesn't see New-York, or does it", "unhappily the dogs (two) see it all again 京都 and 東京です"] * 4


def framed(backend: Backend, folder: Path) -> Tokenizer:
    """With RoBERTa's special pieces around a text, read from the folder."""
    backend.add_special_tokens([AddedToken(NAMES["mask"], lstrip=True)])
    frame = [(name, backend.token_to_id(name)) for name in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=frame)
    backend.save(str(folder / "tokenizer.json"))
    return Tokenizer.from_folder(folder)
