"""SuperGLUE (Wang et al. 2019b): eight tasks from the official archive or the files of datasets, reported on val rows.

Templates make texts of the fields as simply as they can be told: WiC names the word before its first sentence, WSC asks
whether the pronoun is the noun, COPA asks for the cause or the effect. Where a word is meant at one place, the place is
marked: *word*, and WSC's noun _noun_. MultiRC's answers are judged one by one (F1 over all of them) and question by
question (exact match: all of its answers right); ReCoRD's entities are choices, judged by the words that they share
with the nearest true one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Further, LeftOut, Published, Rows, Way
from maskwright.finetuning.benchmarks.glue import FOLLOWS
from maskwright.stats.answers import exact, overlap

Row = Mapping[str, Any]
Made = Callable[[Row], Sequence[dict[str, Any] | None]]  #: a row of a file -> rows of the task; None for one left out
HUMAN = "Wang et al. 2019b"


def _ways(
    folder: str, official: Made | None = None, parquet: Made | None = None, names: Sequence[str] = (), **more: Any
) -> tuple[Way, ...]:
    """The archive's {folder}/train.jsonl and val.jsonl; the files of datasets in a folder of that name in small
    letters. official, parquet: what makes rows of theirs; names: what the numbers of labels stand for in the second."""
    sides = ("train-*.parquet", "validation-*.parquet")
    return (
        Way(
            "the official archive", *(Rows((f"{folder}/{side}.jsonl",)) for side in ("train", "val")),
            prepare=_each(official), **more,
        ),
        Way(
            "the files of datasets", *(Rows((f"{folder.lower()}/{side}",)) for side in sides), prepare=_each(parquet),
            task={"names": tuple(names)} if names else {}, **more,
        ),
    )  # fmt: skip


def _pair(text: str, pair: str) -> dict[str, str]:
    return {"name": "classification", "text": text, "pair": pair}


def _each(made: Made | None) -> Callable[[dict[str, Table]], dict[str, Table]] | None:
    return None if made is None else lambda tables: {name: _remade(table, made) for name, table in tables.items()}


def _remade(table: Table, made: Made) -> Table:
    """The rows that each row is made into."""
    rows, places, left = list[dict[str, Any]](), list[str](), 0
    for i in range(len(table)):
        try:
            found = made({column: values[i] for column, values in table.columns.items()})
        except UserError as problem:
            raise UserError(f"{table.where(i)}: {problem}") from None
        except (KeyError, TypeError, AttributeError, IndexError) as problem:
            raise UserError(
                f"{table.where(i)}: a field that the row must have is absent or no such: {problem}"
            ) from None
        kept = [cells for cells in found if cells is not None]
        rows += kept
        places += [table.where(i)] * len(kept)
        left += len(found) - len(kept)
    columns = {column: [row[column] for row in rows] for column in rows[0]} if rows else {}
    told = f"{left:,} of {counted(len(rows) + left, 'question')} left out, which have no choice between true and false."
    notes = [*table.notes, LeftOut(told, left)] if left else table.notes
    return Table(columns, table.source, list(range(1, len(rows) + 1)), notes, "row", places)


def _answers(row: Row) -> Sequence[dict[str, Any]]:
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


def _answer(row: Row) -> Sequence[dict[str, Any]]:
    """The same of datasets, which has a row for each answer."""
    number = row["idx"]
    return [{
        "passage": row["paragraph"], "question": row["question"], "answer": row["answer"], "label": row["label"],
        "group": f"{number['paragraph']}/{number['question']}",
    }]  # fmt: skip


def _pronoun(row: Row) -> Sequence[dict[str, Any]]:
    """WSC: the text with both places marked, the pronoun and the noun. Places are counted in words."""
    told = row.get("target") or row  # datasets has its fields beside the text
    words, (noun, pronoun) = row["text"].split(), (told[f"span{i}_text"] for i in (1, 2))
    for number, span, sign in ((1, noun, "_"), (2, pronoun, "*")):
        first = told[f"span{number}_index"]
        last = first + len(span.split()) - 1
        if not 0 <= first <= last < len(words):
            raise UserError(f"span{number}_index is {first}, where the text has no words for {span!r}.")
        words[first] = sign + words[first]
        words[last] += sign
    return [{"text": " ".join(words), "pronoun": pronoun, "noun": noun, "label": row["label"]}]


def _senses(row: Row) -> Sequence[dict[str, Any]]:
    """WiC: the word's place marked in both sentences. Places are counted in characters."""
    cells = {"word": row["word"], "label": row["label"]}
    for number in (1, 2):
        text, start, end = (row[f"{name}{number}"] for name in ("sentence", "start", "end"))
        if not 0 <= start < end <= len(text):
            raise UserError(f"start{number} and end{number} are {start} and {end}, which are no place in {text!r}.")
        cells[f"sentence{number}"] = f"{text[:start]}*{text[start:end]}*{text[end:]}"
    return [cells]


