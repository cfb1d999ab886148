"""Mask-predict and one piece at a time: what stays, what is drawn anew, and that the same seed gives the same text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.base.errors import UserError
from maskwright.nn import Batch
from maskwright.tasks import MaskedLM


@pytest.fixture
def model(masked: Path) -> MaskedLM:
    loaded = MaskedLM.load(masked, "cpu")
    loaded.precision = "fp32"
    return loaded


@pytest.mark.parametrize("method", ["mask-predict", "gibbs"])
def test_the_prompt_stays_and_the_length_is_kept(model: MaskedLM, method: Any) -> None:
    found = model.generate("the film was", length=7, steps=4, method=method)
    assert found.text.startswith("the film was")
    assert found == model.generate("the film was", length=7, steps=4, method=method)
    assert found.text != model.generate("the film was", length=7, steps=4, method=method, seed=1).text
    assert found.trace[0].seen.count(model.mask) == 7
    for step in found.trace:
        assert model.mask not in step.text
    assert model.generate("", length=5, method=method).trace[0].seen.count(model.mask) == 5


def test_the_number_that_is_masked_falls_linearly(model: MaskedLM) -> None:
    trace = model.generate("the film", length=12, steps=5).trace
    assert [len(step.remasked) for step in trace] == [12, 9, 7, 4, 2]
    assert [step.seen.count(model.mask) for step in trace] == [12, 9, 7, 4, 2]
    assert [len(step.remasked) for step in model.generate("a", length=2, steps=5).trace] == [2, 1, 1]
    assert [len(step.remasked) for step in model.generate("a", length=3, steps=2, method="gibbs").trace] == [3, 3]


def test_the_least_sure_pieces_are_masked_and_only_they_change(masked_bert: Path) -> None:
    """The second step of two by hand, at temperature 0."""
    model = MaskedLM.load(masked_bert, "cpu")
    model.precision = "fp32"
    first, second = model.generate("the film", length=6, steps=2, temperature=0).trace
    ids = model.tokenizer.encode(["the film"]).ids.astype(np.int64)
    masked = np.insert(ids, 3, [model.tokenizer.mask_id] * 6)
    special = torch.tensor(sorted(model.tokenizer.special_ids))

    def best(given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            scores = model.network(Batch.packed(torch.from_numpy(given), [len(given)]))[3:9]
        scores[:, special] = -torch.inf
        top = scores.log_softmax(-1).max(-1)
        return top.indices.numpy(), top.values.numpy()

    pieces, sure = best(masked)
    assert first.log_prob == pytest.approx(sure.mean(), rel=1e-5)
    weak = np.sort(np.argsort(sure)[:3])
    assert second.remasked == tuple(weak)
    seen = masked.copy()
    seen[3:9] = pieces
    seen[3 + weak] = model.tokenizer.mask_id
    seen[3 + weak] = best(seen)[0][weak]
    assert second.text == model.tokenizer.decode(seen[1:-1], skip_specials=False)


def test_drawn_as_often_as_their_probability(masked_bert: Path) -> None:
    model = MaskedLM.load(masked_bert, "cpu")
    every = model.fill("the film [MASK]", top=int(model.pieces.sum()))[0].masks[0]
    likely = {c.text: c.probability for c in every if not c.piece.startswith("[")}
    found = Counter(model.generate("the film", length=1, steps=1, seed=seed).text for seed in range(300))
    assert set(found) <= set(likely)
    for text in sorted(likely, key=likely.__getitem__)[-5:]:
        wanted = 300 * likely[text] / sum(likely.values())
        assert wanted > 5
        assert found[text] == pytest.approx(wanted, abs=4 * wanted**0.5)
    cold = Counter(model.generate("the film", length=1, steps=1, seed=s, temperature=0.05).text for s in range(20))
    assert cold == {model.generate("the film", length=1, steps=1, temperature=0).text: 20}


@pytest.mark.parametrize("temperature", [0.0, 1.0, 50.0])
def test_special_pieces_are_never_written(model: MaskedLM, temperature: float) -> None:
    with torch.no_grad():
        for i in model.tokenizer.special_ids:
            model.network.masked_lm.bias[i] = 50.0
    found = model.generate("the film", length=40, steps=2, temperature=temperature).text
    for piece in model.tokenizer.tokens(sorted(model.tokenizer.special_ids)):
        assert piece not in found


@pytest.mark.parametrize(
    ("prompt", "settings", "said"),
    [
        (
            "the [MASK] film",
            {},
            r"holds the special piece \[MASK\]\. Masks within a text are filled by maskwright fill",
        ),
        ("the film", {"length": 61}, "length = 61: the prompt has 4 pieces, .* the model reads 64. Give at most 60"),
        ("film " * 80, {}, "Give a shorter prompt"),
        ("the film", {"length": 0}, "length = 0"),
        ("the film", {"steps": 0}, "steps = 0"),
        ("the film", {"temperature": -1}, "temperature = -1"),
        ("the film", {"step": 3}, "Did you mean 'steps'"),
        ("the film", {"method": "beam"}, "method = 'beam'"),
    ],
)
def test_mistakes(prompt: str, settings: dict[str, Any], said: str, masked_bert: Path) -> None:
    with pytest.raises(UserError, match=said):
        MaskedLM.load(masked_bert).generate(prompt, **settings)
