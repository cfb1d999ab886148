"""DeBERTa v2 and v3 (He et al. 2021, 2023): distances in buckets that widen, positions projected as content is."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator
from torch import Tensor, nn

from maskwright.models import bert, deberta
from maskwright.models._family import Changes, Key, Preset
from maskwright.models._heads import First, Head
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.disentangled import DisentangledAttention, DisentangledBlock, Relative, RelativeVectors
from maskwright.nn.encoder import Encoder
from maskwright.nn.linear import Linear
from maskwright.nn.neighbours import Convolution


class Config(deberta.Config):
    """Sizes and numerics; the defaults are DeBERTa-v3-base's."""

    vocabulary: int = 128100
    buckets: int = 256  #: of distances to each side; below 1: each distance has its own vector
    norm_relative: str = "layer_norm"  #: "layer_norm": vectors of distances are normalised; "none"
    shared: bool = True  #: positions are projected as content is
    convolution: int = 0  #: tokens that a convolution beside the first block reads; 0: there is none
    convolution_activation: str = "tanh"
    convolution_groups: int = 1

    @model_validator(mode="after")
    def _buckets_grow(self) -> Config:
        """Half of them are one distance each, the others grow from there to the furthest, if texts are so long."""
        half = self.buckets // 2
        if self.relative and (self.buckets == 1 or self.reach - 1 <= half < self.positions - 1):
            raise ValueError(
                f"buckets of distances are at least 2 and end at a distance above half of their number + 1; these are "
                f"{self.buckets} and end at {self.reach}"
            )
        return self

    @model_validator(mode="after")
    def _there_is_what_to_normalise(self) -> Config:
        if "layer_norm" in self.norm_relative and not self.relative:
            raise ValueError("norm_relative = 'layer_norm', but there are no vectors of distances (relative = false)")
        return self


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    blocks = [deberta.block(config, DisentangledAttention, shared=config.shared) for _ in range(config.layers)]
    if config.convolution > 0:
        blocks[0] = ConvolvedBlock(blocks[0], config)
    norm = nn.LayerNorm(config.width, eps=config.eps) if "layer_norm" in config.norm_relative else None
    span, furthest = (config.buckets, config.reach) if config.buckets > 0 else (config.reach, None)
    relative = RelativeVectors(span, config.width, furthest, norm) if config.relative else None
    return Encoder(deberta.embeddings(config), blocks, config.width, relative=relative)


class ConvolvedBlock(DisentangledBlock):
    """norm(block(x) + act(drop(conv(x)))): a convolution beside the first block (He et al. 2021, section 5.1.2)."""

    def __init__(self, plain: Any, config: Config) -> None:
        norms = [plain.attention_norm, plain.feedforward_norm]
        super().__init__(plain.attention, plain.feedforward, norms, config.dropout)
        self.convolution = Convolution(config.width, config.convolution, config.convolution_groups)
        self.convolution_norm = nn.LayerNorm(config.width, eps=config.eps)
        self.activation = activation(config.convolution_activation)

    def forward(
        self,
        x: Tensor,
        batch: Batch,
        chosen: Chosen | None = None,
        relative: Relative | None = None,
        asks: Tensor | None = None,
    ) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone."""
        beside = self.activation(self.drop(self.convolution(x, batch)))
        if chosen is not None:
            beside = beside.index_select(0, chosen.tokens)
        y: Tensor = self.convolution_norm(super().forward(x, batch, chosen, relative, asks) + beside)
        return y


class Replaced(nn.Module):
    """w act(W norm(h_[CLS] + h)) + b: how surely a token was replaced, as a logit, in the network of the v3 models."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.dense = Linear(config.width, config.width, activation(config.activation))
        self.out = nn.Linear(config.width, 1)

    def forward(self, x: Tensor, first: Tensor) -> Tensor:
        """x: (N, H), and of each token its sequence's first one (N, H) -> (N,)."""
        y: Tensor = self.out(self.dense(self.norm(first + x))).squeeze(-1)
        return y


def replaced(config: Config, classes: int) -> nn.Module:
    return Replaced(config)


class ReplacedTokens(Head):
    """(N,) of each token, how surely it was replaced."""

    def forward(self, batch: Batch) -> Tensor:
        states = self.encoder(batch)
        first = states.index_select(0, batch.first.tokens).index_select(0, batch.sequence)
        scores: Tensor = self.replaced(states, first)
        return scores


