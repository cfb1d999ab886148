"""`maskwright predict`: an answer for each text or row, in the order of the input."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels

Run = Callable[..., tuple[int, str, str]]
Reviews = dict[str, list[Any]]


def answers(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_texts_on_the_command_line(run: Run, finished: dict[str, Path]) -> None:
    code, out, err = run(
        "predict", finished["single"] / "model", "--text", "the film was dull", "--text", "the play was lovely"
    )
    assert (code, err) == (0, "")
    assert answers(out) == maskwright.load(finished["single"]).predict(["the film was dull", "the play was lovely"])
    assert [a["label"] for a in answers(out)] == ["bad", "good"]


def test_unsure_labels_are_withheld_and_sets_need_a_calibration(run: Run, finished: dict[str, Path]) -> None:
    text = ("--text", "the film was dull and lovely and boring and wonderful")
    (plain,) = answers(run("predict", finished["single"], *text)[1])
    p = plain["probability"]
    for below, label in ((p / 2, plain["label"]), ((1 + p) / 2, None)):
        code, out, _ = run("predict", finished["single"], *text, "--abstain-below", repr(below))
        assert code == 0
        (answer,) = answers(out)
        assert (answer["label"], answer["abstained"]) == (label, label is None)
    calibrated = json.loads((finished["single"] / "model" / "maskwright.json").read_text())["calibration"]
    code, out, err = run("predict", finished["single"], *text, "--coverage", "0.8")
    if calibrated is None:
        assert code == 2
        assert "this model holds no calibration" in err
    else:
        assert set(answers(out)[0]["set"]) <= {"bad", "good"}
    code, _, err = run("predict", finished["regression"], *text, "--coverage", "0.9")
    assert code == 2
    assert "this model's task is regression" in err


def test_pairs_on_the_command_line(run: Run, finished: dict[str, Path]) -> None:
    texts = (
        "--text",
        "the film was dull",
        "--pair",
        "a boring play",
        "--text",
        "the song was lovely",
        "--pair",
        "a book",
    )
    code, out, _ = run("predict", finished["pair"], *texts)
    assert code == 0
    given = ["the film was dull", "the song was lovely"], ["a boring play", "a book"]
    assert answers(out) == maskwright.load(finished["pair"]).predict(*given)


@pytest.mark.parametrize("kind", ["single", "pair", "regression"])
def test_a_file_needs_no_labels(
    run: Run, finished: dict[str, Path], reviews: Reviews, kind: str, tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    file = write_csv(tmp_path / "texts.csv", {"other": reviews["other"], "text": reviews["text"]})
    code, out, _ = run("predict", finished[kind], "--data", file)
    assert code == 0
    model = maskwright.load(finished[kind])
    expected = model.predict(reviews["text"], reviews["other"] if kind == "pair" else None)
    assert answers(out) == [{"row": row, **answer} for row, answer in enumerate(expected, 1)]
    assert len(answers(out)) == 80


def test_answers_go_into_a_file(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    here = run("predict", finished["single"], "--text", "Ein schöner Film ∞")[1]
    code, out, _ = run(
        "predict", finished["single"], "--text", "Ein schöner Film ∞", "--out", tmp_path / "deep" / "a.jsonl"
    )
    assert (code, out) == (0, "")
    assert (tmp_path / "deep" / "a.jsonl").read_text(encoding="utf-8") == here
    _, _, err = run("predict", finished["single"], "--text", "a film", "--out", tmp_path / "deep" / "a.jsonl")
    assert err == f"note: {tmp_path / 'deep' / 'a.jsonl'} is there already; it is replaced.\n"


def test_labels_are_written_as_they_are(run: Run, tiny: Path, tmp_path: Path, reviews: Reviews) -> None:
    labels = ["schön" if label == "good" else "mäßig" for label in reviews["label"]]
    settings = {"train": {"epochs": 1, "threads": 1, "checkpoint_minutes": None}}
    maskwright.finetune(
        train={"text": reviews["text"], "label": labels}, model=tiny, out=tmp_path / "run", seeds=1, settings=settings
    )
    _, out, _ = run("predict", tmp_path / "run", "--text", "a film")
    assert '"schön"' in out


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("single", (), "Give the texts either by --text (repeat it for several) or as a file by --data."),
        ("single", ("--text", "a", "--data", "x.csv"), "Give the texts either by --text"),
        (
            "pair",
            ("--data", "x.csv", "--pair", "b"),
            "--pair goes with --text; in a file the second texts are a column.",
        ),
        ("pair", ("--text", "a"), "This model was trained on pairs (text, other); give both texts."),
        ("single", ("--text", "a", "--pair", "b"), "This model was trained on single texts; give no second text."),
        ("pair", ("--text", "a", "--text", "b", "--pair", "c"), "2 texts and 1 second texts were given"),
        ("single", ("--data", "no/such.csv"), "There is no file 'no/such.csv'."),
        ("single", ("--text", "a", "--id", "n"), "--id goes with --data."),
        ("single", ("--text", "a", "--resume", "--out", "x"), "--resume goes with --data."),
        ("single", ("--data", "x.csv", "--resume"), "--resume goes with --out: what stdout took is not known."),
        ("single", ("--text", "a", "--top", "3"), "top = 3: give a number from 1 to 2, the classes of this model."),
        ("regression", ("--text", "a", "--top", "1"), "This model gives a score and no classes"),
        ("pair", ("--data", "-"), "Lines hold one text each, but 2 columns are needed: text, other."),
    ],
)
def test_a_mistake_is_said(run: Run, finished: dict[str, Path], kind: str, more: tuple[str, ...], said: str) -> None:
    code, out, err = run("predict", finished[kind], *more)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_without_the_column(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("txt,n\na film,1\n")
    code, _, err = run("predict", finished["single"], "--data", tmp_path / "rows.csv")
    assert code == 2
    assert "There is no column 'text'. Did you mean 'txt'?" in err


def test_a_model_that_is_not_there(run: Run) -> None:
    code, _, err = run("predict", "nowhere", "--text", "a")
    assert code == 2
    assert "There is no model folder 'nowhere', and" in err


def test_how_a_file_is_read_can_be_said(run: Run, finished: dict[str, Path], tmp_path: Path, reviews: Reviews) -> None:
    """Settings that the training file needed are needed again, and what was detected is said."""
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"{text}\n" for text in ["review", *reviews["text"][:3]]))
    code, _, err = run("predict", finished["single"], "--data", file)
    assert code == 2
    assert "--set" in err
    told = ("--set", "data.reader=tsv", "--set", "task.text=review")
    code, out, err = run("predict", finished["single"], "--data", file, *told)
    assert code == 0
    expected = maskwright.load(finished["single"]).predict(reviews["text"][:3])
    assert answers(out) == [{"row": row, **answer} for row, answer in enumerate(expected, 1)]
    assert "note: " in err
    code, _, err = run("predict", finished["single"], "--data", file, "--set", "train.lr=1")
    assert code == 2
    assert "data.NAME, task.NAME" in err


def test_a_text_that_was_cut_is_said(run: Run, finished: dict[str, Path]) -> None:
    code, out, err = run("predict", finished["single"], "--text", "the film was dull " * 20, "--text", "a play")
    assert code == 0
    assert "pieces_cut" in answers(out)[0]
    assert "1 of 2 texts are longer than 24 pieces and were cut at the end" in " ".join(err.split())


def test_a_row_may_lack_what_others_have(run: Run, tiny: Path, tmp_path: Path) -> None:
    """As it may for training, where it is null."""
    task = maskwright.tasks.Task
    made = maskwright.tasks.Model.build(
        tiny, resolve(task, {"name": "classification", "text": "{a}; {b}"}), Labels(("x", "y")), precision="fp32"
    )
    made.save(tmp_path / "model")
    (tmp_path / "rows.jsonl").write_text('{"a": "the film", "b": "was dull"}\n{"a": "a play"}\n')
    code, out, _ = run("predict", tmp_path / "model", "--data", tmp_path / "rows.jsonl")
    assert code == 0
    whole = made.predict(["the film; was dull", "a play; "])
    assert [answer["label"] for answer in answers(out)] == [answer["label"] for answer in whole]
    with pytest.raises(UserError, match="no column 'b'"):
        list(made.stream([{"a": "a play"}]))


def test_a_device_that_is_not_there(run: Run, finished: dict[str, Path]) -> None:
    code, _, err = run("predict", finished["single"], "--text", "a film", "--device", "tpu")
    assert code == 2
    assert "The device 'tpu' cannot be used here" in err


def test_the_likeliest_class_of_a_text(run: Run, finished: dict[str, Path]) -> None:
    _, out, _ = run("predict", finished["single"], "--text", "the film was dull", "--top", "1")
    (answer,) = answers(out)
    assert answer["top"] == [{"label": "bad", "probability": answer["probability"]}]
    assert "probabilities" not in answer


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lays a text on standard input."""

    def lay(text: str) -> None:
        given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode())))  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "stdin", given)

    return lay


