"""The measurement beside transformers' example scripts: both sides on a few rows, and one judge. Nothing is timed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _measure as measure  # noqa: E402
from bench import _script_cases as cases  # noqa: E402
from bench import _script_ours as own  # noqa: E402
from bench import _script_sides as sides  # noqa: E402
from bench import _scripts_told as told  # noqa: E402
from bench import scripts  # noqa: E402
from maskwright.data.table import Table  # noqa: E402
from maskwright.finetuning.benchmarks import Case, Rows, Way  # noqa: E402
from maskwright.finetuning.run import finetune  # noqa: E402
from maskwright.stats.intervals import Interval  # noqa: E402

RECIPE = {"batch": 4, "lr": 1e-3, "epochs": 1, "max_length": 24, "stride": 4, "none": True}
Row = dict[str, Any]


def case(name: str, task: Row, *metrics: str, eval: Rows | None = None) -> Case:
    way = Way("made", Rows(("train.jsonl",)), Rows(("test.jsonl",)), eval)
    return Case(name, name, task, metrics, (way,), options={"max_length": 24})


MADE: dict[str, tuple[Case, list[Row]]] = {
    "classes": (
        case("classes", {"name": "classification"}, "accuracy", "f1"),
        [{"text": f"a {word} film", "label": word} for word in ("good", "bad")] * 8,
    ),
    "numbers": (
        case("numbers", {"name": "regression"}, "pearson", "spearman"),
        [{"text": f"a {word} film", "label": 0.5 + i} for i, word in enumerate(("good", "bad", "dull"))] * 8,
    ),
    "tagging": (
        case("tagging", {"name": "tagging", "kind": "spans", "text": "words"}, "f1", "recall"),
        [{"words": ["the", word, "was"], "label": ["O", "B-thing", "O"]} for word in ("film", "play")] * 8,
    ),
    "answer": (
        case("answer", {"name": "answer"}, "f1", "exact_match", "f1_answerable", "no_answer"),
        [
            {"question": "what was", "context": f"the {word} was good", "answers": [word] if i else [], "id": str(i)}
            for i, word in enumerate(("film", "play", "book and the play and the film"))
        ]
        * 8,
    ),
    "choice": (
        case("choice", {"name": "choice"}, "accuracy"),
        [{"question": "what was it", "choices": ["a film", "a play"], "label": i} for i in (0, 1)] * 8,
    ),
}
TRUTH: dict[str, Callable[[Row], Any]] = {
    "classes": lambda row: row["label"],
    "numbers": lambda row: row["label"],
    "tagging": lambda row: [{"start": 4, "end": 4 + len(row["words"][1]), "label": "thing"}],
    "answer": lambda row: row["answers"],
    "choice": lambda row: row["label"] + 1,
}


def answered(row: Row, true: list[str]) -> Row:
    text = true[0] if true else ""
    start = row["context"].index(text)
    return {"answer": text, "start": start, "end": start + len(text), "others": []}


WORDS = {**{name: set[str]() for name in MADE}, "classes": {"good", "bad"}, "tagging": {"thing"}}  #: their labels
#: what our predictions have of a row that is right
SAID: dict[str, Callable[[Row, Any], Row]] = {
    "classes": lambda row, true: {"label": true, "probability": 0.9},
    "numbers": lambda row, true: {"score": true},
    "tagging": lambda row, true: {"spans": [{**span, "text": row["words"][1], "probability": 0.9} for span in true]},
    "answer": answered,
    "choice": lambda row, true: {"choice": row["choices"][true - 1], "number": true},
}


def all_right(name: str, rows: list[Row], metrics: tuple[str, ...], seeds: int) -> Row:
    """What our side would answer if it had every row right with all of its seeds."""
    true = [TRUTH[name](row) for row in rows]
    told = [SAID[name](row, one) for row, one in zip(rows, true, strict=True)]
    figure = {"value": 1.0, "low": 1.0, "high": 1.0, "seeds": [1.0] * seeds}
    return {
        "predictions": [{"target": one, **said} for one, said in zip(true, told, strict=True)],
        "seconds": 3.0 * seeds, "seeds": seeds, "memory": {}, "figures": dict.fromkeys(metrics, figure),
        "recipe": {"lr": 5e-5, "batch": 32, "epochs": 3.0, "max_length": None},
    }  # fmt: skip


class Inside:
    """A child that answers in this process: the peer in earnest, ours with every row right. Keeps what it was asked."""

    asked: list[Row]
    rows: list[Row]

    def __init__(self, module: str, name: str) -> None:
        assert module == "bench.scripts"

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def ask(self, request: Row) -> Row:
        self.asked.append(request)
        if request["side"] == "peer":
            return scripts.answer(request)
        return all_right(request["name"], self.rows, cases.CASES[request["name"]].metrics, request["seeds"])


@pytest.fixture
def make(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a case of MADE among the cases, its rows and all results into a folder."""
    monkeypatch.setattr(measure, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(measure, "minilm_folder", lambda: tiny)
    monkeypatch.setattr(measure, "busy_cores", lambda: 0.0)
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(scripts, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(scripts, "RECIPES", dict.fromkeys(scripts.RECIPES, RECIPE))
    monkeypatch.setattr(scripts, "precision", lambda: "fp32")
    monkeypatch.setattr(scripts, "Child", Inside)
    monkeypatch.setattr(Inside, "asked", [], raising=False)

    def put(name: str, one: Case | None = None) -> Path:
        rows = MADE[name][1]
        monkeypatch.setattr(Inside, "rows", rows, raising=False)
        monkeypatch.setitem(cases.CASES, name, one or MADE[name][0])
        monkeypatch.setitem(cases.PLACES, name, lambda: tmp_path)
        for side in ("train", "dev", "test"):
            (tmp_path / f"{side}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return tmp_path

    return put


@pytest.mark.parametrize("name", MADE)
def test_both_sides_answer_the_same_rows(name: str, make: Callable[..., Path]) -> None:
    make(name)
    rows, metrics = MADE[name][1], MADE[name][0].metrics
    result = scripts.main([name], seeds=2)
    found = result["cases"][name]
    assert [(request["side"], request.get("seed")) for request in Inside.asked] == [
        ("ours", None), ("peer", 0), ("peer", 1),
    ]  # fmt: skip
    assert found["rows"]["test"] == found["rows"]["peer"] == len(rows)  # the peer learns from all training rows
    assert 0 < found["rows"]["train"] < len(rows)  # ours has split some of them off
    assert list(found["differences"]) == list(found["peer"]) == list(metrics)
    for metric in metrics:
        assert len(found["peer"][metric]) == 2
        assert found["differences"][metric]["value"] == pytest.approx(1.0 - np.mean(found["peer"][metric]))
    assert found["seconds"]["ours"] == 3.0
    assert found["seconds"]["grouped"] > 0
    page = scripts.section(result)
    assert all(f"| {metric} " in page for metric in metrics)
    assert "| 5e-05, 32, 3, all " in page
    assert "| 0.001, 4, 1, 24 " in page
    scripts.main([name], seeds=2)
    assert len(Inside.asked) == 3, "all sides were kept"
    kept = [json.loads(file.read_text())["found"] for file in scripts.KEPT.iterdir()]
    assert len(kept) == 3
    for side in kept:
        assert not {"predictions", "answers"} & set(side)
        words = {word for word in json.dumps(side["said"]).replace('"', " ").split() if word.isalpha()}
        assert words <= WORDS[name], "no text of the rows is kept"


def test_rows_that_ours_was_not_judged_on_are_no_pair(make: Callable[..., Path]) -> None:
    make("choice")
    other = [{**MADE["choice"][1][0], "label": 1}, *MADE["choice"][1][1:]]
    with pytest.raises(measure.Stop, match="choice: ours was judged on other rows"):
        scripts.shortened(cases.cut("choice"), all_right("choice", other, ("accuracy",), 1))


def test_neither_side_learns_from_dev_rows(make: Callable[..., Path]) -> None:
    folder = make("classes", case("classes", {"name": "classification"}, "accuracy", eval=Rows(("dev.jsonl",))))
    made, count = cases.cut("classes"), len(MADE["classes"][1])
    assert made.counts == {"train": count, "eval": count, "test": count, "peer": count}
    assert len(json.loads(made.rows.read_text())["train"]) == count
    before = made.digest
    (folder / "dev.jsonl").write_text('{"text": "a dull film", "label": "bad"}\n' * 4)
    assert cases.cut("classes").digest != before, "they decide what ours is, and so what is kept of it"


def test_a_side_is_kept_by_its_rows_and_the_peer_whatever_our_source(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make("choice")
    scripts.one_side("peer", ["choice"], 1)
    assert [request["side"] for request in Inside.asked] == ["peer"]
    assert not (folder / "results").exists(), "a side alone makes no table"
    scripts.one_side("ours", ["choice"], 1)
    monkeypatch.setattr(measure, "source", lambda *_, **__: "another")
    scripts.main(["choice"], seeds=1)
    assert [request["side"] for request in Inside.asked] == ["peer", "ours", "ours"]
    rows = [{**row, "question": "which was it"} for row in MADE["choice"][1]]
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    scripts.main(["choice"], seeds=1)
    assert [request["side"] for request in Inside.asked][3:] == ["ours", "peer"]


def test_the_code_of_a_side_is_without_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "side.py"
    file.write_text("# why\nx = 1  # here\n")
    plain = measure.code(file)
    file.write_text("x    =    1\n")
    assert measure.code(file) == plain
    file.write_text("x = 2\n")
    assert measure.code(file) != plain


@pytest.mark.usefixtures("undrawn")
def test_our_side_is_read_from_its_run(
    make: Callable[..., Path], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("classes")
    rows = MADE["classes"][1]
    train = {"epochs": 1, "threads": 1, "batch_size": 8, "lr": 1e-3}
    finetune(
        train=rows, test=rows[:6], model=str(tiny), out=tmp_path / "run", seeds=1, quiet=True,
        settings={"max_length": 24, "train": train},
    )  # fmt: skip
    monkeypatch.setattr(own, "run_of", lambda name, runs, seeds: (tmp_path / "run", 5.0))
    found = own.answer({"name": "classes", "runs": "", "seeds": 1})
    assert found["recipe"] == {"lr": 1e-3, "batch": 8, "epochs": 1.0, "max_length": 24}
    assert list(found["figures"]) == ["accuracy", "f1"]
    assert [row["target"] for row in found["predictions"]] == [row["label"] for row in rows[:6]]
    assert not any("text" in row or "where" in row for row in found["predictions"])


def test_days_that_differ_are_marked() -> None:
    def timed(*dates: str) -> list[Row]:
        return [{"date": f"{date} 10:00 UTC"} for date in dates]

    one = {"machines": {"ours": timed("2026-11-29"), "peer": timed("2026-11-29", "2026-11-29")}}
    assert told.days(one) == "2026-11-29"
    one["machines"]["peer"] = timed("2026-11-28", "2026-11-29")
    assert told.days(one) == "2026-11-29; peer 2026-11-28, 2026-11-29 °"


def test_rows_cut_from_dev_are_marked_and_notes_stand_below() -> None:
    own = {"seen": True, "reported": "cut from dev", "title": "QQP", "notes": ["train: 2 of 9 rows left out."]}
    other = {"seen": False, "reported": "dev", "title": "CoLA", "notes": []}
    assert [told.marks(one) for one in (own, other)] == ["*+", ""]
    assert told.notes([own, other]) == "- QQP: train: 2 of 9 rows left out."


def test_ratios_of_recipes_with_other_epochs() -> None:
    one = {
        "seconds": {"ours": 30.0, "peer": 100.0, "grouped": 50.0},
        "recipes": {"ours": {"epochs": 3}, "peer": {"epochs": 5}},
    }
    assert told.ratio(one) == 0.3
    assert told.ratio(one, "grouped") == 0.6
    assert told.ratio_an_epoch(one) == pytest.approx((30 / 3) / (100 / 5))


def test_one_seed_of_the_peer_varies_as_one_of_ours_does() -> None:
    rows, own = Interval(0.30, 0.28, 0.33), {"seeds": [0.5, 0.6, 0.7]}
    found = scripts.over_all(rows, own, [0.4])
    seeds = 4.302653 * 0.1 * (1 / 3 + 1) ** 0.5  # Student's t of two degrees of freedom
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - (0.02**2 + seeds**2) ** 0.5)
    assert found.high == pytest.approx(0.2 + (0.03**2 + seeds**2) ** 0.5)
    again = scripts.over_all(rows, own, [0.4, 0.5, 0.6])  # paired, seed by seed
    assert (again.low, again.high) == (pytest.approx(0.1 - 0.02), pytest.approx(0.1 + 0.03))


def test_the_peer_of_an_hour_has_one_seed(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    make("choice")
    monkeypatch.setattr(cases, "ONE_SEED", ("choice",))
    page = scripts.section(scripts.main(["choice"], seeds=3))
    assert [request["side"] for request in Inside.asked] == ["ours", "peer"]
    assert re.search(r"\| accuracy +\| 100.0 \(100.0 to 100.0\) \| \d+\.\d ¹ ", page)


def test_every_metric_has_a_target() -> None:
    def gap(high: float | None) -> Row:
        return {"value": -0.1, "low": -0.2, "high": high}

    one = {
        "title": "SQuAD", "seconds": {"ours": 1.0, "peer": 2.0},
        "differences": {"f1": gap(0.05), "exact_match": gap(-0.01), "no_answer": gap(None)},
    }  # fmt: skip
    assert [(target.name, target.value, target.met) for target in told.targets({"squad": one})] == [
        ("SQuAD: seconds beside the peer's", 0.5, True),
        ("SQuAD: upper end of ours - peer, f1", 5.0, True),
        ("SQuAD: upper end of ours - peer, exact_match", -1.0, False),
        ("SQuAD: upper end of ours - peer, no_answer", None, False),
    ]


def test_rows_of_arc_without_a_choice_or_a_right_one_are_left_out() -> None:
    rows = [("a", "b", "c", "d", right) for right in ("A", "4", "", None, "E", "5", "0", "D ")]
    rows.append(("a", "", "c", "d", "A"))
    columns = dict(zip("23456", map(list, zip(*rows, strict=True)), strict=True))
    table = Table({"1": [str(i) for i in range(len(rows))], **columns}, "made", list(range(1, len(rows) + 1)))
    found = cases._with_choices({"train": table})["train"]
    assert found.column("1") == ["0", "1", "7"]
    assert found.notes == ["6 of 9 rows left out."]
    assert found.notes[0].rows == 6


def test_batches_that_are_probed_have_the_lengths_of_an_epoch(tiny: Path) -> None:
    kind = sides.Classes(AutoTokenizer.from_pretrained(tiny), ["a", "b"], {**RECIPE, "batch": 4})
    features = [{"input_ids": [0] * length} for length in np.random.default_rng(0).integers(3, 100, 800)]
    torch.manual_seed(0)
    probed = sides.probe(kind, features)[4:]  # the first is not counted
    assert len(probed) == 4 * sides.PROBED
    batches = [[kind.length(feature) for feature in probed[i : i + 4]] for i in range(0, len(probed), 4)]
    longest = [max(batch) for batch in batches]
    assert longest == sorted(longest)
    assert np.mean([max(batch) - min(batch) for batch in batches]) < 5, "rows of a batch are alike"
    assert np.mean(longest) == pytest.approx(np.mean([len(f["input_ids"]) for f in features]), abs=4)


def test_the_ends_of_an_answer_in_a_window() -> None:
    places = np.array([(0, 0), (0, 4), (0, 0), (0, 3), (4, 8), (9, 12), (0, 0)])
    inside = np.array([False, False, False, True, True, True, False])
    assert sides._ends({"text": "film was", "start": 4}, places, inside) == (4, 5)
    assert sides._ends({"text": "lm", "start": 6}, places, inside) == (4, 4)
    assert sides._ends({"text": "beyond", "start": 13}, places, inside) == (0, 0)
    assert sides._ends(None, places, inside) == (0, 0)


def test_answers_come_from_the_best_window_and_none_where_that_scores_more(tiny: Path) -> None:
    kind = sides.Answer(AutoTokenizer.from_pretrained(tiny), [], {**RECIPE, "max_length": 10, "stride": 1})
    rows = [{"question": "what", "context": "the film was good and the play was bad", "answer": None}]
    features = kind.features(rows, False)
    assert len(features) > 1
    outputs = [[np.zeros(len(f["input_ids"])), np.zeros(len(f["input_ids"]))] for f in features]
    place = int(np.flatnonzero(kind.windows[-1][2])[-1])
    start, end = kind.windows[-1][1][place]
    outputs[-1][0][place] = outputs[-1][1][place] = 3.0
    assert kind.answers(rows, features, outputs) == [rows[0]["context"][start:end]]
    for starts, ends in outputs:
        starts[0] = ends[0] = 4.0
    assert kind.answers(rows, features, outputs) == [""]


def test_a_place_in_the_padding_is_no_answer(tiny: Path) -> None:
    kind = sides.Answer(AutoTokenizer.from_pretrained(tiny), [], {**RECIPE, "none": False})
    contexts = ["the film", "the film was good and the play"]
    rows = [{"question": "what", "context": context, "answer": None} for context in contexts]
    features = kind.features(rows, False)
    assert len({len(feature["input_ids"]) for feature in features}) > 1

    def model(**batch: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = 9.0 * (batch["attention_mask"] == 0)
        for row, (_, _, inside) in enumerate(kind.windows):
            logits[row, int(np.flatnonzero(inside)[-1])] = 3.0
        return {"start_logits": logits, "end_logits": logits}

    found = sides.outputs(model, kind, features, bf16=False)
    assert [[len(side) for side in one] for one in found] == [[len(f["input_ids"])] * 2 for f in features]
    ends = [context[places[np.flatnonzero(inside)[-1]][0] :] for context, (_, places, inside) in zip(
        contexts, kind.windows, strict=True,
    )]  # fmt: skip
    assert kind.answers(rows, features, found) == ends
