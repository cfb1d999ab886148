"""MobileBERT (Sun et al. 2020): 24 thin blocks between bottlenecks, four feed-forwards each, norms that only scale."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Ignored, Key, Preset, prefixed, without
from maskwright.models._heads import First, Tokens, Words, WordsAndOrder
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.attention import attend, look
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import FeedForward
from maskwright.nn.dropout import Dropout
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import MaskedLanguageModel, Pooler
from maskwright.nn.linear import Linear

PLAIN_EPS = 1e-5  #: of the norms that the reference gives no eps: the embeddings' and the last feed-forward's


class Config(Sizes):
    """Sizes and numerics; the defaults are MobileBERT's."""

    width: int = 512
    layers: int = 24
    heads: int = 4
    inner: int = 512
    activation: str = "relu"
    embedding: int = 128  #: width of the word vectors
    trigrams: bool = True  #: a token's vector is made of its neighbours' too
    bottleneck: bool = True
    narrow: int = 128  #: width between the bottlenecks
    narrow_attention: bool = False  #: values come from the narrow states, as queries and keys then do
    shared_bottleneck: bool = True  #: queries and keys come through a bottleneck of their own
    feedforwards: int = 4
    norm: Literal["no_norm", "layer_norm"] = "no_norm"
    dropout: float = 0.0
    attention_dropout: float = 0.1
    classifier_dropout: float | None = None
    pooler: bool = True
    segments: int = 2
    eps: float = 1e-12

    @property
    def attention_width(self) -> int:
        return self.narrow if self.bottleneck else self.width

    @model_validator(mode="after")
    def _words_fit(self) -> Config:
        if self.embedding > self.width:
            raise ValueError(f"word vectors of {self.embedding} are lengthened to the width, but it is {self.width}")
        return self

    @model_validator(mode="after")
    def _queries_fit(self) -> Config:
        wide = self.bottleneck and not self.narrow_attention and not self.shared_bottleneck
        if wide and self.narrow != self.width:
            raise ValueError(
                f"without a bottleneck for queries and keys they are {self.width} wide, but attention is {self.narrow}"
            )
        return self


class NoNorm(nn.Module):
    """w * x + b: a norm without statistics (Sun et al. 2020, section 3.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, H) -> (N, H), in one pass, and without a gradient in the format of x: there is no sum that needs fp32."""
        if torch.is_grad_enabled():
            return torch.addcmul(self.bias, x, self.weight)
        return torch.addcmul(self.bias.to(x.dtype), x, self.weight.to(x.dtype))


def norm(config: Config, width: int, eps: float | None = None) -> nn.Module:
    return NoNorm(width) if config.norm == "no_norm" else nn.LayerNorm(width, eps=config.eps if eps is None else eps)


class TrigramEmbeddings(Embeddings):
    """norm(W [e_next; e; e_previous] + position + segment), beyond a sequence's ends 0."""

    def __init__(self, config: Config) -> None:
        plain = norm(config, config.width, PLAIN_EPS)
        super().__init__(config.vocabulary, config.positions, config.segments, config.width, plain, config.dropout)
        self.word = type(self.word)(config.vocabulary, config.embedding)
        self.trigrams = config.trigrams
        self.project = Linear(config.embedding * (3 if config.trigrams else 1), config.width)

    def forward(self, batch: Batch) -> Tensor:
        x = self.word(batch.ids)
        if self.trigrams:
            text = x if batch.real is None else x * batch.real[:, None]
            before = text.roll(1, 0) * (batch.positions > 0)[:, None]
            after = text.roll(-1, 0) * (batch.positions > 0).roll(-1, 0)[:, None]
            x = torch.cat([after, x, before], -1)
        if self.trigrams or self.project.in_features != self.project.out_features:
            x = self.project(x)
        y: Tensor = self.drop(self.norm(self.total(batch, x)))
        return y


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    return Encoder(TrigramEmbeddings(config), [Block(config) for _ in range(config.layers)], config.width)


