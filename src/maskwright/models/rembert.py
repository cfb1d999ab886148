"""RemBERT (Chung et al. 2021): narrow word vectors go in, wide ones of their own come out, 110 languages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import ENDS, Changes, Fixed, Key, Preset, prefixed, without
from maskwright.models._heads import First, Tokens, Words
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.embeddings import Embeddings, Projected
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import MaskedLanguageModel


class Config(Sizes):
    """Sizes and numerics; the defaults are RemBERT's."""

    vocabulary: int = 250300
    embedding: int = 256  #: width of the word vectors that go in
    out_embedding: int = 1664  #: and of those that scores are made with
    width: int = 1152
    layers: int = 32
    heads: int = 18
    inner: int = 4608
    dropout: float = 0.0
    attention_dropout: float = 0.0
    classifier_dropout: float = 0.1
    segments: int = 2
    eps: float = 1e-12


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    norm = nn.LayerNorm(config.embedding, eps=config.eps)
    sizes = config.vocabulary, config.positions, config.segments, config.embedding
    embeddings = Projected(Embeddings(*sizes, norm, config.dropout), config.width)
    return Encoder(embeddings, [bert.block(config) for _ in range(config.layers)], config.width)


class UntiedMaskedLM(MaskedLanguageModel):
    """Scores by word vectors of its own (Chung et al. 2021, section 4)."""

    def __init__(self, config: Config) -> None:
        norm = nn.LayerNorm(config.out_embedding, eps=config.eps)
        act = activation(config.activation)
        super().__init__(config.width, config.out_embedding, config.vocabulary, act, norm)
        self.words = nn.Parameter(torch.empty(config.vocabulary, config.out_embedding))

    def before(self, states: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        return super().before(states, self.words)


def masked_lm(config: Config, classes: int) -> nn.Module:
    return UntiedMaskedLM(config)


HEADS = {
    "bare": First.of("RemBertModel", pooler=bert.pooler),
    "masked-lm": Words.of("RemBertForMaskedLM", masked_lm=masked_lm),
    "classification": First.of("RemBertForSequenceClassification", pooler=bert.pooler, classifier=bert.classifier),
    "multiple-choice": First.of("RemBertForMultipleChoice", pooler=bert.pooler, classifier=bert.scorer),
    "token-classification": Tokens.of("RemBertForTokenClassification", classifier=bert.classifier),
    "question-answering": Tokens.of("RemBertForQuestionAnswering", ends=bert.ends),
}

PREFIX = "rembert."

_BODY = {k: v for k, v in bert.NAMES.items() if k.startswith(("encoder.", "pooler.", "classifier.", "ends."))}

NAMES = {
    k.replace("encoder.embeddings.", "encoder.embeddings.table."): v
    for k, v in prefixed(_BODY, "bert.", PREFIX).items()
} | {
    "encoder.embeddings.project.*": "rembert.encoder.embedding_hidden_mapping_in.*",
    "masked_lm.dense.*": "cls.predictions.dense.*",
    "masked_lm.norm.*": "cls.predictions.LayerNorm.*",
    "masked_lm.words": "cls.predictions.decoder.weight",
    "masked_lm.bias": "cls.predictions.decoder.bias",
}

COPIES = {"cls.predictions.bias": "cls.predictions.decoder.bias"}

_OTHERS = ("pooler_", "classifier_dropout", "directionality", "position_embedding", "tie_word")

KEYS: dict[str, Key] = {
    **without(bert.KEYS, *_OTHERS),
    **ENDS,
    "input_embedding_size": "embedding",
    "output_embedding_size": "out_embedding",
    "classifier_dropout_prob": "classifier_dropout",
    "tie_word_embeddings": Fixed(False, "its word vectors go in and come out at different widths"),
}

PRESETS = {"base": Preset(Config(), "Chung et al. 2021, table 5", "575", note="the paper rounds 575.9 down")}

CHANGES = Changes(
    "2020-10",
    "Chung et al., Rethinking Embedding Coupling in Pre-trained Language Models",
    embedding="word vectors 256 wide go in | nn.embeddings:Projected",
    objective="masked words, by vectors of its own 1,664 wide | UntiedMaskedLM",
)
