"""The sets of benchmarks: every layout is found and becomes the same rows, nothing is on two sides of a cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sets
from small_hub import serve

from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.data.table import Table
from maskwright.finetuning._benchmark_table import rows
from maskwright.finetuning._rows import read_tables, roles
from maskwright.finetuning.benchmark import benchmark, settings_of
from maskwright.finetuning.benchmarks import Benchmark, Case, LeftOut, known_encoder
from maskwright.finetuning.benchmarks._seen import ENCODERS, digest
from maskwright.finetuning.benchmarks.glue import Glue
from maskwright.finetuning.benchmarks.squad import Squad
from maskwright.finetuning.benchmarks.superglue import Superglue
from maskwright.finetuning.benchmarks.swag import Swag
from maskwright.finetuning.benchmarks.tagging import Tagging
from maskwright.finetuning.settings import gather_rows
from maskwright.models import load_network, save_network

pytestmark = pytest.mark.usefixtures("undrawn")

Rows = dict[str, list[Any]]
SHORT = {"train": {"epochs": 1, "threads": 1, "batch_size": 16}, "max_length": 24}

FETCH = """
import sys
from maskwright.base.errors import UserError
from maskwright.models import data_folder
for name in sys.argv[1:]:
    try:
        print(data_folder(name))
    except UserError as problem:
        print("error:", problem)
"""


def case(made: Benchmark, name: str) -> Case:
    return next(one for one in made.cases() if one.name == name)


def tables(made: Benchmark, name: str, folder: Path) -> dict[str, Table]:
    way = case(made, name).way(folder)
    assert way is not None
    return way.tables(folder)


@pytest.fixture
def given(tiny: Path, tmp_path: Path) -> dict[str, Any]:
    return {"out": tmp_path / "out", "model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}


def test_files_of_datasets(reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    texts = {"sentence1": reviews["text"], "sentence2": reviews["other"]}
    marks = [int(label == "bad") for label in reviews["label"]]
    columns = {**texts, "label": marks, "idx": list(range(len(marks)))}
    found = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for side in ("train", "validation", "test"):
        sets.write_parquet(tmp_path / f"data/rte/{side}-00000-of-00001.parquet", found)
    told = benchmark("glue", tmp_path / "data", **given)
    assert list(told.cases) == ["rte"]
    assert told.cases["rte"]["layout"] == "the files of datasets"
    said = (tmp_path / "out/submission/RTE.tsv").read_text().splitlines()
    assert {line.split("\t")[1] for line in said[1:]} <= {"entailment", "not_entailment"}


def test_figures_of_the_very_rows_that_microsofts_files_report_on(
    reviews: Rows, given: dict[str, Any], tmp_path: Path
) -> None:
    """Its test rows are those of GLUE's test server, and its dev rows are learnt from."""
    marks, index = [int(label == "bad") for label in reviews["label"]], list(range(len(reviews["label"])))
    head = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
    content = sets.lines(marks, index, index, reviews["text"], reviews["other"], head=head)
    for side in ("train", "test"):
        sets.write(tmp_path / f"data/mrpc/msr_paraphrase_{side}.txt", content)
    found = benchmark("glue", tmp_path / "data", **given)
    assert found.cases["mrpc"]["reported"] == "test server"
    published = {row[1]: row[6:] for row in rows(Glue(), found.told)}
    assert published == {
        "f1": ("BERT-base 88.9 (test server) [1], BERT-large 89.3 (test server) [1]", ""),
        "accuracy": ("", "BERT-base 86.7 (dev) [2]"),
    }
    page = (tmp_path / "out/README.md").read_text()
    assert "MRPC: 80 rows of the test server reported on; the files of Microsoft Research" in page
    assert "MRPC: reported are the test rows of these files" in page


