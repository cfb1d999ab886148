"""Masked words, and whether two texts stand in their order or were swapped (Lan et al. 2020, section 3.1)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from maskwright.base.choice import Choice
from maskwright.pretraining.formats import Format
from maskwright.pretraining.formats.sentence_order import SentenceOrder as Swapped
from maskwright.pretraining.objectives.next_sentence import NextSentence


class SentenceOrder(NextSentence):
    """BERT's two losses, of pairs whose texts follow one another in either order."""

    learns: ClassVar[str] = "masked language modelling and whether two texts stand in their order"

    format: Choice[Format] = Field(Swapped(), description="how pairs are cut out of documents")