class Block(nn.Module):
    """n = norm(W_in x); a = norm(attention(x) + n); a = norm(ff(a) + a), several times; norm(W_out a + x)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.rate = config.heads, config.attention_dropout
        wide, width, act = config.width, config.attention_width, activation(config.activation)
        self.enter = _narrow(config) if config.bottleneck else None
        self.look = _narrow(config) if config.bottleneck and config.shared_bottleneck else None
        self.all_narrow = config.narrow_attention or not config.bottleneck  # queries, keys and values
        self.queries = Linear(width, 2 * width)  # and keys
        self.values = Linear(width if self.all_narrow else wide, width)
        self.out = Linear(width, width)
        self.attention_norm = norm(config, width)
        more = range(config.feedforwards - 1)
        self.more = nn.ModuleList(FeedForward(width, config.inner, act) for _ in more)
        self.more_norms = nn.ModuleList(norm(config, width) for _ in more)
        self.feedforward = FeedForward(width, config.inner, act)
        self.feedforward_norm = norm(config, width, PLAIN_EPS)
        self.leave = Linear(width, wide) if config.bottleneck else None
        self.leave_norm = norm(config, wide) if config.bottleneck else None
        self.drop = Dropout(config.dropout)  # at the blocks' full width alone

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone."""
        q, kv, narrow = self._project(x)
        kept = x
        if chosen is not None:
            q, narrow, kept = (t.index_select(0, chosen.tokens) for t in (q, narrow, x))
        drop = self.drop if self.leave is None else nn.Identity()
        mixed = self.out(attend(q, kv, batch, chosen, self.rate if self.training else 0.0).flatten(-2))
        a = self.attention_norm(drop(mixed) + narrow)
        for feedforward, normed in zip(self.more, self.more_norms, strict=True):
            a = normed(feedforward(a) + a)
        a = self.feedforward_norm(drop(self.feedforward(a)) + a)
        if self.leave is not None and self.leave_norm is not None:
            wide = self.drop(self.leave(a))
            # Without a gradient all states are in the products' format where no norm measures them.
            low = isinstance(self.leave_norm, NoNorm) and not torch.is_grad_enabled()
            a = self.leave_norm(wide + (kept.to(wide.dtype) if low else kept))
        return a

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (N, A, D), keys and values (N, 2, A, D), and what attention is added to (N, W)."""
        narrow = x if self.enter is None else self.enter(x)
        looks = narrow if self.all_narrow else x if self.look is None else self.look(x)
        q, k = self.queries(looks).chunk(2, -1)
        v = self.values(narrow if self.all_narrow else x)
        kv = torch.stack([k, v], 1).unflatten(-1, (self.heads, -1))
        return q.unflatten(-1, (self.heads, -1)), kv, narrow

    def weights(self, x: Tensor, batch: Batch) -> list[Tensor]:
        """The attention probabilities (A, T, T) of each sequence, from the block's input."""
        q, kv, _ = self._project(x)
        return look(q, kv[:, 0], batch)


def _narrow(config: Config) -> nn.Module:
    return nn.Sequential(Linear(config.width, config.narrow), norm(config, config.narrow))


