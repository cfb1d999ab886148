"""A head fitted on a frozen encoder: it alone changes, and it learns."""

from __future__ import annotations

import json
import pydoc_data.topics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.models import load_network
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded, encode
from maskwright.pretraining.fitting import TRAIN, Fitted, fit_head
from maskwright.pretraining.held_out import HeldOut, frozen, unigram
from maskwright.pretraining.masking import Vocabulary
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.sentences import split
from maskwright.text.tokenizer import Tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(48))]
QUICK = TRAIN.model_copy(update={"lr": 2e-2, "precision": "fp32", "threads": 1, "log_steps": 1})


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.from_vocabulary(WORDS)


def text(seed: int) -> Encoded:
    """Each sentence is one word, again and again, so that its neighbours tell what is masked."""
    source = np.random.default_rng(seed)
    words = source.zipf(1.5, 200) % 48
    sizes = source.integers(6, 12, 200)
    ids = np.repeat(words + 5, sizes).astype(np.int32)
    return Encoded(ids, np.concatenate([[0], np.cumsum(sizes)]), np.arange(0, 201, 4))


def questions(tokenizer: Tokenizer) -> HeldOut:
    return frozen(text(1), tokenizer, vocabulary_of(tokenizer), 12)


def course(tokenizer: Tokenizer, steps: int = 60, corpus: Encoded | None = None, **phase: Any) -> Course:
    corpus = corpus or text(0)
    specials = tokenizer.cls_id, tokenizer.sep_id
    phases = (Phase(**{"length": 12, "batch_tokens": 200, **phase}),)
    return Course(corpus, Mlm(), vocabulary_of(tokenizer), specials, steps, phases, unit="steps")


Make = Callable[..., tuple[nn.Module, Any, Any]]


def fit(net: nn.Module, kind: Any, config: Any, tokenizer: Tokenizer, folder: Path, **changes: Any) -> Fitted:
    train = QUICK.model_copy(update=changes)
    return fit_head(net, kind, config, course(tokenizer), questions(tokenizer), folder, train, quiet=True)


@pytest.mark.parametrize("name", ["bert", "albert", "electra", "deberta", "rembert", "modernbert", "mobilebert"])
def test_the_head_alone_changes_and_learns(name: str, network: Make, tokenizer: Tokenizer, tmp_path: Path) -> None:
    net, kind, config = network(name)
    net.eval()
    was = {n: t.clone() for n, t in net.state_dict().items()}
    found = fit(net, kind, config, tokenizer, tmp_path)
    changed = {n for n, t in net.state_dict().items() if not torch.equal(t, was[n])}
    assert changed == {n for n in was if n.startswith("masked_lm.")}
    assert found.steps == 60
    assert found.parameters == sum(p.numel() for p in net.masked_lm.parameters())
    assert found.after["loss"] < unigram([text(0)], questions(tokenizer), 53) - 0.2 < found.before["loss"]
    assert not net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert f"{found.parameters:,} weights, 60 steps" in found.note


def test_the_encoder_does_not_drop(network: Make, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """With much dropout, or with none, the same losses to the bit: nothing of it acts."""
    logs = []
    for rate in (0.0, 0.5):
        net, kind, config = network("bert", dropout=rate, attention_dropout=rate)
        net.train()
        fit(net, kind, config, tokenizer, tmp_path / str(rate))
        assert net.training
        lines = (tmp_path / str(rate) / "log.jsonl").read_text().splitlines()
        logs.append([json.loads(line)["loss"] for line in lines])
    assert logs[0] == logs[1]


def test_frozen_weights_get_no_gradients(
    network: Make, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, kind, config = network("bert")
    seen: set[str] = set()
    backward = torch.Tensor.backward

    def spy(self: torch.Tensor, *args: Any, **options: Any) -> None:
        backward(self, *args, **options)
        seen.update(n for n, p in net.named_parameters() if p.grad is not None)

    monkeypatch.setattr(torch.Tensor, "backward", spy)
    fit(net, kind, config, tokenizer, tmp_path)
    assert seen == {n for n, _ in net.named_parameters() if n.startswith("masked_lm.")}


def test_the_bias_starts_from_frequencies(network: Make, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """At a rate of nearly nothing the head is what it starts from."""
    net, kind, config = network("bert")
    found = fit(net, kind, config, tokenizer, tmp_path, lr=1e-12)
    counts = np.bincount(text(0).ids, minlength=53) + 1
    np.testing.assert_allclose(net.masked_lm.bias.detach().numpy(), np.log(counts / counts.sum()), atol=1e-5)
    assert found.after["loss"] == pytest.approx(unigram([text(0)], questions(tokenizer), 53), abs=0.2)


@pytest.mark.slow
def test_minilm_gets_a_head(minilm: Path, tmp_path: Path) -> None:
    """On the pages of the standard library, in a few steps: better than knowing how often each piece comes."""
    tokenizer = Tokenizer.from_folder(minilm)
    vocabulary: Vocabulary = vocabulary_of(tokenizer)
    pages = [split(" ".join(page.split())) for page in pydoc_data.topics.topics.values()]
    train, held = (encode([p for i, p in enumerate(pages) if (i % 8 == 0) == out], tokenizer) for out in (False, True))
    asked = frozen(held, tokenizer, vocabulary, 64, 40)
    torch.manual_seed(0)
    loaded = load_network(minilm, "masked-lm")
    assert {name.split(".")[0] for name in loaded.new} == {"masked_lm"}
    made = course(tokenizer, 40, train, length=64, batch_tokens=1024)
    settings = TRAIN.model_copy(update={"lr": 1e-2})
    found = fit_head(loaded.network, loaded.family, loaded.config, made, asked, tmp_path, settings, quiet=True)
    assert found.parameters == 384 * 384 + 384 + 2 * 384 + 30522
    assert found.after["loss"] < unigram([train], asked, tokenizer.size) - 0.1
    assert found.before["loss"] > 9
