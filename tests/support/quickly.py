"""A pre-training that takes a second: tiny matrices, which are slower on several threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskwright.base.config import merge
from maskwright.pretraining.run import Pretrained, pretrain

Train = Callable[..., Pretrained]
QUICK: dict[str, Any] = {"budget": "30 steps", "size": "1x32", "vocabulary": 120, "length": 48, "batch_tokens": 600}
QUICK |= {"quiet": True}
ONE: dict[str, Any] = {"threads": 1, "checkpoint_minutes": None, "evaluations": 1}


def pretrained(text: Path, out: Path, **options: Any) -> Pretrained:
    """`pretrain`'s options win over these. A model that is trained further has its shape and words, a tokenizer its
    words."""
    settings = merge({"train": ONE}, options.pop("settings", {}))
    own = {"size", "vocabulary"} if "model" in options else {"vocabulary"} if "tokenizer" in options else set()
    given = {name: value for name, value in QUICK.items() if name not in own}
    return pretrain(text=text, out=out, settings=settings, **{**given, **options})
