"""ELECTRA (Clark et al. 2020): a generator fills masks, a discriminator finds the tokens that it replaced.

Both are encoders of this family: `masked-lm` is the generator's network, `pretraining` the discriminator's.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Fixed, Key, Preset, prefixed, without
from maskwright.models._heads import First, Tokens, Words
from maskwright.models.bert import ends, scorer
from maskwright.nn.activations import activation
from maskwright.nn.embeddings import Embeddings, Projected
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import DenseClassifier, MaskedLanguageModel, Pooler
from maskwright.nn.linear import Linear


class Config(bert.Config):
    """Sizes and numerics; the defaults are ELECTRA-small's discriminator."""

    embedding: int = 128  #: width of the word vectors
    width: int = 256
    heads: int = 4
    inner: int = 1024
    summary_dropout: float = 0.1  #: behind the layer that multiple choice puts before its scores


def build(config: Config) -> Encoder:
    """The encoder, with random weights; the projection is there where the word vectors have another width."""
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    sizes = config.vocabulary, config.positions, config.segments, config.embedding
    tables = Embeddings(*sizes, norm, config.dropout)
    embeddings = tables if config.embedding == config.width else Projected(tables, config.width)
    return Encoder(embeddings, [bert.block(config) for _ in range(config.layers)], config.width)


class Replaced(nn.Module):
    """w act(W h) + b: how surely a token was replaced, as a logit (Clark et al. 2020, section 2)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = Linear(config.width, config.width, activation(config.activation))
        self.out = nn.Linear(config.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H) -> (N,)."""
        return self.out(self.dense(x)).squeeze(-1)


def replaced(config: Config, classes: int) -> nn.Module:
    return Replaced(config)


def masked_lm(config: Config, classes: int) -> nn.Module:
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    return MaskedLanguageModel(config.width, config.embedding, config.vocabulary, F.gelu, norm)


def classifier(config: Config, classes: int) -> nn.Module:
    """W_out drop(gelu(W drop(h_[CLS])))."""
    rate = bert.rate(config)
    return DenseClassifier(config.width, classes, F.gelu, rate, first=rate)


def summary(config: Config, classes: int) -> nn.Module:
    return Pooler(config.width, F.gelu)


def choice(config: Config, classes: int) -> nn.Module:
    return scorer(config.model_copy(update={"classifier_dropout": config.summary_dropout}), 1)


HEADS = {
    "bare": First.of("ElectraModel"),
    "masked-lm": Words.of("ElectraForMaskedLM", masked_lm=masked_lm),
    "pretraining": Tokens.of("ElectraForPreTraining", replaced=replaced),
    "classification": First.of("ElectraForSequenceClassification", classifier=classifier),
    "multiple-choice": First.of("ElectraForMultipleChoice", pooler=summary, classifier=choice),
    "token-classification": Tokens.of("ElectraForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("ElectraForQuestionAnswering", ends=ends),
}

PREFIX = "electra."

_BODY = prefixed({k: v for k, v in bert.NAMES.items() if k.startswith("encoder.")}, "bert.", PREFIX)

NAMES = {
    **_BODY,
    **{k.replace("embeddings.", "embeddings.table."): v for k, v in _BODY.items() if ".embeddings." in k},
    "encoder.embeddings.project.*": "electra.embeddings_project.*",
    "pooler.dense.*": "sequence_summary.summary.*",
    "masked_lm.dense.*": "generator_predictions.dense.*",
    "masked_lm.norm.*": "generator_predictions.LayerNorm.*",
    "masked_lm.bias": "generator_lm_head.bias",
    "replaced.dense.*": "discriminator_predictions.dense.*",
    "replaced.out.*": "discriminator_predictions.dense_prediction.*",
    "classifier.dense.*": "classifier.dense.*",
    "classifier.last.out.*": "classifier.out_proj.*",
    "classifier.out.*": "classifier.*",
    "ends.*": "qa_outputs.*",
}

COPIES = {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"}

KEYS: dict[str, Key] = {
    **without(bert.KEYS, "pooler_", "directionality"),
    "embedding_size": "embedding",
    "summary_last_dropout": "summary_dropout",
    "summary_type": Fixed("first", "multiple choice reads the first token, as ELECTRA does"),
    "summary_use_proj": Fixed(True, "multiple choice has a layer of its own"),
    "summary_activation": Fixed("gelu", "as ELECTRA has it"),
}

_PAPER = "Clark et al. 2020, section 3.1; github.com/google-research/electra"
_BASE = {"embedding": 768, "width": 768, "heads": 12, "inner": 3072}
_LARGE = {"embedding": 1024, "width": 1024, "heads": 16, "inner": 4096, "layers": 24}

PRESETS = {
    "small": Preset(Config(), _PAPER, "14"),
    "base": Preset(Config(**_BASE), _PAPER, "110", note="the paper rounds 109 up"),
    "large": Preset(Config(**_LARGE), _PAPER, "335", note="the paper rounds 334.1 up"),
    "small-generator": Preset(Config(width=64, heads=1, inner=256), "a quarter of small: Clark et al. 2020, table 6"),
    "base-generator": Preset(
        Config(**{**_BASE, "width": 256, "heads": 4, "inner": 1024}), "a third of base: Clark et al. 2020, table 6"
    ),
    "large-generator": Preset(
        Config(**{**_LARGE, "width": 256, "heads": 4, "inner": 1024}), "a quarter of large: Clark et al. 2020, table 6"
    ),
}

CHANGES = Changes(
    "2020-03",
    "Clark et al., ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators",
    embedding="in small and in generators, narrower than the blocks and projected | build",
    objective="which tokens a small generator, with the same word vectors, replaced | Replaced",
)
