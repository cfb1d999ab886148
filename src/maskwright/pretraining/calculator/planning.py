"""A pre-training on paper: what it reads, computes, holds, sends and costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from maskwright.base.config import parse
from maskwright.base.errors import UserError, unknown
from maskwright.base.words import counted
from maskwright.models import family
from maskwright.models._family import name_of
from maskwright.models._show import presets
from maskwright.pretraining.calculator import memory, work
from maskwright.pretraining.calculator.amounts import corpus_tokens, tokens_of
from maskwright.pretraining.calculator.estimate import Estimate, Memory, PhaseEstimate, Signal, Traffic
from maskwright.pretraining.calculator.rates import Reached, reached
from maskwright.pretraining.calculator.settings import Planned, phases_of
from maskwright.pretraining.calculator.work import BETWEEN
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens
from maskwright.pretraining.sizes import shape


def plan(corpus: str | Path | None = None, **settings: Any) -> Estimate:
    """What a pre-training takes, by the shapes of its network; nothing is trained.

    corpus: the folder of a corpus, whose size makes a pass; settings: the fields of `Planned`. How much there is to do
    is one of tokens, steps, passes or budget; a budget in minutes is turned into pieces at the machine's rate. Without
    any, it is one pass, or a billion pieces. Without a machine, this one is measured by matrix products, in a few
    seconds.

    Raises UserError for names that do not exist, for settings that contradict each other, for a length beyond the
    network's positions, and for a corpus that is none.
    """
    asked = parse(Planned, settings, "the plan")
    notes: list[str] = []
    name, kind, config = network_of(asked)
    case = Case(asked, name, kind, config)
    rate = reached(asked, config, notes)
    once = None if corpus is None else corpus_tokens(corpus, notes)
    tokens = tokens_of(asked, once, rate.flops / case.of_token(asked.scores == "every"), notes)
    phases = tuple(case.phase(length, tokens * share) for length, share in case.phases)
    flops = case.of_token(asked.scores == "every") * tokens
    hours = flops / rate.flops / 3600
    held = case.memory(rate, asked.recompute)
    needed = case.devices_needed(rate)
    notes += case.advice(held, rate, needed)
    return Estimate(
        model=name,
        layers=config.layers,
        width=config.width,
        vocabulary=config.vocabulary,
        parameters=sum(weight.numel() for _, weight in work.weights(case.networks)),
        objective=asked.objective.name,
        rate=case.rate,
        phases=phases,
        tokens=tokens,
        steps=tokens / asked.batch_tokens,
        scored=sum(phase.scored for phase in phases),
        corpus_tokens=once,
        passes=None if once is None else tokens / once,
        parts=case.parts(tokens),
        flops=flops,
        every=case.of_token(every=True) * tokens,
        signals=case.signals(once or tokens),
        machine=rate.machine.name,
        devices=rate.devices,
        precision=rate.precision,
        peak=rate.peak,
        utilisation=rate.utilisation,
        source=rate.machine.source,
        hours=hours,
        device_hours=hours * rate.devices,
        cost=None if asked.price is None else hours * rate.devices * asked.price,
        memory=held,
        checkpointed=case.memory(rate, True),
        capacity=rate.machine.memory,
        devices_needed=needed,
        traffic=case.traffic(rate),
        notes=tuple(notes),
    )


def network_of(asked: Planned) -> tuple[str, Any, Any]:
    """Name, family and configuration of what was asked for."""
    if asked.preset is not None:
        if {"family", "size"} & asked.model_fields_set:
            raise UserError(f"preset = {asked.preset!r} says family and size in one. Give it, or --family and --size.")
        if asked.preset not in presets():
            raise UserError(unknown("preset", asked.preset, presets()))
        kind, config = presets()[asked.preset]
        name, table = asked.preset, config.model_dump()
    else:
        kind = family(asked.family)
        name, table = f"{asked.family}-{asked.size}", shape(kind, asked.size)
    if asked.vocabulary is not None:
        table["vocabulary"] = asked.vocabulary
    if asked.dropout is not None:
        table |= {field: asked.dropout for field in kind.Config.model_fields if "dropout" in field}
    return name, kind, parse(kind.Config, table, f"network of the family {name_of(kind)!r}")


class Case:
    """One network and objective, on whatever machine."""

    def __init__(self, asked: Planned, name: str, kind: Any, config: Any) -> None:
        """Raises UserError for a length that the network has no positions for."""
        self.asked, self.kind, self.config = asked, kind, config
        self.of_text = cache(self._of_text)
        self.questions = work.questions(asked.objective, asked.rate)
        self.networks = work.trained(kind, config, asked.objective)
        self.phases = phases_of(asked.length)
        self.longest = max(length for length, _ in self.phases)
        self.update = work.update(self.networks, asked.optimizer) / asked.batch_tokens  #: FLOPs of a piece
        limit = self.networks[-1].network.encoder.limit
        if limit is not None and self.longest > limit:
            raise UserError(
                f"length = {self.longest}: {name} has {limit} positions. Give a length of at most that, or a family "
                "without a table of positions, such as modernbert."
            )

    def _of_text(self, length: int, every: bool) -> dict[str, float]:
        """FLOPs of one text, forward and backward, by part."""
        forward = work.forward(self.networks, self.questions, length, every)
        return work.training(forward, self.asked.recompute)

    def of_token(self, every: bool) -> float:
        """FLOPs of one piece, the phases by their shares, with its part of the optimizer's step."""
        each = (sum(self.of_text(length, every).values()) / length * share for length, share in self.phases)
        return sum(each) + self.update

    @property
    def rate(self) -> float:
        """Share of the pieces that is masked, of the texts in which some are; 1 where none are in any."""
        masking = [one for one in self.questions if one.rate < 1]
        texts = sum(one.share for one in masking)
        return sum(one.share * one.rate for one in masking) / texts if masking else 1.0

    def parts(self, tokens: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for length, share in self.phases:
            for part, count in self.of_text(length, self.asked.scores == "every").items():
                found[part] = found.get(part, 0.0) + count / length * share * tokens
        return {**found, "optimizer": self.update * tokens} if self.update else found

    def phase(self, length: int, tokens: float) -> PhaseEstimate:
        cost = self.of_text(length, self.asked.scores == "every")
        between = sum(count for part, count in cost.items() if part.endswith(BETWEEN))
        texts = tokens / length
        flops = texts * sum(cost.values())
        scored = texts * sum(one.share * one.scored(length) for one in self.questions)
        return PhaseEstimate(length, tokens, scored, flops, between * texts / flops)

    def signals(self, tokens: float) -> tuple[Signal, ...]:
        """Masked words at 15 and 30 %, next words and replaced tokens over the same pieces, by the same network."""
        heads, words, replaced = self.kind.HEADS, Mlm(), ReplacedTokens()
        asked: list[tuple[str, Any, float | None]] = []
        if words.head in heads:
            asked += [("mlm, 15 %", words, 0.15), ("mlm, 30 %", words, 0.30), ("causal", Causal(), None)]
        if words.head in heads and any("replaced" in head.parts for head in heads.values()):
            asked.append(("replaced-tokens", replaced, None))
        networks = {kind: work.trained(self.kind, self.config, kind()) for kind in {type(one) for _, one, _ in asked}}
        found = []
        for name, objective, rate in asked:
            (question,) = work.questions(objective, rate)
            share = flops = 0.0
            for length, part in self.phases:
                share += question.scored(length) / length * part
                forward = work.forward(networks[type(objective)], [question], length)
                flops += sum(work.training(forward, False).values()) / length * part
            found.append(Signal(name, share, share * tokens, flops * tokens, flops / share))
        return tuple(found)

    def step(self, rate: Reached, recompute: bool, shards: int = 1) -> memory.Step:
        tokens = max(self.asked.micro_tokens, self.longest)
        scored = tokens // self.longest * max(one.masked(self.longest) for one in self.questions)
        every = self.asked.scores == "every"
        return memory.Step(
            tokens,
            self.longest,
            scored,
            rate.number,
            rate.machine.gpu and rate.number < 4,
            every,
            recompute,
            shards,
            work.scorings(self.asked.objective),
        )

    def memory(self, rate: Reached, recompute: bool) -> Memory:
        shards = rate.devices if self.asked.sharding == "fsdp" else 1
        return memory.memory(self.networks, self.asked.optimizer, self.step(rate, recompute, shards))

    def devices_needed(self, rate: Reached) -> int | None:
        step = self.step(rate, self.asked.recompute)
        sharded = self.asked.sharding == "fsdp"
        return memory.devices_needed(self.networks, self.asked.optimizer, step, rate.machine.memory, sharded)

    def advice(self, held: Memory, rate: Reached, needed: int | None) -> list[str]:
        """What to do where a step does not fit."""
        if held.total <= memory.ROOM * rate.machine.memory:
            return []
        said = (
            f"A step of {self.asked.micro_tokens:,} pieces takes {held.total / 1e9:.1f} GB on a device, more than "
            f"{memory.ROOM:.0%} of its {rate.machine.memory / 1e9:.0f} GB. "
        )
        if needed is not None:
            return [f"{said}It fits on {counted(needed, 'device')} with --sharding {self.asked.sharding}."]
        return [f"{said}Take fewer pieces at once (--micro-tokens), --recompute, or --sharding fsdp."]

    def traffic(self, rate: Reached) -> Traffic:
        ddp, fsdp2 = memory.sent(self.networks, rate.devices, rate.number)
        held, bandwidth = self.memory(rate, False), rate.machine.bandwidth
        passed = 2 * held.weights + held.gradients + 2 * held.optimizer  # what changes is read and written
        update = passed / bandwidth if bandwidth else None
        compute = self.of_token(self.asked.scores == "every") * self.asked.batch_tokens / rate.flops
        link = rate.machine.link
        if rate.devices > 1 and link is None:
            return Traffic(ddp, fsdp2, None, compute, update, None, None)
        seconds = (ddp if self.asked.sharding == "ddp" else fsdp2) / link if link else 0.0
        hidden, exposed = compute / max(compute, seconds), compute / (compute + seconds)
        return Traffic(ddp, fsdp2, seconds, compute, update, hidden, exposed)
