"""The sizes that every encoder has; the defaults are BERT-base's."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from maskwright.base.config import Config


class Sizes(Config):
    """What a family's `Config` begins with."""

    vocabulary: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    activation: str = "gelu"
    positions: int = 512
    initial_std: float = 0.02
    padding: int | None = 0

    @property
    def attention_width(self) -> int:
        """What the heads share between them."""
        return self.width

    @model_validator(mode="after")
    def _numbers_make_sense(self) -> Self:
        for name in ("vocabulary", "width", "heads", "inner", "positions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: at least 1")
        for name in type(self).model_fields:
            rate = getattr(self, name)
            if "dropout" in name and rate is not None and not 0 <= rate < 1:
                raise ValueError(f"{name} = {rate}: at least 0 and less than 1")
        if self.attention_width % self.heads:
            raise ValueError(f"the width {self.attention_width} is not a multiple of the number of heads {self.heads}")
        return self
