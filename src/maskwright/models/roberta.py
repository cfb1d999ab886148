"""RoBERTa (Liu et al. 2019): BERT's blocks, byte-level pieces, positions from 2, one segment, no next sentence.

BERTweet is it with another vocabulary and 128 positions. XLM-RoBERTa and CamemBERT are it under their own names.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from maskwright.models import bert
from maskwright.models._family import ENDS, Changes, Key, Preset, prefixed, without
from maskwright.models._heads import First, Tokens, Words
from maskwright.models.bert import ends, pooler, scorer
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import DenseClassifier, MaskedLanguageModel


class Config(bert.Config):
    """Sizes and numerics; the defaults are RoBERTa-base's. `positions` counts the table's rows, of which the first
    `padding` + 1 belong to no token: 514 rows for 512 tokens."""

    vocabulary: int = 50265
    positions: int = 514
    segments: int = 1
    eps: float = 1e-5
    padding: int = 1


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    return bert.build(config, start=config.padding + 1)


def masked_lm(config: Config, classes: int) -> nn.Module:
    """Its GELU is the exact one, whatever the blocks' activation is."""
    norm = nn.LayerNorm(config.width, eps=config.eps)
    return MaskedLanguageModel(config.width, config.width, config.vocabulary, F.gelu, norm)


def classifier(config: Config, classes: int) -> nn.Module:
    """W_out drop(tanh(W drop(h_<s>)))."""
    rate = bert.rate(config)
    return DenseClassifier(config.width, classes, torch.tanh, rate, first=rate)


def multiple_choice(config: Config, classes: int) -> nn.Module:
    """One score for each choice; the reference drops at the blocks' rate here."""
    return scorer(config.model_copy(update={"classifier_dropout": config.dropout}), 1)


HEADS = {
    "bare": First.of("RobertaModel", pooler=pooler),
    "masked-lm": Words.of("RobertaForMaskedLM", masked_lm=masked_lm),
    "classification": First.of("RobertaForSequenceClassification", classifier=classifier),
    "multiple-choice": First.of("RobertaForMultipleChoice", pooler=pooler, classifier=multiple_choice),
    "token-classification": Tokens.of("RobertaForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("RobertaForQuestionAnswering", ends=ends),
}

PREFIX = "roberta."

#: heads as RoBERTa's descendants call their tensors
HEAD_NAMES = {
    "masked_lm.dense.*": "lm_head.dense.*",
    "masked_lm.norm.*": "lm_head.layer_norm.*",
    "masked_lm.bias": "lm_head.bias",
    "classifier.dense.*": "classifier.dense.*",
    "classifier.last.out.*": "classifier.out_proj.*",
    "classifier.out.*": "classifier.*",
    "ends.*": "qa_outputs.*",
}

NAMES = {
    **prefixed({k: v for k, v in bert.NAMES.items() if k.startswith(("encoder.", "pooler."))}, "bert.", PREFIX),
    **HEAD_NAMES,
}

COPIES = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
KEYS: dict[str, Key] = {**without(bert.KEYS, "pooler_", "directionality"), **ENDS}
ABSENT = {"max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12}

_FAIRSEQ = "Liu et al. 2019; github.com/facebookresearch/fairseq, examples/roberta"
_BERTWEET = "Nguyen et al. 2020; github.com/VinAIResearch/BERTweet"
_LARGE = {"layers": 24, "width": 1024, "heads": 16, "inner": 4096}

PRESETS = {
    "base": Preset(Config(), _FAIRSEQ, "125"),
    "large": Preset(Config(**_LARGE), _FAIRSEQ, "355"),
    "bertweet-base": Preset(Config(vocabulary=64001, positions=130), _BERTWEET, "135"),
    "bertweet-large": Preset(Config(**_LARGE), _BERTWEET, "355"),
}

CHANGES = Changes(
    "2019-07",
    "Liu et al., RoBERTa: A Robustly Optimized BERT Pretraining Approach",
    embedding="byte-level pieces; positions from 2; one segment | build",
    objective="masked words alone, drawn anew each time",
)
