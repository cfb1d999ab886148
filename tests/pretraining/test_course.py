"""The steps of a pre-training: what is read when, that any step can be made by itself, and that every objective and
masking learns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.base.choice import find, names, resolve
from maskwright.base.errors import UserError
from maskwright.models import family
from maskwright.nn.dropout import noise
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.masking import Masking, Vocabulary
from maskwright.pretraining.objectives import Asked, PretrainingObjective
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment
from maskwright.training.settings import Train

Make = Callable[..., tuple[nn.Module, Any, Any]]
SPECIALS = 1, 2
CPU = torch.device("cpu")


def corpus(documents: int = 12, seed: int = 0) -> Encoded:
    """Sentences that count up from a random word, so that neighbours tell what is masked."""
    source = np.random.default_rng(seed)
    sizes = [source.integers(3, 9, source.integers(4, 20)) for _ in range(documents)]
    flat = np.concatenate(sizes)
    runs = [(4 + (source.integers(49) + np.arange(n)) % 49) for n in flat]
    return Encoded(
        np.concatenate(runs).astype(np.int32),
        np.concatenate([[0], np.cumsum(flat)]),
        np.cumsum([0, *map(len, sizes)]).astype(np.int64),
    )


def course(vocabulary: Vocabulary, objective: PretrainingObjective | None = None, **options: Any) -> Course:
    options = {"amount": 3000, "phases": (Phase(length=24, batch_tokens=200),), **options}
    return Course(corpus(), objective or Mlm(), vocabulary, SPECIALS, **options)


def same(one: Asked, two: Asked) -> bool:
    pairs = [(one.batch.ids, two.batch.ids), (one.chosen.tokens, two.chosen.tokens), (one.labels, two.labels)]
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_training_reads_as_much_as_it_was_told(vocabulary: Vocabulary) -> None:
    made = course(vocabulary)
    read = 0
    for step in range(made.total):
        _, size = made.fetch(made.rows(step), CPU, made.moment(step))
        assert size <= 200
        read += size
    assert 3000 <= read < 3200
    assert made.moment(0).epoch == 0
    assert made.moment(made.total - 1).epoch == made.passes[-1].epoch >= 1


def test_a_pass_reads_each_sequence_once(vocabulary: Vocabulary) -> None:
    made = course(vocabulary, amount=10_000)
    for number in range(2):
        rows = np.concatenate(made.epoch(number))
        sequences = made.sequences(24, number)
        assert sorted(rows - made.passes[number].first_row) == list(range(len(sequences)))


def test_any_step_is_made_by_itself(vocabulary: Vocabulary) -> None:
    first, second = course(vocabulary), course(vocabulary)
    told = [first.fetch(first.rows(s), CPU, first.moment(s))[0] for s in range(first.total)]
    for step in (first.total - 1, 3, 0):
        assert same(told[step], second.fetch(second.rows(step), CPU, second.moment(step))[0])


def test_pieces_of_a_step_have_the_masks_of_the_whole(vocabulary: Vocabulary) -> None:
    made = course(vocabulary, micro_tokens=40)
    rows, at = made.rows(5), made.moment(5)
    parts = made.pieces(rows)
    assert len(parts) > 2
    whole = made.fetch(np.concatenate(parts), CPU, at)[0]
    cut = [made.fetch(part, CPU, at)[0] for part in parts]
    assert torch.equal(torch.cat([c.batch.ids for c in cut]), whole.batch.ids)
    assert torch.equal(torch.cat([c.labels for c in cut]), whole.labels)


def test_phases_follow_one_another(vocabulary: Vocabulary) -> None:
    phases = (Phase(share=0.75, length=12, batch_tokens=100), Phase(share=0.25, length=30, batch_tokens=300))
    made = course(vocabulary, amount=8000, phases=phases)
    read, longest = [], []
    for step in range(made.total):
        asked, size = made.fetch(made.rows(step), CPU, made.moment(step))
        read.append(size)
        longest.append(max(asked.batch.lengths))
    change = next(i for i, n in enumerate(longest) if n > 12)
    assert max(longest[:change]) <= 12 < min(longest[change:])
    assert abs(sum(read[:change]) - 6000) <= 100
    assert max(read[change:]) > 200


def test_a_budget_of_steps_is_met_to_the_step(vocabulary: Vocabulary) -> None:
    phases = (Phase(share=0.9, length=12, batch_tokens=100), Phase(share=0.1, length=30, batch_tokens=300))
    made = course(vocabulary, amount=90, phases=phases, unit="steps")
    assert made.total == 90
    lengths = [made.fetch(made.rows(step), CPU, made.moment(step))[0].batch.lengths for step in (80, 81)]
    assert max(lengths[0]) <= 12 < max(lengths[1])
    assert made.tokens == sum(made.size(step) for step in range(90))


@pytest.mark.parametrize("unit", ["tokens", "steps"])
def test_batches_grow_in_a_straight_line_and_then_stay(vocabulary: Vocabulary, unit: Any) -> None:
    phase = Phase(length=24, batch_tokens=400, batch_from=50, ramp=0.5)
    made = course(vocabulary, amount=20_000 if unit == "tokens" else 80, phases=(phase,), unit=unit)
    sizes = np.array([made.size(step) for step in range(made.total)])
    whole = np.array([one.first_step + one.steps - 1 for one in made.passes])  # the last of a pass is what is left
    kept = np.setdiff1d(np.arange(made.total), whole)
    behind = np.concatenate([[0], np.cumsum(sizes)[:-1]]) / sizes.sum() if unit == "tokens" else kept / made.total
    limits = np.array([phase.batch(p) for p in (behind[kept] if unit == "tokens" else behind)])
    assert (sizes[kept] <= limits + 1).all()
    assert (sizes[kept] > limits - 24).all(), "no sequence that would fit is left for the next step"
    assert sizes[0] <= 50
    assert np.median(sizes[kept][-10:]) > 370


def test_static_copies_hold_for_pairs_and_masks_alike(vocabulary: Vocabulary) -> None:
    objective = NextSentence(masking={"name": "token", "copies": 2})
    made = course(vocabulary, objective, amount=20_000)
    passes = [made.fetch(np.arange(one.first_row, one.first_row + 5), CPU, Moment(0, 1, 0))[0] for one in made.passes]
    assert len(passes) >= 4
    assert same(passes[0], passes[2])
    assert same(passes[1], passes[3])
    assert not same(passes[0], passes[1])


def test_masks_follow_the_rate_of_the_moment(vocabulary: Vocabulary) -> None:
    objective = Mlm(masking={"name": "token", "rate": {"name": "linear", "start": 0.6, "end": 0.1}})
    made = course(vocabulary, objective, amount=20_000)
    shares = []
    for step in (0, made.total - 1):
        some = [made.fetch(made.rows(step), CPU, Moment(step, made.total, 0))[0]]
        shares.append(sum(len(a.labels) for a in some) / sum(len(a.batch.ids) for a in some))
    assert shares[0] > 0.4
    assert shares[1] < 0.2


def test_evaluations_stand_at_equal_distances(vocabulary: Vocabulary) -> None:
    made = course(vocabulary)
    marks = [s for s in range(1, made.total + 1) if made.evaluates(s, 4)]
    assert len(marks) == 4
    assert marks[-1] == made.total


def test_shares_that_do_not_come_to_one(vocabulary: Vocabulary) -> None:
    with pytest.raises(UserError, match=r"The phases' shares come to 0\.5"):
        course(vocabulary, phases=(Phase(share=0.5),))


# ---------------------------------------------------------------- they learn

FAMILIES = {"sentence-order": "albert", "replaced-tokens": "electra"}
TRAIN = Train(
    lr=3e-3,
    optimizer={"name": "adamw"},
    log_steps=1,
    checkpoint_minutes=None,
    precision="fp32",
    threads=1,
    evaluations=1,
)


def learn(objective: PretrainingObjective, name: str, network: Make, vocabulary: Vocabulary, folder: Path) -> list[Any]:
    """The lines of the log of a short training."""
    kind = family(name)
    net, kind, config = network(name, objective.head_of(kind), initial_std=0.05, heads=4)
    noise.seed(0)
    made = course(vocabulary, objective, amount=16_000)
    Loop(objective.build(net, kind, config), made, TRAIN, folder, quiet=True, plan=made).run()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def falls(lines: list[Any], key: str = "loss") -> float:
    """How much lower the last losses are than the first."""
    told = [line[key] for line in lines if key in line]
    return float(np.mean(told[:6]) - np.mean(told[-6:]))


@pytest.mark.parametrize("name", names(PretrainingObjective))
def test_every_objective_learns(name: str, network: Make, vocabulary: Vocabulary, tmp_path: Path) -> None:
    objective = resolve(PretrainingObjective, name)
    lines = learn(objective, FAMILIES.get(name, "bert"), network, vocabulary, tmp_path)
    assert falls(lines) > 0.1


@pytest.mark.parametrize("name", [n for n in names(Masking) if "file" not in find(Masking, n).model_fields])
def test_every_masking_teaches(name: str, network: Make, vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Those that read a lexicon have tests of their own."""
    lines = learn(Mlm(masking={"name": name}), "bert", network, vocabulary, tmp_path)
    assert falls(lines, "words") > 0.1
