"""A small vocabulary, sequences over it, and networks of random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from novel import corpus as novel_corpus
from quickly import Train, pretrained
from tiny import tiny
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import nn
from vocabularies import ANGLES, LINES, framed

from maskwright.base.config import merge
from maskwright.models import family, random_network
from maskwright.pretraining.masking import Pieces, Vocabulary
from maskwright.pretraining.run import Pretrained
from maskwright.text.tokenizer import Tokenizer

WORDS, CLS, SEP, MASK = 53, 1, 2, 3
LENGTHS = [12, 30, 7, 24, 3, 19]


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """Tiny matrices are slower on several threads."""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus; `texts` beside it holds what it was made of."""
    return novel_corpus(tmp_path_factory.mktemp("novel")).folder


@pytest.fixture
def usual() -> dict[str, Any]:
    """What a file's trainings have that those of others have not."""
    return {}


@pytest.fixture
def train(books: Path, tmp_path: Path, usual: dict[str, Any]) -> Train:
    """A quick pre-training of the books into a folder of the test."""

    def go(out: str = "run", **options: Any) -> Pretrained:
        return pretrained(options.pop("text", books), tmp_path / out, **merge(usual, options))

    return go


@pytest.fixture
def vocabulary() -> Vocabulary:
    special = np.arange(WORDS) < 4
    return Vocabulary(MASK, special, (np.arange(WORDS) % 3 > 0) & ~special)


@pytest.fixture
def pieces() -> Pieces:
    source = np.random.default_rng(0)
    ids = [np.concatenate([[CLS], source.integers(4, WORDS, n - 2), [SEP]]) for n in LENGTHS]
    return Pieces(np.concatenate(ids), np.concatenate([[0], np.cumsum(LENGTHS)]), np.arange(len(LENGTHS)))


@pytest.fixture
def network() -> Callable[..., tuple[nn.Module, Any, Any]]:
    """A family's network in a tiny size, without dropout unless asked, the family, and the size."""

    def make(name: str = "bert", head: str = "masked-lm", seed: int = 0, **changes: Any) -> tuple[nn.Module, Any, Any]:
        kind = family(name)
        config = tiny(kind)
        calm = {field: 0.0 for field in kind.Config.model_fields if "dropout" in field}
        config = kind.Config(**{**config.model_dump(), **calm, "initial_std": 0.3, **changes})
        torch.manual_seed(seed)
        return random_network(kind, config, head), kind, config

    return make


@pytest.fixture
def byte_level(tmp_path: Path) -> Tokenizer:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = list(ANGLES.values())[:-1]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(LINES, trainer)
    return framed(backend, tmp_path)


@pytest.fixture
def sentencepiece(tmp_path: Path) -> Tokenizer:
    backend = Backend(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    specials = list(ANGLES.values())[:-1]
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=specials, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator(LINES, trainer)
    return framed(backend, tmp_path)
