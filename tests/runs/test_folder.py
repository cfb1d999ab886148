"""The run's folder: nothing of a person's is ever lost, and a run goes on only as the run that it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.runs import RunFolder

CONFIG: dict[str, Any] = {
    "settings": {"out": "runs/a", "train": {"lr": 0.1, "schedule": {"name": "linear"}}, "seed": 0},
    "data": {"train": {"sha256": "1"}},
    "machine": {"threads": 2},
}


def changed(**settings: Any) -> dict[str, Any]:
    return {**CONFIG, "settings": {**CONFIG["settings"], **settings}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder that holds a run and something that it made."""
    RunFolder.open(tmp_path / "run", CONFIG).start(CONFIG)
    (tmp_path / "run" / "seeds" / "0").mkdir(parents=True)
    (tmp_path / "run" / "seeds" / "0" / "log.jsonl").write_text("{}\n")
    (tmp_path / "run" / "metrics.json").write_text("{}")
    return tmp_path / "run"


def held(folder: Path) -> set[str]:
    return {str(f.relative_to(folder)) for f in folder.rglob("*")}


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        RunFolder.open(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}])
def test_a_new_folder_is_written_only_at_the_start(tmp_path: Path, options: dict[str, bool]) -> None:
    folder = RunFolder.open(tmp_path / "a" / "b", CONFIG, **options)
    assert not (tmp_path / "a").exists(), "what fails before the start leaves nothing"
    folder.start(CONFIG)
    assert json.loads(folder.config.read_text()) == CONFIG
    assert held(tmp_path / "a" / "b") == {"config.json"}


def test_it_says_where_things_are(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.model == tmp_path / "model"
    assert folder.metrics == tmp_path / "metrics.json"
    assert folder.seed(3) == tmp_path / "seeds" / "3"


def test_an_empty_folder_is_as_good_as_none(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, CONFIG).start(CONFIG)
    assert held(tmp_path) == {"config.json"}


def test_an_old_run_is_neither_mixed_with_a_new_one_nor_lost(run: Path) -> None:
    before = held(run)
    message = refused(run, CONFIG)
    assert message == (
        f"{run} already holds a run. Go on with it by --resume, replace it by --overwrite, or give another --out."
    )
    assert held(run) == before


def test_overwriting_keeps_the_old_run_until_the_new_one_starts(run: Path) -> None:
    before = held(run)
    folder = RunFolder.open(run, changed(seed=5), overwrite=True)
    assert held(run) == before
    folder.start(changed(seed=5))
    assert held(run) == {"config.json"}
    assert json.loads(folder.config.read_text())["settings"]["seed"] == 5


def test_overwriting_through_a_link_empties_what_it_leads_to(run: Path, tmp_path: Path) -> None:
    """Left in place, old checkpoints would be resumed by the new run."""
    (tmp_path / "link").symlink_to(run)
    (run / "elsewhere").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("a person's")
    RunFolder.open(tmp_path / "link", CONFIG, overwrite=True).start(CONFIG)
    assert held(run) == {"config.json"}
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept" / "file").exists(), "a link in the run is removed, not what it leads to"


@pytest.mark.parametrize(("overwrite", "resume"), [(False, False), (True, False), (False, True)])
def test_what_is_not_a_run_is_never_deleted(tmp_path: Path, overwrite: bool, resume: bool) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    message = refused(tmp_path, CONFIG, overwrite=overwrite, resume=resume)
    assert "not a run" in message
    assert "Give another --out." in message
    assert "--resume" not in message, "that would not help"
    if overwrite:
        assert "--overwrite will not delete it" in message
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (
        refused(tmp_path / "file", CONFIG)
        == f"{tmp_path / 'file'} is a file; a run needs a folder. Give another --out."
    )


def test_a_place_where_nothing_can_be_made_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "runs" / "one"
    assert refused(inside, CONFIG).startswith(f"{inside} cannot be written: Not a directory.")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write everywhere
    new = tmp_path / "runs" / "one"
    assert refused(new, CONFIG).startswith(f"{new} cannot be written: Permission denied.")
    assert not new.parent.exists()


def test_resuming_and_replacing_exclude_each_other(run: Path) -> None:
    assert refused(run, CONFIG, resume=True, overwrite=True) == "Say either --resume or --overwrite, not both."


def test_a_resumed_run_keeps_everything(run: Path) -> None:
    before = held(run)
    folder = RunFolder.open(run, CONFIG, resume=True)
    assert folder.resumed
    folder.start({"settings": "another"})
    assert held(run) == before
    assert json.loads(folder.config.read_text()) == CONFIG


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seed": 1}, "seed was 0 and is 1."),
        ({"train": {"lr": 0.2, "schedule": {"name": "linear"}}}, "train.lr was 0.1 and is 0.2."),
        (
            {"train": {"lr": 0.1, "schedule": {"name": "cosine"}}, "seed": 1},
            "train.schedule.name was 'linear' and is 'cosine'; seed was 0 and is 1.",
        ),
        ({"keep": "tail"}, "keep was None and is 'tail'."),
    ],
)
def test_other_settings_are_refused_and_named(run: Path, settings: dict[str, Any], said: str) -> None:
    message = refused(run, changed(**settings), resume=True)
    assert message.startswith(f"{run} was started with other settings: {said}")
    assert "start anew with --overwrite" in message


