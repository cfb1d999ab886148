"""A head that starts from how often each piece comes has the loss of knowing that, before its first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.held_out import frozen, judge, unigram
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.prior import know_frequencies
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(48))]


@pytest.mark.parametrize("name", ["bert", "modernbert", "deberta"])
def test_the_loss_starts_at_the_plateau(name: str, network: Callable[..., Any]) -> None:
    ids = (np.random.default_rng(0).zipf(1.5, 2000) % 48 + 5).astype(np.int32)
    text = Encoded(ids, np.arange(0, 2001, 10), np.arange(0, 201, 4))
    tokenizer = Tokenizer.from_vocabulary(WORDS)
    held = frozen(text, tokenizer, vocabulary_of(tokenizer), 12)
    net, kind, config = network(name, initial_std=0.02)
    answers = Mlm().answers(Mlm().build(net, kind, config))
    plateau, before = unigram([text], held, len(WORDS)), judge(answers, held)["loss"]
    others = {n: t.clone() for n, t in net.state_dict().items() if not n.endswith("bias")}
    know_frequencies(net, ids)
    assert before > plateau + 1
    assert judge(answers, held)["loss"] == pytest.approx(plateau, abs=0.2)
    assert all(torch.equal(t, others[n]) for n, t in net.state_dict().items() if n in others)
