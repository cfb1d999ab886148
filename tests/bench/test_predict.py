"""The measurement of bulk prediction: what is made of its figures. Nothing here is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench._child import ArmFailed  # noqa: E402

from bench import _measure as measure  # noqa: E402
from bench import predict  # noqa: E402

TOLD: dict[str, Any] = {
    "at mark": {"rate": 900.0, "peak": 500.0},
    "at end": {"rate": 950.0, "peak": 525.0},
    "seconds": 1000.0,
    "texts": 900_000,
    "notes": "",
}
ALONE = [{"seconds": 10.0, "texts": 9000}, {"seconds": 10.0, "texts": 11_000}]


def test_targets() -> None:
    growth, share = predict.targets(TOLD, ALONE, 100_000)
    assert growth.name == "peak memory at the end / at 100,000 answers"
    assert (growth.value, growth.met) == (pytest.approx(1.05), True)
    assert (share.value, share.met) == (pytest.approx(900 / 1000), True)
    growth, share = predict.targets({**TOLD, "at mark": None, "seconds": 2000.0}, ALONE, 100_000)
    assert growth.value is None
    assert not share.met


def test_its_section_says_every_figure() -> None:
    machine = {"processor": "p", "cores": 2, "system": "s", "python": "3", "versions": {}, "date": "today"}
    result = {
        "machine": machine, "command": "c", "texts": 900_000, "mark": 100_000, "predict": TOLD, "forward": ALONE,
        "targets": measure.dump_targets(predict.targets(TOLD, ALONE, 100_000)), "busy": 0.0,
    }  # fmt: skip
    shown = predict.section(json.loads(json.dumps(result)))
    for figure in ("1,000 (900 to 1,100)", "predict, up to 100,000 answers", "525", "950", "900,000 texts"):
        assert figure in shown


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Path:
    """Python code in the place of the command; `out` is where its answers go."""
    out = tmp_path / "answers.jsonl"
    script = tmp_path / "command"
    script.write_text(f"#!{sys.executable}\nimport json, os, time\nout = {str(out)!r}\n{code}")
    script.chmod(0o755)
    monkeypatch.setattr(predict, "command", lambda: str(script))
    return out


def test_a_job_is_watched_by_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = """
held = bytearray(60 * 2**20)
with open(out + ".part.log", "w") as log:
    for block in range(6):
        print(json.dumps({"counts": {"rows": 50}}), file=log, flush=True)
        time.sleep(0.15)
os.unlink(out + ".part.log")
open(out, "w").write("{}\\n" * 300)
"""
    monkeypatch.setattr(predict, "PAUSE", 0.02)
    told = predict.watch([], fake(tmp_path, monkeypatch, job), mark=200)
    assert told["texts"] == 300
    assert 60 < told["at mark"]["peak"] <= told["at end"]["peak"] < 200
    assert 100 < told["at mark"]["rate"] < 500
    assert told["seconds"] > 0.8


def test_a_job_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = fake(tmp_path, monkeypatch, "import sys\nsys.exit('error: no such model')")
    with pytest.raises(ArmFailed, match="ended with 1: error: no such model"):
        predict.watch([], out, mark=5)
