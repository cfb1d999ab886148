"""Ways to read long texts, measured: which texts, what is told of a run, and what the page says. Nothing is timed."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _measure as measure  # noqa: E402
from bench import long_texts  # noqa: E402
from maskwright.finetuning.run import finetune  # noqa: E402
from maskwright.text.tokenizer import Tokenizer  # noqa: E402


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data whose words tell what they are of."""
    out = tmp_path / "data"
    for folder in ("nltk_zips", "sst2_sentences", "legal_rhetorical_roles/docs"):
        (out / folder).mkdir(parents=True)
    with zipfile.ZipFile(out / "nltk_zips/state_union.zip", "w") as archive:
        for number in range(12):
            words = " ".join(f"speech{number}" for _ in range(long_texts.SPEECH + 20))
            archive.writestr(f"state_union/{number:02d}.txt", words)
    with zipfile.ZipFile(out / "nltk_zips/movie_reviews.zip", "w") as archive:
        for label in ("neg", "pos"):
            for number in range(20):
                archive.writestr(f"movie_reviews/{label}/cv{number:03d}_1.txt", f"review {number} \n is {label}")
    for side in ("train", "dev", "test"):
        lines = "".join(f"{side} sentence {i}\t{i % 2}\n" for i in range(30))
        (out / f"sst2_sentences/{side}.tsv").write_text(lines)
    for number in range(20):
        lines = "".join(f"doc{number} sentence {i}\trole {i}\n" for i in range(long_texts.BEFORE // 3 + 11))
        (out / f"legal_rhetorical_roles/docs/{number:02d}.txt").write_text(lines)
    monkeypatch.setenv("MASKWRIGHT_DATA", str(out))
    return out


def words(rows: list[dict[str, str]], beginning: str) -> set[str]:
    return {word for row in rows for word in row["text"].split() if word.startswith(beginning)}


@pytest.mark.usefixtures("data")
def test_no_speech_stands_on_two_sides() -> None:
    sides = long_texts.late()
    own = {side: words(rows, "speech") for side, rows in sides.items()}
    assert all(len(some) > 1 for some in own.values())
    assert not own["train"] & own["test"]
    assert not own["train"] & own["eval"]
    assert not own["eval"] & own["test"]
    for side, rows in sides.items():
        for row in rows:
            *speech, name, _, number = row["text"].split()
            assert len(speech) == long_texts.SPEECH
            assert name == ("dev" if side == "eval" else side)
            assert row["label"] == str(int(number) % 2)


@pytest.mark.usefixtures("data")
def test_no_judgment_stands_on_two_sides() -> None:
    sides = long_texts.judgments()
    own = {side: words(rows, "doc") for side, rows in sides.items()}
    assert {side: len(some) for side, some in own.items()} == {"train": 12, "eval": 2, "test": 6}
    assert len(set.union(*own.values())) == 20
    for row in (row for rows in sides.values() for row in rows):
        *before, _, _, number = row["text"].split()
        assert len(before) == long_texts.BEFORE
        assert row["label"] == f"role {number}"
    assert all(len(rows) == 10 * len(own[side]) for side, rows in sides.items())


@pytest.mark.usefixtures("data")
def test_reviews_are_cut_by_their_number() -> None:
    sides = long_texts.reviews()
    assert {side: len(rows) for side, rows in sides.items()} == {"train": 24, "eval": 4, "test": 12}
    assert {row["text"] for row in sides["eval"]} == {f"review {n} is {s}" for n in (6, 16) for s in ("neg", "pos")}


@pytest.mark.usefixtures("undrawn")
def test_what_is_told_of_a_run(tiny: Path, tmp_path: Path, reviews: dict[str, list[Any]]) -> None:
    texts = [f"{a} {b} {b}" for a, b in zip(reviews["text"], reviews["other"], strict=True)]
    rows = [{"text": text, "label": label} for text, label in zip(texts, reviews["label"], strict=True)]
    train, test = rows[:50], rows[50:]
    run = finetune(
        train=train, test=test, model=str(tiny), out=tmp_path / "run", seeds=2, quiet=True, max_length=12,
        baselines=False, settings={"train": {"epochs": 1, "threads": 1}},
    )  # fmt: skip
    lengths = Tokenizer.from_folder(tiny).encode([row["text"] for row in test]).lengths
    assert long_texts.unseen(run) == pytest.approx(np.maximum(lengths - 12, 0).sum() / lengths.sum())
    assert long_texts.unseen(run) > 0.1
    found = long_texts.hits(run, [row["label"] for row in test])
    assert [len(one) for one in found] == [len(test)] * 2
    assert [one.count("1") / len(test) for one in found] == pytest.approx(run.summary["figures"]["accuracy"]["seeds"])
    with pytest.raises(AssertionError, match="not the rows"):
        long_texts.hits(run, [row["label"] for row in test[:-1]] + ["good" if test[-1]["label"] == "bad" else "bad"])


def test_a_difference_is_paired_and_over_seeds() -> None:
    generator = np.random.default_rng(0)
    easy = generator.random(400)
    ways = [
        ["".join("01"[int(hit)] for hit in easy + generator.normal(0, 0.1, 400) > limit) for _ in range(3)]
        for limit in (0.3, 0.5)
    ]
    found = long_texts.difference(ways[0], ways[1])
    means = [np.mean([seed.count("1") / 400 for seed in way]) for way in ways]
    assert found["value"] == pytest.approx(means[0] - means[1])
    assert found["over"] == "examples and seeds"
    assert 0 < found["low"] < found["value"] < found["high"]
    unpaired = np.sqrt(sum(mean * (1 - mean) / 400 for mean in means))
    assert found["high"] - found["low"] < 2 * 1.96 * unpaired, "the rows are the same"
    same = long_texts.difference(ways[0], ways[0])
    assert same["value"] == 0.0


def way(accuracy: float, gap: tuple[float, float] | None = None, day: str = "2026-11-29", unseen: float = 0.0) -> Any:
    figure = {"value": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02}
    low, high = gap or (None, None)
    return {
        "figure": figure, "seconds": 100.0, "memory": {"vm_hwm": 900.0}, "unseen": unseen, "busy": 0.0,
        "difference": {"value": accuracy - 0.5, "low": low, "high": high},
        "machine": {**measure.machine(), "date": f"{day} 10:00 UTC"},
    }  # fmt: skip


def test_the_page_says_what_did_not_help() -> None:
    ways = {
        "head": way(0.5, unseen=0.75), "tail": way(0.6, (0.05, 0.15)), "chunk-max": way(0.4, (-0.2, -0.01)),
        "chunk-mean": way(0.51, (-0.02, 0.04)), "native": way(0.5, day="2026-11-30"),
    }  # fmt: skip
    del ways["head"]["difference"]
    page = long_texts.section({"seeds": 3, "sets": {"late": {"rows": {"train": 1, "test": 2}, "ways": ways}}})
    assert "Better than `head`: `tail`." in page
    assert "Worse than `head`: `chunk-max`." in page
    assert "Did not show to help or to harm beside `head`: `chunk-mean`, `native`." in page
    assert "2026-11-29 to 2026-11-30" in page
    cells = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in page.splitlines()
        if "|" in line
    }
    assert cells["`head`"] == ["50.0 (48.0 to 52.0)", "-", "75.0 %", "100", "900"]
    assert cells["`tail`"] == ["60.0 (58.0 to 62.0)", "10.0 (5.0 to 15.0)", "none", "100", "900"]


def test_each_way_is_set_beside_reading_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(name: str, how: str, seeds: int, path: Path) -> Any:
        told = way(0.9)
        del told["difference"]
        return {**told, "hits": ["1" * 60 + "0" * 40 if how == "head" else "1" * 90 + "0" * 10] * seeds}

    made: Callable[[], Any] = lambda: {side: [{"text": "a", "label": "b"}] for side in ("train", "eval", "test")}  # noqa: E731
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(measure, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(long_texts, "one", one)
    monkeypatch.setattr(long_texts, "SETS", {name: (name, "", made) for name in long_texts.SETS})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results.md").write_text("<!-- long texts: begin --><!-- long texts: end -->")
    long_texts.main(["reviews"], 2)
    result = long_texts.main(["late"], 2)
    assert list(result["sets"]) == ["late", "reviews"]
    ways = result["sets"]["late"]["ways"]
    assert "difference" not in ways["head"]
    assert ways["tail"]["difference"]["value"] == pytest.approx(0.3)
    assert not any("hits" in told for told in ways.values())
    assert (tmp_path / "docs/results.md").read_text().count("Better than `head`") == 2
