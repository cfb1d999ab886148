"""Where a run keeps what: `config.json`, `seeds/<n>/`, `metrics.json`, `model/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import can_lock, check_room, lock, read_json, room, write_json
from maskwright.runs import _earlier

PREPARING = "preparing"  #: in config.json, until the first step of training can be made
READ = ("corpus", "corpus.part", "remembered")  #: what is made of text before that, and outlives a mistake in all else


@dataclass(frozen=True)
class RunFolder:
    path: Path
    resumed: bool = False

    @staticmethod
    def open(path: str | Path, config: dict[str, Any], resume: bool = False, overwrite: bool = False) -> RunFolder:
        """A new run folder, or an old one to go on with. Raises UserError when that was not said, or does not fit, or
        where nothing can be written.

        config: all that is needed to repeat the run, as plain values. A resumed run must have the same settings.
        Nothing is written or deleted before `start`, so that a mistake found in between costs no earlier run. A run
        that was only preparing holds nothing that was trained, so that neither need be said of it.
        """
        path = Path(path)
        folder = RunFolder(path)
        with room(path):
            if path.exists() and not path.is_dir():
                raise UserError(f"{path} is a file; a run needs a folder. Give another --out.")
            held = folder._holds_something()
            if not held:
                check_room(path)
        if resume and overwrite:
            raise UserError("Say either --resume or --overwrite, not both.")
        if not held:
            return folder
        waits = _earlier.waits(path)
        if not folder.is_run and not waits:
            kept = "; --overwrite will not delete it" if overwrite else ""
            raise UserError(
                f"{path} already holds something that is not a run of maskwright{kept}. Give another --out."
            )
        if folder.preparing and (resume or overwrite or not waits):
            return RunFolder(path, resumed=resume and folder._asks(config))
        if resume:
            if not waits:  # else what is here is not known before `mend`
                folder._same(config)
            return RunFolder(path, resumed=True)
        if not overwrite:
            more = (
                " It was about to replace an earlier one, which waits in it: --resume with the settings of the earlier "
                "one, or --overwrite, brings that back first."
            )
            raise UserError(
                f"{path} already holds a run.{more if waits else ''} Go on with it by --resume, replace it by "
                "--overwrite, or give another --out."
            )
        return folder

    def start(self, config: dict[str, Any], preparing: bool = False) -> None:
        """Replace what the folder held by `config`; a run that is resumed keeps everything.

        preparing: mistakes may yet be found. A run that is replaced then waits inside of the folder until `begin`, and
        `clear` brings it back; what was read of the same text stays. Else the old config.json goes last, so that a
        kill in between leaves something that --overwrite may replace.
        """
        if self.resumed:
            for torn in self.path.rglob(".*.part"):  # half a file, from a kill in the middle of a write
                torn.unlink(missing_ok=True)
            return
        with room(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if preparing and self.is_run and not self.preparing:
                _earlier.put_away(self.path)
            else:
                same = self._was().get("data") == config.get("data")
                kept = (_earlier.EARLIER, *(READ if same else ())) if preparing else ()
                _earlier.empty(self.path, (self.config.name, *kept))
        write_json(self.config, {**config, PREPARING: True} if preparing else config)

    def mend(self, config: dict[str, Any], resume: bool) -> None:
        """Go on with what a kill ended while a run waited to be replaced: it goes where the new one had begun, waits
        where that is resumed by what it was asked for, and else comes back. Only within `held`."""
        with room(self.path):
            _earlier.sweep(self.path)
            if not _earlier.waits(self.path):
                return
            whole = _earlier.whole(self.path)
            if whole and self.config.exists() and not self.preparing:
                _earlier.forget(self.path)
            elif not (whole and self.preparing and resume and self._asks(config)):
                _earlier.bring_back(self.path)

    def begin(self, config: dict[str, Any]) -> None:
        """The steps are fixed, and `config` says so: what the run replaces is given up."""
        write_json(self.config, config)
        with room(self.path):
            _earlier.forget(self.path)

    def clear(self) -> None:
        """Take out what `start` and those after it put into the folder, of a run that could not begin, but for what was
        read of the text; the run that it was to replace comes back."""
        with room(self.path):
            if _earlier.waits(self.path):
                _earlier.bring_back(self.path)
                return
            _earlier.empty(self.path, (self.config.name, *READ))
            if not any((self.path / name).exists() for name in READ):
                self.config.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it no other process works in this folder. Raises UserError when one does (where there are locks), or
        where there can be no folder."""
        with room(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if not can_lock():
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            lock(handle, f"Another process works in {self.path}. Wait until it ends, or give another --out.")
            yield
        finally:
            os.close(handle)

    def _holds_something(self) -> bool:
        """Whether more is there than what a kill at the very first write leaves behind."""
        return self.path.exists() and any(not f.name.startswith(f".{self.config.name}.") for f in self.path.iterdir())

    @property
    def is_run(self) -> bool:
        """Whether config.json is ours; checkpoints of others have a file of that name too. Raises UserError when it
        cannot be read."""
        found = read_json(self.config) if self.config.is_file() else None
        return isinstance(found, dict) and {"settings", "data"} <= found.keys()

    @property
    def replaces(self) -> bool:
        """Whether an earlier run waits here, which comes back if this one cannot begin."""
        return _earlier.waits(self.path)

    @property
    def preparing(self) -> bool:
        """Whether the run that is here ended before its first step could be made."""
        return bool(self._was().get(PREPARING))

    def _was(self) -> dict[str, Any]:
        found = read_json(self.config) if self.config.is_file() else {}
        return found if isinstance(found, dict) else {}

    def _asks(self, config: dict[str, Any]) -> bool:
        """Whether the run that is here was asked for the same."""
        was = self._was()
        return not _differences(_bare(was.get("settings")), _bare(config.get("settings")))

    def _same(self, config: dict[str, Any]) -> None:
        was = read_json(self.config)
        changed = _differences(_bare(was.get("settings")), _bare(config.get("settings")))
        if changed:
            raise UserError(
                f"{self.path} was started with other settings: {'; '.join(changed[:5])}. Resume it with the same ones, "
                "or start anew with --overwrite."
            )
        for name, what in (("data", "data of"), ("start", "start of")):
            if name not in config or was.get(name) == config[name]:
                continue
            differ = _differing(was.get(name), config[name])
            told = f" ({differ})" if name == "start" and differ else ""
            raise UserError(
                f"The {what} {self.path}{told} has changed since it was started. Start anew with --overwrite."
            )

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def data(self) -> Path:
        """What was seen in the rows before training."""
        return self.path / "data.json"

    @property
    def complete(self) -> bool:
        return self.metrics.exists() and self.model.exists() and not _earlier.waits(self.path)

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def unproved(self) -> Path:
        """Where a model waits until its reload has been compared with it."""
        return self.path / "model.unproved"

    def accept(self) -> None:
        """The model that waited has been proved: it is `model/` now."""
        shutil.rmtree(self.model, ignore_errors=True)
        os.replace(self.unproved, self.model)

    def seed(self, number: int) -> Path:
        return self.path / "seeds" / str(number)


def _bare(settings: Any) -> Any:
    """Settings without what changes no number: the folder, which may have been moved, and who is told of the run."""
    if not isinstance(settings, dict):
        return settings
    bare = {k: v for k, v in settings.items() if k != "out"}
    if isinstance(bare.get("train"), dict):
        bare["train"] = {k: v for k, v in bare["train"].items() if k != "tracker"}
    return bare


def _differing(was: Any, now: Any) -> str:
    """The names of what differs: `weights`, `tokenizer`."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return ""
    return ", ".join(name for name in {**was, **now} if was.get(name) != now.get(name))


def _differences(was: Any, now: Any, path: str = "") -> list[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        return [d for k in {**was, **now} for d in _differences(was.get(k), now.get(k), f"{path}.{k}".lstrip("."))]
    return [] if was == now else [f"{path} was {was!r} and is {now!r}"]
