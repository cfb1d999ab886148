"""Weights & Biases."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from maskwright.training.trackers._tracker import Opening, Session, Status, Tracker


class Wandb(Tracker):
    """Whether and as whom it sends is said by its own environment: WANDB_MODE, WANDB_ENTITY, WANDB_API_KEY.

    With WANDB_MODE=offline each session of a run leaves a folder of its own under the same id; the later ones are sent
    by `wandb sync --append`.
    """

    library: ClassVar[str | None] = "wandb"

    project: str = Field("maskwright", min_length=1, description="the project that its runs stand in")

    def open(self, opening: Opening) -> Session:
        import wandb

        run = wandb.init(
            project=self.project,
            name=opening.name,
            id=opening.id,
            resume="allow",
            dir=str(opening.folder),
            config=opening.config if opening.id is None else None,
            reinit="create_new",  # a run that the caller has open stays the caller's
        )
        return _Run(run)


class _Run:
    def __init__(self, run: Any) -> None:
        self.id, self._run = run.id, run

    def log(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)  # a step that it has already is dropped there: facts that repeat are the same

    def close(self, status: Status) -> None:
        self._run.finish(exit_code=0 if status == "finished" else 1)
