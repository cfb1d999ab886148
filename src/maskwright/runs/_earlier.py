"""The run that `--overwrite` replaces: it waits inside of the folder until the new one can begin, or comes back.

A folder moves no two files at once, so that each step leaves a state from which the next start knows how to go on:

    EARLIER without config.json     not all is put away yet: it comes back
    EARLIER with config.json        all is put away; beside it is what the new run has prepared so far
    BACK                            it is coming back
    GONE                            the new run has begun, and it is being removed
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CONFIG = "config.json"
EARLIER, BACK, GONE = ".maskwright-earlier", ".maskwright-coming-back", ".maskwright-gone"


def put_away(folder: Path) -> None:
    """Move the run in `folder` into EARLIER, its config.json last."""
    waiting = folder / EARLIER
    waiting.mkdir()
    names = [entry.name for entry in folder.iterdir() if entry.name not in (EARLIER, CONFIG)]
    for name in [*names, CONFIG]:
        os.replace(folder / name, waiting / name)


def waits(folder: Path) -> bool:
    """Whether an earlier run is in EARLIER or on its way."""
    return any((folder / name).is_dir() for name in (EARLIER, BACK))


def whole(folder: Path) -> bool:
    """Whether all of an earlier run has been put away."""
    return (folder / EARLIER / CONFIG).exists()


def bring_back(folder: Path) -> None:
    """The earlier run as it was; what a new one has prepared is removed."""
    waiting, coming = folder / EARLIER, folder / BACK
    if waiting.is_dir():
        if whole(folder):
            (folder / CONFIG).unlink(missing_ok=True)  # what is left of the new run is none from here on
            empty(folder, (EARLIER,))
        os.replace(waiting, coming)
    names = [entry.name for entry in coming.iterdir() if entry.name != CONFIG]
    for name in [*names, *([CONFIG] if (coming / CONFIG).exists() else [])]:
        os.replace(coming / name, folder / name)
    coming.rmdir()


def forget(folder: Path) -> None:
    """The new run has begun: what it replaces is removed, in one step for whoever comes after a kill."""
    sweep(folder)
    if (folder / EARLIER).is_dir():
        os.replace(folder / EARLIER, folder / GONE)
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what is left of a run that was given up."""
    if (folder / GONE).is_dir():
        shutil.rmtree(folder / GONE)


def empty(folder: Path, but: tuple[str, ...] = ()) -> None:
    """Remove what is in a folder."""
    for held in folder.iterdir():
        if held.name in but:
            continue
        if held.is_dir() and not held.is_symlink():
            shutil.rmtree(held)
        else:
            held.unlink()
