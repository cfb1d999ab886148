"""`maskwright report` on a run that finished, and on what is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from maskwright.tasks import load

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("kind", ["single", "pair", "regression"])
def test_the_page_and_the_cards_are_written_anew(
    run: Run, finished: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished[kind], folder)
    (folder / "report.html").write_text("old")
    code, out, err = run("report", folder)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"report: {folder / 'report.html'}",
        f"card: {folder / 'README.md'}",
        f"card: {folder / 'model' / 'README.md'}",
    ]
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h3>Training loss</h3>" in html
    assert "<h3>Every split</h3>" in html
    assert ModelCard.load(folder / "model" / "README.md").data.pipeline_tag == "text-classification"
    load(folder)  # a card beside the weights changes nothing


def test_what_is_no_run_is_said(run: Run, tmp_path: Path) -> None:
    code, out, err = run("report", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path} is no run of maskwright: it holds no config.json with settings and data.")