def test_lines_on_standard_input(run: Run, finished: dict[str, Path], stdin: Callable[[str], None]) -> None:
    texts = ["the film was dull", "", "the play was lovely"]
    stdin("".join(f"{text}\n" for text in texts))
    code, out, err = run("predict", finished["single"], "--data", "-")
    assert (code, err) == (0, "")
    expected = maskwright.load(finished["single"]).predict(texts)
    assert answers(out) == [{"row": row, **answer} for row, answer in enumerate(expected, 1)]
    stdin("".join(json.dumps({"text": text, "key": f"k{i}"}) + "\n" for i, text in enumerate(texts)))
    _, out, _ = run("predict", finished["single"], "--data", "-", "--format", "jsonl", "--id", "key")
    assert [(a["row"], a["id"]) for a in answers(out)] == [(1, "k0"), (2, "k1"), (3, "k2")]


def test_bad_rows_are_counted_and_only_strict_minds(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    data, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
    data.write_bytes(b'text,n\nthe film was dull,1\ncaf\xe9,2\nragged\n"lost,4\nthe play was lovely,5\n')
    for strict in ((), ("--strict",)):
        code, _, err = run("predict", finished["single"], "--data", data, "--out", out, "--id", "n", *strict)
        assert code == (2 if strict else 0)
        assert "note: 3 of 5 rows could not be answered; `error` says why in their places." in err
        assert ("error: 3 rows had no answer (--strict); all others have theirs." in err) == bool(strict)
        with open(out, newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["row"] for row in rows] == ["1", "2", "3", "4", "5"]
        assert [row["id"] for row in rows] == ["1", "", "", "", "5"]
        assert [row["line"] for row in rows] == ["", "3", "4", "5", ""]
        assert [row["label"] for row in rows] == ["bad", "", "", "", "good"]
        assert [row["error"].split()[0] for row in rows[1:4]] == ["byte", "1", "a"]
    code, _, err = run("predict", finished["single"], "--data", tmp_path / "rows.csv", "--set", "data.quoting=false")
    assert code == 0
    assert "note: 2 of 5 rows could not be answered" in err, "the quote is a text as any other then"


def test_columns_are_carried_along(run: Run, finished: dict[str, Path], csv_file: str, reviews: Reviews) -> None:
    _, out, _ = run("predict", finished["single"], "--data", csv_file, "--columns", "label,score", "--top", "1")
    assert [a["input"] for a in answers(out)] == [
        {"label": label, "score": str(score)} for label, score in zip(reviews["label"], reviews["score"], strict=True)
    ]
    code, _, err = run("predict", finished["single"], "--data", csv_file, "--columns", "label,scores")
    assert code == 2
    assert "There is no column 'scores'. Did you mean 'score'?" in err


def test_a_part_that_was_left_is_not_overwritten(
    run: Run, finished: dict[str, Path], csv_file: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl.part").write_text("something")
    code, _, err = run("predict", finished["single"], "--data", csv_file, "--out", tmp_path / "a.jsonl")
    assert code == 2
    assert "a.jsonl.part is there, but no journal of it. Delete it, or give another name." in err
