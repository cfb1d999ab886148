"""ModernBERT (Warner et al. 2024): norms first, rotary positions, gated feed-forward, most layers see 128 tokens."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import ENDS, Changes, Fixed, Ignored, Key, Preset, Special
from maskwright.models._heads import First, OneVector, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch
from maskwright.nn.block import GatedFeedForward, PreNormBlock, RotaryAttention
from maskwright.nn.dropout import Dropout
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, MaskedLanguageModel
from maskwright.nn.linear import Linear
from maskwright.nn.pattern import FULL, window
from maskwright.nn.pooling.mean import Mean
from maskwright.nn.rotary import Rotary

KINDS = ("full_attention", "sliding_attention")


class Config(Sizes):
    """Sizes and numerics; the defaults are ModernBERT-base's."""

    vocabulary: int = 50368
    layers: int = 22
    inner: int = 1152
    positions: int = 8192  #: what it was trained for; no table ends there
    eps: float = 1e-5
    norm_bias: bool = False
    attention_bias: bool = False
    inner_bias: bool = False
    word_bias: bool = True  #: of the scores over the vocabulary
    head_bias: bool = False
    embedding_dropout: float = 0.0
    attention_dropout: float = 0.0  #: on attention's probabilities and on its output
    inner_dropout: float = 0.0
    classifier_dropout: float = 0.0
    classifier_pooling: Literal["cls", "mean"] = "cls"
    classifier_activation: str = "gelu"
    kinds: list[Literal["full_attention", "sliding_attention"]] | None = None  #: of each layer; None: every third full
    window: int = 128  #: tokens that a sliding layer sees by distance, half to either side
    full_base: float = 160_000.0  #: of the rotary positions of full layers
    sliding_base: float = 10_000.0
    cutoff: float = 2.0  #: random weights are drawn within so many standard deviations
    padding: int | None = 50283

    @model_validator(mode="before")
    @classmethod
    def _every_third_needs_no_saying(cls, data: Any) -> Any:
        """transformers writes the kind of each layer into a config, also the usual ones."""
        if isinstance(data, dict) and data.get("kinds") == usual_kinds(data.get("layers", 22)):
            return {**data, "kinds": None}
        return data

    @model_validator(mode="after")
    def _each_layer_has_a_kind(self) -> Config:
        if len(self.layer_kinds) != self.layers:
            raise ValueError(f"{self.layers} layers need as many kinds, not {len(self.layer_kinds)}")
        return self

    @model_validator(mode="after")
    def _heads_can_turn(self) -> Config:
        if self.width // self.heads % 2:
            raise ValueError(
                f"{self.heads} heads of {self.width // self.heads} (width / heads); rotary positions turn pairs of "
                "numbers, so let a head be even"
            )
        return self

    @property
    def layer_kinds(self) -> list[str]:
        return usual_kinds(self.layers) if self.kinds is None else list(self.kinds)


def usual_kinds(layers: int, every: int = 3) -> list[str]:
    """The first layer of every three sees everything."""
    return [KINDS[i % every > 0] for i in range(layers)]


def norm(config: Config) -> nn.Module:
    return nn.LayerNorm(config.width, eps=config.eps, bias=config.norm_bias)


