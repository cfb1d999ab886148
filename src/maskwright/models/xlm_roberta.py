"""XLM-RoBERTa (Conneau et al. 2020): RoBERTa with 250,002 sentencepieces of a hundred languages."""

from __future__ import annotations

from maskwright.models import roberta
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import renamed


class Config(roberta.Config):
    """Sizes and numerics; the defaults are XLM-R-base's."""

    vocabulary: int = 250002


build = roberta.build
HEADS = renamed(roberta.HEADS, "Roberta", "XLMRoberta")
PREFIX, NAMES, COPIES = roberta.PREFIX, roberta.NAMES, roberta.COPIES
KEYS = roberta.KEYS
ABSENT = {**roberta.ABSENT, "vocab_size": 30522}

_PAPER = "Conneau et al. 2020, table 12"

PRESETS = {
    "base": Preset(Config(), _PAPER, "270", note="the paper leaves the pooler out and rounds 277 down"),
    "large": Preset(
        Config(layers=24, width=1024, heads=16, inner=4096), _PAPER, "550", note="the paper rounds 559 down"
    ),
}

CHANGES = Changes(
    "2019-11",
    "Conneau et al., Unsupervised Cross-lingual Representation Learning at Scale",
    embedding="RoBERTa's, with 250,002 sentencepieces of 100 languages | Config",
    objective="masked words alone, languages drawn evenly",
    parent="roberta",
)
