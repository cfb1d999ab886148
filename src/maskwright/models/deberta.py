"""DeBERTa (He et al. 2021): content and relative position each have their own part in a score."""

from __future__ import annotations

from itertools import islice
from typing import Any, Literal

import torch
from pydantic import model_validator
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Fixed, Ignored, Key, Preset, prefixed, without
from maskwright.models._heads import First, Head, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import FeedForward
from maskwright.nn.disentangled import DisentangledAttention, DisentangledBlock, OfDistances, RelativeVectors
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, MaskedLanguageModel, Pooler
from maskwright.nn.linear import Linear, linear
from maskwright.nn.lookup import Lookup


class Config(Sizes):
    """Sizes and numerics; the defaults are DeBERTa-base's."""

    vocabulary: int = 50265
    embedding: int = 768  #: width of the word vectors
    dropout: float = 0.1
    attention_dropout: float = 0.1
    segments: int = 0
    eps: float = 1e-7
    relative: bool = True  #: whether distances have vectors
    furthest: int = -1  #: distance from which all share a vector; below 1: `positions`
    absolute: bool = False  #: whether positions are in the embeddings too
    terms: tuple[Literal["c2p", "p2c"], ...] = ("c2p", "p2c")  #: of a score, beside content to content
    pooler_dropout: float = 0.0
    pooler_activation: str = "gelu"
    classifier_dropout: float | None = None
    cls_names: bool = True  #: whether the masked LM head is the one called `cls`, or `lm_predictions`

    @model_validator(mode="after")
    def _words_fit_their_head(self) -> Config:
        if not self.cls_names and self.embedding != self.width:
            raise ValueError(f"the later head scores by the states' width, {self.width}, not by {self.embedding}")
        return self

    @property
    def reach(self) -> int:
        return self.positions if self.furthest < 1 else self.furthest


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    relative = RelativeVectors(config.reach, config.width) if config.relative else None
    blocks = [block(config, InterleavedAttention) for _ in range(config.layers)]
    return Encoder(embeddings(config), blocks, config.width, relative=relative)


def embeddings(config: Config) -> nn.Module:
    """A projection, where word vectors have another width, stands before the norm."""
    norm: nn.Module = nn.LayerNorm(config.width, eps=config.eps)
    if config.embedding != config.width:
        norm = nn.Sequential(Linear(config.embedding, config.width, bias=False), norm)
    positions = config.positions if config.absolute else 0
    return Embeddings(config.vocabulary, positions, config.segments, config.embedding, norm, config.dropout)


def block(config: Config, kind: type[DisentangledAttention], shared: bool = False) -> nn.Module:
    sizes = config.width, config.heads, config.attention_dropout
    attention = kind(*sizes, config.terms, shared, config.relative, config.dropout)
    norms: list[nn.Module] = [nn.LayerNorm(config.width, eps=config.eps) for _ in range(2)]
    feedforward = FeedForward(config.width, config.inner, activation(config.activation))
    return DisentangledBlock(attention, feedforward, norms, config.dropout)


class InterleavedAttention(DisentangledAttention):
    """Its input projection has one head after the other, each with its query, key and value; keys have no bias."""

    def __init__(self, width: int, heads: int, *more: Any) -> None:
        super().__init__(width, heads, *more)
        self.qkv = Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def position_projection(self, width: int) -> nn.Module:
        return OfDistances(width, width, bias=False)

    def project(self, x: Tensor, asks: Tensor) -> tuple[Tensor, Tensor]:
        q_bias, v_bias = (b.view(self.heads, -1) for b in (self.q_bias, self.v_bias))
        bias = torch.stack([q_bias, torch.zeros_like(q_bias), v_bias], 1).flatten()
        all_of = linear(x, self.qkv.weight, bias).unflatten(-1, (self.heads, 3, -1))
        if asks is x:
            return all_of[:, :, 0], all_of[:, :, 1:].transpose(1, 2)
        weight = self.qkv.weight.unflatten(0, (self.heads, 3, -1))[:, 0].flatten(0, 1)
        q = linear(asks, weight, self.q_bias).unflatten(-1, (self.heads, -1))
        return q, all_of[:, :, 1:].transpose(1, 2)


