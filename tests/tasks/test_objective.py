"""Steps of the real network: in pieces as in one, by tokens, and equal to a plain loop of torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.nn.batch import Batch
from maskwright.tasks import Model
from maskwright.tasks._objective import ExampleFeed, TaskObjective
from maskwright.training.loop import Loop
from maskwright.training.settings import Train

Reviews = dict[str, list[Any]]
# The gradient of the keys' biases is rounding alone (softmax does not see them), which Adam's division would blow up to
# whole steps; this eps keeps it at the size of rounding.
ADAM = {"name": "adamw", "eps": 1e-4}


@pytest.fixture
def sober(make_tiny: Callable[..., Path], tmp_path: Path) -> Path:
    """The tiny encoder without dropout."""
    return make_tiny(tmp_path / "sober", dropout=0.0, attention_dropout=0.0)


@pytest.fixture
def setup(sober: Path, reviews: Reviews) -> Callable[..., Any]:
    """A model without dropout, its objective, and the reviews as its feed."""

    def make(task: str = "classification", seed: int = 0, **settings: Any) -> tuple[TaskObjective, ExampleFeed, Train]:
        from maskwright.base.choice import resolve
        from maskwright.tasks import Task

        chosen: Task = resolve(Task, {"name": task, "label": {"regression": "score"}.get(task, "label")})
        table = read(reviews)
        labels = chosen.discover(table)
        torch.manual_seed(0)
        model = Model.build(sober, chosen, labels)
        examples = chosen.examples(table, labels)
        common = {"precision": "fp32", "optimizer": ADAM, "lr": 1e-3, "batch_size": 16, "log_steps": 1, "epochs": 1}
        train = Train(**{**common, "checkpoint_minutes": None, **settings})
        feed = ExampleFeed(model.encode(examples.texts), examples.targets, train, seed, chosen.marks)
        return TaskObjective(model.network, chosen), feed, train

    return make


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("micro", [1, 37, 100])
def test_a_step_in_pieces_equals_the_step_in_one(setup: Any, tmp_path: Path, task: str, micro: int) -> None:
    networks = {}
    for size in (8192, micro):
        objective, feed, train = setup(task, micro_tokens=size)
        pieces = len(feed.pieces(feed.epoch(0)[0]))
        assert (pieces == 1) == (size == 8192)
        assert (pieces == 16) == (size == 1)
        Loop(objective, feed, train, tmp_path / str(size), quiet=True).run()
        networks[size] = objective.state_dict()
    for name, tensor in networks[8192].items():
        assert torch.allclose(tensor, networks[micro][name], atol=1e-6, rtol=0), name
    whole, cut = logged(tmp_path / "8192"), logged(tmp_path / str(micro))
    for a, b in zip(whole, cut, strict=True):
        assert (a["items"], a["tokens"]) == (b["items"], b["tokens"])
        assert (a["loss"], a["gradient_norm"]) == pytest.approx((b["loss"], b["gradient_norm"]), rel=1e-5)


def test_gradients_in_pieces_equal_those_in_one(setup: Any) -> None:
    grads = []
    for micro in (8192, 30):
        objective, feed, _ = setup(micro_tokens=micro)
        objective.train()
        for piece in feed.pieces(feed.epoch(0)[0]):
            objective(feed.fetch(piece, torch.device("cpu"))[0])[0].backward()
        grads.append({n: p.grad / 16 for n, p in objective.named_parameters()})
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], atol=1e-6, rtol=0), name


@pytest.mark.parametrize("budget", [60, 150])
def test_steps_by_tokens_keep_the_budget_and_every_row(setup: Any, tmp_path: Path, budget: int) -> None:
    objective, feed, train = setup(batch_tokens=budget)
    steps = feed.epoch(0)
    sizes = [int(feed.encodings.lengths[rows].sum()) for rows in steps]
    assert max(sizes) <= budget
    assert all(a + feed.encodings.lengths[rows[0]] > budget for a, rows in zip(sizes, steps[1:], strict=False))
    assert sorted(np.concatenate(steps).tolist()) == list(range(80))
    Loop(objective, feed, train, tmp_path, quiet=True).run()
    assert [line["tokens"] for line in logged(tmp_path)] == sizes
    assert [line["items"] for line in logged(tmp_path)] == [len(rows) for rows in steps]


def test_order_follows_the_seed_and_the_epoch_alone(setup: Any) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(setup(seed=seed)[1].epoch(epoch)).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("sizes", [{"batch_size": 7}, {"batch_tokens": 60}])
def test_grouped_steps_share_a_length_and_keep_every_row(setup: Any, sizes: dict[str, int]) -> None:
    def steps(order: str, seed: int = 0, epoch: int = 0) -> list[np.ndarray]:
        return setup(seed=seed, order=order, **sizes)[1].epoch(epoch)

    lengths = setup()[1].encodings.lengths

    def spread(found: list[np.ndarray]) -> float:
        return float(np.mean([np.ptp(lengths[rows]) for rows in found]))

    grouped = steps("grouped")
    assert sorted(np.concatenate(grouped).tolist()) == list(range(80))
    assert spread(grouped) < 0.4 * spread(steps("random"))
    means = [float(lengths[rows].mean()) for rows in grouped]
    assert means != sorted(means), "long texts do not all come last"
    assert [s.tolist() for s in grouped] == [s.tolist() for s in steps("grouped")]
    others = [steps("grouped", seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(np.concatenate(found).tolist()) for found in others}) == 3


def test_a_step_stands_by_length(setup: Any) -> None:
    _, feed, _ = setup(micro_tokens=40)
    rows = feed.epoch(0)[1]
    lengths = np.concatenate([feed.encodings.lengths[piece] for piece in feed.pieces(rows)])
    assert (np.diff(lengths) >= 0).all()
    assert sorted(np.concatenate(feed.pieces(rows)).tolist()) == sorted(rows.tolist())


@pytest.mark.parametrize(("task", "clip"), [("classification", 1.0), ("classification", 0.05), ("regression", None)])
def test_five_steps_equal_a_plain_loop_of_torch(setup: Any, tmp_path: Path, task: str, clip: float | None) -> None:
    """Mean loss, clip_grad_norm_, torch's AdamW without decay on norms and biases, the linear schedule written out.

    All but the rows of words that no text has: torch shrinks those, here they stay.
    """
    ours, feed, train = setup(task, clip=clip, micro_tokens=60)
    theirs, _, _ = setup(task)
    seen: list[dict[str, torch.Tensor]] = []

    def keep() -> dict[str, float]:
        seen.append({n: t.clone() for n, t in ours.state_dict().items()})
        return {"score": 0.0}

    Loop(ours, feed, train.model_copy(update={"evaluations": 5}), tmp_path, keep, quiet=True).run()
    decayed = {n: p for n, p in theirs.named_parameters() if not n.endswith("bias") and "norm" not in n}
    free = [p for n, p in theirs.named_parameters() if n not in decayed]
    groups = [{"params": list(decayed.values()), "weight_decay": 0.01}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, eps=1e-4, foreach=False, fused=False)
    theirs.train()
    (word,) = (name for name in theirs.state_dict() if name.endswith("word.weight"))
    used = torch.from_numpy(feed.vocabulary()).long()
    start, unused = theirs.state_dict()[word].clone(), torch.ones(len(theirs.state_dict()[word]), dtype=torch.bool)
    unused[used] = False
    norms = []
    for step, rows in enumerate(feed.epoch(0)):
        scores = theirs.network(Batch.from_encodings(feed.encodings, rows))
        targets = torch.from_numpy(feed.targets[rows])
        loss = F.cross_entropy(scores, targets) if task == "classification" else F.mse_loss(scores[:, 0], targets)
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(theirs.parameters(), clip or math.inf)))
        for group in optimizer.param_groups:  # 5 steps, half a step of warm-up rounds to none
            group["lr"] = 1e-3 * (1 - step / 5)
        optimizer.step()
        for name, tensor in theirs.state_dict().items():
            want = torch.where(unused[:, None], start, tensor) if name == word else tensor
            # The gradient of a key's bias is 0 but for rounding (softmax does not see it), which Adam makes large.
            atol = 5e-6 if name.endswith("qkv.bias") else 1e-6
            assert torch.allclose(seen[step][name], want, atol=atol, rtol=0), (step, name)
    assert len(seen) == 5
    losses = [line for line in logged(tmp_path) if "loss" in line]
    assert [line["gradient_norm"] for line in losses] == pytest.approx(norms, rel=1e-5)
    if clip == 0.05:
        assert min(norms) > clip


@pytest.mark.parametrize(
    ("weight", "module"),
    [
        ("encoder.embeddings.word.weight", "network.encoder.embeddings.word"),
        ("encoder.blocks.1.feedforward.into.weight", "network.encoder.blocks.1.feedforward.into"),
        ("encoder.blocks.0.attention.qkv.bias", "network.encoder.blocks.0.attention.qkv"),
        ("pooler.dense.weight", "network.pooler.dense"),
        ("classifier.out.bias", "network.classifier.out"),
    ],
)
def test_a_planted_nan_is_traced_to_its_module(setup: Any, tmp_path: Path, weight: str, module: str) -> None:
    objective, feed, train = setup()
    with torch.no_grad():
        objective.network.get_parameter(weight).fill_(torch.nan)
    with pytest.raises(UserError) as caught:
        Loop(objective, feed, train, tmp_path, quiet=True).run()
    message = str(caught.value)
    assert f"the first module with such an output is {module}. " in message
    assert f"The weights network.{weight} already held such numbers." in message
    kept = json.loads((tmp_path / "not_finite.json").read_text())
    first = feed.pieces(feed.epoch(0)[0])[0]
    assert kept["batches"][0]["given"]["batch"]["ids"] == feed.encodings.select(first).ids.tolist()
    assert kept["batches"][0]["given"]["batch"]["lengths"] == feed.encodings.lengths[first].tolist()
    assert kept["batches"][0]["targets"] == feed.targets[first].tolist()
