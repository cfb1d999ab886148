"""An arm: BERT whose tokens see nothing to their right, as GPT's (Devlin et al. 2019, section 5.1, "LTR & No NSP").

A sequence is read at its last token: the first has seen only itself.
"""

from __future__ import annotations

from maskwright.models import bert
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import Last, Tokens, Words
from maskwright.nn.encoder import Encoder
from maskwright.nn.pattern import LEFT


class Config(bert.Config):
    """BERT's sizes."""


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    return bert.build(config, pattern=LEFT)


HEADS = {
    "bare": Last.of("LeftToRight"),
    "masked-lm": Words.of("LeftToRightMaskedLM", masked_lm=bert.masked_lm),
    "classification": Last.of("LeftToRightClassification", pooler=bert.pooler, classifier=bert.classifier),
    "token-classification": Tokens.of("LeftToRightTokens", classifier=bert.classifier),
    "question-answering": Tokens.of("LeftToRightAnswers", ends=bert.ends),
}

PRESETS = {
    "gpt": Preset(
        Config(vocabulary=40478, segments=0),
        "Radford et al. 2018, section 4.1; its number: Radford et al. 2019, table 2",
        "117",
    ),
    "base": Preset(Config(), "Devlin et al. 2019, table 5: as BERT-base"),
}

CHANGES = Changes(
    "2018-06",
    "Radford et al., Improving Language Understanding by Generative Pre-Training",
    embedding="word + learned position | build",
    attention="a token sees what stands before it | build",
    objective="the next word",
    parent="encoder-decoder",
)
