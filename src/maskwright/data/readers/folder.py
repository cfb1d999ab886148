"""A folder with one folder for each class: every file in it is a text, and the folder's name is its label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from maskwright.base.errors import UserError
from maskwright.data.readers._file import is_folder, listing
from maskwright.data.readers._reader import FOLDER, Reader
from maskwright.data.readers._text import decode
from maskwright.data.settings import Encoded
from maskwright.data.table import Table

_SPLITS = set("train training dev development val valid validation eval evaluation test testing".split())
_SHOWN = 10  # classes or files in a note


class Folder(Reader, Encoded):
    """Columns `text`, `label` and `path`, the last from this folder on; rows in the order of their paths."""

    suffixes: ClassVar[tuple[str, ...]] = (FOLDER,)

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        root, source = Path(path), str(path)
        if not is_folder(root):
            raise UserError(f"{source!r} is a file; the folder reader reads a folder with one folder for each class.")
        folders, beside, hidden = listing(root)
        _refuse_what_is_no_class(folders, source)
        columns: dict[str, list[str]] = {"text": [], "label": [], "path": []}
        places: list[str] = []
        found: list[str] = []
        sizes: dict[str, int] = {}
        for folder in folders:
            inner, files, more = listing(folder)
            if inner:
                raise UserError(
                    f"{str(inner[0])!r} is a folder inside of the class {folder.name!r}. Put its files into "
                    f"{str(folder)!r} itself, or make it a class of its own."
                )
            for file in files:
                text, notes = decode(file, self.encoding)
                columns["text"].append(text)
                columns["label"].append(folder.name)
                columns["path"].append(f"{folder.name}/{file.name}")
                places.append(str(file))
                found += notes
            sizes[folder.name] = len(files)
            hidden += more
        if not places:
            raise UserError(f"{source!r} has {len(folders)} folders for classes, but there is no file in them.")
        notes = _notes(source, sizes, [file.name for file in beside], hidden)
        if found:
            notes.append(found[0] + (f" So were {len(found) - 1:,} other files." if len(found) > 1 else ""))
        return Table(columns, source, list(range(1, len(places) + 1)), notes, "row", places)


def _refuse_what_is_no_class(folders: list[Path], source: str) -> None:
    if not folders:
        raise UserError(f"{source!r} holds no folders. Give a file, or a folder that has one folder for each class.")
    if all(folder.name.lower() in _SPLITS for folder in folders):
        one = next((folder for folder in folders if folder.name.lower().startswith("train")), folders[0])
        raise UserError(
            f"{source!r} holds splits ({', '.join(f.name for f in folders)}), not classes. Give each split by itself, "
            f"for example {str(one)!r}."
        )


def _notes(source: str, sizes: dict[str, int], beside: list[str], hidden: int) -> list[str]:
    classes = {name: count for name, count in sizes.items() if count}
    listed = _listed([f"{name} ({count:,})" for name, count in classes.items()])
    notes = [f"{source}: a folder of {sum(sizes.values()):,} texts in {len(classes)} classes: {listed}."]
    if empty := [name for name, count in sizes.items() if not count]:
        notes.append(f"{source}: folders without a file make no class: {_listed(empty)}.")
    if beside:
        notes.append(f"{source}: files beside the classes were not read: {_listed(beside)}.")
    if hidden:
        notes.append(f"{source}: hidden files were not read, {hidden:,} in all.")
    return notes


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