def _entities(row: Row) -> Sequence[dict[str, Any] | None]:
    """ReCoRD: each question of a passage."""
    text, spans = row["passage"]["text"], row["passage"]["entities"]
    names = [text[span["start"] : span["end"] + 1] for span in spans]
    return [
        _question(text, names, question["query"], [answer["text"] for answer in question.get("answers", ())])
        for question in row["qas"]
    ]


def _entity(row: Row) -> Sequence[dict[str, Any] | None]:
    """The same of datasets, which has a row for each question."""
    return [_question(row["passage"], row["entities"], row["query"], row["answers"])]


def _question(text: str, entities: Sequence[str], query: str, true: Sequence[str]) -> dict[str, Any] | None:
    """The entities as choices, of which the first true one is the label; None where nothing can be chosen."""
    names = list(dict.fromkeys(entities))
    right = next((i for i, name in enumerate(names) if name in true), None)
    if right is None or len(names) < 2:
        return None
    choices = [query.replace("@placeholder", name) for name in names]
    known = {"entities": names, "true": sorted(set(true))}
    return {"passage": text.replace("@highlight", ""), "choices": choices, "label": right, **known}


def _all_right(table: Table, answers: Sequence[Mapping[str, Any]]) -> Sequence[float]:
    """MultiRC: 1 for a question of which every answer was judged rightly."""
    right: dict[str, bool] = {}
    for group, label, said in zip(table.column("group"), table.column("label"), answers, strict=True):
        right[group] = right.get(group, True) and str(label) == str(said["label"])
    return [float(each) for each in right.values()]


def _nearest(compared: Callable[[str, Sequence[str]], float]) -> Further:
    """ReCoRD: the entity that was chosen beside the true ones; a question that was left out counts as 0."""

    def measured(table: Table, answers: Sequence[Mapping[str, Any]]) -> Sequence[float]:
        sides = zip(table.column("entities"), table.column("true"), answers, strict=True)
        left = sum(note.rows for note in table.notes if isinstance(note, LeftOut))
        return [*(compared(names[said["number"] - 1], true) for names, true, said in sides), *[0.0] * left]

    return measured


BOOLQ = Case("boolq", "BoolQ", _pair("question", "passage"), ("accuracy",), _ways("BoolQ"), options={"max_length": 256})
CB = Case(
    "cb", "CB", _pair("premise", "hypothesis"), ("f1_macro", "accuracy"),
    _ways("CB", names=("entailment", "contradiction", "neutral")),
)  # fmt: skip
COPA = Case(
    "copa", "COPA",
    {"name": "choice", "text": "{premise} What was the {question}?", "pair": "choice1,choice2", "first": 0},
    ("accuracy",), _ways("COPA"),
)  # fmt: skip
MULTIRC = Case(
    "multirc", "MultiRC", _pair("passage", "{question} {answer}"), ("f1", "accuracy"),
    _ways("MultiRC", _answers, _answer, group="passage"), options={"max_length": 384},
    further={"exact_match": _all_right},
    note="F1 is over all answers (F1a), exact match over questions, whose answers must all be right",
)  # fmt: skip
RECORD = Case(
    "record", "ReCoRD", {"name": "choice", "text": "passage", "pair": "choices", "first": 0}, ("accuracy",),
    _ways("ReCoRD", _entities, _entity, group="passage"), options={"max_length": 384},
    further={"f1": _nearest(overlap), "exact_match": _nearest(exact)},
    note="accuracy is that of the first true entity, the other two are of the nearest; a question without a choice "
    "between a true and a false entity is 0 in these two and not in the first",
)  # fmt: skip
RTE = Case("rte", "RTE", _pair("premise", "hypothesis"), ("accuracy",), _ways("RTE", names=FOLLOWS))
WIC = Case("wic", "WiC", _pair("{word}: {sentence1}", "sentence2"), ("accuracy",), _ways("WiC", _senses, _senses))
WSC = Case("wsc", "WSC", _pair("text", "{pronoun} is {noun}"), ("accuracy",), _ways("WSC", _pronoun, _pronoun))


class Superglue(Benchmark):
    """All eight."""

    title: ClassVar[str] = "SuperGLUE"
    about: ClassVar[str] = "Reported are val rows, which chose nothing."
    average: ClassVar[str] = (
        "This is no score of SuperGLUE's own, which is of test rows and counts all metrics of a set."
    )
    scores: ClassVar[Sequence[Published]] = (Published("human", "score", 89.8, "test server", HUMAN),)

    def cases(self) -> Sequence[Case]:
        return BOOLQ, CB, COPA, MULTIRC, RECORD, RTE, WIC, WSC
