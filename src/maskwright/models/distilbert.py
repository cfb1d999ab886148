"""DistilBERT (Sanh et al. 2019): half of BERT's layers, no segments, no pooler."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from maskwright.models import bert
from maskwright.models._family import Changes, Fixed, Ignored, Key, Preset
from maskwright.models._heads import First, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.block import Attention, FeedForward, PostNormBlock
from maskwright.nn.dropout import Dropout
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, DenseClassifier, MaskedLanguageModel

EPS = 1e-12  #: of every norm; the config has no key for it


class Config(Sizes):
    """Sizes and numerics; the defaults are DistilBERT's."""

    layers: int = 6
    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float = 0.2  #: of a sequence's classifier; a token's drops at `dropout`
    answer_dropout: float = 0.1


def norm(config: Config) -> nn.Module:
    return nn.LayerNorm(config.width, eps=EPS)


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    embeddings = Embeddings(config.vocabulary, config.positions, 0, config.width, norm(config), config.dropout)
    return Encoder(embeddings, [block(config) for _ in range(config.layers)], config.width)


def block(config: Config) -> nn.Module:
    """Of dropout the reference has one behind the feed-forward, and none behind attention."""
    return PostNormBlock(
        Attention(config.width, config.heads, config.attention_dropout),
        nn.Sequential(FeedForward(config.width, config.inner, activation(config.activation)), Dropout(config.dropout)),
        [norm(config), norm(config)],
        dropout=0.0,
    )


def masked_lm(config: Config, classes: int) -> nn.Module:
    act = activation(config.activation)
    return MaskedLanguageModel(config.width, config.width, config.vocabulary, act, norm(config))


def classifier(config: Config, classes: int) -> nn.Module:
    """W_out drop(relu(W h_[CLS]))."""
    return DenseClassifier(config.width, classes, F.relu, config.classifier_dropout, first=0.0)


def choice(config: Config, classes: int) -> nn.Module:
    return classifier(config, 1)


def tagger(config: Config, classes: int) -> nn.Module:
    return Classifier(config.width, classes, config.dropout)


def drop(config: Config, classes: int) -> nn.Module:
    return Dropout(config.answer_dropout)


HEADS = {
    "bare": First.of("DistilBertModel"),
    "masked-lm": Words.of("DistilBertForMaskedLM", masked_lm=masked_lm),
    "classification": First.of("DistilBertForSequenceClassification", classifier=classifier),
    "multiple-choice": First.of("DistilBertForMultipleChoice", classifier=choice),
    "token-classification": Tokens.of("DistilBertForTokenClassification", classifier=tagger),
    "question-answering": Tokens.of("DistilBertForQuestionAnswering", drop=drop, ends=bert.ends),
}

PREFIX = "distilbert."

_LAYER = "distilbert.transformer.layer.*"

NAMES = {
    "encoder.embeddings.word.weight": "distilbert.embeddings.word_embeddings.weight",
    "encoder.embeddings.position.weight": "distilbert.embeddings.position_embeddings.weight",
    "encoder.embeddings.norm.*": "distilbert.embeddings.LayerNorm.*",
    "encoder.blocks.*.attention.qkv.*": tuple(f"{_LAYER}.attention.{x}_lin.*" for x in "qkv"),
    "encoder.blocks.*.attention.out.*": f"{_LAYER}.attention.out_lin.*",
    "encoder.blocks.*.attention_norm.*": f"{_LAYER}.sa_layer_norm.*",
    "encoder.blocks.*.feedforward.0.into.*": f"{_LAYER}.ffn.lin1.*",
    "encoder.blocks.*.feedforward.0.out.*": f"{_LAYER}.ffn.lin2.*",
    "encoder.blocks.*.feedforward_norm.*": f"{_LAYER}.output_layer_norm.*",
    "masked_lm.dense.*": "vocab_transform.*",
    "masked_lm.norm.*": "vocab_layer_norm.*",
    "masked_lm.bias": "vocab_projector.bias",
    "classifier.dense.*": "pre_classifier.*",
    "classifier.last.out.*": "classifier.*",
    "classifier.out.*": "classifier.*",
    "ends.*": "qa_outputs.*",
}

COPIES = {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"}

KEYS: dict[str, Key] = {
    "vocab_size": "vocabulary",
    "dim": "width",
    "n_layers": "layers",
    "n_heads": "heads",
    "hidden_dim": "inner",
    "activation": "activation",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "seq_classif_dropout": "classifier_dropout",
    "qa_dropout": "answer_dropout",
    "max_position_embeddings": "positions",
    "initializer_range": "initial_std",
    "pad_token_id": "padding",
    "sinusoidal_pos_embds": Ignored("how positions begin; the weights hold what they are"),
    "tie_weights_": Ignored("an old name of tie_word_embeddings, which is checked"),
    "tie_word_embeddings": Fixed(True, "the decoder shares the word vectors"),
}

PRESETS = {
    "base": Preset(Config(), "Sanh et al. 2019, table 3", "66"),
    "multilingual": Preset(Config(vocabulary=119547), "its card on the hub", "134", note="rounded down from 134.7"),
}

CHANGES = Changes(
    "2019-10",
    "Sanh et al., DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter",
    embedding="no segments | build",
    block="half of BERT's layers; no pooler | block",
    objective="BERT's word probabilities, as a student",
)
