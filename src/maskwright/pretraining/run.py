"""Pre-training: corpus, tokenizer, pieces, network, budget into steps, training, judging, saving, proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.base import runtime
from maskwright.base.choice import dump
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, sha256, write_json
from maskwright.data.corpus import Corpus
from maskwright.pretraining import _saved
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.held_out import unigram
from maskwright.pretraining.judging import Before, Judging
from maskwright.pretraining.material import Material
from maskwright.pretraining.probe import enough, rates, tokens_in
from maskwright.pretraining.settings import Pretrain, command, gather
from maskwright.pretraining.start import Start, check, outside
from maskwright.pretraining.summary import facts, summary
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.pretraining.zero_shot import ZeroShot
from maskwright.runs import RunFolder
from maskwright.runs.card import write_card
from maskwright.runs.curves import elsewhere
from maskwright.runs.notes import Notes
from maskwright.runs.report import write_report
from maskwright.training.loop import Loop
from maskwright.training.objective import Objective
from maskwright.training.parallel import ALONE, World, joined
from maskwright.training.state import digest
from maskwright.training.stop import Interrupted
from maskwright.training.tracking import Tracking

JUDGING = 0.05  #: share of a budget of minutes that judging on the way may take
SAVING = 5.0  #: seconds kept for the last evaluation's bootstrap, the page and the proof
PROOF = 4  #: sequences on which a saved model must repeat the trained one's outputs


@dataclass(frozen=True)
class Pretrained:
    """A finished pre-training: its folder, all that metrics.json says, and what it had to say on the way."""

    folder: Path
    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    leads: bool = True  #: whether this process is the one, of several, that shows things

    @property
    def model(self) -> Path:
        """The folder of the model, for `finetune(model=...)` and for every other reader of the layout."""
        return self.folder / "model"


def pretrain(
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    allow_drift: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Pretrained:
    """Train an encoder on text, in a budget, and prove that what was saved is what was trained.

    config: a run file or its tables. options: any field of `pretraining.settings.Pretrain` (text, budget, out, recipe,
    size ...) or one of SHORT (masking, length, batch_tokens, lr). settings: nested tables, e.g.
    {"train": {"lr": 1e-3}}. say: told each note as soon as it is known. Raises UserError for what a person can mend,
    and `training.stop.Interrupted` after saving when SIGINT or SIGTERM came.
    """
    began = time.monotonic()
    asked = gather(config, options, settings or {})
    runtime.settle_memory(kernels=256)
    runtime.set_threads(asked.train.threads)
    if asked.train.tracker is not None:
        asked.train.tracker.check()
    with joined(asked.train.device, asked.train.timeout_minutes) as world, ExitStack() as held:
        notes, told = Notes(say if world.leads else None), _facts(asked)

        def begin() -> RunFolder:
            folder = RunFolder.open(asked.out, told, resume, overwrite)
            if not resume:
                _keep_sources(asked)
            if resume and folder.complete:
                return folder
            held.enter_context(folder.held())
            folder.mend(told, resume)
            folder = RunFolder.open(asked.out, told, resume, overwrite)
            if not (resume and folder.complete):
                folder.start({**told, "notes": []}, preparing=True)
            return folder

        folder = world.first(begin)
        if world.first(lambda: resume and folder.complete):
            return _done(folder, notes, world.leads)
        return Run(asked, folder, notes, told, quiet or not world.leads, allow_drift, began, world).all()


@dataclass
class Run:
    """One pre-training on its way; `told` grows into config.json."""

    asked: Pretrain
    folder: RunFolder
    notes: Notes
    told: dict[str, Any]
    quiet: bool
    allow_drift: bool
    began: float
    world: World = ALONE  #: of several processes all go this way; the first reads, decides, judges and writes

    def all(self) -> Pretrained:
        """To the end. A mistake that is found before the steps are fixed leaves no run in the folder but an earlier
        one, so that the mended command is not told that a run is there already."""
        try:
            return self._all()
        except UserError:
            if self.world.leads and self.folder.preparing:
                self.folder.clear()
            raise
        except Interrupted as stopped:  # in the probe, or while a head was fitted, which have steps of their own
            if self.folder.preparing:
                raise Interrupted(stopped.number, None) from None
            raise

    def _all(self) -> Pretrained:
        asked = self.asked
        self.device = runtime.device(asked.train.device)
        self.format = runtime.resolve_precision(asked.train.precision, self.device)
        zero_shot = self._zero_shot()
        self.world.first(lambda: check(asked))
        material = self.material = Material(asked, self.folder.path, self.notes, self.quiet, self.world)
        corpus = material.corpus(asked.text, material.folder, self.folder.preparing)
        self.notes.tell(corpus.facts["notes"])
        start = material.start(material.tokenizer(corpus))
        self.objective = asked.objective.prepared(start.tokenizer)
        self.outside = outside(asked, start)
        self.notes.tell([*start.notes, *self.outside, *self.objective.notes])
        train, held = material.pieces(corpus, start.tokenizer)
        known = material.known(start.tokenizer, self.folder.preparing)
        self.judging = Judging(
            asked, self.objective, start.tokenizer, held, known, zero_shot, self.device, self.format
        )  # fmt: skip
        self.world.first(lambda: self.judging.check(start))
        if start.new_head:
            material.fit(start, train, self.judging.masked)
        before = self.world.first(lambda: self.judging.before(self._build(start), start)) if asked.model else None
        course = self._course(train, start, corpus)
        start, built, seconds = self._train(course)
        done = self.world.first(lambda: self._finish(start, built, course, corpus, before, seconds))
        return replace(done, leads=self.world.leads)

    def _zero_shot(self) -> ZeroShot | None:
        if self.asked.pairs is None:
            return None
        found = ZeroShot(self.asked.pairs, self.asked.pairs_limit)
        if self.asked.objective.spoken == "none":
            self.notes.tell(["It names no masked pieces, so that the minimal pairs are not judged."])
            return None
        self.notes.tell(found.notes)
        return found

    def _build(self, start: Start) -> Objective:
        return self.objective.build(start.network, start.kind, start.config)

    # ------------------------------------------------------------ budget and steps

    def _course(self, train: Encoded, start: Start, corpus: Corpus) -> Course:
        """The steps that fit into the budget: counted once, and kept in config.json."""
        specials = start.tokenizer.cls_id, start.tokenizer.sep_id
        vocabulary, asked = vocabulary_of(start.tokenizer), self.asked
        make = partial(
            Course,
            train,
            self.objective,
            vocabulary,
            specials,
            seed=asked.seed,
            micro_tokens=asked.train.micro_tokens,
        )
        self.told["start"] = self._digests(start, corpus)
        was = self.world.first(self._was_frozen)
        fixed = was or self.world.each(self._frozen(make))[0]
        self._leaves_time(fixed)
        course = make(amount=fixed["amount"], unit=fixed["unit"], phases=asked.phases)
        enough(course, asked.budget)
        if was is None:
            self.told |= {"frozen": fixed, "notes": self.notes.told}
            self.world.first(lambda: self.folder.begin(self.told))
        self.train = asked.train.model_copy(update={"evaluations": fixed["evaluations"]})
        return course

    def _digests(self, start: Start, corpus: Corpus) -> dict[str, str]:
        """Of what the run reads: another one makes another run."""
        found = {"corpus": corpus.fingerprint, "tokenizer": start.tokenizer.fingerprint()}
        if self.asked.model:
            found["weights"] = digest(start.network)
        if files := self.asked.objective.files:
            found["lists"] = " ".join(sha256(file) for file in files)
        return found | self.judging.digests()

    def _was_frozen(self) -> dict[str, Any] | None:
        """What a run that is resumed has fixed. Raises UserError where it began with another corpus or tokenizer."""
        was = read_json(self.folder.config) if self.folder.resumed else {}
        if "frozen" in was:
            RunFolder.open(self.folder.path, self.told, resume=True)
        found: dict[str, Any] | None = was.get("frozen")
        return found

    def _frozen(self, make: Callable[..., Course]) -> dict[str, Any]:
        asked, budget = self.asked, Budget.read(self.asked.budget)
        if budget.minutes is None:
            return {"amount": budget.amount, "unit": budget.unit, "evaluations": asked.train.evaluations}

        def few(phases: Sequence[Phase]) -> Course:
            return make(amount=8 * phases[0].batch_tokens, phases=phases)

        seconds = 60 * budget.minutes
        measured = rates(
            lambda: self._build(self.material.again()), few, asked.phases, asked.train, self.world, seconds
        )
        start = self.material.again()
        judging, ending = self.judging.takes(self._build(start), start)
        evaluations = max(1, min(asked.train.evaluations, int(JUDGING * 60 * budget.minutes / judging)))
        reserved, spent = judging * evaluations + ending + SAVING, time.monotonic() - self.began
        left = seconds - spent - reserved
        return {
            "amount": int(tokens_in(left, asked.phases, measured)) if left > 0 else 0,
            "unit": "tokens",
            "evaluations": evaluations,
            "seconds": round(left, 1),
            "before": round(spent, 1),
            "behind": round(reserved, 1),
            "tokens_per_second": [round(rate, 1) for rate in measured],
        }

    def _leaves_time(self, fixed: dict[str, Any]) -> None:
        """Raises UserError where nothing is left of a budget of minutes: by the clock of process 0, in all of them."""
        if fixed.get("seconds", 1.0) > 0:
            return
        kept = "" if self.folder.replaces else " What was read is kept, and a second run starts sooner."
        raise UserError(
            f"A budget of {self.asked.budget} is used up before the first step: reading and probing took "
            f"{fixed['before']:,.0f} seconds here, judging and saving take {fixed['behind']:,.0f}. Give more.{kept}"
        )

    # ------------------------------------------------------------ training and what comes out

    def _train(self, course: Course) -> tuple[Start, Objective, float]:
        asked = self.asked
        start = self.material.again()
        built = self._build(start)
        place = self.folder.seed(asked.seed)
        name = self.folder.path.resolve().name
        tracker = asked.train.tracker if self.world.leads else None
        with Tracking(tracker, place, name, dict(self.told)) as tracking:
            loop = Loop(
                built,
                course,
                self.train,
                place,
                lambda: self.judging.on_the_way(built, start),
                {"steps": course.total, "tokens": course.tokens, "parameters": start.parameters},
                self.quiet,
                self.allow_drift,
                tracking=tracking,
                plan=course,
                keep_best=False,
                world=self.world,
            )
            progress = loop.run()
            tracking.final({"held-out": progress.evaluations[-1]} if progress.evaluations else {})
        self.notes.tell(tracking.notes)
        return start, built, progress.seconds

    def _finish(
        self, start: Start, built: Any, course: Course, corpus: Corpus, before: Before | None, seconds: float
    ) -> Pretrained:
        """The model is kept before it is judged, so that no fault in that costs the training."""
        asked, folder = self.asked, self.folder
        self._save(start, built)
        judged = self.judging.in_the_end(built, start, before)
        plateau = unigram([course.corpus], judged.held, start.tokenizer.size)
        told = summary(judged, start, course, corpus, asked.objective, plateau, asked.seed)
        told["facts"] = [shape.plain() for shape in facts(judged, start, course, corpus)]
        told["metrics"] = {"held-out": {name: figure["value"] for name, figure in told["figures"].items()}}
        # A repeat writes the same metrics.json to the byte, so clocks stand elsewhere.
        clocks = {"seconds": round(seconds, 1), "tokens_per_second": round(course.tokens / max(seconds, 1e-9), 1)}
        write_json(folder.path / "timings.json", clocks)
        told |= elsewhere(folder.path, told)
        write_json(folder.metrics, told)
        write_report(folder.path)
        write_card(folder.path)
        return Pretrained(folder.path, told, self.notes.told)

    def _save(self, start: Start, built: Any) -> None:
        """Write the model, and keep it once it is proved."""
        asked, folder = self.asked, self.folder
        if hasattr(built, "finished"):
            start.network = built.finished()
        start.network.eval()
        described = {
            "pretraining": dump(asked.objective),
            "answers": asked.objective.kept,
            "max_length": start.network.encoder.limit or start.config.positions,
            "precision": asked.train.precision,
            "transformers": self.outside,
            "provenance": {"base": asked.model, "seed": asked.seed, "data": self.told["data"], **self.told["start"]},
        }
        _saved.save(folder.unproved, start, described)
        head = asked.objective.head_of(start.kind)
        _saved.prove(folder.unproved, start, head, self.judging.each.asked[:PROOF])
        folder.accept()


def _done(folder: RunFolder, notes: Notes, leads: bool) -> Pretrained:
    notes.tell(["This run was already complete; nothing was done."])
    return Pretrained(folder.path, read_json(folder.metrics), notes.told, leads)


def _keep_sources(asked: Pretrain) -> None:
    """Raises UserError where a new run in the folder would delete what it reads."""
    out = Path(asked.out).resolve()
    for name in (asked.text, asked.model, asked.tokenizer, asked.remember, asked.pairs, *asked.objective.files):
        place = Path(name).resolve() if name else None
        if place is not None and place.exists() and out in (place, *place.parents):
            raise UserError(f"{name} lies in {asked.out}, which a new run empties. Give another --out.")


def _facts(asked: Pretrain) -> dict[str, Any]:
    """What config.json says: enough to repeat the run, and to notice that it would not be the same run."""
    settings = asked.model_dump(mode="json")
    return {
        "settings": settings,
        "command": command(asked),
        "data": {"train": {"source": asked.text}},
        "versions": runtime.versions(),
        "machine": runtime.facts(runtime.device(asked.train.device)),
    }
