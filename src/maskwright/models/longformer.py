"""Longformer (Beltagy et al. 2020): RoBERTa with a sliding window, and a few tokens that see and are seen by all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import model_validator
from torch import Tensor, nn

from maskwright.models import bert, roberta
from maskwright.models._family import Changes, Ignored, Key, Preset, prefixed
from maskwright.models._heads import First, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.models.bert import ends, pooler
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch
from maskwright.nn.block import FeedForward, PostNormBlock
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.sliding import SlidingAttention


class Config(Sizes):
    """Sizes and numerics; the defaults are Longformer-base's. `window`: tokens that one sees by distance, half to
    either side, in each layer; one number is every layer's."""

    vocabulary: int = 50265
    dropout: float = 0.1
    attention_dropout: float = 0.1
    positions: int = 4098
    segments: int = 1
    eps: float = 1e-5
    padding: int = 1
    window: int | list[int] = 512
    separator: int | None = 2  #: ends the question, whose tokens see everything in question answering

    @property
    def classifier_dropout(self) -> float:
        return self.dropout

    @property
    def windows(self) -> list[int]:
        return [self.window] * self.layers if isinstance(self.window, int) else self.window

    @model_validator(mode="before")
    @classmethod
    def _one_number_where_one_says_it(cls, data: Any) -> Any:
        """transformers writes a list into a config as soon as a network is made of it."""
        windows = data.get("window") if isinstance(data, dict) else None
        if isinstance(windows, list) and len(set(windows)) == 1 and len(windows) == data.get("layers", 12):
            return {**data, "window": windows[0]}
        return data

    @model_validator(mode="after")
    def _windows_are_even(self) -> Config:
        if len(self.windows) != self.layers:
            raise ValueError(f"{self.layers} layers need as many windows, not {len(self.windows)}")
        if odd := [w for w in self.windows if w < 2 or w % 2]:
            raise ValueError(f"a window is half to the left and half to the right: even and at least 2, not {odd[0]}")
        return self


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    norm = nn.LayerNorm(config.width, eps=config.eps)
    sizes = config.vocabulary, config.positions, config.segments, config.width
    embeddings = Embeddings(*sizes, norm, config.dropout, start=config.padding + 1)
    return Encoder(embeddings, [_block(config, size) for size in config.windows], config.width)


def _block(config: Config, size: int) -> nn.Module:
    return PostNormBlock(
        SlidingAttention(config.width, config.heads, config.attention_dropout, size // 2),
        FeedForward(config.width, config.inner, activation(config.activation)),
        [nn.LayerNorm(config.width, eps=config.eps) for _ in range(2)],
        config.dropout,
    )


class _Marked:
    """A head that says which tokens see everything, unless the batch does."""

    def forward(self, batch: Batch, *more: Batch | None) -> Tensor:
        return super().forward(self._marked(batch), *more)  # type: ignore[misc]

    def vectors(self, batch: Batch) -> Tensor:
        return super().vectors(self._marked(batch))  # type: ignore[misc]

    def _marked(self, batch: Batch) -> Batch:
        return replace(batch, marked=self.marks(batch)) if batch.marked is None else batch


class MarkedFirst(_Marked, First):
    """(B, ...) from each sequence's first token, which sees everything."""

    def marks(self, batch: Batch) -> Tensor:
        return batch.positions == 0


class MarkedQuestion(_Marked, Tokens):
    """(N, ...); the first text of a pair, the question, sees everything."""

    def __init__(self, config: Config, encoder: nn.Module, classes: int = 2) -> None:
        super().__init__(config, encoder, classes)
        self.separator = config.separator

    def marks(self, batch: Batch) -> Tensor:
        return (ended(batch, self.separator) == 0) & (batch.ids != self.separator)


class MarkedChoice(_Marked, First):
    """(B, ...); the second text of a pair, the choice, sees everything. Two separators stand between them."""

    def __init__(self, config: Config, encoder: nn.Module, classes: int = 2) -> None:
        super().__init__(config, encoder, classes)
        self.separator = config.separator

    def marks(self, batch: Batch) -> Tensor:
        return ended(batch, self.separator) >= 2


def ended(batch: Batch, separator: int | None) -> Tensor:
    """(N,) how many separators stand before each token in its own sequence."""
    here = (batch.ids == (-1 if separator is None else separator)).long()
    before = here.cumsum(0) - here
    return before - before[batch.first.tokens][batch.sequence]


HEADS = {
    "bare": First.of("LongformerModel", pooler=pooler),
    "masked-lm": Words.of("LongformerForMaskedLM", masked_lm=roberta.masked_lm),
    "classification": MarkedFirst.of("LongformerForSequenceClassification", classifier=roberta.classifier),
    "multiple-choice": MarkedChoice.of("LongformerForMultipleChoice", pooler=pooler, classifier=bert.scorer),
    "token-classification": Tokens.of("LongformerForTokenClassification", classifier=bert.classifier),
    "question-answering": MarkedQuestion.of("LongformerForQuestionAnswering", ends=ends),
}

PREFIX = "longformer."

_SELF = "longformer.encoder.layer.*.attention.self"

NAMES = {
    **prefixed(roberta.NAMES, "roberta.", PREFIX),
    "encoder.blocks.*.attention.everywhere.*": tuple(f"{_SELF}.{x}_global.*" for x in ("query", "key", "value")),
}

COPIES = prefixed(roberta.COPIES, "roberta.", PREFIX)

ABSENT = {**roberta.ABSENT, "vocab_size": 30522}

KEYS: dict[str, Key] = {
    **roberta.KEYS,
    "attention_window": "window",
    "sep_token_id": "separator",
    "classifier_dropout": Ignored("heads drop as blocks do"),
    "attention_mode": Ignored("the first checkpoints' name of the window's kernel"),
    "attention_dilation": Ignored("of the first checkpoints, 1 in each"),
    "autoregressive": Ignored("of the first checkpoints, false in each"),
    "ignore_attention_mask": Ignored("of the first checkpoints, false in each"),
    "onnx_export": Ignored("a way to export, same result"),
}

_PAPER = "Beltagy et al. 2020; github.com/allenai/longformer"

PRESETS = {
    "base": Preset(Config(), _PAPER, "149"),
    "large": Preset(Config(layers=24, width=1024, heads=16, inner=4096), _PAPER, "435"),
}

CHANGES = Changes(
    "2020-04",
    "Beltagy et al., Longformer: The Long-Document Transformer",
    embedding="RoBERTa's, with 4,096 positions | Config",
    attention="a window of 512; a few tokens see and are seen everywhere | nn.sliding:SlidingAttention",
    objective="RoBERTa's, going on from its weights",
    parent="roberta",
)
