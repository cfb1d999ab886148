"""A masked-LM head for an encoder that came without one, fitted while the encoder stands still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.base import runtime
from maskwright.nn.heads import MaskedLanguageModel
from maskwright.pretraining.course import Course
from maskwright.pretraining.held_out import HeldOut, judge
from maskwright.training.loop import Loop
from maskwright.training.objective import Objective
from maskwright.training.parallel import ALONE, World
from maskwright.training.settings import Steps

#: Few weights and many rows a step: a high rate. Nothing of it is resumed, for it is short.
TRAIN = Steps(lr=3e-3, optimizer={"name": "adamw", "weight_decay": 0.0}, checkpoint_minutes=None)
SMALL = 0.1  #: the norm's weights at first, as a share of what they are drawn as


@dataclass(frozen=True)
class Fitted:
    """What `held_out.judge` says before and after; steps; parameters: how many numbers were trained."""

    before: dict[str, float]
    after: dict[str, float]
    steps: int
    parameters: int

    @property
    def note(self) -> str:
        return (
            f"The model has no masked-LM head, so one was fitted on the frozen encoder: {self.parameters:,} weights, "
            f"{self.steps:,} steps. The held-out masked loss fell from {self.before['loss']:.2f} to "
            f"{self.after['loss']:.2f} nats."
        )


def fit_head(
    network: Any,
    kind: Any,
    config: Any,
    course: Course,
    held: HeldOut,
    folder: Path,
    train: Steps = TRAIN,
    part: str = "masked_lm",
    quiet: bool = False,
    world: World = ALONE,
) -> Fitted:
    """Train the part `masked_lm` of a network, in place, and nothing else.

    The encoder, with the word vectors that the head's scores are tied to, has no gradients, is not changed by a bit,
    and reads without dropout. The head starts from knowing how often each piece stands in the text: its bias is the
    logarithm of that, to which Adam's steps of a thousandth would need thousands, and its norm is small, so that scores
    of random weights do not drown it. `folder` receives the log of the steps. (A new encoder learns worse from there:
    the recipe `modern` lost 0.08 nats by it after five minutes, with one seed.)
    """
    device = runtime.device(train.device)
    format = runtime.resolve_precision(train.precision, device)
    head = getattr(network, part)
    built = _Alone(course.objective.build(network, kind, config), network)
    answers = course.objective.answers(built.inner)
    training = network.training
    before = judge(answers, held, device, format)
    _start(head, course.corpus.ids)
    with _frozen(network, head):
        Loop(built, course, train, folder, plan=course, quiet=quiet, keep_best=False, world=world).run()
    after = judge(answers, held, device, format)
    network.train(training)
    return Fitted(before, after, course.total, sum(p.numel() for p in head.parameters()))


class _Alone(Objective):
    """An objective whose encoder never trains, not even its dropout."""

    def __init__(self, inner: Objective, network: Any) -> None:
        super().__init__()
        self.inner = inner
        self._encoders: list[nn.Module] = [network.encoder]  # in a list, so that it is no part of this one as well

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for encoder in self._encoders:
            encoder.eval()
        return self

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        found: tuple[Tensor, int, dict[str, float]] = self.inner(batch)
        return found


@contextmanager
def _frozen(network: nn.Module, head: nn.Module) -> Iterator[None]:
    """Within it only the head's weights have gradients."""
    was = {p: p.requires_grad for p in network.parameters()}
    for p in was:
        p.requires_grad_(False)
    for p in head.parameters():
        p.requires_grad_(True)
    try:
        yield
    finally:
        for p, wanted in was.items():
            p.requires_grad_(wanted)


@torch.no_grad()
def _start(head: nn.Module, ids: np.ndarray) -> None:
    for part in head.modules():
        if isinstance(part, MaskedLanguageModel) and part.bias is not None:
            counts = torch.from_numpy(np.bincount(ids, minlength=len(part.bias)) + 1.0)
            part.bias.copy_((counts / counts.sum()).log())
    for norm in head.modules():
        if isinstance(norm, nn.LayerNorm):
            norm.weight.mul_(SMALL)