class WideMaskedLM(MaskedLanguageModel):
    """The decoder's vectors are the word vectors, lengthened to the blocks' width by rows of its own."""

    def __init__(self, config: Config) -> None:
        plain = nn.LayerNorm(config.width, eps=config.eps)
        super().__init__(config.width, config.width, config.vocabulary, activation(config.activation), plain)
        self.extra = nn.Parameter(torch.empty(config.width - config.embedding, config.vocabulary))

    def before(self, states: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        return super().before(states, torch.cat([words, self.extra.t()], 1))


def masked_lm(config: Config, classes: int) -> nn.Module:
    return WideMaskedLM(config)


def pooler(config: Config, classes: int) -> nn.Module:
    return Pooler(config.width) if config.pooler else nn.Identity()


_order = {"pooler": pooler, "next_sentence": bert.next_sentence}

HEADS = {
    "bare": First.of("MobileBertModel", pooler=pooler),
    "masked-lm": Words.of("MobileBertForMaskedLM", masked_lm=masked_lm),
    "next-sentence": First.of("MobileBertForNextSentencePrediction", **_order),
    "pretraining": WordsAndOrder.of("MobileBertForPreTraining", masked_lm=masked_lm, **_order),
    "classification": First.of("MobileBertForSequenceClassification", pooler=pooler, classifier=bert.classifier),
    "multiple-choice": First.of("MobileBertForMultipleChoice", pooler=pooler, classifier=bert.scorer),
    "token-classification": Tokens.of("MobileBertForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("MobileBertForQuestionAnswering", ends=bert.ends),
}

PREFIX = "mobilebert."

_LAYER = "mobilebert.encoder.layer.*"
_HEADS = {k: v for k, v in bert.NAMES.items() if not k.startswith("encoder.blocks.")}

NAMES = {
    **prefixed(_HEADS, "bert.", PREFIX),
    "encoder.embeddings.project.*": "mobilebert.embeddings.embedding_transformation.*",
    "encoder.blocks.*.enter.0.*": f"{_LAYER}.bottleneck.input.dense.*",
    "encoder.blocks.*.enter.1.*": f"{_LAYER}.bottleneck.input.LayerNorm.*",
    "encoder.blocks.*.look.0.*": f"{_LAYER}.bottleneck.attention.dense.*",
    "encoder.blocks.*.look.1.*": f"{_LAYER}.bottleneck.attention.LayerNorm.*",
    "encoder.blocks.*.queries.*": tuple(f"{_LAYER}.attention.self.{x}.*" for x in ("query", "key")),
    "encoder.blocks.*.values.*": f"{_LAYER}.attention.self.value.*",
    "encoder.blocks.*.out.*": f"{_LAYER}.attention.output.dense.*",
    "encoder.blocks.*.attention_norm.*": f"{_LAYER}.attention.output.LayerNorm.*",
    "encoder.blocks.*.more.*.into.*": f"{_LAYER}.ffn.*.intermediate.dense.*",
    "encoder.blocks.*.more.*.out.*": f"{_LAYER}.ffn.*.output.dense.*",
    "encoder.blocks.*.more_norms.*.*": f"{_LAYER}.ffn.*.output.LayerNorm.*",
    "encoder.blocks.*.feedforward.into.*": f"{_LAYER}.intermediate.dense.*",
    "encoder.blocks.*.feedforward.out.*": f"{_LAYER}.output.dense.*",
    "encoder.blocks.*.feedforward_norm.*": f"{_LAYER}.output.LayerNorm.*",
    "encoder.blocks.*.leave.*": f"{_LAYER}.output.bottleneck.dense.*",
    "encoder.blocks.*.leave_norm.*": f"{_LAYER}.output.bottleneck.LayerNorm.*",
    "masked_lm.extra": "cls.predictions.dense.weight",
}

COPIES = prefixed(bert.COPIES, "bert.", PREFIX)
LEGACY = {"FakeLayerNorm": "LayerNorm"}

KEYS: dict[str, Key] = {
    **without(bert.KEYS, "pooler_", "directionality", "position_embedding"),
    "embedding_size": "embedding",
    "trigram_input": "trigrams",
    "use_bottleneck": "bottleneck",
    "intra_bottleneck_size": "narrow",
    "use_bottleneck_attention": "narrow_attention",
    "key_query_shared_bottleneck": "shared_bottleneck",
    "num_feedforward_networks": "feedforwards",
    "normalization_type": "norm",
    "classifier_activation": "pooler",
    "true_hidden_size": Ignored("follows from the bottleneck"),
}

OTHERWISE = "a text's last token reads [PAD] where a batch has padding behind it; equal for texts one by one"

PRESETS = {"base": Preset(Config(), "Sun et al. 2020, table 1", "25.3", note="its own sizes come to 24.8")}

CHANGES = Changes(
    "2020-04",
    "Sun et al., MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices",
    embedding="128 wide, a token with its two neighbours | TrigramEmbeddings",
    attention="queries and keys through a bottleneck, values without | Block",
    block="128 wide between 512; four feed-forwards; a norm that only scales | NoNorm",
    objective="masked words, next sentence, a teacher's states",
)
