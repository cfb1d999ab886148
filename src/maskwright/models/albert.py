"""ALBERT (Lan et al. 2020): narrow word vectors, one block for all layers, sentence order in place of next sentence."""

from __future__ import annotations

from pydantic import model_validator
from torch import nn

from maskwright.models import bert
from maskwright.models._family import ENDS, Changes, Ignored, Key, Preset, without
from maskwright.models._heads import First, Tokens, Words, WordsAndOrder
from maskwright.models._sizes import Sizes
from maskwright.models.bert import ends, pooler, scorer
from maskwright.nn.activations import activation
from maskwright.nn.embeddings import Embeddings, Projected
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import MaskedLanguageModel


class Config(Sizes):
    """Sizes and numerics; the defaults are ALBERT-base v2's, which drops nothing in pre-training (v1 does, at 0.1)."""

    vocabulary: int = 30000
    embedding: int = 128  #: width of the word vectors
    groups: int = 1  #: how many different groups of blocks there are
    inner_groups: int = 1  #: blocks in a group
    activation: str = "gelu_new"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    classifier_dropout: float = 0.1
    segments: int = 2
    eps: float = 1e-12

    @model_validator(mode="after")
    def _layers_have_groups(self) -> Config:
        if not 1 <= self.groups <= self.layers:
            raise ValueError(f"{self.layers} layers cannot be of {self.groups} groups")
        return self


def build(config: Config) -> Encoder:
    """The encoder, with random weights: each group of blocks stands at several layers, one after the other."""
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    sizes = config.vocabulary, config.positions, config.segments, config.embedding
    embeddings = Projected(Embeddings(*sizes, norm, config.dropout), config.width)
    groups = [nn.ModuleList(bert.block(config) for _ in range(config.inner_groups)) for _ in range(config.groups)]
    layers = (groups[int(i / (config.layers / config.groups))] for i in range(config.layers))
    return Encoder(embeddings, groups, config.width, order=[block for group in layers for block in group])


def masked_lm(config: Config, classes: int) -> nn.Module:
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    act = activation(config.activation)
    return MaskedLanguageModel(config.width, config.embedding, config.vocabulary, act, norm)


HEADS = {
    "bare": First.of("AlbertModel", pooler=pooler),
    "masked-lm": Words.of("AlbertForMaskedLM", masked_lm=masked_lm),
    "pretraining": WordsAndOrder.of(
        "AlbertForPreTraining", masked_lm=masked_lm, pooler=pooler, next_sentence=bert.classifier
    ),
    "classification": First.of("AlbertForSequenceClassification", pooler=pooler, classifier=bert.classifier),
    "multiple-choice": First.of("AlbertForMultipleChoice", pooler=pooler, classifier=scorer),
    "token-classification": Tokens.of("AlbertForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("AlbertForQuestionAnswering", ends=ends),
}

PREFIX = "albert."

_LAYER = "albert.encoder.albert_layer_groups.*.albert_layers.*"
_QKV = tuple(f"{_LAYER}.attention.{x}.*" for x in ("query", "key", "value"))

NAMES = {
    "encoder.embeddings.table.word.weight": "albert.embeddings.word_embeddings.weight",
    "encoder.embeddings.table.position.weight": "albert.embeddings.position_embeddings.weight",
    "encoder.embeddings.table.segment.weight": "albert.embeddings.token_type_embeddings.weight",
    "encoder.embeddings.table.norm.*": "albert.embeddings.LayerNorm.*",
    "encoder.embeddings.project.*": "albert.encoder.embedding_hidden_mapping_in.*",
    "encoder.blocks.*.*.attention.qkv.*": _QKV,
    "encoder.blocks.*.*.attention.out.*": f"{_LAYER}.attention.dense.*",
    "encoder.blocks.*.*.attention_norm.*": f"{_LAYER}.attention.LayerNorm.*",
    "encoder.blocks.*.*.feedforward.into.*": f"{_LAYER}.ffn.*",
    "encoder.blocks.*.*.feedforward.out.*": f"{_LAYER}.ffn_output.*",
    "encoder.blocks.*.*.feedforward_norm.*": f"{_LAYER}.full_layer_layer_norm.*",
    "pooler.dense.*": "albert.pooler.*",
    "masked_lm.dense.*": "predictions.dense.*",
    "masked_lm.norm.*": "predictions.LayerNorm.*",
    "masked_lm.bias": "predictions.bias",
    "next_sentence.out.*": "sop_classifier.classifier.*",
    "classifier.out.*": "classifier.*",
    "ends.*": "qa_outputs.*",
}

COPIES = {
    "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
    "predictions.decoder.bias": "predictions.bias",
}

_UNUSED = Ignored("written by the first checkpoints, read by nobody")

ABSENT = {"hidden_size": 4096, "num_attention_heads": 64, "intermediate_size": 16384}  #: xxlarge's

KEYS: dict[str, Key] = {
    **without(bert.KEYS, "pooler_", "classifier_dropout", "directionality"),
    **ENDS,
    "embedding_size": "embedding",
    "num_hidden_groups": "groups",
    "inner_group_num": "inner_groups",
    "classifier_dropout_prob": "classifier_dropout",
    **dict.fromkeys(("down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks"), _UNUSED),
}

_PAPER = "Lan et al. 2020, table 1"


def _size(width: int, heads: int, layers: int = 24, **changes: float) -> Config:
    return Config(width=width, heads=heads, layers=layers, inner=4 * width, **changes)


PRESETS = {
    "base": Preset(_size(768, 12, 12), _PAPER, "12"),
    "large": Preset(_size(1024, 16), _PAPER, "18"),
    "xlarge": Preset(_size(2048, 32), _PAPER, "60", note="the paper rounds 58.7 up"),
    "xxlarge": Preset(
        _size(4096, 64, 12), _PAPER, "235", note="the paper's number; its own sizes come to 223, pooler included"
    ),
    "base-v1": Preset(_size(768, 12, 12, dropout=0.1, attention_dropout=0.1), _PAPER, "12"),
}

CHANGES = Changes(
    "2019-09",
    "Lan et al., ALBERT: A Lite BERT for Self-supervised Learning of Language Representations",
    embedding="word vectors 128 wide, projected | nn.embeddings:Projected",
    objective="masked words, order of two sentences | HEADS",
    sharing="one block stands at all layers | build",
)
