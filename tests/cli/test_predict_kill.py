"""A job that is killed goes on with --resume, and its file is the same to the byte as without the kills."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Reviews = dict[str, list[Any]]
Run = Callable[..., tuple[int, str, str]]
SRC = str(Path(__file__).parents[2] / "src")
ROWS = 9_000

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need signals of POSIX")


@pytest.fixture(scope="session")
def many(reviews: Reviews, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows for three windows, some of them bad."""
    source = random.Random(5)
    path = tmp_path_factory.mktemp("many") / "rows.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(ROWS):
            text = " ".join(source.choices(reviews["text"], k=source.randint(1, 3)))
            file.write(json.dumps({"text": text, "key": number}) + "\n" if number % 997 else "{broken\n")
    return path


def written(log: Path) -> int:
    """Rows of which the journal speaks."""
    lines = log.read_bytes().split(b"\n")[1:-1] if log.exists() else []
    return sum(json.loads(line)["counts"].get("rows", 0) for line in lines)


@pytest.mark.parametrize("name", ["a.jsonl", pytest.param("a.csv", marks=pytest.mark.slow), "a.parquet"])
def test_kills_at_several_moments_change_no_byte(
    run: Run, spawn: Callable[[list[str]], Any], finished: dict[str, Path], many: Path, tmp_path: Path, name: str
) -> None:
    """One kill at the start, the others anywhere in the work: between two blocks, or in the middle of one."""
    straight, killed = tmp_path / "straight" / name, tmp_path / "killed" / name
    log = killed.with_name(f"{name}.part.log")

    def command(out: Path, *more: str) -> list[str]:
        return ["predict", str(finished["single"]), "--data", str(many), "--out", str(out), "--id", "key", *more]

    assert run(*command(straight))[0] == 0
    moments, reached = random.Random(name), []
    for kill in range(4):
        begun = written(log)
        process = spawn(command(killed, "--resume"))
        if kill == 0:
            time.sleep(moments.uniform(0, 0.2))
        else:
            until, end = begun + moments.choice([1, 300, 1800]), time.monotonic() + 60
            while written(log) < until and process.exitcode is None and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.005))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the job was over before it could be killed four times"
        assert not killed.exists()
        reached.append(written(log))
    assert reached == sorted(reached)
    assert len(set(reached)) >= 3, "the kills did not come at different moments"
    code, _, err = run(*command(killed, "--resume"))
    assert code == 0
    assert f"note: Goes on behind row {reached[-1]:,} of " in err
    assert "note: 10 of 9,000 rows could not be answered" in err, "those before the kills count too"
    assert killed.read_bytes() == straight.read_bytes()
    assert [p.name for p in killed.parent.iterdir()] == [name]
