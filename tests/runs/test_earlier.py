"""A run that `--overwrite` replaces: it waits, comes back or goes, and a kill at any step costs neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.base.files import write_json
from maskwright.runs import RunFolder

OLD = {"settings": {"seed": 0}, "data": {"train": {"source": "books"}}}
NEW = {"settings": {"seed": 1}, "data": {"train": {"source": "books"}}}


class Died(BaseException):
    pass


def everything(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A finished run."""
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.safetensors").write_text("weights")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "block.arrow").write_text("text")
    write_json(folder / "metrics.json", {})
    write_json(folder / "config.json", OLD)
    return folder


def begun(path: Path, config: dict[str, Any], **how: bool) -> RunFolder:
    """As a pre-training begins."""
    RunFolder.open(path, config, **how)
    folder = RunFolder(path)
    with folder.held():
        folder.mend(config, how.get("resume", False))
        folder = RunFolder.open(path, config, **how)
        folder.start(config, preparing=True)
    return folder


def test_it_waits_and_comes_back(old: Path) -> None:
    before = everything(old)
    folder = begun(old, NEW, overwrite=True)
    (old / "tokenizer").mkdir()
    (old / "tokenizer" / "vocab.txt").write_text("new")
    assert folder.replaces
    assert folder.preparing
    assert not folder.complete
    assert not (old / "model").exists()
    folder.clear()
    assert everything(old) == before


def test_it_goes_when_the_new_one_begins(old: Path) -> None:
    folder = begun(old, NEW, overwrite=True)
    folder.begin(NEW)
    assert everything(old).keys() == {"config.json"}
    assert not folder.preparing
    assert not folder.replaces


def test_beside_a_run_that_waits_something_must_be_said(old: Path) -> None:
    begun(old, NEW, overwrite=True)
    with pytest.raises(UserError, match=r"already holds a run\. It was about to replace an earlier one, which waits"):
        begun(old, NEW)


def test_what_was_prepared_is_gone_on_with(old: Path) -> None:
    before = everything(old)
    begun(old, NEW, overwrite=True)
    (old / "tokenizer").write_text("new")
    assert begun(old, NEW, resume=True).resumed
    assert (old / "tokenizer").read_text() == "new"
    with pytest.raises(UserError, match="other settings"):
        begun(old, {**NEW, "settings": {"seed": 2}}, resume=True)
    assert everything(old) == before, "neither run was asked for that, so that the earlier one is back"


def test_a_run_that_only_prepared_is_no_run_that_must_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "run"
    begun(path, NEW)
    for name in ("corpus", "tokenizer"):
        (path / name).mkdir()
    RunFolder(path).clear()
    assert {f.name for f in path.iterdir()} == {"corpus", "config.json"}
    begun(path, {**NEW, "settings": {"seed": 5}})
    assert (path / "corpus").exists(), "it is of the same text"
    begun(path, {**NEW, "data": {"train": {"source": "others"}}})
    assert not (path / "corpus").exists()
    RunFolder(path).clear()
    assert not any(path.iterdir())


@pytest.mark.parametrize("death", range(10))
def test_a_death_while_it_is_removed_mixes_nothing(death: int, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files go one by one, in any order; who comes next finds the new run alone."""
    folder, left = begun(old, NEW, overwrite=True), death
    real = {name: getattr(os, name) for name in ("replace", "unlink", "rmdir")}

    def dying(name: str) -> Any:
        def step(*given: Any, **more: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1
            return real[name](*given, **more)

        return step

    died = False
    with monkeypatch.context() as patch:
        for name in real:
            patch.setattr(os, name, dying(name))
        try:
            folder.begin(NEW)
        except Died:
            died = True
    assert died == (death < 9), "config.json, one rename, and the four files and three folders of the old run"
    if death == 0:
        return  # it has not begun
    for _ in range(2):
        assert begun(old, NEW, resume=True).resumed
        assert everything(old).keys() == {"config.json"}


@pytest.mark.parametrize("death", range(13))
@pytest.mark.parametrize("then", ["overwrite", "resume"])
def test_a_death_at_any_rename_costs_neither(death: int, then: str, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put away, brought back: whoever comes next either has the earlier run whole, or one that begins."""
    before, real, left = everything(old), os.replace, death

    def dying(*given: Any, **more: Any) -> Any:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        return real(*given, **more)

    died = False
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        try:
            folder = begun(old, NEW, overwrite=True)
            (old / "tokenizer").write_text("new")
            folder.clear()
        except Died:
            died = True
    if not died:
        assert everything(old) == before
        assert death > 8, "moving four entries there and back is more than eight renames"
        return
    if then == "overwrite":
        folder = begun(old, NEW, overwrite=True)
        folder.clear()
        assert everything(old) == before
        begun(old, NEW, overwrite=True).begin(NEW)
        assert everything(old).keys() == {"config.json"}
        return
    begun(old, OLD, resume=True)
    if RunFolder(old).replaces:  # it was asked for what the earlier run was, which still waits
        RunFolder(old).clear()
    assert everything(old) == before
