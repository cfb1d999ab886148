"""The operations that a plan counts are those of real steps, of every objective."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tiny import tiny
from torch.utils.flop_counter import FlopCounterMode

from maskwright.base.choice import find, names, resolve
from maskwright.base.errors import UserError
from maskwright.models import family, random_network
from maskwright.nn.batch import Batch, Chosen
from maskwright.pretraining.calculator import plan, work
from maskwright.pretraining.masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking.span import Span
from maskwright.pretraining.masking.token import Token
from maskwright.pretraining.objectives import Asked, PretrainingObjective
from maskwright.pretraining.objectives._objective import reading
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.mixture import Mixture, Several
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens
from maskwright.pretraining.objectives.span_boundary import SpanBoundary, ends
from maskwright.training.optimizers import Optimizer

TEXTS, LENGTH = 4, 32
KNOWN: dict[str, Any] = {"machine": "a100-80g", "tokens": "1B"}


def asked(question: work.Question, texts: int = TEXTS) -> Asked:
    """Texts of one length, as many pieces of each asked for, and up to 8 or a multiple of it read, so that no rectangle
    of attention has a blank. They stand in spans that do not touch, as many as the plan has."""
    objective, masked, spans = question.objective, question.masked(LENGTH), max(1, question.beside(LENGTH) // 2)
    first = 0 if isinstance(objective, Causal) else 1  # [CLS] is never masked
    unit = torch.arange(masked) * spans // masked
    places = torch.arange(masked) + first + 2 * unit
    chosen = torch.cat([places + LENGTH * text for text in range(texts)])
    batch = Batch.packed(torch.randint(5, 50, (texts * LENGTH,)), [LENGTH] * texts)
    if isinstance(objective, Causal):
        batch = replace(batch, causal=True)
    order = torch.arange(texts) % 2
    return Asked(batch, Chosen(chosen, (masked,) * texts), batch.ids[chosen], order, torch.rand(len(chosen)))


PLAIN = ("albert", "bert", "distilbert", "electra", "mpnet", "rembert", "roberta")


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        *((name, Mlm()) for name in PLAIN),
        *((name, Causal()) for name in ("bert", "albert")),
        *((name, NextSentence()) for name in ("bert", "albert")),
        ("electra", ReplacedTokens(width=2 / 3)),
        *((name, SpanBoundary()) for name in ("bert", "albert", "electra")),
        ("bert", SpanBoundary(masking=Span(rate=1 / 3))),
        ("bert", SpanBoundary(masking=Token(rate=0.27))),
        ("bert", Mixture()),
        ("bert", Mixture(parts=[Mlm(shift=True), SpanBoundary()])),
        ("bert", Mixture(parts=[Mlm(), Mixture(parts=[SpanBoundary(), SpanBoundary(places=5)])])),
    ],
)
def test_operations_are_those_of_a_real_step(name: str, objective: PretrainingObjective) -> None:
    """Forward and backward of the real objective, counted by torch: equal to one operation, where there are next words
    to 1 %, since the 31 queries of a text are rounded up to 32.

    In fp64, whose products oneDNN, where torch counts none, does not take.
    """
    kind = family(name)
    config = tiny(kind)
    questions = work.questions(objective, None)
    network = random_network(kind, config, objective.head_of(kind))
    built = objective.build(network, kind, config).double()
    with FlopCounterMode(display=False) as counted:
        built(dealt(objective, TEXTS))[0].backward()
    forward = work.forward(work.trained(kind, config, objective), questions, LENGTH)
    computed = TEXTS * sum(work.training(forward, False).values())
    causal = any(isinstance(one.objective, Causal) for one in questions)
    assert computed == pytest.approx(counted.get_total_flops(), rel=0.01 if causal else 0)


def dealt(objective: PretrainingObjective, texts: int) -> Any:
    """Texts of a step, to the parts of a mixture by their shares."""
    if not isinstance(objective, Mixture):
        (question,) = work.questions(objective, None)
        return asked(question, texts)
    found = [dealt(part, round(texts * share)) for part, share in zip(objective.parts, objective.shares, strict=True)]
    return Several(list(enumerate(found)))


def test_the_quadratic_part_and_the_saved_rows_by_hand() -> None:
    """BERT-base at 128 tokens, 19 scored: H = 768, I = 3072, L = 12, V = 30,522; the last block has 19 queries."""
    width, inner, layers, words, length, scored = 768, 3072, 12, 30522, 128, 19
    kind = family("bert")
    networks = work.trained(kind, kind.PRESETS["base"].config, Mlm())
    questions = work.questions(Mlm(), 0.15)
    assert questions[0].masked(length) == scored
    found = work.forward(networks, questions, length)
    assert found[work.BETWEEN] == (layers - 1) * 4 * width * length**2 + 4 * width * length * scored
    assert found["masked_lm"] == 2 * scored * width * (width + words)
    rows = (layers - 1) * length + scored
    assert found["blocks feedforward"] == 2 * rows * 2 * width * inner
    assert found["blocks attention"] == 2 * rows * 2 * width * width + 2 * layers * length * 2 * width * width
    dense = work.forward(networks, questions, length, every=True)
    assert dense["masked_lm"] == 2 * length * width * (width + words)
    assert dense["blocks feedforward"] == 2 * layers * length * 2 * width * inner
    again = work.training(found, recompute=True)
    assert again["blocks feedforward"] == 4 * found["blocks feedforward"]
    assert again[work.BETWEEN] == 4 * found[work.BETWEEN]
    assert again["masked_lm"] == 3 * found["masked_lm"]


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("electra", ReplacedTokens()),
        ("albert", SpanBoundary(places=7)),
        ("bert", Mixture(parts=[Mlm(), SpanBoundary(), SpanBoundary(masking=Token())], shares=[0.5, 0.25, 0.25])),
    ],
)
def test_weights_are_those_of_all_that_is_trained(name: str, objective: PretrainingObjective) -> None:
    """What ELECTRA's two networks share once; a boundary's layers too, which no model keeps."""
    kind = family(name)
    config = tiny(kind)
    networks = work.trained(kind, config, objective)
    real = objective.build(random_network(kind, config, objective.head_of(kind)), kind, config)
    assert sum(w.numel() for _, w in work.weights(networks)) == sum(w.numel() for w in real.parameters())


@pytest.mark.parametrize(("masking", "off"), [("span", 0.03), ("n-gram", 0.08), ("whole-word", 0.2), ("token", 0.2)])
def test_neighbours_of_spans_are_about_as_many_as_real_masks_have(masking: str, off: float) -> None:
    """What a step reads beside the masked pieces, of texts whose words have 1.3; more than it does where units are so
    small that they often stand side by side."""
    objective: Any = resolve(PretrainingObjective, {"name": "span-boundary", "masking": masking})
    texts, length, words = 200, 128, 1000
    source = np.random.default_rng(0)
    ids = source.integers(4, words, (texts, length))
    ids[:, 0], ids[:, -1] = 1, 2
    special = np.arange(words) < 4
    vocabulary = Vocabulary(3, special, (np.arange(words) % 13 < 10) & ~special)
    pieces = Pieces(ids.reshape(-1), np.arange(texts + 1) * length, np.arange(texts))
    drawn = objective.ask(pieces, vocabulary, Draw(0, 0), 0.5)
    tokens, (first, last) = drawn.chosen.tokens, ends(drawn.chosen.tokens)
    read, _ = reading(drawn.batch, tokens, tokens[first] - 1, tokens[last] + 1)
    (question,) = work.questions(objective, None)
    assert question.masked(length) == pytest.approx(len(tokens) / texts, rel=0.02)
    assert question.masked(length) + question.beside(length) == pytest.approx(len(read.tokens) / texts, rel=off)


@pytest.mark.parametrize("name", names(PretrainingObjective))
def test_every_objective_can_be_planned(name: str) -> None:
    family_name = {"replaced-tokens": "electra"}.get(name, "bert")
    found = plan(**KNOWN, family=family_name, size="base", objective=name)
    assert found.objective == name
    assert 0.1e9 < found.scored <= 1e9
    assert found.memory.total > 16 * found.parameters


def test_a_boundary_scores_twice_and_a_mixture_is_the_mean_of_its_parts() -> None:
    words, spans, causal = (plan(**KNOWN, objective=name) for name in ("mlm", "span-boundary", "causal"))
    width, vocabulary = 768, 30522
    layers = 4 * width**2 + width * vocabulary  # of a masked piece: 2 (3 H^2 + H^2 + H V) forward, thrice that in all
    assert spans.parts["boundary"] == pytest.approx(6 * layers * spans.scored)
    assert spans.parts["masked_lm"] == pytest.approx(words.parts["masked_lm"])
    assert words.flops + spans.parts["boundary"] < spans.flops < 1.01 * (words.flops + spans.parts["boundary"])
    parts = ["mlm", {"name": "mixture", "parts": ["span-boundary", "causal"], "shares": [0.75, 0.25]}]
    mixed = plan(**KNOWN, objective={"name": "mixture", "parts": parts, "shares": [0.6, 0.4]})
    for name in ("flops", "scored", "every"):
        mean = 0.6 * getattr(words, name) + 0.3 * getattr(spans, name) + 0.1 * getattr(causal, name)
        assert getattr(mixed, name) == pytest.approx(mean), name
    assert (mixed.rate, causal.rate) == (pytest.approx(0.15), 1.0)
    more = plan(**KNOWN, objective={"name": "mixture", "parts": parts, "shares": [0.6, 0.4]}, rate=0.3)
    assert more.scored == pytest.approx(0.9 * plan(**KNOWN, rate=0.3).scored + 0.1 * causal.scored)
    one_by_one = Mixture(parts=[Mlm(), SpanBoundary(), Causal()], shares=[0.5, 0.25, 0.25], order="then")
    assert work.scorings(one_by_one) == work.scorings(SpanBoundary()) == 2


@pytest.mark.parametrize(
    "objective",
    [Mlm(), SpanBoundary(), Mixture(), Mixture(parts=[Mlm(), SpanBoundary()]), Mixture(parts=[Mlm(), Mixture()])],
)
def test_each_scoring_holds_a_gradient_of_all_word_vectors(objective: PretrainingObjective) -> None:
    kind = family("bert")
    config = tiny(kind)
    built = objective.build(random_network(kind, config, "masked-lm"), kind, config)
    tables: list[torch.Size] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape == (config.vocabulary, config.width) and not isinstance(tensor, torch.nn.Parameter):
            tables.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        built(dealt(objective, TEXTS))
    assert len(tables) == work.scorings(objective)


def test_muons_iterations_are_counted() -> None:
    """Newton-Schulz of a real step, counted by torch."""
    kind = family("modernbert")
    network = random_network(kind, tiny(kind), "masked-lm")
    optimizer: Any = find(Optimizer, "muon")(iterate_in="fp32")
    mover: Any = optimizer.build(network.named_parameters(), 1e-3)
    for weight in network.parameters():
        weight.grad = torch.randn_like(weight)
    with FlopCounterMode(display=False) as counted:
        mover.step()
    assert work.update([work.Trained("", network, True)], optimizer) == counted.get_total_flops()
    assert work.update([work.Trained("", network, True)], find(Optimizer, "lamb")()) == 0


class Own(PretrainingObjective):
    """Somebody's own, of which nothing is known."""

    head: ClassVar[str] = "masked-lm"

    def ask(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float) -> Asked:
        raise NotImplementedError

    def build(self, network: Any, kind: Any, config: Any) -> Any:
        raise NotImplementedError


class Heavier(Mlm):
    """Somebody's own that computes what another one does."""

    weight: float = 2.0


def test_one_of_ones_own_is_counted_as_what_it_inherits_from() -> None:
    assert plan(**KNOWN, objective=f"{__name__}:Heavier").flops == plan(**KNOWN).flops
    mine = f"{__name__}:Own"
    for objective in (mine, {"name": "mixture", "parts": ["mlm", mine]}):
        with pytest.raises(UserError, match=r"Own' are not known here\. Known: causal, mixture, mlm"):
            plan(**KNOWN, objective=objective)
