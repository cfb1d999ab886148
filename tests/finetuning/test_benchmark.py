"""Benchmarks: every layout is found, the official metrics are told, a stopped one goes on, what is sent is right."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from maskwright.base.choice import names
from maskwright.base.errors import UserError
from maskwright.data.table import Table
from maskwright.finetuning import benchmark as runner
from maskwright.finetuning.benchmark import benchmark
from maskwright.finetuning.benchmarks import Benchmark
from maskwright.finetuning.benchmarks.glue import Glue
from maskwright.finetuning.benchmarks.squad import Squad
from maskwright.finetuning.benchmarks.superglue import Superglue
from maskwright.finetuning.benchmarks.swag import Swag
from maskwright.finetuning.benchmarks.tagging import Tagging

pytestmark = pytest.mark.usefixtures("undrawn")

Rows = dict[str, list[Any]]
QUICK = {"train": {"epochs": 1, "threads": 1, "batch_size": 16}}
SHORT = {**QUICK, "max_length": 24}  #: the tiny encoder has 24 positions
COUNT = 24


def lines(*columns: list[Any], head: tuple[str, ...] = ()) -> str:
    rows = [head] * bool(head) + list(zip(*columns, strict=True))
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture(scope="module")
def archive(reviews: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official archive, with a few rows each."""
    out = tmp_path_factory.mktemp("glue")
    texts, others = reviews["text"][:COUNT], reviews["other"][:COUNT]
    marks = [int(label == "good") for label in reviews["label"][:COUNT]]
    index, follows = list(range(COUNT)), ["entailment" if mark else "not_entailment" for mark in marks]
    three = [("entailment", "neutral", "contradiction")[i % 3] for i in index]

    def write(name: str, content: str) -> None:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(content)

    pair = ("index", "sentence1", "sentence2")
    for side in ("train", "dev"):
        write(f"CoLA/{side}.tsv", lines(["x"] * COUNT, marks, [""] * COUNT, texts))
        write(f"SST-2/{side}.tsv", lines(texts, marks, head=("sentence", "label")))
        head = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
        write(f"MRPC/{side}.tsv", lines(marks, index, index, texts, others, head=head))
        score = [float(i % 6) for i in index]
        write(f"STS-B/{side}.tsv", lines(index, texts, others, score, head=(*pair, "score")))
        head = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
        write(f"QQP/{side}.tsv", lines(index, index, index, texts, others, marks, head=head))
        write(f"QNLI/{side}.tsv", lines(index, texts, others, follows, head=("index", "question", "sentence", "label")))
        write(f"RTE/{side}.tsv", lines(index, texts, others, follows, head=(*pair, "label")))
        write(f"WNLI/{side}.tsv", lines(index, texts, others, marks, head=(*pair, "label")))
    for name in ("train", "dev_matched", "dev_mismatched"):
        write(f"MNLI/{name}.tsv", lines(index, texts, others, three, head=(*pair, "gold_label")))
    write("CoLA/test.tsv", lines(index, texts, head=("index", "sentence")))
    write("SST-2/test.tsv", lines(index, texts, head=("index", "sentence")))
    head = ("index", "#1 ID", "#2 ID", "#1 String", "#2 String")
    write("MRPC/test.tsv", lines(index, index, index, texts, others, head=head))
    write("QQP/test.tsv", lines(index, texts, others, head=("id", "question1", "question2")))
    write("QNLI/test.tsv", lines(index, texts, others, head=("index", "question", "sentence")))
    for name in (
        "STS-B/test.tsv", "RTE/test.tsv", "WNLI/test.tsv", "MNLI/test_matched.tsv", "MNLI/test_mismatched.tsv",
        "diagnostic/diagnostic.tsv",
    ):  # fmt: skip
        write(name, lines(index, texts, others, head=pair))
    return out


def test_the_official_archive_of_glue(archive: Path, tiny: Path, tmp_path: Path) -> None:
    found = benchmark("glue", archive, out=tmp_path / "out", model=str(tiny), seeds=1, settings=SHORT, quiet=True)
    assert list(found.cases) == [case.name for case in Glue().cases()]
    assert not found.notes
    for case in Glue().cases():
        told = found.cases[case.name]
        assert told["layout"] == "the official archive"
        assert told["rows"] == COUNT
        assert list(told["figures"]) == list(case.metrics)
    assert list(found.cases["mnli"]["also"]) == ["mismatched"]
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as sent:
        files = {name: sent.read(name).decode().splitlines() for name in sent.namelist()}
    assert set(files) == {
        "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv", "QNLI.tsv",
        "RTE.tsv", "WNLI.tsv",
    }  # fmt: skip
    assert all(content[0] == "index\tprediction" and len(content) == 1 + COUNT for content in files.values())
    assert {line.split("\t")[1] for line in files["WNLI.tsv"][1:]} <= {"0", "1"}
    assert {line.split("\t")[1] for line in files["RTE.tsv"][1:]} <= {"entailment", "not_entailment"}
    assert all(0 <= float(line.split("\t")[1]) <= 5 for line in files["STS-B.tsv"][1:])
    page = (tmp_path / "out" / "README.md").read_text()
    assert "| CoLA | mcc |" in page
    assert "BERT-base 52.1 (test server)" in page
    assert "Mean of the first metrics:" in page


