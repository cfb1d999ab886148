"""CamemBERT (Martin et al. 2020): RoBERTa in French, with 32,005 sentencepieces."""

from __future__ import annotations

from maskwright.models import roberta
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import renamed


class Config(roberta.Config):
    """Sizes and numerics; the defaults are CamemBERT-base's."""

    vocabulary: int = 32005


build = roberta.build
HEADS = renamed(roberta.HEADS, "Roberta", "Camembert")
PREFIX, NAMES, COPIES = roberta.PREFIX, roberta.NAMES, roberta.COPIES
KEYS = roberta.KEYS
ABSENT = {**roberta.ABSENT, "vocab_size": 30522}

_PAPER = "Martin et al. 2020, section 4.3"

PRESETS = {
    "base": Preset(Config(), _PAPER, "110", note="the paper rounds 110.6 down"),
    "large": Preset(
        Config(layers=24, width=1024, heads=16, inner=4096),
        _PAPER,
        "335",
        note="the paper's number; its own sizes come to 336.7",
    ),
}

CHANGES = Changes(
    "2019-11",
    "Martin et al., CamemBERT: a Tasty French Language Model",
    embedding="RoBERTa's, with 32,005 French sentencepieces | Config",
    objective="masked whole words",
    parent="roberta",
)
