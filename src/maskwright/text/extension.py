"""What a tokenizer may need beside the `tokenizers` library: rules that the library's own file cannot express."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Extension(Protocol):
    """The part of a tokenizer that stands around the library's. Like the tokenizer itself, it never changes."""

    @property
    def vocabulary(self) -> dict[str, int]:
        """Id of each piece as the model knows it, added pieces included."""
        ...

    def prepare(self, text: str) -> str:
        """The text that the library shall cut."""
        ...

    def renumber(self, ids: np.ndarray) -> np.ndarray:
        """The model's ids (int32) for the library's."""
        ...

    def join(self, pieces: Sequence[str], skip_specials: bool) -> str:
        """The text of a sequence of pieces."""
        ...

    def identity(self) -> Any:
        """All rules that the library's own file does not hold, ready for JSON: part of the fingerprint."""
        ...

    def write(self, folder: Path, specials: dict[str, str], config: dict[str, Any]) -> None:
        """Write the tokenizer's files, such that `Tokenizer.from_folder` and transformers encode as before."""
        ...