def test_a_stopped_benchmark_goes_on(
    archive: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"out": tmp_path / "out", "model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}
    given["only"] = ["cola", "sst2"]
    tune, seen = runner.finetune, []

    def stops(*args: Any, **options: Any) -> Any:
        seen.append(options["out"].name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return tune(*args, **options)

    monkeypatch.setattr(runner, "finetune", stops)
    with pytest.raises(KeyboardInterrupt):
        benchmark("glue", archive, **given)
    first = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(first["cases"]) == ["cola"]
    before = (tmp_path / "out" / "cola" / "metrics.json").stat().st_mtime_ns
    with pytest.raises(UserError, match="--resume"):
        benchmark("glue", archive, **given)
    seen.clear()
    monkeypatch.setattr(runner, "finetune", tune)
    found = benchmark("glue", archive, resume=True, **given)
    assert list(found.cases) == ["cola", "sst2"]
    assert found.cases["cola"] == first["cases"]["cola"]
    assert (tmp_path / "out" / "cola" / "metrics.json").stat().st_mtime_ns == before
    again = benchmark("glue", archive, resume=True, **{**given, "only": ["sst2"]})
    assert list(again.cases) == ["cola", "sst2"]  # what was found before stays
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as sent:
        assert sent.namelist() == ["CoLA.tsv", "SST-2.tsv"]
    with pytest.raises(UserError, match="whose seeds was 1 and is 2"):
        benchmark("glue", archive, resume=True, **{**given, "seeds": 2})


def test_other_layouts_and_what_is_not_there(reviews: Rows, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "rte").mkdir(parents=True)
    table = {
        "sentence1": reviews["text"], "sentence2": reviews["other"],
        "label": [int(label == "bad") for label in reviews["label"]], "idx": list(range(len(reviews["text"]))),
    }  # fmt: skip
    for side in ("train", "validation", "test"):
        parquet.write_table(arrow.table(table), folder / "rte" / f"{side}-00000-of-00001.parquet")
    (folder / "quora_qqp_devtest").mkdir()
    marks = [int(label == "bad") for label in reviews["label"]]
    (folder / "quora_qqp_devtest/dev.txt").write_text(lines(reviews["text"], reviews["other"], marks))
    given = {"out": tmp_path / "out", "model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}
    found = benchmark("glue", folder, **given)
    assert list(found.cases) == ["qqp", "rte"]
    assert (found.cases["rte"]["layout"], found.cases["rte"]["cut"]) == ("the files of datasets", False)
    assert found.cases["qqp"]["cut"]
    assert found.cases["qqp"]["rows"] == 24
    assert len(found.notes) == 7
    assert found.notes[0].startswith("CoLA was not found. Looked for: the official archive (CoLA/train.tsv);")
    assert "QQP+" in (tmp_path / "out" / "README.md").read_text()
    assert "Mean of" not in (tmp_path / "out" / "README.md").read_text()
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as sent:
        said = {line.split("\t")[1] for line in sent.read("RTE.tsv").decode().splitlines()[1:]}
    assert said <= {"entailment", "not_entailment"}
    for changes, message in (
        ({"only": ["cola"]}, "CoLA was not found"),
        ({"only": ["colla"]}, "Did you mean"),
        ({"data": tmp_path / "nowhere/at/all"}, "There is no folder"),
    ):
        asked = {"data": folder, **given, **changes}
        with pytest.raises(UserError, match=message):
            benchmark("glue", asked.pop("data"), **asked)


def test_squad_and_tagging(reviews: Rows, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "wnut17").mkdir(parents=True)
    things = [text.split()[1] for text in reviews["text"]]
    tags = "\n\n".join(f"the\tO\n{thing}\tB-thing\nwas\tO" for thing in things) + "\n"
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        (folder / "wnut17" / name).write_text(tags)
    articles = []
    for i, (text, thing) in enumerate(zip(reviews["text"], things, strict=True)):
        answers = [{"text": thing, "answer_start": text.index(thing)}] if i % 3 else []
        one = {"id": str(i), "question": "what was it", "answers": answers, "is_impossible": not answers}
        articles.append({"title": f"t{i % 40}", "paragraphs": [{"context": f"{text} {i}", "qas": [one]}]})
    for name, some in (("squad2_dev_cs224n/dev-v2.0", articles), ("xquad/xquad.en", articles[1:9])):
        (folder / name).parent.mkdir()
        (folder / f"{name}.json").write_text(json.dumps({"version": "2.0", "data": some}))
    given = {"model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}
    tables = next(case for case in Squad().cases() if case.name == "squad1").ways[1].tables(folder)
    assert not set(tables["train"].column("title")) & set(tables["test"].column("title"))
    found = benchmark("tagging", folder, out=tmp_path / "tags", **given)
    assert list(found.cases) == ["wnut17"]
    assert list(found.cases["wnut17"]["figures"]) == ["f1", "f1_conlleval", "precision", "recall"]
    found = benchmark("squad", folder, out=tmp_path / "squad", **given)
    one, two = found.cases["squad1"], found.cases["squad2"]
    assert one["layout"].startswith("answerable questions")
    assert one["cut"]
    assert list(one["figures"]) == ["f1", "exact_match"]
    assert two["cut"]
    assert "f1" in two["figures"]
    assert not (tmp_path / "squad" / "submission.zip").exists()


def test_superglue_and_swag(reviews: Rows, tiny: Path, tmp_path: Path) -> None:
    """Rows as the archives have them, made by hand: these sets are not at hand."""
    texts, others = reviews["text"][:COUNT], reviews["other"][:COUNT]
    two = [i % 2 == 0 for i in range(COUNT)]
    rows: dict[str, list[dict[str, Any]]] = {
        "BoolQ": [{"question": t, "passage": o, "label": y} for t, o, y in zip(texts, others, two, strict=True)],
        "CB": [
            {"premise": t, "hypothesis": o, "label": ("entailment", "contradiction", "neutral")[i % 3]}
            for i, (t, o) in enumerate(zip(texts, others, strict=True))
        ],
        "COPA": [
            {"premise": t, "choice1": "film", "choice2": "play", "question": ("cause", "effect")[y], "label": int(y)}
            for t, y in zip(texts, two, strict=True)
        ],
        "MultiRC": [
            {"idx": i, "passage": {"text": t, "questions": [{"question": "what", "answers": [
                {"text": "film", "label": int(y)}, {"text": "play", "label": int(not y)},
            ]}]}}
            for i, (t, y) in enumerate(zip(texts, two, strict=True))
        ],
        "ReCoRD": [
            {"passage": {"text": "film play", "entities": [{"start": 0, "end": 3}, {"start": 5, "end": 8}]},
             "qas": [{"query": f"@placeholder {t}", "answers": [{"text": ("film", "play")[y]}]}]}
            for t, y in zip(texts, two, strict=True)
        ],
        "RTE": [
            {"premise": t, "hypothesis": o, "label": ("entailment", "not_entailment")[y]}
            for t, o, y in zip(texts, others, two, strict=True)
        ],
        "WiC": [
            {"word": "film", "sentence1": t, "sentence2": o, "label": y}
            for t, o, y in zip(texts, others, two, strict=True)
        ],
        "WSC": [
            {"text": t, "target": {"span1_text": "film", "span2_text": "it"}, "label": y}
            for t, y in zip(texts, two, strict=True)
        ],
    }  # fmt: skip
    for name, some in rows.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for side in ("train", "val"):
            (tmp_path / "data" / name / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    ending = [f"a {word}" for word in ("film", "play", "book", "song")]
    head = "sent1,sent2,ending0,ending1,ending2,ending3,label\n"
    swag = head + "".join(f"{t},the,{','.join(ending)},{i % 4}\n" for i, t in enumerate(texts))
    for side in ("train", "val"):
        (tmp_path / "data" / f"{side}.csv").write_text(swag)
    given = {"model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}
    found = benchmark("superglue", tmp_path / "data", out=tmp_path / "super", **given)
    assert list(found.cases) == ["boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc"]
    assert found.cases["multirc"]["rows"] == 2 * COUNT
    assert list(found.cases["multirc"]["further"]) == ["exact_match"]
    record = found.cases["record"]
    assert record["further"]["exact_match"]["value"] == pytest.approx(record["figures"]["accuracy"]["value"])
    page = (tmp_path / "super" / "README.md").read_text()
    assert "exact_match, saved seed" in page
    assert list(found.cases["cb"]["figures"]) == ["f1_macro", "accuracy"]
    found = benchmark("swag", tmp_path / "data", out=tmp_path / "swag", **given)
    assert found.cases["swag"]["rows"] == COUNT


def test_the_metrics_of_questions_and_of_entities() -> None:
    """MultiRC by question, ReCoRD by the nearest true entity, by hand."""
    known = {case.name: case for case in Superglue().cases()}
    table = Table({"group": ["0/0", "0/0", "0/1"], "label": [1, 0, 1]}, "rows", [1, 2, 3])
    said = [{"label": "1"}, {"label": "1"}, {"label": "1"}]
    assert list(known["multirc"].further["exact_match"](table, said)) == [0.0, 1.0]
    names = ["New York", "the York city"]
    table = Table({"entities": [names, names], "true": [["York City", "Rome"], ["Paris"]]}, "rows", [1, 2])
    numbers = [{"number": 1}, {"number": 2}]
    assert list(known["record"].further["f1"](table, numbers)) == [0.5, 0.0]
    assert list(known["record"].further["exact_match"](table, [{"number": 2}, {"number": 1}])) == [1.0, 0.0]


def test_all_benchmarks_are_told() -> None:
    assert names(Benchmark) == ["glue", "squad", "superglue", "swag", "tagging"]
    for made in (Glue(), Squad(), Superglue(), Swag(), Tagging()):
        cases = made.cases()
        assert len({case.name for case in cases}) == len(cases)
        for case in cases:
            assert case.metrics
            assert case.ways
            assert all(each.rows in ("dev", "test", "test server") and each.source for each in case.published)