def test_what_is_cut_from_dev_rows(
    reviews: Rows, given: dict[str, Any], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQuAD's training questions stay, and test questions on their articles go; nothing published is of such rows. The
    encoder is taken for one that was trained on them before."""
    monkeypatch.setitem(ENCODERS, "minilm", digest(tiny))
    questions = sets.questions(reviews)
    sets.squad(tmp_path / "data/squad2_dev_cs224n/dev-v2.0.json", questions)
    others = [{**row, "title": f"other {i}", "context": f"{row['context']} too"} for i, row in enumerate(questions[:9])]
    sets.squad(tmp_path / "data/xquad/xquad.en.json", [*questions[1:5], *others])
    both = tables(Squad(), "squad1", tmp_path / "data")
    assert both["train"].column("id") == [row["id"] for row in questions if row["answers"]]
    assert both["test"].column("title") == [row["title"] for row in others if row["answers"]]
    (left,) = [note for note in both["test"].notes if isinstance(note, LeftOut)]
    assert left == "3 of 9 questions left out, whose article or paragraph is learnt from."
    for one in Squad().cases():
        trained = [settings_of(one, way).get("train") for way in one.ways]
        assert trained == [None, None, {"lr": 1e-4, "batch_size": 16, "epochs": 2}], "of few questions alone"
        assert "2 epochs at a rate of 1e-4, in batches of 16" in one.ways[2].note
    found = benchmark("squad", tmp_path / "data", **given)
    assert [told["reported"] for told in found.cases.values()] == ["cut from dev"] * 2
    assert f"test: {left}" in found.cases["squad1"]["notes"]
    assert {row[6] for row in rows(Squad(), found.told)} == {""}
    assert "BERT-base, single 88.5 (dev) [1]" in rows(Squad(), found.told)[0][7]
    page = (tmp_path / "out/README.md").read_text()
    assert "SQuAD 1.1*+" in page
    assert f"Sets marked *: minilm, which {tiny} is or began from, was trained on rows of them before" in page
    assert f"SQuAD 1.1: test: {left}" in page
    assert "Mean of" not in page
    assert not (tmp_path / "out/predictions").exists(), "no program knows these rows"


def test_pairs_that_share_a_question_are_on_one_side(tmp_path: Path) -> None:
    pairs = [("a", "b"), ("c", "d"), ("b", "e"), ("f", "g"), ("d", "a"), ("h", "h")]
    content = sets.lines(*(list(side) for side in zip(*pairs, strict=True)), [0, 1] * 3)
    sets.write(tmp_path / "quora_qqp_devtest/dev.txt", content)
    assert tables(Glue(), "qqp", tmp_path)["train"].column("connected") == [0, 0, 0, 1, 0, 2]


def test_a_question_with_two_sentences_is_on_one_side(tmp_path: Path) -> None:
    """One entails and one does not, so who has seen the one knows the other."""
    content = "index\tquestion\tsentence\tlabel\n" + "".join(
        f"{i}\t{question}\t{sentence}\tentailment\n" for i, (question, sentence) in enumerate(["ab", "ac", "dc", "ef"])
    )
    sets.write(tmp_path / "qnli_dev/dev.tsv", content)
    assert tables(Glue(), "qnli", tmp_path)["train"].column("connected") == [0, 0, 0, 1]


def test_superglue_and_swag(reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    data = sets.swag(sets.superglue(tmp_path / "data", reviews), reviews)
    found = benchmark("superglue", data, **given)
    assert list(found.cases) == ["boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc"]
    assert list(found.cases["cb"]["figures"]) == ["f1_macro", "accuracy"]
    found = benchmark("swag", data, **{**given, "out": tmp_path / "swag"})
    assert found.cases["swag"]["rows"] == sets.COUNT
    continued = tables(Swag(), "swag", data)["train"]
    assert continued.column("continuations")[0] == [f"the {word} was" for word in sets.SWAG]
    assert case(Swag(), "swag").task["text"] == "sent1", "as BERT reads it"


def test_words_that_are_meant_at_one_place_are_marked(reviews: Rows, tmp_path: Path) -> None:
    data = sets.superglue(tmp_path, reviews)
    text, other = reviews["text"][0], reviews["other"][0]
    winograd = tables(Superglue(), "wsc", data)["train"]
    assert winograd.column("text")[0] == f"_the film_ , *it* was {text}"
    senses = tables(Superglue(), "wic", data)["train"]
    assert senses.column("sentence1")[0] == text.replace("was", "*was*", 1)
    assert senses.column("sentence2")[0] == f"it *was* {other}"
    row = {
        "text": "it was",
        "target": {"span1_index": 1, "span1_text": "the film", "span2_index": 0, "span2_text": "it"},
    }
    for side in ("train", "val"):
        sets.write(data / f"WSC/{side}.jsonl", json.dumps({**row, "label": True}) + "\n")
    with pytest.raises(
        UserError, match=r"train.jsonl line 1: span1_index is 1, where the text has no words for 'the f"
    ):
        tables(Superglue(), "wsc", data)


@pytest.mark.parametrize(
    ("name", "file", "field"),
    [
        ("multirc", "MultiRC", "passage"),
        ("record", "ReCoRD", "qas"),
        ("wsc", "WSC", "target"),
        ("wic", "WiC", "start1"),
    ],
)
def test_a_row_that_lacks_a_field_is_named(name: str, file: str, field: str, reviews: Rows, tmp_path: Path) -> None:
    data = sets.superglue(tmp_path, reviews)
    first, *others = (data / f"{file}/val.jsonl").read_text().splitlines()
    row = {key: value for key, value in json.loads(first).items() if key != field}
    sets.write(data / f"{file}/val.jsonl", "\n".join([first, json.dumps(row), *others]) + "\n")
    with pytest.raises(UserError, match=r"val.jsonl line 2: a field that the row must have is absent or no such: "):
        tables(Superglue(), name, data)


def test_both_layouts_of_superglue_hold_the_same_rows(reviews: Rows, tmp_path: Path) -> None:
    official = sets.superglue(tmp_path / "official", reviews)
    as_datasets(official, tmp_path / "hub")
    for name in ("wsc", "wic", "multirc", "record", "copa"):
        one, two = (tables(Superglue(), name, folder)["test"] for folder in (official, tmp_path / "hub"))
        for column in set(one.columns) - {"idx", "start1", "end1", "start2", "end2"}:
            assert [str(int(cell)) if isinstance(cell, bool) else str(cell) for cell in one.columns[column]] == [
                str(cell) for cell in two.columns[column]
            ], (name, column)
    left = [[note for note in tables(Superglue(), "record", folder)["test"].notes if isinstance(note, LeftOut)]
            for folder in (official, tmp_path / "hub")]  # fmt: skip
    assert left[0] == left[1]
    assert left[0][0].rows == 1


def as_datasets(official: Path, out: Path) -> None:
    """The archive of SuperGLUE as the library datasets writes it: flat rows, numbers as labels."""

    def entities(passage: dict[str, Any]) -> list[str]:
        return [passage["text"][each["start"] : each["end"] + 1] for each in passage["entities"]]

    made: dict[str, Any] = {
        "wsc": lambda row: [{"text": row["text"], **row["target"], "label": int(row["label"])}],
        "wic": lambda row: [{**row, "label": int(row["label"])}],
        "copa": lambda row: [row],
        "multirc": lambda row: [
            {"paragraph": row["passage"]["text"], "question": question["question"], "answer": answer["text"],
             "idx": {"paragraph": row["idx"], "question": number, "answer": i}, "label": answer["label"]}
            for number, question in enumerate(row["passage"]["questions"])
            for i, answer in enumerate(question["answers"])
        ],
        "record": lambda row: [
            {"passage": row["passage"]["text"], "query": question["query"],
             "entities": entities(row["passage"]),
             "answers": [answer["text"] for answer in question["answers"]], "idx": {"passage": 0, "query": 0}}
            for question in row["qas"]
        ],
    }  # fmt: skip
    folders = {"wsc": "WSC", "wic": "WiC", "copa": "COPA", "multirc": "MultiRC", "record": "ReCoRD"}
    for name, turn in made.items():
        for side, file in (("train", "train"), ("val", "validation")):
            found = [json.loads(line) for line in (official / folders[name] / f"{side}.jsonl").read_text().splitlines()]
            flat = [row for one in found for row in turn(one)]
            sets.write_parquet(out / name / f"{file}-00000-of-00001.parquet", flat)


def test_data_sets_on_the_hub(reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    """Fetched as a user's process does it, from a hub on loopback."""
    for side in ("train", "validation"):
        sets.squad_parquet(tmp_path / f"two/squad_v2/{side}-00000-of-00001.parquet", sets.questions(reviews))
        alone = sets.questions(reviews, impossible=False)
        sets.squad_parquet(tmp_path / f"one/plain_text/{side}-00000-of-00001.parquet", alone)
    (tmp_path / "two/README.md").write_text("a card, which nobody needs")
    as_datasets(sets.superglue(tmp_path / "official", reviews), tmp_path / "super")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING_FACE"))}
    env |= {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    with serve() as hub:
        for name in ("one", "two", "super"):
            hub.add_data(f"owner/{name}", tmp_path / name)
        command = [sys.executable, "-c", FETCH, "owner/one", "owner/two", "owner/super", "owner/none"]
        done = subprocess.run(command, capture_output=True, text=True, env={**env, "HF_ENDPOINT": hub.url}, check=True)
        assert not any("README" in asked for asked in hub.asked)
    *folders, none = done.stdout.strip().splitlines()[-4:]
    told = f"error: There is no folder 'owner/none', and {hub.url} knows no data set of the name 'owner/none'"
    assert none.startswith(told)
    for i, name in enumerate(("squad1", "squad2")):
        found = benchmark("squad", folders[i], **{**given, "out": tmp_path / name})
        assert list(found.cases) == [name]
        assert found.cases[name]["reported"] == "dev"
    only = ["record", "wsc"]
    found = benchmark("superglue", folders[2], **given, only=only)
    assert [told["layout"] for told in found.cases.values()] == ["the files of datasets"] * 2


def test_an_encoder_is_known_by_its_weights(minilm: Path, tiny: Path, tmp_path: Path) -> None:
    """Also a copy of it under another name, and what was trained further from it."""
    assert digest(minilm) == ENCODERS["minilm"]
    assert known_encoder("minilm") == known_encoder("sentence-transformers/all-MiniLM-L6-v2") == "minilm"
    loaded = load_network(minilm, "bare")
    save_network(tmp_path / "copy", loaded.network.half(), loaded.family, loaded.config, {})
    assert known_encoder(tmp_path / "copy") == "minilm"
    assert known_encoder(tiny) is None
    loaded = load_network(tiny, "bare")
    for name, base in (("first", "minilm"), ("second", str(tmp_path / "first")), ("third", str(tmp_path / "third"))):
        save_network(tmp_path / name, loaded.network, loaded.family, loaded.config, {})
        (tmp_path / name / "maskwright.json").write_text(json.dumps({"format": 1, "provenance": {"base": base}}))
    assert known_encoder(tmp_path / "second") == "minilm"
    assert known_encoder(tmp_path / "third") is None, "it ends"


def test_the_metrics_of_questions_and_of_entities() -> None:
    """MultiRC by question, ReCoRD by the nearest true entity, by hand."""
    known = {each.name: each for each in Superglue().cases()}
    table = Table({"group": ["0/0", "0/0", "0/1"], "label": [1, 0, 1]}, "rows", [1, 2, 3])
    said = [{"label": "1"}, {"label": "1"}, {"label": "1"}]
    assert list(known["multirc"].further["exact_match"](table, said)) == [0.0, 1.0]
    entities = ["New York", "the York city"]
    table = Table({"entities": [entities] * 2, "true": [["York City", "Rome"], ["Paris"]]}, "rows", [1, 2])
    numbers = [{"number": 1}, {"number": 2}]
    assert list(known["record"].further["f1"](table, numbers)) == [0.5, 0.0]
    assert list(known["record"].further["exact_match"](table, [{"number": 2}, {"number": 1}])) == [1.0, 0.0]
    table.notes.append(LeftOut("two are left out", 2))
    assert list(known["record"].further["f1"](table, numbers)) == [0.5, 0.0, 0.0, 0.0]


def test_all_benchmarks_are_told() -> None:
    assert names(Benchmark) == ["glue", "squad", "superglue", "swag", "tagging"]
    for made in (Glue(), Squad(), Superglue(), Swag(), Tagging()):
        cases = made.cases()
        assert len({each.name for each in cases}) == len(cases)
        for each in cases:
            assert each.metrics
            assert each.ways
            assert all(way.reported in (None, "dev", "test", "test server") for way in each.ways)
            assert all(one.rows in ("dev", "test", "test server") and one.source for one in each.published)
            assert all(one.side in ("", *(side for way in each.ways for side in way.also)) for one in each.published)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["glue", "squad", "tagging"])
def test_every_real_set_can_be_cut(name: str, data: Path) -> None:
    """No side is empty, there is something to learn on each, and what belongs together is on one side."""
    for one in find(Benchmark, name)().cases():
        way = one.way(data)
        if way is None:
            continue
        found = way.tables(data)
        given = {side: found.get(side) for side in ("train", "eval", "test")}
        asked, sources = gather_rows(None, {"task": {**one.task, **way.task}}, settings_of(one, way), given)
        sides, _ = read_tables(asked, roles(asked, sources)[0])
        assert set(sides) == {"train", "eval", "test"}, one.name
        task = asked.task.spelled(sides["train"])
        labels = task.discover(sides["train"])
        task = task.settled_on(labels, sides["train"])
        for side, table in sides.items():
            assert len(task.examples(table, labels)) >= 20, (one.name, side)
        if way.group is not None:
            groups = {side: set(table.column(way.group)) for side, table in sides.items()}
            assert not groups["train"] & groups["eval"], one.name
            assert not (groups["train"] | groups["eval"]) & groups["test"], one.name
