"""The pure parts of the measurements: numbers, tables, hashes, targets, spans. Nothing here is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench._child import ArmFailed  # noqa: E402
from bench._command import leaving  # noqa: E402
from bench._sides import Ours, Peer  # noqa: E402

from bench import _measure as measure  # noqa: E402
from bench import _trainer as trainer  # noqa: E402
from bench import finetune, forward, start  # noqa: E402

times = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=9)


@given(times)
def test_median_lies_in_the_middle(values: list[float]) -> None:
    middle = measure.median(values)
    half = len(values) / 2
    assert sum(v <= middle for v in values) >= half
    assert sum(v >= middle for v in values) >= half
    assert measure.median(reversed(values)) == middle


def test_median_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        measure.median([])


def test_one_bad_repeat_does_not_move_the_median() -> None:
    assert measure.median([1.0, 1.1, 50.0]) == 1.1
    assert measure.spread([1.0, 1.1, 50.0]) == "1.10 (1.00 to 50.0)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.1234, "0.12"),
        (1.236, "1.24"),
        (12.34, "12.3"),
        (4321.5, "4,322"),
        (1.2e-6, "1.2e-06"),
        (-0.3, "-0.30"),
    ],
)
def test_number(value: float, shown: str) -> None:
    assert measure.number(value) == shown


@pytest.mark.parametrize(
    ("value", "sense", "met"),
    [
        (0.7, "at most", True),
        (0.75, "at most", True),
        (0.76, "at most", False),
        (0.76, "at least", True),
        (None, "at least", False),
    ],
)
def test_target(value: float | None, sense: str, met: bool) -> None:
    assert measure.Target("ratio", value, sense, 0.75).met is met


def test_target_knows_its_senses() -> None:
    with pytest.raises(ValueError, match="'at most' or 'at least', not 'under'"):
        measure.Target("ratio", 1.0, "under", 2.0)


def test_targets_table_survives_json() -> None:
    targets = [measure.Target("a", 0.5, "at most", 0.75), measure.Target("b", 0.5, "at least", 1.8)]
    targets.append(measure.Target("c", None, "at most", 1))
    shown = measure.targets_table(json.loads(json.dumps(measure.dump_targets(targets)))).splitlines()
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown[2:]] == [
        ["a", "at most 0.75", "0.50", "yes"],
        ["b", "at least 1.8", "0.50", "**no**"],
        ["c", "at most 1", "not measured", "-"],
    ]


def test_table_is_rectangular() -> None:
    shown = measure.table(["side", "s"], [["ours", "1.00"], ["a longer name", "2"]]).splitlines()
    assert len({len(line) for line in shown}) == 1
    with pytest.raises(ValueError, match="a row of 1 cells under 2 headings"):
        measure.table(["side", "s"], [["ours"]])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), plain, min_size=1, max_size=4))
def test_config_hash_ignores_the_order_of_keys_and_nothing_else(config: dict[str, object]) -> None:
    digest = measure.config_hash(config)
    assert measure.config_hash(dict(reversed(config.items()))) == digest
    assert measure.config_hash({**config, "one more key": 0}) != digest
    assert measure.config_hash(json.loads(json.dumps(config))) == digest


def test_a_page_is_filled_between_its_marks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before <!-- a: begin -->old<!-- a: end --> after <!-- b: begin --><!-- b: end -->")
    measure.fill("page.md", "a", "new")
    measure.fill("page.md", "a", "newer")
    kept = " after <!-- b: begin --><!-- b: end -->"
    assert page.read_text() == f"before <!-- a: begin -->\n\nnewer\n\n<!-- a: end -->{kept}"
    with pytest.raises(measure.Stop, match=r"page\.md has no place between <!-- c: begin --> and <!-- c: end -->"):
        measure.fill("page.md", "c", "new")


def test_search_is_cached_by_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CACHE", tmp_path)
    made: list[int] = []

    def search(found: int) -> int:
        made.append(found)
        return found

    assert [measure.cached("grid", {"steps": n}, lambda n=n: search(n))["found"] for n in (1, 1, 2)] == [1, 1, 2]
    assert made == [1, 2]
    monkeypatch.setattr(measure, "processor", lambda: "another processor")
    assert measure.cached("grid", {"steps": 1}, lambda: search(3))["found"] == 3
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_our_own_version_is_no_reason_to_search_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CACHE", tmp_path)
    monkeypatch.setattr(measure, "versions", lambda: {"torch": "1"})
    assert measure.cached("grid", {}, lambda: "first")["found"] == "first"
    monkeypatch.setattr(measure, "versions", lambda: {"torch": "1", "maskwright": "9"})
    assert measure.cached("grid", {}, lambda: "second")["found"] == "first"
    monkeypatch.setattr(measure, "versions", lambda: {"torch": "2", "maskwright": "9"})
    assert measure.cached("grid", {}, lambda: "third")["found"] == "third"


def test_memory_of_a_process_that_took_some() -> None:
    code = "from bench._measure import peak_memory; b = bytearray(200 * 2**20); print(peak_memory()['vm_hwm'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 200 < float(done.stdout) < 400


def test_our_span_leaves_out_loading_and_judging() -> None:
    calls = {"build": [(101.0, 2.0), (150.0, 9.0)], "encode": [(104.0, 0.5), (105.0, 0.25), (140.0, 7.0)]}
    calls |= {"run": [(106.0, 30.0)], "_evaluate": [(115.0, 1.0), (135.0, 1.0)]}
    span = finetune.our_span(calls, 100.0)
    assert span == {"load": 2.0, "tokenize": 0.75, "train": 28.0, "span": 32.0}


def run_of(arm: str, span: float, dev: float, peak: float) -> dict[str, object]:
    return {"arm": arm, "span": span, "accuracy": {"dev": dev}, "memory": {"vm_hwm": peak}}


def test_targets_of_fine_tuning() -> None:
    runs = [run_of("ours", s, d, 900.0) for s, d in ((30.0, 88.0), (33.0, 89.0), (90.0, 90.0))]
    runs += [run_of("peer grouped", 60.0, d, 1000.0) for d in (89.0, 89.0, 89.5)]
    found = {t.name: t for t in finetune.targets(runs)}
    assert found["wall time, ours / peer grouped bf16"].value == pytest.approx(33 / 60)
    assert found["mean dev accuracy, ours - peer grouped, points"].value == pytest.approx(89 - 89.1666667)
    assert found["peak memory, ours / peer grouped bf16"].value == pytest.approx(0.9)
    assert found["wall time, ours / peer defaults"].value is None


def test_fastest_cell_skips_what_failed_and_what_does_not_count() -> None:
    rows = [
        {"cell": {"threads": 1}, "note": "", "failed": "no compiler"},
        {"cell": {"threads": 2}, "note": "", "estimate": 70.0},
        {"cell": {"threads": 3}, "note": "", "estimate": 60.0},
        {"cell": {"threads": 4}, "note": f"an allocator, {trainer.NOT_COUNTED}", "estimate": 50.0},
    ]
    assert trainer.fastest(rows)["cell"] == {"threads": 3}
    with pytest.raises(measure.Stop, match="no compiler"):
        trainer.fastest(rows[:1])


def test_speed_up_is_the_peers_median_over_ours() -> None:
    key = {"precision": "bf16", "workload": "all 32"}
    times = [{"side": "ours", **key, "seconds": s} for s in (1.0, 2.0, 9.0)]
    times += [{"side": "peer", **key, "seconds": s} for s in (3.0, 4.0, 5.0)]
    assert forward.speed_up(times, "bf16", "all 32", "all 32") == 2.0
    assert forward.speed_up(times, "fp32", "all 32", "all 32") is None
    assert forward.speed_up(times, "bf16", "all 32", "all 32", "peer plain") == 2.0  # not timed apart: it is the peer
    times.append({"side": "peer plain", **key, "seconds": 8.0})
    assert forward.speed_up(times, "bf16", "all 32", "all 32", "peer plain") == 4.0


def test_memory_is_compared_with_the_leaner_peer() -> None:
    def weighed(side: str, peak: float, precision: str = "bf16") -> dict[str, object]:
        return {"side": side, "precision": precision, "memory": {"vm_hwm": peak}}

    peaks = [weighed("ours", 700.0), weighed("peer", 500.0, "fp32")]
    assert forward.peak(peaks, "ours", "bf16") == 700.0
    assert forward.peak(peaks, "peer", "bf16") is None
    peaks += [weighed("peer", 900.0), weighed("peer plain", 800.0)]
    assert forward.peak(peaks, "peer", "bf16") == 800.0


def test_a_plain_peer_that_is_the_fastest_is_no_arm_of_its_own() -> None:
    def row(micros: float, compile: bool) -> dict[str, object]:
        cell = {"precision": "bf16", "attention": "sdpa", "compile": compile, "texts": 32}
        return {"cell": cell, "texts": 384, "micros": dict.fromkeys(forward.ORDERS, micros)}

    sides = [side for side, _ in forward.Turns("bf16", [row(1.0, False), row(2.0, True)]).arms("all 32")]
    assert sides == ["ours", "peer"]
    arms = dict(forward.Turns("bf16", [row(2.0, False), row(1.0, True)]).arms("all 32"))
    assert (arms["peer"]["compile"], arms["peer plain"]["compile"]) == (True, False)


def test_peers_fastest_and_plain_cell() -> None:
    def row(micros: float, texts: int = 96, **cell: object) -> dict[str, object]:
        return {"cell": {"precision": "bf16", **cell}, "texts": texts, "micros": {"all 32": micros}}

    rows = [row(3.0, attention="sdpa", compile=False), row(1.0, attention="sdpa", compile=True)]
    rows += [row(2.0, attention="eager", compile=False)]
    assert forward.fastest(rows, "bf16", "all 32")["compile"] is True
    assert forward.fastest(rows, "bf16", "all 32", plain=True) == rows[0]["cell"]
    with pytest.raises(measure.Stop, match="No cell of the peer's grid ran 'all 32' at fp32"):
        forward.fastest(rows, "fp32", "all 32")
    rows += [row(5.0, 384, attention="sdpa", compile=True), row(4.0, 384, attention="sdpa", compile=False)]
    assert forward.fastest(rows, "bf16", "all 32")["compile"] is False  # of the longer probes alone


def test_a_side_cuts_batches_as_suits_it() -> None:
    ours, peer = object.__new__(Ours), object.__new__(Peer)
    lengths = np.array([5000, 3000, 200, 8000, 9000, 1])
    ours.encodings = {"short": SimpleNamespace(lengths=lengths)}
    assert ours.batches("short", [1, 0, 2, 3, 4, 5]) == [[1, 0], [2], [3], [4], [5]]
    peer.texts = 4
    assert peer.batches("short", [5, 4, 3, 2, 1, 0]) == [[5, 4, 3, 2], [1, 0]]


def test_slowest_imports() -> None:
    lines = ["import time: self [us] | cumulative | imported package", "import time:       150 |        150 |   a"]
    lines += ["a line of the program", "import time:      2500 |       9000 | torch", "import time: 9 | 9 | b"]
    assert start.slowest_imports("\n".join(lines), 2) == [["torch", "2.5", "9.0"], ["a", "0.1", "0.1"]]


@pytest.mark.parametrize("script", ["finetune", "forward"])
@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_missing_data_is_said(script: str, folder: str | None, tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "MASKWRIGHT_DATA"}
    if folder is not None:
        env["MASKWRIGHT_DATA"] = str(tmp_path / folder)
    command = [sys.executable, "-m", f"bench.{script}"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: MASKWRIGHT_DATA is")
    assert "Traceback" not in done.stderr


def test_unknown_measurement_is_said() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "speed"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Allowed: start, encode, attention, forward, families, finetune" in done.stderr


def test_points_and_their_interval() -> None:
    assert measure.points(None) == "-"
    assert measure.with_interval({"value": 0.885, "low": 0.868, "high": 0.901}) == "88.5 (86.8 to 90.1)"
    assert measure.with_interval({"value": 0.885, "low": None, "high": None}) == "88.5"
    assert measure.with_interval({"value": None, "low": None, "high": None}) == "-"


def test_each_machine_is_told_once_with_its_days() -> None:
    one = measure.machine()
    other = {**one, "processor": "another processor"}
    days = [{**one, "date": f"2026-11-{day} 10:00 UTC"} for day in (29, 27, 28)]
    told = measure.describe_all([*days, {**other, "date": "2026-11-30 09:00 UTC"}])
    assert told.startswith("2026-11-27 to 2026-11-29; ")
    assert "2026-11-30; another processor" in told
    assert told.count(f"Python {one['python']}") == 2


def test_comments_are_no_reason_to_measure_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    file = tmp_path / "src/maskwright/nn/block.py"
    file.parent.mkdir(parents=True)
    file.write_text("x = 1\n")
    with_comments, without = measure.source("nn"), measure.source("nn", comments=False)
    file.write_text("x = 1  # the first\n")
    assert measure.source("nn") != with_comments
    assert measure.source("nn", comments=False) == without
    file.write_text("x = 2\n")
    assert measure.source("nn", comments=False) != without


@pytest.mark.parametrize("script", ["tasks", "benchmarks", "long_texts"])
def test_a_name_that_is_not_there_is_said(script: str) -> None:
    command = [sys.executable, "-m", f"bench.{script}", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"python -m bench.{script}: error: argument names: invalid choice: 'nothing'" in done.stderr


def test_how_a_measurement_ends(capsys: pytest.CaptureFixture[str]) -> None:
    for reason, code, said in (
        (measure.Stop("no data."), 2, "no data."),
        (ArmFailed("died."), 1, "a side failed: died."),
    ):
        with pytest.raises(SystemExit) as left, leaving():
            raise reason
        assert left.value.code == code
        assert capsys.readouterr().err == f"error: {said}\n"
