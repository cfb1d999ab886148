"""Event files, which `tensorboard --logdir FOLDER` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from maskwright.training.trackers._tracker import Opening, Session, Status, Tracker


class TensorBoard(Tracker):
    """By default the files lie in the run's folder, so that `tensorboard --logdir runs` shows all runs."""

    library: ClassVar[str | None] = "tensorboard"

    folder: str | None = Field(None, min_length=1, description="where each run gets a folder; else in the run's own")

    def open(self, opening: Opening) -> Session:
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(self.folder).expanduser() / opening.name if self.folder else opening.folder / "tensorboard"
        # What an earlier session wrote after the checkpoint is hidden: those steps come again.
        writer = SummaryWriter(str(folder), purge_step=opening.step + 1)
        if opening.id is None:
            config = json.dumps(opening.config, indent=2, ensure_ascii=False)
            writer.add_text("config", f"```json\n{config}\n```", 0)
        return _Events(writer, str(folder))


class _Events:
    def __init__(self, writer: Any, folder: str) -> None:
        self.id, self._writer = folder, writer

    def log(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()  # else a kill would cost the last two minutes

    def close(self, status: Status) -> None:
        self._writer.close()
