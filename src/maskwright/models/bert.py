"""BERT (Devlin et al. 2019): post-norm blocks, learned positions, two segments, GELU.

Encoders that differ from it only in vocabulary, size or training are presets here (MiniLM, BioBERT, ...).
"""

from __future__ import annotations

from pydantic import model_validator
from torch import Tensor, nn

from maskwright.base.config import Config as _Config
from maskwright.models._family import Fixed, Ignored, Key
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import Attention, FeedForward, PostNormBlock
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, MaskedLanguageModel, Pooler


class Config(_Config):
    """Sizes and numerics; the defaults are BERT-base's."""

    vocabulary: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float | None = None  #: None: the same as `dropout`
    positions: int = 512
    segments: int = 2
    eps: float = 1e-12
    initial_std: float = 0.02
    padding: int | None = 0

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Config:
        if self.width % self.heads:
            raise ValueError(f"the width {self.width} is not a multiple of the number of heads {self.heads}")
        return self


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""

    def norm() -> nn.Module:
        return nn.LayerNorm(config.width, eps=config.eps)

    def block() -> nn.Module:
        return PostNormBlock(
            Attention(config.width, config.heads, config.attention_dropout),
            FeedForward(config.width, config.inner, activation(config.activation)),
            [norm(), norm()],
            config.dropout,
        )

    embeddings = Embeddings(config.vocabulary, config.positions, config.segments, config.width, norm(), config.dropout)
    return Encoder(embeddings, [block() for _ in range(config.layers)], config.width)


class Bare(nn.Module):
    """The encoder and BERT's pooler: (B, H), tanh(W h_[CLS])."""

    architecture = "BertModel"

    def __init__(self, config: Config, encoder: Encoder, classes: int = 0) -> None:
        super().__init__()
        self.encoder, self.pooler = encoder, Pooler(config.width)

    def forward(self, batch: Batch) -> Tensor:
        pooled: Tensor = self.pooler(self.encoder(batch, batch.first))
        return pooled


class MaskedLM(nn.Module):
    """Scores over the vocabulary at the chosen positions (all of them by default): (M, V)."""

    architecture = "BertForMaskedLM"

    def __init__(self, config: Config, encoder: Encoder, classes: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.masked_lm = _masked_lm(config)

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        scores: Tensor = self.masked_lm(self.encoder(batch, chosen), self.encoder.embeddings.word.weight)
        return scores


class NextSentence(nn.Module):
    """(B, 2): the second text follows the first, or it does not."""

    architecture = "BertForNextSentencePrediction"

    def __init__(self, config: Config, encoder: Encoder, classes: int = 2) -> None:
        super().__init__()
        self.encoder, self.pooler = encoder, Pooler(config.width)
        self.next_sentence = nn.Linear(config.width, 2)

    def forward(self, batch: Batch) -> Tensor:
        scores: Tensor = self.next_sentence(self.pooler(self.encoder(batch, batch.first)))
        return scores


class PreTraining(nn.Module):
    """Both objectives of the paper at once: (M, V) and (B, 2)."""

    architecture = "BertForPreTraining"

    def __init__(self, config: Config, encoder: Encoder, classes: int = 2) -> None:
        super().__init__()
        self.encoder, self.pooler = encoder, Pooler(config.width)
        self.masked_lm = _masked_lm(config)
        self.next_sentence = nn.Linear(config.width, 2)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        states = self.encoder(batch)
        words = self.encoder.embeddings.word.weight
        return self.masked_lm(states, words), self.next_sentence(self.pooler(states[batch.first.tokens]))


class Classification(nn.Module):
    """(B, classes) from the pooled [CLS]; one class is a regression."""

    architecture = "BertForSequenceClassification"

    def __init__(self, config: Config, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder, self.pooler = encoder, Pooler(config.width)
        rate = config.dropout if config.classifier_dropout is None else config.classifier_dropout
        self.classifier = Classifier(config.width, classes, rate)

    def forward(self, batch: Batch) -> Tensor:
        scores: Tensor = self.classifier(self.pooler(self.encoder(batch, batch.first)))
        return scores


def _masked_lm(config: Config) -> MaskedLanguageModel:
    norm = nn.LayerNorm(config.width, eps=config.eps)
    return MaskedLanguageModel(config.width, config.vocabulary, activation(config.activation), norm)


HEADS = {
    "bare": Bare,
    "masked-lm": MaskedLM,
    "next-sentence": NextSentence,
    "pretraining": PreTraining,
    "classification": Classification,
}

_LAYER = "bert.encoder.layer.*"

NAMES = {
    "encoder.embeddings.word.weight": "bert.embeddings.word_embeddings.weight",
    "encoder.embeddings.position.weight": "bert.embeddings.position_embeddings.weight",
    "encoder.embeddings.segment.weight": "bert.embeddings.token_type_embeddings.weight",
    "encoder.embeddings.norm.*": "bert.embeddings.LayerNorm.*",
    "encoder.blocks.*.attention.qkv.*": tuple(f"{_LAYER}.attention.self.{x}.*" for x in ("query", "key", "value")),
    "encoder.blocks.*.attention.out.*": f"{_LAYER}.attention.output.dense.*",
    "encoder.blocks.*.attention_norm.*": f"{_LAYER}.attention.output.LayerNorm.*",
    "encoder.blocks.*.feedforward.into.*": f"{_LAYER}.intermediate.dense.*",
    "encoder.blocks.*.feedforward.out.*": f"{_LAYER}.output.dense.*",
    "encoder.blocks.*.feedforward_norm.*": f"{_LAYER}.output.LayerNorm.*",
    "pooler.dense.*": "bert.pooler.dense.*",
    "masked_lm.dense.*": "cls.predictions.transform.dense.*",
    "masked_lm.norm.*": "cls.predictions.transform.LayerNorm.*",
    "masked_lm.bias": "cls.predictions.bias",
    "next_sentence.*": "cls.seq_relationship.*",
    "classifier.out.*": "classifier.*",
}

PREFIX = "bert."  #: a bare encoder is saved without it
COPIES = {  #: tensors that repeat another one; read only to check that they agree
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
LEGACY = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  #: TensorFlow's names
BUFFERS = ("bert.embeddings.position_ids",)  #: 0, 1, 2, ...: stored by old versions, holds nothing

_POOLER = Ignored("written by the first multilingual checkpoints, read by nobody")

KEYS: dict[str, Key] = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "inner",
    "hidden_act": "activation",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "classifier_dropout": "classifier_dropout",
    "max_position_embeddings": "positions",
    "type_vocab_size": "segments",
    "layer_norm_eps": "eps",
    "initializer_range": "initial_std",
    "pad_token_id": "padding",
    "tie_word_embeddings": Fixed(True, "the decoder shares the word vectors"),
    "position_embedding_type": Fixed("absolute", "relative positions are other families"),
    "directionality": Fixed("bidi", "BERT looks both ways"),
    **{f"pooler_{k}": _POOLER for k in ("fc_size", "num_attention_heads", "num_fc_layers", "size_per_head", "type")},
}


def _size(layers: int, width: int, **changes: int | float) -> Config:
    return Config(layers=layers, width=width, heads=width // 64, inner=4 * width).model_copy(update=changes)


PRESETS = {
    "tiny": _size(2, 128),  # Turc et al. 2019, table 1
    "mini": _size(4, 256),
    "small": _size(4, 512),
    "medium": _size(8, 512),
    "base": _size(12, 768),  # Devlin et al. 2019, section 3
    "large": _size(24, 1024),
    "minilm": _size(6, 384, heads=12),  # Wang et al. 2020, the student with 6 layers
}