def build(config: Config) -> Encoder:
    """The encoder, with random weights; the first block's norm is left out, since the embeddings have one."""
    embeddings = Embeddings(config.vocabulary, 0, 0, config.width, norm(config), config.embedding_dropout)
    blocks = [_block(config, kind, first=i == 0) for i, kind in enumerate(config.layer_kinds)]
    rotary = Rotary(config.width // config.heads, [config.full_base, config.sliding_base])
    return Encoder(embeddings, blocks, config.width, relative=rotary, norm=norm(config))


def _block(config: Config, kind: str, first: bool) -> nn.Module:
    sliding = kind == "sliding_attention"
    pattern, turns = (window(config.window // 2), 1) if sliding else (FULL, 0)
    rate, bias = config.attention_dropout, config.attention_bias
    attention = RotaryAttention(config.width, config.heads, rate, pattern, bias, turns, drop_out=rate)
    act = activation(config.activation)
    feedforward = GatedFeedForward(config.width, config.inner, act, config.inner_dropout, config.inner_bias)
    return PreNormBlock(attention, feedforward, [nn.Identity() if first else norm(config), norm(config)], dropout=0.0)


def draw(config: Config, name: str, tensor: Tensor) -> None:
    """Normal within `cutoff` standard deviations; what is added to the residual stream is the smaller the more layers
    there are, and classifiers start at 1 / sqrt(H) (Warner et al. 2024, appendix)."""
    if tensor.dim() < 2:
        nn.init.constant_(tensor, 0.0 if name.endswith("bias") else 1.0)
        return
    std = config.initial_std
    if name.startswith(("classifier.", "ends.")):
        std = config.width**-0.5
    elif name.endswith(".out.weight") or not name.startswith("encoder."):
        std /= (2 * config.layers) ** 0.5
    nn.init.trunc_normal_(tensor, std=std, a=-config.cutoff * std, b=config.cutoff * std)


class Dense(nn.Module):
    """norm(act(W x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = Linear(config.width, config.width, activation(config.classifier_activation), config.head_bias)
        self.norm = norm(config)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.dense(x))
        return y


def head(config: Config, classes: int) -> nn.Module:
    return Dense(config)


def masked_lm(config: Config, classes: int) -> nn.Module:
    act = activation(config.classifier_activation)
    width, words = config.width, config.vocabulary
    return MaskedLanguageModel(width, width, words, act, norm(config), config.head_bias, config.word_bias)


def classifier(config: Config, classes: int) -> nn.Module:
    return Classifier(config.width, classes, config.classifier_dropout)


def choice(config: Config, classes: int) -> nn.Module:
    return classifier(config, 1)


def drop(config: Config, classes: int) -> nn.Module:
    return Dropout(config.classifier_dropout)


class Pooled(OneVector):
    """(B, ...) from the first token or from the mean over all, as the config has it."""

    def __init__(self, config: Config, encoder: nn.Module, classes: int = 2) -> None:
        super().__init__(config, encoder, classes)
        self.pooling = config.classifier_pooling

    def pool(self, batch: Batch) -> Tensor:
        if self.pooling == "mean":
            return Mean().pool(self.encoder(batch), batch)
        states: Tensor = self.encoder(batch, batch.first)
        return states


HEADS = {
    "bare": First.of("ModernBertModel"),
    "masked-lm": Words.of("ModernBertForMaskedLM", masked_lm=masked_lm),
    "classification": Pooled.of("ModernBertForSequenceClassification", head=head, classifier=classifier),
    "multiple-choice": Pooled.of("ModernBertForMultipleChoice", head=head, classifier=choice),
    "token-classification": Tokens.of("ModernBertForTokenClassification", head=head, classifier=classifier),
    "question-answering": Tokens.of("ModernBertForQuestionAnswering", head=head, drop=drop, ends=bert.ends),
}

PREFIX = "model."

NAMES = {
    "encoder.embeddings.word.weight": "model.embeddings.tok_embeddings.weight",
    "encoder.embeddings.norm.*": "model.embeddings.norm.*",
    "encoder.blocks.*.attention.qkv.*": "model.layers.*.attn.Wqkv.*",
    "encoder.blocks.*.attention.out.*": "model.layers.*.attn.Wo.*",
    "encoder.blocks.*.attention_norm.*": "model.layers.*.attn_norm.*",
    "encoder.blocks.*.feedforward.into.*": "model.layers.*.mlp.Wi.*",
    "encoder.blocks.*.feedforward.out.*": "model.layers.*.mlp.Wo.*",
    "encoder.blocks.*.feedforward_norm.*": "model.layers.*.mlp_norm.*",
    "encoder.norm.*": "model.final_norm.*",
    "masked_lm.dense.*": "head.dense.*",
    "masked_lm.norm.*": "head.norm.*",
    "masked_lm.bias": "decoder.bias",
    "head.dense.*": "head.dense.*",
    "head.norm.*": "head.norm.*",
    "classifier.out.*": "classifier.*",
    "ends.*": "classifier.*",
}

COPIES = {"decoder.weight": "model.embeddings.tok_embeddings.weight"}

_EVERY = "global_attn_every_n_layers"
_KERNEL = Ignored("a way to compute, same result")

KEYS: dict[str, Key] = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "inner",
    "hidden_activation": "activation",
    "max_position_embeddings": "positions",
    "initializer_range": "initial_std",
    "initializer_cutoff_factor": "cutoff",
    "norm_eps": "eps",
    "norm_bias": "norm_bias",
    "attention_bias": "attention_bias",
    "mlp_bias": "inner_bias",
    "decoder_bias": "word_bias",
    "classifier_bias": "head_bias",
    "embedding_dropout": "embedding_dropout",
    "attention_dropout": "attention_dropout",
    "mlp_dropout": "inner_dropout",
    "classifier_dropout": "classifier_dropout",
    "classifier_pooling": "classifier_pooling",
    "classifier_activation": "classifier_activation",
    "layer_types": "kinds",
    "local_attention": "window",
    "rope_parameters.full_attention.rope_theta": "full_base",
    "rope_parameters.full_attention.rope_type": Fixed("default", "other rotations are not known here"),
    "rope_parameters.sliding_attention.rope_theta": "sliding_base",
    "rope_parameters.sliding_attention.rope_type": Fixed("default", "other rotations are not known here"),
    "pad_token_id": "padding",
    **ENDS,
    "cls_token_id": Special("cls"),
    "sep_token_id": Special("sep"),
    "sparse_prediction": Ignored("which positions the reference scores; here the objective says it"),
    "sparse_pred_ignore_index": Ignored("which positions the reference scores; here the objective says it"),
    "deterministic_flash_attn": _KERNEL,
    "reference_compile": _KERNEL,
    "repad_logits_with_grad": _KERNEL,
    "position_embedding_type": Ignored("written by the first version, read by nobody"),
    "layer_norm_eps": Ignored("written by the first version, read by nobody"),
    "tie_word_embeddings": Fixed(True, "the decoder shares the word vectors"),
}


def settle(theirs: dict[str, Any]) -> dict[str, Any]:
    """What the first version said of its layers and rotations, as it is said today."""
    every = theirs.pop(_EVERY, None)
    if theirs.get("layer_types") is None and every is not None:
        theirs["layer_types"] = usual_kinds(theirs.get("num_hidden_layers", 22), every)
    everywhere = theirs.pop("global_rope_theta", None)
    nearby = theirs.pop("local_rope_theta", None) if theirs.get("local_rope_theta", 0) is not None else everywhere
    theirs.pop("local_rope_theta", None)  # null: sliding layers turn as full ones do
    bases = {"full_attention": everywhere, "sliding_attention": nearby}
    if theirs.get("rope_parameters") is None:
        known = {kind: {"rope_theta": base, "rope_type": "default"} for kind, base in bases.items() if base is not None}
        theirs["rope_parameters"] = known or None
    return theirs


_PAPER = "Warner et al. 2024, table 4"

PRESETS = {
    "base": Preset(Config(), _PAPER, "149"),
    "large": Preset(Config(width=1024, layers=28, heads=16, inner=2624), _PAPER, "395"),
}

CHANGES = Changes(
    "2024-12",
    "Warner et al., Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder",
    embedding="word vectors alone | build",
    attention="rotary positions; two of three layers see 128 tokens | nn.block:RotaryAttention",
    block="norm before; gated feed-forward; no biases | nn.block:GatedFeedForward",
    objective="masked words alone, at 30 %",
)
