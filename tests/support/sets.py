"""The sets of benchmarks in the layouts that people have them in, with a few rows each, made of the reviews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as arrow
from pyarrow import parquet

Rows = dict[str, list[Any]]
COUNT = 24
PAIR = ("index", "sentence1", "sentence2")
QQP = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
SWAG = ("film", "play", "book", "song")


def lines(*columns: list[Any], head: tuple[str, ...] = ()) -> str:
    rows = [head] * bool(head) + list(zip(*columns, strict=True))
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(rows), path)


def glue(out: Path, reviews: Rows) -> Path:
    """The official archive. Of QQP's training records two are broken, as in the real one."""
    texts, others = reviews["text"][:COUNT], reviews["other"][:COUNT]
    marks = [int(label == "good") for label in reviews["label"][:COUNT]]
    index, follows = list(range(COUNT)), ["entailment" if mark else "not_entailment" for mark in marks]
    three = [("entailment", "neutral", "contradiction")[i % 3] for i in index]
    for side in ("train", "dev"):
        write(out / f"CoLA/{side}.tsv", lines(["x"] * COUNT, marks, [""] * COUNT, texts))
        write(out / f"SST-2/{side}.tsv", lines(texts, marks, head=("sentence", "label")))
        head = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
        write(out / f"MRPC/{side}.tsv", lines(marks, index, index, texts, others, head=head))
        score = [float(i % 6) for i in index]
        write(out / f"STS-B/{side}.tsv", lines(index, texts, others, score, head=(*PAIR, "score")))
        broken = "7\t7\t7\thalf of a question\n8\t8\t8\tthe other half\n" if side == "train" else ""
        write(out / f"QQP/{side}.tsv", lines(index, index, index, texts, others, marks, head=QQP) + broken)
        head = ("index", "question", "sentence", "label")
        write(out / f"QNLI/{side}.tsv", lines(index, texts, others, follows, head=head))
        write(out / f"RTE/{side}.tsv", lines(index, texts, others, follows, head=(*PAIR, "label")))
        write(out / f"WNLI/{side}.tsv", lines(index, texts, others, marks, head=(*PAIR, "label")))
    for name in ("train", "dev_matched", "dev_mismatched"):
        write(out / f"MNLI/{name}.tsv", lines(index, texts, others, three, head=(*PAIR, "gold_label")))
    write(out / "CoLA/test.tsv", lines(index, texts, head=("index", "sentence")))
    write(out / "SST-2/test.tsv", lines(index, texts, head=("index", "sentence")))
    head = ("index", "#1 ID", "#2 ID", "#1 String", "#2 String")
    write(out / "MRPC/test.tsv", lines(index, index, index, texts, others, head=head))
    write(out / "QQP/test.tsv", lines(index, texts, others, head=("id", "question1", "question2")))
    write(out / "QNLI/test.tsv", lines(index, texts, others, head=("index", "question", "sentence")))
    for name in ("STS-B/test", "RTE/test", "WNLI/test", "MNLI/test_matched", "MNLI/test_mismatched"):
        write(out / f"{name}.tsv", lines(index, texts, others, head=PAIR))
    write(out / "diagnostic/diagnostic.tsv", lines(index, texts, others, head=PAIR))
    return out


def questions(reviews: Rows, impossible: bool = True) -> list[dict[str, Any]]:
    """SQuAD's questions, each of the 40 articles with two; every third has no answer, where some are impossible."""
    out = []
    for i, text in enumerate(reviews["text"]):
        thing = text.split()[1]
        answers = [] if impossible and i % 3 == 0 else [{"text": thing, "answer_start": text.index(thing)}]
        row = {"id": str(i), "question": "what was it", "answers": answers}
        out.append({**row, "title": f"t{i % 40}", "context": f"{text} {i}"})
    return out


def squad(path: Path, rows: list[dict[str, Any]]) -> None:
    """SQuAD's JSON, an article for each row."""
    articles = []
    for row in rows:
        one = {"id": row["id"], "question": row["question"], "answers": row["answers"]}
        one["is_impossible"] = not row["answers"]
        articles.append({"title": row["title"], "paragraphs": [{"context": row["context"], "qas": [one]}]})
    write(path, json.dumps({"version": "2.0", "data": articles}))


def squad_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """As the library datasets has them: the texts of the answers and their starts as lists."""
    turned = [
        {**row, "answers": {name: [one[name] for one in row["answers"]] for name in ("text", "answer_start")}}
        for row in rows
    ]
    kind = arrow.struct([("text", arrow.list_(arrow.string())), ("answer_start", arrow.list_(arrow.int32()))])
    columns = {name: [row[name] for row in turned] for name in ("id", "title", "context", "question")}
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = arrow.array([row["answers"] for row in turned], kind)
    parquet.write_table(arrow.table({**columns, "answers": answers}), path)


def tagged(path: Path, reviews: Rows) -> None:
    """CoNLL's words and tags."""
    things = [text.split()[1] for text in reviews["text"]]
    write(path, "\n\n".join(f"the\tO\n{thing}\tB-thing\nwas\tO" for thing in things) + "\n")


def superglue(out: Path, reviews: Rows) -> Path:
    """The official archive. The last passage of ReCoRD has a second question, of which no entity is true."""
    texts, others = reviews["text"][:COUNT], reviews["other"][:COUNT]
    two = [i % 2 == 0 for i in range(COUNT)]
    places = [{"start": 0, "end": 3}, {"start": 5, "end": 8}]
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
            {"idx": i, "passage": {"text": f"{t} {i}", "questions": [{"question": "what", "answers": [
                {"text": "film", "label": int(y)}, {"text": "play", "label": int(not y)},
            ]}]}}
            for i, (t, y) in enumerate(zip(texts, two, strict=True))
        ],
        "ReCoRD": [
            {"passage": {"text": f"film play {i}", "entities": places},
             "qas": [{"query": f"@placeholder {t}", "answers": [{"text": ("film", "play")[y]}]}]}
            for i, (t, y) in enumerate(zip(texts, two, strict=True))
        ],
        "RTE": [
            {"premise": t, "hypothesis": o, "label": ("entailment", "not_entailment")[y]}
            for t, o, y in zip(texts, others, two, strict=True)
        ],
        "WiC": [
            {"word": "was", "sentence1": t, "sentence2": f"it was {o}", "label": y, "start1": t.index("was"),
             "end1": t.index("was") + 3, "start2": 3, "end2": 6}
            for t, o, y in zip(texts, others, two, strict=True)
        ],
        "WSC": [
            {"text": f"the film , it was {t}", "label": y,
             "target": {"span1_index": 0, "span1_text": "the film", "span2_index": 3, "span2_text": "it"}}
            for t, y in zip(texts, two, strict=True)
        ],
    }  # fmt: skip
    rows["ReCoRD"][-1]["qas"].append({"query": "@placeholder was", "answers": [{"text": "nothing"}]})
    for name, some in rows.items():
        for side in ("train", "val"):
            write(out / name / f"{side}.jsonl", "".join(json.dumps(row) + "\n" for row in some))
    return out


def swag(out: Path, reviews: Rows) -> Path:
    """Its authors' files."""
    head = "sent1,sent2,ending0,ending1,ending2,ending3,label\n"
    ending = ",".join(f"{word} was" for word in SWAG)
    rows = "".join(f"{text},the,{ending},{i % 4}\n" for i, text in enumerate(reviews["text"][:COUNT]))
    for side in ("train", "val"):
        write(out / f"{side}.csv", head + rows)
    return out