HEADS = {
    **deberta.heads("DebertaV2"),
    "replaced-tokens": ReplacedTokens.of("DebertaV2WithReplacedTokens", replaced=replaced),
    "multiple-choice": First.of("DebertaV2ForMultipleChoice", pooler=deberta.pooler, classifier=bert.scorer),
}
OWN_HEADS = (*deberta.OWN_HEADS, "replaced-tokens")
PREFIX, COPIES, HINTS = deberta.PREFIX, deberta.COPIES, deberta.HINTS
#: what the v3 models' training added to the generator's word vectors, already in theirs
BUFFERS = tuple(f"deberta.embeddings.{table}_embeddings._weight" for table in ("word", "position"))

_SELF = "deberta.encoder.layer.*.attention.self"

NAMES = {
    **deberta.SHARED_NAMES,
    "replaced.norm.*": "mask_predictions.LayerNorm.*",
    "replaced.dense.*": "mask_predictions.dense.*",
    "replaced.out.*": "mask_predictions.classifier.*",
    "encoder.relative.norm.*": "deberta.encoder.LayerNorm.*",
    "encoder.blocks.*.attention.qkv.*": tuple(f"{_SELF}.{x}_proj.*" for x in ("query", "key", "value")),
    "encoder.blocks.*.attention.position_key.*": f"{_SELF}.pos_key_proj.*",
    "encoder.blocks.*.attention.position_query.*": f"{_SELF}.pos_query_proj.*",
    "encoder.blocks.0.convolution.*": "deberta.encoder.conv.conv.*",
    "encoder.blocks.0.convolution_norm.*": "deberta.encoder.conv.LayerNorm.*",
}

KEYS: dict[str, Key] = {
    **{k: v for k, v in deberta.KEYS.items() if k != "talking_head"},
    "position_buckets": "buckets",
    "norm_rel_ebd": "norm_relative",
    "share_att_key": "shared",
    "conv_kernel_size": "convolution",
    "conv_act": "convolution_activation",
    "conv_groups": "convolution_groups",
}

ABSENT = {
    **deberta.ABSENT,
    "hidden_size": 1536,  # xlarge's sizes
    "num_hidden_layers": 24,
    "num_attention_heads": 24,
    "intermediate_size": 6144,
    "position_buckets": -1,
    "norm_rel_ebd": "none",
    "share_att_key": False,
    "conv_kernel_size": 0,
}


def settle(theirs: dict[str, Any]) -> dict[str, Any]:
    """As in v1, and a head's width where it is what follows from the others."""
    theirs = deberta.settle(theirs)
    size, heads = theirs.get("attention_head_size"), theirs.get("num_attention_heads")
    if isinstance(size, int) and isinstance(heads, int) and size * heads == theirs.get("hidden_size"):
        del theirs["attention_head_size"]
    return theirs


_V2 = "github.com/microsoft/DeBERTa, news of 2021-02"
_V3 = "github.com/microsoft/DeBERTa, table of models"


def _size(layers: int, width: int, heads: int, **more: Any) -> Config:
    return Config(layers=layers, width=width, embedding=width, heads=heads, inner=4 * width, **more)


PRESETS = {
    "v2-xlarge": Preset(
        _size(24, 1536, 24, convolution=3, convolution_activation="gelu"),
        _V2,
        "900",
        note="rounded up; the table of models says 710 without word vectors, its sizes come to 687.8",
    ),
    "v2-xxlarge": Preset(
        _size(48, 1536, 24, convolution=3, convolution_activation="gelu"),
        _V2,
        "1500",
        note="rounded down; the table of models says 1,320 without word vectors, its sizes come to 1,367.8",
    ),
    "v3-xsmall": Preset(_size(12, 384, 6), _V3, "22", without_words=True),
    "v3-small": Preset(_size(6, 768, 12), _V3, "44", without_words=True, note="its sizes come to 42.9"),
    "v3-base": Preset(Config(), _V3, "86", without_words=True),
    "v3-large": Preset(_size(24, 1024, 16), _V3, "304", without_words=True, note="its sizes come to 302.8"),
    "mdeberta-v3-base": Preset(Config(vocabulary=251000), _V3, "86", without_words=True),
}

CHANGES = Changes(
    "2021-11",
    "He et al., DeBERTaV3: Improving DeBERTa using ELECTRA-Style Pre-Training (and the v2 models of 2021)",
    embedding="128,000 sentencepieces; no positions | Config",
    attention="as DeBERTa's, distances in buckets that widen | nn.disentangled:RelativeVectors",
    block="in v2 a convolution beside the first block | ConvolvedBlock",
    objective="v2 masked words; v3 replaced tokens",
    sharing="positions are projected as content is | build",
    parent="deberta",
)