def test_a_run_may_be_resumed_from_elsewhere(run: Path) -> None:
    """Its own folder may be spelt otherwise, and the machine is for the checkpoint to judge."""
    assert RunFolder.open(run, {**changed(out="../a"), "machine": {"threads": 8}}, resume=True).resumed


def test_who_is_told_of_a_run_may_change(run: Path) -> None:
    train = {**CONFIG["settings"]["train"], "tracker": {"name": "wandb", "project": "p"}}
    assert RunFolder.open(run, changed(train=train), resume=True).resumed


def test_other_data_are_refused(run: Path) -> None:
    message = refused(run, {**CONFIG, "data": {"train": {"sha256": "2"}}}, resume=True)
    assert message == f"The data of {run} has changed since it was started. Start anew with --overwrite."


def test_a_damaged_config_is_said(run: Path) -> None:
    (run / "config.json").write_text('{"settings": ')
    assert "config.json is not a JSON file" in refused(run, CONFIG, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_kill_at_the_very_first_write_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        RunFolder.open(tmp_path / "run", CONFIG).start(CONFIG)
    monkeypatch.undo()
    assert held(tmp_path / "run"), "something lies there"
    RunFolder.open(tmp_path / "run", CONFIG, resume=resume).start(CONFIG)
    assert held(tmp_path / "run") == {"config.json"}


def test_a_kill_while_the_old_run_is_deleted_can_be_repeated(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maskwright.runs.folder.write_json", dies)
    with pytest.raises(KeyboardInterrupt):
        RunFolder.open(run, CONFIG, overwrite=True).start(CONFIG)
    monkeypatch.undo()
    RunFolder.open(run, changed(seed=2), overwrite=True).start(changed(seed=2))
    assert json.loads((run / "config.json").read_text())["settings"]["seed"] == 2


def test_two_processes_never_work_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path / "run", CONFIG)
    with folder.held():
        folder.start(CONFIG)
        again = RunFolder.open(tmp_path / "run", CONFIG, resume=True)
        with pytest.raises(UserError, match=r"Another process works in .*run\. Wait until it ends, or give another"):
            again.held().__enter__()
    with again.held():
        again.start(CONFIG)


def test_a_resume_sweeps_away_half_written_files(run: Path) -> None:
    torn = run / "seeds" / "0" / ".best-3.safetensors.77.part"
    torn.write_bytes(b"half")
    RunFolder.open(run, CONFIG, resume=True).start(CONFIG)
    assert not torn.exists()
    assert (run / "seeds" / "0" / "log.jsonl").exists()


def test_a_model_takes_its_place_when_it_is_accepted(run: Path) -> None:
    folder = RunFolder.open(run, CONFIG, resume=True)
    for text in ("first", "second"):
        folder.unproved.mkdir()
        (folder.unproved / "a").write_text(text)
        folder.accept()
        assert (folder.model / "a").read_text() == text
        assert not folder.unproved.exists()


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}])
@pytest.mark.parametrize("content", ['{"model_type": "bert"}', "[1]"])
def test_a_checkpoint_of_others_is_not_a_run(tmp_path: Path, options: dict[str, bool], content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "model.safetensors").write_text("weights")
    assert "already holds something that is not a run of maskwright" in refused(tmp_path, CONFIG, **options)
    assert held(tmp_path) == {"config.json", "model.safetensors"}


def test_another_start_is_another_run(run: Path) -> None:
    config = {**CONFIG, "start": {"weights": "1", "pieces": "2"}}
    RunFolder.open(run, config, overwrite=True).start(config)
    assert RunFolder.open(run, config, resume=True).resumed
    assert RunFolder.open(run, CONFIG, resume=True).resumed, "before it is known"
    said = refused(run, {**config, "start": {"weights": "1", "pieces": "3"}}, resume=True)
    assert "The start of" in said
    assert "(pieces) has changed since it was started" in said
