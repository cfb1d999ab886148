"""The training loop."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.nn.dropout import noise
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.encoder import Encoder
from maskwright.nn.lookup import narrowed
from maskwright.nn.precision import precision
from maskwright.training import engines, state
from maskwright.training.averaging import Average
from maskwright.training.dealing import deal
from maskwright.training.log import Log, Silent
from maskwright.training.objective import Feed, Objective
from maskwright.training.optimizers import set_rates
from maskwright.training.parallel import ALONE, World, naming_the_lost
from maskwright.training.plan import Epochs, Plan
from maskwright.training.settings import Steps, Train
from maskwright.training.shards import owns
from maskwright.training.state import Progress
from maskwright.training.stop import Interrupted, Signals, bad_gradient, explain_nan, listening
from maskwright.training.sums import Sums, added
from maskwright.training.tracking import Tracking

Evaluate = Callable[[], dict[str, float]]


@dataclass
class Loop:
    """Trains an objective on a feed; `folder` receives log.jsonl, timings.jsonl and checkpoints/last and best.

    `evaluate` returns metrics; the first of them, higher being better, decides which checkpoint is best, unless
    `keep_best` says that none is wanted but the last.

    With several processes (`parallel.joined`) all of them make and run the same loop. Process 0 evaluates and writes;
    what it finds is told to the others. At the end each holds all weights in `objective`.
    """

    objective: Objective
    feed: Feed
    settings: Steps
    folder: Path
    evaluate: Evaluate | None = None
    preface: dict[str, Any] = field(default_factory=dict)  #: facts for the first line of the log
    quiet: bool = False
    allow_drift: bool = False
    progress: Progress = field(default_factory=Progress)
    tracking: Tracking = field(default_factory=Tracking)
    plan: Plan = None  # type: ignore[assignment]  # by default the settings' epochs of the feed
    keep_best: bool = True
    world: World = ALONE

    def __post_init__(self) -> None:
        if self.plan is None:
            assert isinstance(self.settings, Train), "settings without epochs need a plan"
            self.plan = Epochs(self.feed, self.settings.epochs)

    def run(self) -> Progress:
        """From the last checkpoint, or from the start, to the end. Raises Interrupted after saving on a signal, and
        UserError where another process is lost."""
        self.device = runtime.device(self.settings.device)
        self.format = runtime.resolve_precision(self.settings.precision, self.device)
        self.kind = engines.kind_of(self.settings.parallel, self.world)
        self.objective.to(self.device).train()
        self._recompute()
        if not self.world.leads:
            self.tracking = Tracking()
        used = None if self.kind == "fsdp" else self.feed.vocabulary()
        words = [module.word for module in self.objective.modules() if isinstance(module, Embeddings)]
        with (
            naming_the_lost(self.world.rank, self.world.size, self._advice),
            narrowed(self.objective, words, None if used is None else torch.from_numpy(used)) as self.tables,
        ):
            try:
                self._trained()
            finally:
                if self.world.size > 1:  # what holds a group of processes goes before the group does
                    for name in ("engine", "optimizer", "average"):
                        self.__dict__.pop(name, None)
        return self.progress

    def _trained(self) -> None:
        """Build what trains, bring it to where the last checkpoint stands, and take the steps that are left."""
        self.engine = engines.build(self.kind, self.objective, self.device, self.world)
        self.optimizer = self.settings.optimizer.build(self.engine.trained.named_parameters(), self.settings.lr)
        set_rates(self.optimizer, self.engine.trained)
        self.average = Average(self.settings.averaging, self.engine.trained)
        self.world.part()
        with self.engine.whole(), self.tables.whole():
            restored = state.restore(
                self.last, self.objective, self.optimizer, self.allow_drift, self.average, self.world, self.kind
            )
            self.engine.load()
        self.progress = restored or self.progress
        self._logged_steps(restored is not None)
        self.average.settle()
        self.engine.collect()

    def _recompute(self) -> None:
        encoders = [module for module in self.objective.modules() if isinstance(module, Encoder)]
        if self.settings.recompute and not encoders:
            raise UserError(
                "train.recompute is for networks that are a stack of blocks, which this one is not. Leave it out."
            )
        for encoder in encoders:
            encoder.recompute = self.settings.recompute

    def _advice(self) -> str:
        """How a run goes on that has lost a process."""
        if not self.last.exists():
            return "No checkpoint had been written: start again (train.checkpoint_minutes says how often one is)."
        return f"{self.last} is whole: go on from it with --resume, with any number of processes."

    def _logged_steps(self, resumed: bool) -> None:
        """All steps that are left, with the log open around them."""
        self.tracking.open(self.progress.step)
        log = Log(self.folder, self.quiet) if self.world.leads else Silent()
        log.rewind(self.progress.log_bytes)
        if self.preface and not resumed:
            log.fact(**self.preface)
        machine = {**runtime.facts(self.device), "processes": self.world.size, "parallel": self.kind}
        log.clock(event="resume" if resumed else "start", step=self.progress.step, **machine)
        log.bar.start(self.plan.total, self.progress.step)
        try:
            with listening() as heard, self.engine.running():
                self._steps(log, heard)
        finally:
            log.close()

    @property
    def last(self) -> Path:
        return self.folder / "checkpoints" / "last"

    @property
    def best(self) -> Path:
        return self.folder / "checkpoints" / f"best-{self.progress.best_step}.safetensors"

    def _steps(self, log: Log, heard: Signals) -> None:
        p, saved = self.progress, time.monotonic()
        pause = self.settings.checkpoint_minutes
        while p.step < self.plan.total:
            started = time.monotonic()
            facts = self._step(self.plan.rows(p.step))
            p.step += 1
            self.average.add(p.step, self.plan.total)
            p.seconds += time.monotonic() - started
            self._note(log, facts, time.monotonic() - started)
            if self.evaluate and self.plan.evaluates(p.step, self.settings.evaluations):
                self._evaluate(log)
            due = self.world.leads and pause is not None and time.monotonic() - saved >= 60 * pause
            signal, saves = self.world.highest(heard.number or 0, int(due))  # all stop behind the same step
            if signal:
                self._save(log)
                raise Interrupted(signal, p.step)
            if saves and p.step < self.plan.total:
                self._save(log)
                saved = time.monotonic()
        (signal,) = self.world.highest(heard.number or 0)
        if pause is not None or signal or self.world.first(self.last.exists):
            self._save(log)
        (signal,) = self.world.highest(heard.number or 0)
        if signal:  # it came during the last save
            raise Interrupted(signal, p.step)

    def _step(self, rows: np.ndarray) -> dict[str, Any]:
        """One optimizer step: sums over the pieces, one division by the number of items, clip, move."""
        began, at = noise.state(), self.plan.moment(self.progress.step)
        pieces = deal(self.feed, rows, self.world.rank, self.world.size)
        fetched = [self.feed.fetch(piece.rows, self.device, at) for piece in pieces]
        self.engine.trained.totals = self._totals([f[0] for f in fetched], [piece.counts for piece in pieces])
        mine = Sums()
        for i, (piece, (batch, size)) in enumerate(zip(pieces, fetched, strict=True)):
            before = noise.state()  # should this piece fail, it is repeated with the same masks
            with self.engine.piece(last=i == len(pieces) - 1):
                with precision(self.format, self.device):
                    loss, count, said = self.engine(batch)
                value = float(loss.detach())
                if not math.isfinite(value) and self.world.size == 1:
                    noise.restore(before)
                    raise self._not_finite([batch])
                (loss if piece.counts else loss * 0).backward()
            mine.computed += size
            if piece.counts:
                mine.add(value, count, size, said)
        total = added(self.world.each(mine))
        if not total.items:
            raise UserError(
                f"Step {self.progress.step + 1} has {total.tokens} tokens, and the objective asks for none of them, so "
                "that its loss has no mean. Take larger steps, or let it ask for more (masking.rate, where it masks)."
            )
        norm = self.engine.norm() / total.items
        if not math.isfinite(norm) or not math.isfinite(total.loss):
            noise.restore(began)
            raise self._not_finite_anywhere([batch for batch, _ in fetched], mine.loss)
        rate = self.settings.lr * self.settings.schedule.factor(self.progress.step, self.plan.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        shrink = min(1.0, self.settings.clip / (norm + 1e-6)) if self.settings.clip else 1.0
        self._move(shrink / total.items)
        return {**total.plain(), "lr": rate, "norm": norm}

    def _totals(self, batches: list[Any], ours: list[bool]) -> dict[str, int] | None:
        """What the objective counts, over all pieces of all processes; None where it counts nothing."""
        counts = [self.engine.trained.counts(batch) for batch in batches]
        if counts[0] is None:
            return None
        mine: Counter[str] = Counter()
        for found in (found for found, is_ours in zip(counts, ours, strict=True) if is_ours):
            mine.update(found)
        total: Counter[str] = Counter()
        for one in self.world.each(mine):
            total.update(one)
        return dict(total)

    def _move(self, scale: float) -> None:
        """One step with the gradients times `scale`: from sum to mean, clipped, without another pass over memory."""
        if self.settings.optimizer.scales_gradients:
            optimizer: Any = self.optimizer
            optimizer.grad_scale = torch.tensor(1 / scale, device=self.device)
        else:
            torch._foreach_mul_(owns([p.grad for p in self.engine.trained.parameters() if p.grad is not None]), scale)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _note(self, log: Log, facts: dict[str, Any], seconds: float) -> None:
        p = self.progress
        p.loss_sum += facts["loss_sum"]
        p.items += facts["items"]
        p.tokens += facts["tokens"]
        p.computed += facts["computed"]
        for name, more in facts["sums"].items():
            p.sums[name] = p.sums.get(name, 0.0) + more
        log.bar.show(p.step, facts["loss_sum"] / facts["items"], facts["tokens"] / seconds)
        if p.step % self.settings.log_steps and p.step != self.plan.total:
            return
        means = {"loss": p.loss_sum / p.items, **{name: total / p.items for name, total in p.sums.items()}}
        line = {**means, "lr": facts["lr"], "gradient_norm": facts["norm"], "items": p.items, "tokens": p.tokens}
        line["efficiency"] = p.tokens / p.computed  # nothing is padded; processes with fewer pieces repeat one
        clocks = {"seconds": round(p.seconds, 3), "tokens_per_second": round(facts["tokens"] / seconds, 1)}
        log.fact(step=p.step, **line)
        log.clock(step=p.step, **clocks)
        self.tracking.log(p.step, {"train": {**line, **clocks}})
        p.loss_sum, p.items, p.tokens, p.computed, p.sums = 0.0, 0, 0, 0, {}

    def _evaluate(self, log: Log) -> None:
        assert self.evaluate is not None
        p = self.progress
        self.objective.eval()
        with self.average.applied(), self.engine.whole(), self.tables.whole():
            metrics = self.world.first(self.evaluate)
            if self.keep_best:
                self._compare(next(iter(metrics.values())))
        self.objective.train()
        log.fact(step=p.step, evaluation={k: v if math.isfinite(v) else None for k, v in metrics.items()})
        self.tracking.log(p.step, {"evaluation": metrics})
        p.evaluations.append({"step": p.step, **{k: v if math.isfinite(v) else None for k, v in metrics.items()}})

    def _compare(self, main: float) -> None:
        """Keep the weights, whose tables are whole, if no evaluation was better."""
        p = self.progress
        if p.best is not None and not (math.isfinite(main) and main > p.best):
            return
        p.best, p.best_step = main if math.isfinite(main) else None, p.step
        if not self.world.leads:
            return
        if p.step < self.plan.total:  # the last step's weights need no copy
            state.save_weights(self.best, self.objective)
        if not self.last.exists():  # no checkpoint needs an older one
            self._tidy()

    def _save(self, log: Log) -> None:
        self.progress.log_bytes = log.position()
        with self.engine.whole(), self.tables.whole():
            state.save(self.last, self.objective, self.optimizer, self.progress, self.average, self.world, self.kind)
        if self.world.leads:
            self._tidy()

    def _tidy(self) -> None:
        """Leave only the best evaluation's weights."""
        for older in self.best.parent.glob("best-*.safetensors"):  # named by step: what `last` knows of is never lost
            if older != self.best:
                older.unlink()

    def _not_finite(self, batches: list[Any], culprit: str | None = None, keeps: bool = True) -> UserError:
        def again() -> None:
            with torch.no_grad(), precision(self.format, self.device):
                for batch in batches:
                    self.engine(batch)

        where = self.folder / ("not_finite.json" if self.world.leads else f"not_finite-{self.world.rank}.json")
        return explain_nan(self.engine.trained, again, batches, self.progress.step + 1, where, culprit, keeps)

    def _not_finite_anywhere(self, batches: list[Any], loss: float) -> UserError:
        """The explanation of the first process whose own loss is no number, or of process 0; for all of them."""
        bad = self.world.each(not math.isfinite(loss))
        speaks = bad.index(True) if True in bad else 0
        culprit = bad_gradient(self.engine.trained)
        mine = self._not_finite(batches, culprit, keeps=self.world.rank == speaks)
        return UserError(self.world.each(str(mine))[speaks])
