"""SuperGLUE (Wang et al. 2019b): eight tasks from the official archive, reported on their val rows.

Templates make texts of the fields as simply as they can be told: WiC names the word before its first sentence, WSC asks
whether the pronoun is the noun, COPA asks for the cause or the effect. MultiRC's answers are judged one by one (F1 over
all of them) and question by question (exact match: all of its answers right); ReCoRD's entities are choices, judged by
the words that they share with the nearest true one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Further, Rows, Way
from maskwright.stats.answers import exact, overlap

Tables = dict[str, Table]


def _way(folder: str, prepare: Any = None) -> Way:
    rows = (Rows((f"{folder}/{side}.jsonl",)) for side in ("train", "val"))
    return Way("the official archive", *rows, prepare=prepare)


def _pair(text: str, pair: str) -> dict[str, str]:
    return {"name": "classification", "text": text, "pair": pair}


def _each(tables: Tables, made: Any) -> Tables:
    """Each row into others: `made` gives their cells."""
    out = {}
    for name, table in tables.items():
        rows, places = list[dict[str, Any]](), list[str]()
        for i in range(len(table)):
            for cells in made({column: values[i] for column, values in table.columns.items()}):
                rows.append(cells)
                places.append(table.where(i))
        columns = {column: [row[column] for row in rows] for column in rows[0]} if rows else {}
        out[name] = Table(columns, table.source, list(range(1, len(rows) + 1)), table.notes, "row", places)
    return out


def _answers(row: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """MultiRC: a row for each answer of each question."""
    passage = row["passage"]
    return [
        {
            "passage": passage["text"], "question": question["question"], "answer": answer["text"],
            "label": answer["label"], "group": f"{row.get('idx', 0)}/{number}",
        }
        for number, question in enumerate(passage["questions"])
        for answer in question["answers"]
    ]  # fmt: skip


def _pronoun(row: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """WSC: the text, the pronoun and the noun."""
    target = row["target"]
    return [{
        "text": row["text"], "pronoun": target["span2_text"], "noun": target["span1_text"], "label": row["label"],
    }]  # fmt: skip


def _entities(row: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """ReCoRD: a question with the entities of its passage as choices, of which the first true one is the label."""
    text, out = row["passage"]["text"], []
    spans = row["passage"]["entities"]
    names = list(dict.fromkeys(text[span["start"] : span["end"] + 1] for span in spans))
    for question in row["qas"]:
        true = {answer["text"] for answer in question.get("answers", ())}
        right = next((i for i, name in enumerate(names) if name in true), None)
        if right is None or len(names) < 2:
            continue
        choices = [question["query"].replace("@placeholder", name) for name in names]
        known = {"entities": names, "true": sorted(true)}
        out.append({"passage": text.replace("@highlight", ""), "choices": choices, "label": right, **known})
    return out


def _all_right(table: Table, answers: Sequence[Mapping[str, Any]]) -> Sequence[float]:
    """MultiRC: 1 for a question of which every answer was judged rightly."""
    right: dict[str, bool] = {}
    for group, label, said in zip(table.column("group"), table.column("label"), answers, strict=True):
        right[group] = right.get(group, True) and str(label) == str(said["label"])
    return [float(each) for each in right.values()]


def _nearest(compared: Callable[[str, Sequence[str]], float]) -> Further:
    """ReCoRD: the entity that was chosen beside the true ones."""

    def measured(table: Table, answers: Sequence[Mapping[str, Any]]) -> Sequence[float]:
        sides = zip(table.column("entities"), table.column("true"), answers, strict=True)
        return [compared(names[said["number"] - 1], true) for names, true, said in sides]

    return measured


BOOLQ = Case(
    "boolq", "BoolQ", _pair("question", "passage"), ("accuracy",), (_way("BoolQ"),), options={"max_length": 256}
)
CB = Case("cb", "CB", _pair("premise", "hypothesis"), ("f1_macro", "accuracy"), (_way("CB"),))
COPA = Case(
    "copa", "COPA",
    {"name": "choice", "text": "{premise} What was the {question}?", "pair": "choice1,choice2", "first": 0},
    ("accuracy",), (_way("COPA"),),
)  # fmt: skip
MULTIRC = Case(
    "multirc", "MultiRC", _pair("passage", "{question} {answer}"), ("f1", "accuracy"),
    (_way("MultiRC", lambda tables: _each(tables, _answers)),), options={"max_length": 384},
    further={"exact_match": _all_right},
    note="F1 is over all answers (F1a), exact match over questions, whose answers must all be right",
)  # fmt: skip
RECORD = Case(
    "record", "ReCoRD", {"name": "choice", "text": "passage", "pair": "choices", "first": 0}, ("accuracy",),
    (_way("ReCoRD", lambda tables: _each(tables, _entities)),), options={"max_length": 384},
    further={"f1": _nearest(overlap), "exact_match": _nearest(exact)},
    note="accuracy is that of the first true entity, the other two are of the nearest; questions without an entity "
    "that is true are left out",
)  # fmt: skip
RTE = Case("rte", "RTE", _pair("premise", "hypothesis"), ("accuracy",), (_way("RTE"),))
WIC = Case("wic", "WiC", _pair("{word}: {sentence1}", "sentence2"), ("accuracy",), (_way("WiC"),))
WSC = Case(
    "wsc", "WSC", _pair("text", "{pronoun} is {noun}"), ("accuracy",),
    (_way("WSC", lambda tables: _each(tables, _pronoun)),),
)  # fmt: skip


class Superglue(Benchmark):
    """All eight."""

    title: ClassVar[str] = "SuperGLUE"
    about: ClassVar[str] = "Reported are val rows, which chose nothing."

    def cases(self) -> Sequence[Case]:
        return BOOLQ, CB, COPA, MULTIRC, RECORD, RTE, WIC, WSC
