"""BERT (Devlin et al. 2019): post-norm blocks, learned positions, two segments, GELU.

Encoders that differ from it only in vocabulary, size or training are presets here (MiniLM, BioBERT, ...).
"""

from __future__ import annotations

from typing import Any

from torch import nn

from maskwright.models._family import Changes, Fixed, Ignored, Key, Preset
from maskwright.models._heads import First, Tokens, Words, WordsAndOrder
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.block import Attention, FeedForward, PostNormBlock
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, MaskedLanguageModel, Pooler
from maskwright.nn.pattern import FULL, Pattern


class Config(Sizes):
    """Sizes and numerics; the defaults are BERT-base's."""

    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float | None = None  #: None: the same as `dropout`
    segments: int = 2
    eps: float = 1e-12


def build(config: Config, start: int = 0, pattern: Pattern = FULL) -> Encoder:
    """The encoder, with random weights. start: the row of the first token's position."""
    norm = nn.LayerNorm(config.width, eps=config.eps)
    sizes = config.vocabulary, config.positions, config.segments, config.width
    embeddings = Embeddings(*sizes, norm, config.dropout, start)
    return Encoder(embeddings, [block(config, pattern) for _ in range(config.layers)], config.width)


def block(config: Config, pattern: Pattern = FULL) -> nn.Module:
    """Attention and feed-forward, each added to its input and normalised."""
    return PostNormBlock(
        Attention(config.width, config.heads, config.attention_dropout, pattern),
        FeedForward(config.width, config.inner, activation(config.activation)),
        [nn.LayerNorm(config.width, eps=config.eps) for _ in range(2)],
        config.dropout,
    )


def pooler(config: Config, classes: int) -> nn.Module:
    """tanh(W h_[CLS])."""
    return Pooler(config.width)


def next_sentence(config: Config, classes: int) -> nn.Module:
    """The second text follows the first, or it does not."""
    return nn.Linear(config.width, 2)


def masked_lm(config: Config, classes: int) -> nn.Module:
    norm = nn.LayerNorm(config.width, eps=config.eps)
    return MaskedLanguageModel(config.width, config.width, config.vocabulary, activation(config.activation), norm)


def classifier(config: Config, classes: int) -> nn.Module:
    """One class is a regression."""
    return Classifier(config.width, classes, rate(config))


def rate(config: Any) -> float:
    """Of dropout before the scores of classes."""
    return float(config.dropout if config.classifier_dropout is None else config.classifier_dropout)


def scorer(config: Config, classes: int) -> nn.Module:
    """One score for each choice."""
    return classifier(config, 1)


def ends(config: Config, classes: int) -> nn.Module:
    """How well an answer begins, and ends, at a token."""
    return nn.Linear(config.width, 2)


HEADS = {
    "bare": First.of("BertModel", pooler=pooler),
    "masked-lm": Words.of("BertForMaskedLM", masked_lm=masked_lm),
    "next-sentence": First.of("BertForNextSentencePrediction", pooler=pooler, next_sentence=next_sentence),
    "pretraining": WordsAndOrder.of(
        "BertForPreTraining", masked_lm=masked_lm, pooler=pooler, next_sentence=next_sentence
    ),
    "classification": First.of("BertForSequenceClassification", pooler=pooler, classifier=classifier),
    "multiple-choice": First.of("BertForMultipleChoice", pooler=pooler, classifier=scorer),
    "token-classification": Tokens.of("BertForTokenClassification", classifier=classifier),
    "question-answering": Tokens.of("BertForQuestionAnswering", ends=ends),
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
    "ends.*": "qa_outputs.*",
}

PREFIX = "bert."  #: a bare encoder is saved without it
COPIES = {  #: tensors that repeat another one; read only to check that they agree
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}

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


_TURC = "Turc et al. 2019, table 1"
_CASED = "Devlin et al. 2019 give no number for the cased vocabulary"

PRESETS = {
    "tiny": Preset(_size(2, 128), _TURC, "4.4"),
    "mini": Preset(_size(4, 256), _TURC, "11.3", "pretraining"),
    "small": Preset(_size(4, 512), _TURC, "29.1", "pretraining"),
    "medium": Preset(_size(8, 512), _TURC, "41.7", "pretraining"),
    "base": Preset(_size(12, 768), "Devlin et al. 2019, section 3", "110", "pretraining"),
    "large": Preset(
        _size(24, 1024), "Devlin et al. 2019, section 3", "340", "pretraining", note="the paper rounds 336 up to 340"
    ),
    "base-cased": Preset(_size(12, 768, vocabulary=28996), _CASED),
    "large-cased": Preset(_size(24, 1024, vocabulary=28996), _CASED),
    "multilingual": Preset(
        _size(12, 768, vocabulary=119547),
        "github.com/google-research/bert, multilingual.md (cased)",
        "110",
        note="that is the English model's number; 92 of 178 million are word vectors here",
    ),
    "minilm": Preset(_size(6, 384, heads=12), "Wang et al. 2020, table 3", "22", note="the paper rounds 22.7 down"),
    "spanbert-base": Preset(_size(12, 768, vocabulary=28996), "Joshi et al. 2020: as BERT-base cased"),
    "spanbert-large": Preset(
        _size(24, 1024, vocabulary=28996),
        "Joshi et al. 2020, section 4.2: as BERT-large cased",
        "340",
        note="the number of BERT-large, rounded up",
    ),
    "biobert": Preset(_size(12, 768, vocabulary=28996), "Lee et al. 2020: as BERT-base cased"),
    "legalbert": Preset(_size(12, 768), "Chalkidis et al. 2020, section 3: as BERT-base, a vocabulary of its own"),
    "legalbert-small": Preset(_size(6, 512, heads=8), "Chalkidis et al. 2020, section 3", "35"),
    "finbert": Preset(_size(12, 768), "Araci 2019: BERT-base uncased, trained further on financial news"),
    "finbert-fin": Preset(_size(12, 768, vocabulary=30873), "Yang et al. 2020: FinVocab, uncased"),
}

CHANGES = Changes(
    "2018-10",
    "Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
    embedding="word + learned position + segment | nn.embeddings:Embeddings",
    attention="every token sees all of its text | nn.block:Attention",
    block="norm behind each sum; GELU | nn.block:PostNormBlock",
    objective="masked words, next sentence | nn.heads:MaskedLanguageModel",
    parent="encoder-decoder",
)
