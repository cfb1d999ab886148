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
from maskwright.nn.dropout import noise
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.lookup import gradients, kept_gradients, narrowed
from maskwright.nn.precision import precision
from maskwright.training import state
from maskwright.training.averaging import Average
from maskwright.training.log import Log
from maskwright.training.objective import Feed, Objective
from maskwright.training.plan import Epochs, Plan
from maskwright.training.settings import Steps, Train
from maskwright.training.state import Progress
from maskwright.training.stop import Interrupted, Signals, bad_gradient, explain_nan, listening
from maskwright.training.tracking import Tracking

Evaluate = Callable[[], dict[str, float]]


@dataclass
class Loop:
    """Trains an objective on a feed; `folder` receives log.jsonl, timings.jsonl and checkpoints/last and best.

    `evaluate` returns metrics; the first of them, higher being better, decides which checkpoint is best, unless
    `keep_best` says that none is wanted but the last.
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

    def __post_init__(self) -> None:
        if self.plan is None:
            assert isinstance(self.settings, Train), "settings without epochs need a plan"
            self.plan = Epochs(self.feed, self.settings.epochs)

    def run(self) -> Progress:
        """From the last checkpoint, or from the start, to the end. Raises Interrupted after saving on a signal."""
        self.device = runtime.device(self.settings.device)
        self.format = runtime.resolve_precision(self.settings.precision, self.device)
        self.objective.to(self.device).train()
        used = self.feed.vocabulary()
        words = [module.word for module in self.objective.modules() if isinstance(module, Embeddings)]
        with narrowed(self.objective, words, None if used is None else torch.from_numpy(used)) as self.tables:
            self.optimizer = self.settings.optimizer.build(self.objective.named_parameters(), self.settings.lr)
            self.average = Average(self.settings.averaging, self.objective)
            with self.tables.whole():
                restored = state.restore(self.last, self.objective, self.optimizer, self.allow_drift, self.average)
            self.progress = restored or self.progress
            self._logged_steps(restored is not None)
            self.average.settle()
        return self.progress

    def _logged_steps(self, resumed: bool) -> None:
        """All steps that are left, with the log open around them."""
        self.tracking.open(self.progress.step)
        log = Log(self.folder, self.quiet)
        log.rewind(self.progress.log_bytes)
        if self.preface and not resumed:
            log.fact(**self.preface)
        log.clock(event="resume" if resumed else "start", step=self.progress.step, **runtime.facts(self.device))
        log.bar.start(self.plan.total, self.progress.step)
        try:
            with listening() as heard, kept_gradients(self.objective):
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
            if heard.number is not None:
                self._save(log)
                raise Interrupted(heard.number, p.step)
            if pause is not None and time.monotonic() - saved >= 60 * pause and p.step < self.plan.total:
                self._save(log)
                saved = time.monotonic()
        if pause is not None or heard.number is not None or self.last.exists():
            self._save(log)
        if heard.number is not None:  # it came during the last save
            raise Interrupted(heard.number, p.step)

    def _step(self, rows: np.ndarray) -> dict[str, Any]:
        """One optimizer step: sums over the pieces, one division by the number of items, clip, move."""
        batches: list[Any] = []
        loss_sum, items, tokens = 0.0, 0, 0
        sums: Counter[str] = Counter()
        began, at = noise.state(), self.plan.moment(self.progress.step)
        for piece in self.feed.pieces(rows):
            before = noise.state()  # should this piece fail, it is repeated with the same masks
            batch, size = self.feed.fetch(piece, self.device, at)
            batches.append(batch)
            with precision(self.format, self.device):
                loss, count, said = self.objective(batch)
            value = float(loss.detach())
            if not math.isfinite(value):
                noise.restore(before)
                raise self._not_finite([batch])
            loss.backward()
            loss_sum, items, tokens = loss_sum + value, items + count, tokens + size
            sums.update(said)
        assert items, "the objective counted no items in a whole step, so its loss has no mean"
        norm = self._norm() / items
        if not math.isfinite(norm):
            noise.restore(began)
            raise self._not_finite(batches, bad_gradient(self.objective))
        rate = self.settings.lr * self.settings.schedule.factor(self.progress.step, self.plan.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        shrink = min(1.0, self.settings.clip / (norm + 1e-6)) if self.settings.clip else 1.0
        self._move(shrink / items)
        return {"loss_sum": loss_sum, "items": items, "tokens": tokens, "lr": rate, "norm": norm, "sums": sums}

    def _norm(self) -> float:
        """The norm of all gradients together."""
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients(self.objective)))))

    def _move(self, scale: float) -> None:
        """One step with the gradients times `scale`: from sum to mean, clipped, without another pass over memory."""
        if self.settings.optimizer.scales_gradients:
            optimizer: Any = self.optimizer
            optimizer.grad_scale = torch.tensor(1 / scale, device=self.device)
        else:
            grads = [p.grad for p in self.objective.parameters() if p.grad is not None]
            torch._foreach_mul_(grads, scale)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _note(self, log: Log, facts: dict[str, Any], seconds: float) -> None:
        p = self.progress
        p.loss_sum += facts["loss_sum"]
        p.items += facts["items"]
        p.tokens += facts["tokens"]
        for name, more in facts["sums"].items():
            p.sums[name] = p.sums.get(name, 0.0) + more
        log.bar.show(p.step, facts["loss_sum"] / facts["items"], facts["tokens"] / seconds)
        if p.step % self.settings.log_steps and p.step != self.plan.total:
            return
        means = {"loss": p.loss_sum / p.items, **{name: total / p.items for name, total in p.sums.items()}}
        line = {**means, "lr": facts["lr"], "gradient_norm": facts["norm"], "items": p.items, "tokens": p.tokens}
        clocks = {"seconds": round(p.seconds, 3), "tokens_per_second": round(facts["tokens"] / seconds, 1)}
        log.fact(step=p.step, **line)
        log.clock(step=p.step, **clocks)
        self.tracking.log(p.step, {"train": {**line, **clocks}})
        p.loss_sum, p.items, p.tokens, p.sums = 0.0, 0, 0, {}

    def _evaluate(self, log: Log) -> None:
        assert self.evaluate is not None
        p = self.progress
        self.objective.eval()
        with self.average.applied(), self.tables.whole():
            metrics = self.evaluate()
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
        if p.step < self.plan.total:  # the last step's weights need no copy
            state.save_weights(self.best, self.objective)
        if not self.last.exists():  # no checkpoint needs an older one
            self._tidy()

    def _save(self, log: Log) -> None:
        self.progress.log_bytes = log.position()
        with self.tables.whole():
            state.save(self.last, self.objective, self.optimizer, self.progress, self.average)
        self._tidy()

    def _tidy(self) -> None:
        """Leave only the best evaluation's weights."""
        for older in self.best.parent.glob("best-*.safetensors"):  # named by step: what `last` knows of is never lost
            if older != self.best:
                older.unlink()

    def _not_finite(self, batches: list[Any], culprit: str | None = None) -> Exception:
        def again() -> None:
            with torch.no_grad(), precision(self.format, self.device):
                for batch in batches:
                    self.objective(batch)

        where = self.folder / "not_finite.json"
        return explain_nan(self.objective, again, batches, self.progress.step + 1, where, culprit)
