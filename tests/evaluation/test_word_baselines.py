"""What stands beside a tagger: one tag, each word's commonest tag, a linear model of words in their surroundings."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.evaluation.baselines import baselines
from maskwright.tasks import Examples, Task


def sides(task: Task, *rows: tuple[list[list[str]], list[list[str]]]) -> tuple[Task, Labels, list[Examples]]:
    tables = [read({"text": words, "label": tags}) for words, tags in rows]
    labels = task.discover(tables[0])
    assert labels is not None
    task = task.settled_on(labels)
    return task, labels, [task.examples(table, labels) for table in tables]


def said(task: Task, labels: Labels, scores: np.ndarray, examples: Examples) -> list[Any]:
    return task.decode(scores, labels, None, examples)


def test_each_word_gets_its_commonest_tag_and_others_those_of_rare_words() -> None:
    train = (
        [["the", "cat", "runs"], ["the", "dog", "runs"], ["the", "runs", "end"]],
        [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"]],
    )
    rows = ([["The", "zebra", "runs"]], [["DET", "NOUN", "VERB"]])
    task, labels, (known, asked) = sides(resolve(Task, "tagging"), train, rows)
    always, by_word, linear = baselines(task, labels, known, asked)
    names = [system.name for system in (always, by_word, linear)]
    assert names == ["commonest tag", "commonest tag of each word", "word features + logistic regression"]
    tags = [w["label"] for w in said(task, labels, by_word.scores, asked)[0]["words"]]
    assert tags == ["DET", "NOUN", "VERB"]
    assert always.settings == {"answer": "DET"}
    assert {w["label"] for w in said(task, labels, always.scores, asked)[0]["words"]} == {"DET"}


def test_the_surroundings_of_a_word_tell_a_linear_model_what_the_word_does_not() -> None:
    source = np.random.default_rng(0)
    words, tags = [], []
    for _ in range(60):
        name = f"n{source.integers(999)}"
        before = str(source.choice(["Mr", "in"]))
        words.append(["saw", before, name, "today"])
        tags.append(["O", "O", "B-person" if before == "Mr" else "B-place", "O"])
    task, labels, (train, held, rows) = sides(
        resolve(Task, "tagging"),
        (words[:30], tags[:30]),
        (words[30:40], tags[30:40]),
        (words[40:], tags[40:]),
    )
    _, by_word, linear = baselines(task, labels, train, rows, held)
    assert rows.targets is not None
    figures = [task.metrics(system.scores, rows.targets)["f1"] for system in (by_word, linear)]
    assert figures[1] == 1.0 > figures[0]
    assert linear.settings["alpha"] in (1e-5, 1e-6)


def test_texts_without_words_are_no_obstacle() -> None:
    task, labels, (train, rows) = sides(
        resolve(Task, "tagging"), ([["a", "b"]], [["B-x", "O"]]), ([["a"], []], [["B-x"], []])
    )
    found = baselines(task, labels, train, rows)
    assert [[len(scores) for scores in system.scores] for system in found] == [[1, 0]] * 3
    assert [task.metrics(system.scores, rows.targets)["f1"] for system in found[1:]] == [1.0, 1.0]


def test_where_all_words_have_one_tag_there_is_nothing_to_learn() -> None:
    task, labels, (train, rows) = sides(
        resolve(Task, "tagging"), ([["a"], ["b"]], [["B-x"], ["B-x"]]), ([["c"]], [["B-x"]])
    )
    assert [system.name for system in baselines(task, labels, train, rows)] == [
        "commonest tag",
        "commonest tag of each word",
    ]