class OwnMaskedLM(nn.Module):
    """The head that later versions call `lm_predictions`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.own = _words(config)

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        scores: Tensor = self.own(states, words)
        return scores

    def before(self, states: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        found: tuple[Tensor, Tensor, Tensor | None] = self.own.before(states, words)
        return found


def masked_lm(config: Config, classes: int) -> nn.Module:
    if not config.cls_names:
        return OwnMaskedLM(config)
    return _words(config)


def _words(config: Config) -> MaskedLanguageModel:
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    act = activation(config.activation)
    return MaskedLanguageModel(config.width, config.embedding, config.vocabulary, act, norm)


def own_masked_lm(config: Config, classes: int) -> nn.Module:
    return OwnMaskedLM(config)


def absolute(config: Config, classes: int) -> nn.Module:
    return Lookup(config.positions, config.width)


class EnhancedWords(Head):
    """Scores over the vocabulary by the enhanced mask decoder: (M, V) (He et al. 2021, section 3.2).

    The last block is applied twice to H, the states before it: queries are H + absolute positions, and then what that
    gave; keys and values stay H. So absolute positions come in only here, where a word is chosen.
    """

    steps = 2

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        scores: Tensor = self.masked_lm(self.states(batch, chosen), self.encoder.embeddings.word.weight)
        return scores

    def before(self, batch: Batch, chosen: Chosen | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        found: tuple[Tensor, Tensor, Tensor | None] = self.masked_lm.before(
            self.states(batch, chosen), self.encoder.embeddings.word.weight
        )
        return found

    def states(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        encoder = self.encoder
        *_, before = islice(encoder.inputs(batch), len(encoder.layers))
        relative = encoder.relations(batch, len(before))
        places = torch.nn.functional.pad(batch.positions, (0, len(before) - len(batch.positions)))
        asks = before + self.absolute(places)
        for _ in range(self.steps):
            asks = encoder.layers[-1](before, batch, None, *relative, asks=asks)
        return asks[: len(batch.ids)] if chosen is None else asks.index_select(0, chosen.tokens)


def pooler(config: Config, classes: int) -> nn.Module:
    return Pooler(config.width, activation(config.pooler_activation), config.pooler_dropout)


def tagger(config: Config, classes: int) -> nn.Module:
    return Classifier(config.width, classes, config.dropout)


def heads(name: str) -> dict[str, type[Head]]:
    return {
        "bare": First.of(f"{name}Model"),
        "masked-lm": Words.of(f"{name}ForMaskedLM", masked_lm=masked_lm),
        "enhanced-masked-lm": EnhancedWords.of(
            f"{name}WithEnhancedMaskDecoder", masked_lm=own_masked_lm, absolute=absolute
        ),
        "classification": First.of(f"{name}ForSequenceClassification", pooler=pooler, classifier=bert.classifier),
        "token-classification": Tokens.of(f"{name}ForTokenClassification", classifier=tagger),
        "question-answering": Tokens.of(f"{name}ForQuestionAnswering", ends=bert.ends),
    }


HEADS = heads("Deberta")
OWN_HEADS = ("enhanced-masked-lm",)  #: which the reference does not have

PREFIX = "deberta."

_LAYER = "deberta.encoder.layer.*"

SHARED_NAMES = {
    "encoder.embeddings.word.weight": "deberta.embeddings.word_embeddings.weight",
    "encoder.embeddings.position.weight": "deberta.embeddings.position_embeddings.weight",
    "encoder.embeddings.segment.weight": "deberta.embeddings.token_type_embeddings.weight",
    "encoder.embeddings.norm.0.weight": "deberta.embeddings.embed_proj.weight",
    "encoder.embeddings.norm.1.*": "deberta.embeddings.LayerNorm.*",
    "encoder.embeddings.norm.*": "deberta.embeddings.LayerNorm.*",
    "encoder.relative.weight": "deberta.encoder.rel_embeddings.weight",
    "encoder.blocks.*.attention.out.*": f"{_LAYER}.attention.output.dense.*",
    "encoder.blocks.*.attention_norm.*": f"{_LAYER}.attention.output.LayerNorm.*",
    "encoder.blocks.*.feedforward.into.*": f"{_LAYER}.intermediate.dense.*",
    "encoder.blocks.*.feedforward.out.*": f"{_LAYER}.output.dense.*",
    "encoder.blocks.*.feedforward_norm.*": f"{_LAYER}.output.LayerNorm.*",
    "pooler.dense.*": "pooler.dense.*",
    "masked_lm.dense.*": "cls.predictions.transform.dense.*",
    "masked_lm.norm.*": "cls.predictions.transform.LayerNorm.*",
    "masked_lm.bias": "cls.predictions.bias",
    "masked_lm.own.dense.*": "lm_predictions.lm_head.dense.*",
    "masked_lm.own.norm.*": "lm_predictions.lm_head.LayerNorm.*",
    "masked_lm.own.bias": "lm_predictions.lm_head.bias",
    "absolute.weight": "deberta.embeddings.position_embeddings.weight",
    "classifier.out.*": "classifier.*",
    "ends.*": "qa_outputs.*",
}

NAMES = {
    **SHARED_NAMES,
    "encoder.blocks.*.attention.qkv.weight": f"{_LAYER}.attention.self.in_proj.weight",
    "encoder.blocks.*.attention.q_bias": f"{_LAYER}.attention.self.q_bias",
    "encoder.blocks.*.attention.v_bias": f"{_LAYER}.attention.self.v_bias",
    "encoder.blocks.*.attention.position_key.*": f"{_LAYER}.attention.self.pos_proj.*",
    "encoder.blocks.*.attention.position_query.*": f"{_LAYER}.attention.self.pos_q_proj.*",
}

COPIES = prefixed(bert.COPIES, "bert.", PREFIX)
HINTS = {
    "lm_predictions.": 'its scores of words are by the later head: put "legacy": false into config.json, or ask for '
    "enhanced-masked-lm",
}

ABSENT = {"relative_attention": False, "position_biased_input": True}

KEYS: dict[str, Key] = {
    **without(bert.KEYS, "pooler_", "classifier_dropout", "directionality", "position_embedding"),
    "embedding_size": "embedding",
    "relative_attention": "relative",
    "max_relative_positions": "furthest",
    "position_biased_input": "absolute",
    "pos_att_type": "terms",
    "pooler_dropout": "pooler_dropout",
    "pooler_hidden_act": "pooler_activation",
    "pooler_hidden_size": Ignored("the blocks' width in every published model; the pooler's shape is checked"),
    "cls_dropout": "classifier_dropout",
    "legacy": "cls_names",
    "padding_idx": Ignored("an old name of pad_token_id"),
    "talking_head": Fixed(False, "no published model mixes its heads"),
}


def settle(theirs: dict[str, Any]) -> dict[str, Any]:
    """Terms were one text, "c2p|p2c"; word vectors are as wide as the blocks unless said otherwise."""
    terms = theirs.get("pos_att_type")
    if terms is None or isinstance(terms, str):
        theirs["pos_att_type"] = [t.strip() for t in (terms or "").lower().split("|") if t.strip()]
    if theirs.get("embedding_size") is None:
        theirs["embedding_size"] = theirs.get("hidden_size", Config().embedding)
    return theirs


_TABLE = "github.com/microsoft/DeBERTa, table of models"

_LARGE = {"width": 1024, "embedding": 1024, "heads": 16, "inner": 4096}

PRESETS = {
    "base": Preset(Config(), _TABLE, "100", without_words=True),
    "large": Preset(
        Config(layers=24, **_LARGE), _TABLE, "350", without_words=True, note="the table and the paper round down"
    ),
    "xlarge": Preset(Config(layers=48, **_LARGE), _TABLE, "700", without_words=True, note="the table rounds down"),
}

CHANGES = Changes(
    "2020-06",
    "He et al., DeBERTa: Decoding-enhanced BERT with Disentangled Attention",
    embedding="no positions, no segments | embeddings",
    attention="content to content, content to distance, distance to content | nn.disentangled:DisentangledAttention",
    objective="masked words; absolute positions come in before the words are chosen | EnhancedWords",
    sharing="one vector of each distance for all layers | nn.disentangled:RelativeVectors",
)
