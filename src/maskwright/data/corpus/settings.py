"""What a person may choose of a corpus."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from maskwright.base.errors import UserError
from maskwright.data.settings import Encoded

SPECIALS = ("[MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "<s>", "</s>", "<mask>", "<pad>", "<unk>")


class CorpusSettings(Encoded):
    """The settings of `build`. What follows from them and from the input is the same on every machine."""

    documents: Literal["file", "lines", "blank-lines"] = Field(
        "file", description="what a document of a text file is: the file, each line, or what blank lines part"
    )
    text: str = Field("text", description="the key or column that holds the text, in JSONL and Parquet")
    name: str | None = Field(None, description="the key or column that names a document; the row's number without it")
    held_out: float = Field(0.0, ge=0, description="documents kept for judging: a share (1%, 0.01) or a count (20)")
    held_out_names: tuple[str, ...] = Field((), description="documents or files kept for judging, by name")
    duplicates: Literal["near", "exact", "keep"] = Field(
        "near", description="which repeats of a document are removed: equal and nearly equal ones, equal ones, none"
    )
    min_words: int = Field(1, ge=1, description="documents with fewer words are left out")
    max_words: int | None = Field(None, ge=1, description="documents with more words are left out")
    language: str | None = Field(None, description="keep documents of this language alone, such as en")
    specials: tuple[str, ...] = Field(SPECIALS, description="special tokens that text must not spell")
    shard_bytes: int = Field(2**25, ge=1, description="a shard is closed when it holds so many bytes")
    seed: int = Field(0, ge=0, description="draws which documents are held out")

    @field_validator("held_out", mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        """A percentage is a share; 100 % must not become a count of one."""
        if not isinstance(value, str) or not value.strip().endswith("%"):
            return value
        try:
            share = float(value.strip()[:-1]) / 100
        except ValueError:
            raise UserError(f"held_out = {value!r}: write a share as 1% or 0.01, a count as 20.") from None
        if not 0 <= share < 1:
            raise UserError(f"held_out = {value!r}: a share lies between 0% and 100%, so that something is left.")
        return share

    @model_validator(mode="after")
    def _fitting(self) -> CorpusSettings:
        if self.held_out > 1 and self.held_out != int(self.held_out):
            raise UserError(f"held_out = {self.held_out}: give a share below 1, or a whole number of documents.")
        if self.held_out and self.held_out_names:
            raise UserError("Give either held_out, a share or a count, or held_out_names, not both.")
        if self.max_words is not None and self.max_words < self.min_words:
            raise UserError(f"max_words = {self.max_words} is less than min_words = {self.min_words}: nothing is left.")
        if any(len(special) < 2 or any(c.isspace() for c in special) for special in self.specials):
            raise UserError(f"specials = {list(self.specials)}: each needs two characters or more, and no white space.")
        return self
