"""JSON Lines: one object an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from maskwright.data.writers._writer import Answer, Fields, Writer


class Jsonl(Writer):
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def block(self, answers: Sequence[Answer], fields: Fields) -> bytes:
        # Dates and decimals, which a Parquet file may hold and JSON has not, become text.
        return "".join(f"{json.dumps(answer, ensure_ascii=False, default=str)}\n" for answer in answers).encode()
