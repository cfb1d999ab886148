"""The two kinds of tokenizer that every test here needs: a small one made on the spot, and MiniLM's real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.text.tokenizer import Tokenizer

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps; the fox does not.",
    "Naïve café owners paid 1,000 dollars for crème brûlée in 2024!",
    "Unhappiness and happiness: playing, played, plays. Playing is playful.",
    "我爱北京 and 東京 with some English words between 我 and 北.",
    "The lazy fox was unhappy; the quick dog was happy and played in Paris with Anna.",
] * 3


@pytest.fixture(scope="session")
def bert(minilm: Path) -> Tokenizer:
    """The tokenizer in MiniLM's folder: bert-base-uncased's vocabulary; its file pads and cuts."""
    return Tokenizer.from_folder(minilm)


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    return CORPUS


@pytest.fixture(scope="session")
def uncased() -> Tokenizer:
    return Tokenizer.train(CORPUS, size=220, min_frequency=1)


@pytest.fixture(scope="session")
def cased() -> Tokenizer:
    return Tokenizer.train(CORPUS, size=220, min_frequency=1, lowercase=False)
