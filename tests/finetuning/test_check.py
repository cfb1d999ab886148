"""Facts on rows before a run, and in it: the same rows give the same findings, and a run keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright
from maskwright.base.errors import UserError
from maskwright.data.facts import Facts
from maskwright.data.read import read
from maskwright.finetuning import _rows as runs

Reviews = dict[str, list[Any]]


def told(facts: Facts, kind: str) -> list[str]:
    return [finding.sentence for finding in facts.findings if finding.kind == kind]


@pytest.fixture
def files(reviews: Reviews, write_csv: Callable[..., str], tmp_path: Path) -> dict[str, str]:
    """60 rows to train on and 20 to choose by, the first two of which are training rows too."""
    train = {name: cells[:60] for name, cells in reviews.items()}
    held = {name: cells[:2] + cells[62:] for name, cells in reviews.items()}
    return {"train": write_csv(tmp_path / "train.csv", train), "eval": write_csv(tmp_path / "dev.csv", held)}


def test_it_takes_what_finetune_takes(files: dict[str, str], tiny: Path, tmp_path: Path) -> None:
    facts = maskwright.check_data(**files, model=tiny, max_length=8)
    assert told(facts, "classes") == [
        "60 train rows: 'bad' 40 %, 'good' 60 %.",
        "20 eval rows: 'bad' 40 %, 'good' 60 %.",
    ]
    (leak,) = (finding for finding in facts.findings if finding.kind == "leak")
    assert leak.severity == "error"
    assert leak.where[0].startswith(f"{files['eval']} line 2, as {files['train']} line ")
    assert all(sentence.endswith("at 8.") for sentence in told(facts, "lengths"))
    assert len(told(facts, "unknown pieces")) == 2
    assert f"{files['train']}: comma-separated, header (text, other, label, score), quoting on." in told(
        facts, "reading"
    )
    path = tmp_path / "run.toml"
    path.write_text(f'model = "{tiny}"\nmax_length = 8\n[data]\ntrain = "{files["train"]}"\neval = "{files["eval"]}"\n')
    assert maskwright.check_data(path) == facts


def test_pairs_and_scores(files: dict[str, str]) -> None:
    facts = maskwright.check_data(**files, task="regression", pair="other", label="score")
    assert told(facts, "scores")[0].startswith("60 train scores from ")
    assert not told(facts, "classes")


def test_without_a_model_nothing_is_counted_in_pieces_and_that_is_said(files: dict[str, str]) -> None:
    facts = maskwright.check_data(train=files["train"])
    assert told(facts, "pieces") == ["Nothing was counted in pieces, since no model was named."]
    assert not told(facts, "lengths")


def test_rows_in_memory_and_the_text_of_a_corpus(reviews: Reviews, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(f"{reviews['text'][0]}\n")
    facts = maskwright.check_data(train=reviews, corpus=corpus)
    assert facts == maskwright.check_data(train=reviews, corpus=[str(corpus)])
    assert facts == maskwright.check_data({"data": {"corpus": str(corpus)}}, train=reviews)  # as a run file has it
    (found,) = (finding for finding in facts.findings if finding.kind == "in corpus")
    assert found.where[0] == f"the data given row 1, in {corpus} line 1"
    assert found.severity == "fact"


def test_labels_that_the_task_refuses_are_errors_and_the_rest_is_looked_at(reviews: Reviews) -> None:
    held = {**reviews, "label": ["good", "wonderful", *reviews["label"][2:]]}
    facts = maskwright.check_data(train=reviews, eval=held)
    (refused,) = (finding for finding in facts.findings if finding.kind == "labels")
    assert refused.severity == "error"
    assert refused.sentence.startswith("the data given row 2: There is no label 'wonderful'.")
    assert told(facts, "classes") == ["80 train rows: 'bad' 40 %, 'good' 60 %."]
    assert told(facts, "leak")
    unlabelled = maskwright.check_data(train={"text": reviews["text"]})
    assert told(unlabelled, "labels")[0].startswith("the data given: There is no column 'label'.")
    assert told(unlabelled, "duplicates")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            ["Pos", "pos ", "neg", "NEG"],
            [
                "The labels 'NEG' (20 rows) and 'neg' (20 rows) differ only in upper and lower case; they are separate "
                "classes.",
                "The labels 'Pos' (20 rows) and 'pos ' (20 rows) differ only in upper and lower case and in spaces; "
                "they are separate classes.",
            ],
        ),
        (["True", "true", "FALSE", "FALSE"], ["The labels 'True' (20 rows) and 'true' (20 rows) differ only in"]),
        (
            ["1", "1.0", "02", "2"],
            ["The labels '1' (20 rows) and '1.0' (20 rows), and '02' (20 rows) and '2' (20 rows) differ only in how"],
        ),
        (["nan", "good", "bad", "None"], ["The labels 'None' (20 rows), 'nan' (20 rows) look like a missing value"]),
        (["good", "bad", "good", "bad"], []),
    ],
)
def test_doubtful_labels_are_told_with_their_rows(reviews: Reviews, labels: list[str], said: list[str]) -> None:
    facts = maskwright.check_data(train={**reviews, "label": labels * 20})
    found = [finding for finding in facts.findings if finding.kind == "doubtful labels"]
    assert all(finding.severity == "warning" for finding in found)
    assert len(found) == len(said)
    assert all(finding.sentence.startswith(start) for finding, start in zip(found, said, strict=True))


def test_doubtful_names_of_several_labels_a_row_are_told_too(tagged: Reviews) -> None:
    rows = [["Film" if tag == "film" and i % 2 else tag for tag in tags] for i, tags in enumerate(tagged["label"])]
    facts = maskwright.check_data(train={**tagged, "label": rows}, task="multi-label")
    count = sum("Film" in tags for tags in rows)
    assert told(facts, "doubtful labels")[0].startswith(f"The labels 'Film' ({count} rows) and 'film' (")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "There are no rows to check: give --train FILE, --eval FILE, --test FILE or several of them."),
        ({"train": {"sentence": ["a"], "label": ["0"]}}, "There is no column 'text'."),
        ({"train": {"text": ["a"], "label": ["0"]}, "lable": "x"}, "There is no option 'lable'. Did you mean 'label'?"),
        ({"train": {"text": ["a"], "label": ["0"]}, "model": "no/such"}, "There is no model folder 'no/such', and"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        maskwright.check_data(**options)
    assert message in str(caught.value)


def test_more_pieces_than_positions_are_refused(files: dict[str, str], tiny: Path) -> None:
    with pytest.raises(UserError, match="max_length = 25, but the encoder has 24 positions"):
        maskwright.check_data(**files, model=tiny, max_length=25)


def test_a_run_keeps_what_was_seen_and_notes_the_warnings(tune: Callable[..., Any], files: dict[str, str]) -> None:
    run = tune(**files, max_length=8)
    kept = json.loads((run.folder / "data.json").read_text())
    facts = maskwright.check_data(**files, model=run.folder, max_length=8)
    ours = [finding.plain() for finding in facts.findings if finding.kind != "reading"]
    assert kept["findings"] == json.loads(json.dumps(ours))
    grave = [finding.sentence for finding in facts.of_severity("error", "warning") if finding.kind != "lengths"]
    assert len(grave) > 0
    assert [note for note in run.notes if note in grave] == grave[:5]
    assert json.loads((run.folder / "config.json").read_text())["notes"] == run.notes
    (cut,) = (finding for finding in facts.findings if finding.kind == "pieces a word" and "train" in finding.sentence)
    assert (cut.severity, run.notes.count(cut.sentence)) == ("fact", 1)
    assert " pieces a word, as spaces part them; 0 % of the pieces are unknown to the vocabulary." in cut.sentence


LONG = " ".join(["the film was wonderful"] * 6)


def rows_of(kind: str, reviews: Reviews) -> tuple[dict[str, Any], Reviews]:
    """How each kind of task is asked for, and rows of it, some of which are too long."""
    texts = [*reviews["text"][:-2], LONG, LONG]
    things = [text.split()[1] for text in texts]
    match kind:
        case "answer":
            answers = [[thing] if i % 4 else [] for i, thing in enumerate(things)]
            return {"task": "answer"}, {"question": ["the film"] * 80, "context": texts, "answers": answers}
        case "choice":
            choices = [[f"a {thing}", text] for thing, text in zip(things, reviews["other"], strict=True)]
            return {"task": "choice"}, {"question": texts, "choices": choices, "label": ["A", "B"] * 40}
        case "tagging":
            tags = [["O", "B-thing", *["O"] * (len(text.split()) - 2)] for text in texts]
            return {"task": "tagging"}, {"text": [text.split() for text in texts], "label": tags}
        case "multi-label":
            return {"task": kind}, {"text": texts, "label": [[x, "all"] for x in reviews["label"]]}
        case "entailment":
            labels = ["entailment", "neutral"] * 40
            return {"task": kind}, {"premise": texts, "hypothesis": reviews["other"], "label": labels}
        case "ordinal" | "regression":
            return {"task": kind}, {"text": texts, "label": [i % 4 for i in range(80)]}
    return {"long": kind}, {"text": texts, "label": reviews["label"]}


def test_what_a_run_says_of_labels_is_said(tiny: Path) -> None:
    rows = {"text": [["the", "film", "was"]] * 3, "label": [["B-x", "I-y", "O"], ["I-x", "O", "O"], ["B-x", "O", "O"]]}
    found = told(maskwright.check_data(train=rows, task="tagging", settings={"task": {"scheme": "IOB2"}}), "reading")
    assert any(note.startswith("train: 3 texts of 9 words") for note in found)
    assert any("IOB2" in note for note in found)


KINDS = ["answer", "choice", "tagging", "multi-label", "entailment", "ordinal", "regression"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kind", [*KINDS, "tail", "head-tail", "chunk-mean"])
def test_what_is_looked_at_is_what_a_run_reads(
    tune: Callable[..., Any], reviews: Reviews, tiny: Path, kind: str
) -> None:
    asked, rows = rows_of(kind, reviews)
    sides = {"train": read(rows).select(range(50)), "eval": read(rows).select(range(40, 80))}
    run = tune(**sides, **asked, max_length=16, settings={"train": {"epochs": 0.1}})
    kept = json.loads((run.folder / "data.json").read_text())
    facts = maskwright.check_data(**sides, **asked, model=tiny, max_length=16)
    ours = [finding.plain() for finding in facts.findings if finding.kind != "reading"]
    assert kept["findings"] == json.loads(json.dumps(ours))
    cut = {f.values["split"]: f.count for f in facts.findings if f.kind == "lengths"}
    assert cut["train"] == 0
    assert cut["eval"] == (0 if kind in ("answer", "tagging", "chunk-mean") else 2)


def test_without_labels_pieces_are_counted_as_a_run_reads_them(reviews: Reviews, tiny: Path) -> None:
    for kind in KINDS:
        asked, rows = rows_of(kind, reviews)
        label = "answers" if kind == "answer" else "label"
        bare = {name: cells for name, cells in rows.items() if name != label}
        found = maskwright.check_data(**asked, train=bare, model=tiny, max_length=16)
        whole = maskwright.check_data(**asked, train=rows, model=tiny, max_length=16)
        assert told(found, "labels")
        assert told(found, "lengths") == told(whole, "lengths"), kind


def test_a_way_that_the_task_does_not_have_is_refused(reviews: Reviews) -> None:
    asked, rows = rows_of("tagging", reviews)
    with pytest.raises(UserError, match="reads long texts in windows"):
        maskwright.check_data(**asked, train=rows, long="chunk-mean")


def test_the_rows_of_a_run_are_looked_for_in_its_corpus(
    tune: Callable[..., Any], reviews: Reviews, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(f"{reviews['text'][0]}\n")
    model, tables = tune().model, {name: read(reviews) for name in ("train", "test")}
    splits = runs.encode_splits(model, tables)
    assert not told(runs.examined(model, tables, splits), "in corpus")
    found = [f for f in runs.examined(model, tables, splits, [str(corpus)]).findings if f.kind == "in corpus"]
    assert [(f.severity, f.values["split"]) for f in found] == [("warning", "test"), ("fact", "train")]


def test_a_run_looks_for_its_rows_in_the_declared_corpus(
    tune: Callable[..., Any], files: dict[str, str], reviews: Reviews, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(f"{reviews['text'][0]}\n")
    run = tune(**files, settings={"data": {"corpus": str(corpus)}})
    findings = json.loads((run.folder / "data.json").read_text())["findings"]
    found = {f["values"]["split"]: f for f in findings if f["kind"] == "in corpus"}
    assert found["eval"]["severity"] == "warning"
    assert found["eval"]["where"][0] == f"{files['eval']} line 2, in {corpus} line 1"
    assert found["train"]["severity"] == "fact"
    config = json.loads((run.folder / "config.json").read_text())
    assert config["settings"]["data"]["corpus"] == [str(corpus)]
    assert "data.corpus" in config["command"]


def test_a_run_says_when_rows_are_too_many_for_near_repeats(
    tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "NEAR_ROWS", 10)
    kept = json.loads((tune().folder / "data.json").read_text())
    said = [finding["sentence"] for finding in kept["findings"] if finding["kind"] == "near duplicates"]
    assert said == ["Near repeats were not looked for: there are 80 rows, more than 10."]
