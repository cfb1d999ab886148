"""MPNet (Song et al. 2020): BERT's blocks with a bias for each distance, the same in every layer; no segments."""

from __future__ import annotations

from torch import nn

from maskwright.models import bert, roberta
from maskwright.models._family import ENDS, Changes, Fixed, Key, Preset, prefixed, without
from maskwright.models._heads import First, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.models.bert import ends, pooler
from maskwright.nn.bias import BucketBias
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder

BUCKETS, FURTHEST = 32, 128  #: distances; the reference computes with these whatever its config says
START = 2  #: row of the first position, whatever the padding token is


class Config(Sizes):
    """Sizes and numerics; the defaults are MPNet-base's."""

    vocabulary: int = 30527
    dropout: float = 0.1
    attention_dropout: float = 0.1
    positions: int = 514
    eps: float = 1e-5
    padding: int | None = 1

    @property
    def classifier_dropout(self) -> float:
        return self.dropout


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    norm = nn.LayerNorm(config.width, eps=config.eps)
    embeddings = Embeddings(config.vocabulary, config.positions, 0, config.width, norm, config.dropout, START)
    blocks = [bert.block(config) for _ in range(config.layers)]
    return Encoder(embeddings, blocks, config.width, relative=BucketBias(BUCKETS, config.heads, FURTHEST))


HEADS = {
    "bare": First.of("MPNetModel", pooler=pooler),
    "masked-lm": Words.of("MPNetForMaskedLM", masked_lm=roberta.masked_lm),
    "classification": First.of("MPNetForSequenceClassification", classifier=roberta.classifier),
    "multiple-choice": First.of("MPNetForMultipleChoice", pooler=pooler, classifier=bert.scorer),
    "token-classification": Tokens.of("MPNetForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("MPNetForQuestionAnswering", ends=ends),
}

PREFIX = "mpnet."

_LAYER = "mpnet.encoder.layer.*"
_BODY = {k: v for k, v in bert.NAMES.items() if k.startswith(("encoder.", "pooler.")) and ".segment." not in k}

NAMES = {
    **prefixed(_BODY, "bert.", PREFIX),
    "encoder.blocks.*.attention.qkv.*": tuple(f"{_LAYER}.attention.attn.{x}.*" for x in "qkv"),
    "encoder.blocks.*.attention.out.*": f"{_LAYER}.attention.attn.o.*",
    "encoder.blocks.*.attention_norm.*": f"{_LAYER}.attention.LayerNorm.*",
    "encoder.relative.table.weight": "mpnet.encoder.relative_attention_bias.weight",
    **roberta.HEAD_NAMES,
}

COPIES = prefixed(roberta.COPIES, "roberta.", PREFIX)

_ABSENT = ("type_vocab_size", "classifier_dropout", "position_embedding_type", "directionality")

ABSENT = {"max_position_embeddings": 512, "layer_norm_eps": 1e-12}

KEYS: dict[str, Key] = {
    **without(bert.KEYS, "pooler_", *_ABSENT),
    **ENDS,
    "relative_attention_num_buckets": Fixed(BUCKETS, "the reference computes with 32 buckets whatever the key says"),
}

PRESETS = {"base": Preset(Config(), "Song et al. 2020, section 3.1: as BERT-base", "110")}

CHANGES = Changes(
    "2020-04",
    "Song et al., MPNet: Masked and Permuted Pre-training for Language Understanding",
    embedding="no segments; positions from 2 | build",
    attention="a number for each bucket of distances is added to scores | nn.bias:BucketBias",
    objective="permuted words, knowing all positions",
    sharing="one bias for all layers | build",
)
