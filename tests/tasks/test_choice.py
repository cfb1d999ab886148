"""One of several choices: the loss, the network of transformers, answers, baselines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from encoders import save_encoder

import maskwright
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.evaluation.baselines import baselines
from maskwright.tasks import Model, Task
from maskwright.tasks._given import Given
from maskwright.tasks._task import Example
from maskwright.tasks.choice import Choice
from maskwright.tasks.classification import Classification

ROWS: dict[str, list[Any]] = {
    "question": ["the film was", "a play", "the book was", "the song"],
    "choices": [["dull", "lovely", "boring"], ["awful", "a film"], ["good", "a story", "bad", "dull"], ["x", "y"]],
    "label": ["B", "A", "D", "B"],
}


def task(**options: Any) -> Choice:
    found = resolve(Task, {"name": "choice", **options})
    assert isinstance(found, Choice)
    return found


@pytest.fixture
def model(tiny: Path) -> Callable[..., Model]:
    def make(**options: Any) -> Model:
        torch.manual_seed(5)
        made = Model.build(tiny, task(), None, **{"precision": "fp32", **options})
        with torch.no_grad():
            made.last_layer.weight.mul_(20)
        made.network.eval()
        return made

    return make


def test_the_loss_is_that_of_each_questions_choices(model: Callable[..., Model]) -> None:
    made = model()
    examples = made.task.examples(read(ROWS), None)
    inputs = made.inputs(examples)
    rows = np.array([2, 0, 3, 1])
    given = Given.of(inputs, rows, made.task.marks)
    wanted = torch.from_numpy(made.task.wanted(examples.targets, inputs)[rows])
    with torch.no_grad():
        scores = given.scores(made.network)
        mine = made.task.loss(scores, wanted, given)
    counts = [len(ROWS["choices"][row]) for row in rows]
    total = sum(
        torch.nn.functional.cross_entropy(own.T, right[None])
        for own, right in zip(scores.split(counts), wanted, strict=True)
    )
    assert float(mine) == pytest.approx(float(total), rel=1e-5)
    kept = made.scores(inputs)
    assert [len(one) for one in kept] == [3, 2, 4, 2]
    np.testing.assert_allclose(np.concatenate(list(kept[rows])), scores[:, 0].numpy(), atol=1e-5)


def test_transformers_scores_alike(model: Callable[..., Model], tmp_path: Path) -> None:
    made = model()
    made.save(tmp_path / "model")
    theirs = transformers.AutoModelForMultipleChoice.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    question, own = ROWS["question"][0], ROWS["choices"][0]
    given = tokenizer([question] * 3, own, return_tensors="pt", padding=True)
    with torch.no_grad():
        said = theirs(**{name: value[None] for name, value in given.items()}).logits[0].numpy()
    examples = made.task.examples(read(ROWS), None)
    np.testing.assert_allclose(made.scores(made.inputs(examples))[0], said, atol=1e-5)
    again = maskwright.load(tmp_path / "model")
    assert again.task == made.task


def test_longformers_choices_see_everything_as_theirs_do(tmp_path: Path) -> None:
    """Which is all that stands behind both separators, as their class marks it, and not the first piece."""
    folder = save_encoder("longformer", tmp_path / "encoder", positions=80)
    torch.manual_seed(5)
    made = Model.build(folder, task(), None, precision="fp32")
    with torch.no_grad():
        made.last_layer.weight.mul_(20)
    made.save(tmp_path / "model")
    theirs = transformers.AutoModelForMultipleChoice.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    inputs = made.inputs(made.task.examples(read(ROWS), None))
    for question, own, scores in zip(ROWS["question"], ROWS["choices"], made.scores(inputs), strict=True):
        given = tokenizer([question] * len(own), own, return_tensors="pt", padding=True)
        with torch.no_grad():
            said = theirs(**{name: value[None] for name, value in given.items()}).logits[0].numpy()
        np.testing.assert_allclose(scores, said, atol=20e-5)  # the last layer is twenty times as large
    by_first = Given.of(inputs, np.arange(4), Classification().marks)
    with torch.no_grad():
        others = by_first.scores(made.network.eval())[:, 0].numpy()
    assert np.abs(np.concatenate(list(made.scores(inputs))) - others).max() > 1e-2


def test_a_folder_of_theirs_chooses(tiny: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = transformers.AutoModelForMultipleChoice.from_config(transformers.AutoConfig.from_pretrained(tiny))
    theirs.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (tiny / name).exists():
            (tmp_path / name).write_bytes((tiny / name).read_bytes())
    made = maskwright.load(tmp_path)
    assert (made.task.name, made.labels) == ("choice", None)
    assert made.predict("the film was", ["dull", "lovely"])[0]["choice"] in ("dull", "lovely")


def test_answers(model: Callable[..., Model]) -> None:
    made = model()
    answers = made.predict(ROWS["question"], ROWS["choices"])
    for answer, own in zip(answers, ROWS["choices"], strict=True):
        assert answer["choice"] == own[answer["number"] - 1]
        assert sum(answer["choices"]) == pytest.approx(1)
        assert answer["probability"] == max(answer["choices"])
    (alone,) = made.predict(ROWS["question"][1], ROWS["choices"][1])
    assert alone["choices"] == pytest.approx(answers[1]["choices"], abs=1e-5)
    apart = Model(**{**vars(made), "task": task(pair="a, b")})
    assert list(apart.stream([{"question": "a play", "a": "awful", "b": "a film"}])) == [alone]
    assert made.predict("a play", '["awful", "a film"]') == made.predict("a play", ["awful", "a film"])
    for texts, pairs in ((["a play"], None), (["a play", "a film"], ["x", "y"])):
        with pytest.raises(UserError, match=r"one of several choices, but those of \d texts? are not told"):
            made.predict(texts, pairs)
    with pytest.raises(UserError, match="Text 1: there is 1 choice"):
        made.predict("the film", [["dull"]])


def test_what_rows_say() -> None:
    examples = task().examples(read(ROWS), None)
    assert task().notes(examples, None) == ["4 questions with 2 to 4 choices."]
    assert [one.right for one in examples.targets] == [1, 0, 3, 1]
    assert task().truths(examples.targets, None) == [2, 1, 4, 2]
    chosen = examples.select(np.array([3, 0]))
    assert chosen.choices == [("x", "y"), ("dull", "lovely", "boring")]
    assert task(pair="1, 2,3", text="0", label="4").columns() == ("0", "1", "2", "3", "4")
    with pytest.raises(UserError, match="in all 2 rows choice 2 is the right one"):
        task().discover(read({**{name: cells[:2] for name, cells in ROWS.items()}, "label": ["B", "B"]}))
    with pytest.raises(UserError, match="row 2: the label 'F' names none of the 2 choices"):
        task().targets(read({**ROWS, "label": ["A", "F", "A", "A"]}), None)
    assert task().settled_on(None, read({**ROWS, "label": [0, 1, 0, 1]})).first == 0


QUESTION = "the film was wonderful and the story was terrible but the song was lovely"


@pytest.mark.parametrize("long", ["head", "tail", "head-tail"])
def test_what_is_too_long_is_cut_off_the_question(model: Callable[..., Model], long: str) -> None:
    """So that each choice is read whole; `long` says which part of the question stays."""
    made = model(max_length=14, long=long)
    choices = ("dull", "a lovely song", "the book was a film")
    inputs = made.inputs(made.task.gather([Example(QUESTION, choices=choices), Example("a play", choices=choices)]))
    (cls, *question, sep), *others = (made.tokenizer.encode([text]).ids.tolist() for text in (QUESTION, *choices))
    lost = 0
    for i, (_, *choice, _) in enumerate(others):
        room = 14 - 3 - len(choice)
        head = {"head": room, "tail": 0, "head-tail": round(0.25 * room)}[long]
        kept = question[:head] + question[len(question) - (room - head) :]
        lost += len(question) - room
        ids = inputs.encodings.ids[slice(*inputs.encodings.offsets[i : i + 2])].tolist()
        assert ids == [cls, *kept, sep, *choice, sep]
    assert inputs.cut.tolist() == [lost, 0]
    assert inputs.share_cut == lost / (len(inputs.ids) + lost)
    where = {"head": "at the end", "tail": "at the start", "head-tail": "in the middle"}[long]
    assert made.task.shortened(made.long) == f"cut {where} of the question"
    assert made.task.lost(np.zeros(2), inputs) == []


def test_a_choice_that_is_too_long_alone_is_cut_and_that_is_told(model: Callable[..., Model]) -> None:
    made = model(max_length=10)
    inputs = made.inputs(made.task.gather([Example("a play", choices=("dull", QUESTION))]))
    cls, *choice, sep = made.tokenizer.encode([QUESTION]).ids.tolist()
    assert inputs.encodings.ids[-10:].tolist() == [cls, sep, *choice[:7], sep]
    assert inputs.cut.tolist() == [len(made.tokenizer.encode(["a play"], [QUESTION]).ids) - 10]
    assert made.task.lost(np.zeros(1), inputs) == [
        "1 choice leaves no room for the question and may be cut at the end; a larger --max-length helps."
    ]
    with pytest.raises(UserError, match=r"max_length = 3 leaves no room for text .* Give 4 or more"):
        model(max_length=3).predict("a play", ["dull", "lovely"])


def test_a_question_may_be_made_of_all_other_columns() -> None:
    rows = {"topic": ["films", "plays"], "year": [1999, 2001], "a": ["x", "y"], "b": ["z", "w"], "label": ["A", "B"]}
    made = task(text="*", pair="a,b")
    assert made.columns() == ("a", "b", "label")
    spelled = made.spelled(read(rows))
    assert spelled.text == "topic: {topic}; year: {year}"
    assert spelled.examples(read(rows), None).texts == ["topic: films; year: 1999", "topic: plays; year: 2001"]
    assert made.doubts(read(rows)) == []
    assert task().doubts(read({**ROWS, "question": ["a", "", "b", "c"]})) == [
        "the data given: 1 question is empty (first at the data given row 2)."
    ]


def test_measures() -> None:
    examples = task().examples(read(ROWS), None)
    scores = np.empty(4, object)
    scores[:] = [np.float32(x) for x in ([0, 1, 2], [1, 0], [0, 1, 2, 3], [0, 0])]
    found = task().metrics(scores, examples.targets)
    assert found == {"accuracy": 0.5, "reciprocal_rank": pytest.approx((1 / 2 + 1 + 1 + 1 / 2) / 4)}


def test_baselines_know_places_and_words() -> None:
    many = {name: cells * 5 for name, cells in ROWS.items()}
    train, rows = (task().examples(read(each), None) for each in (many, ROWS))
    place, words = baselines(task(), None, train, rows)
    assert place.settings == {"answer": 2}
    assert task().metrics(place.scores, rows.targets)["accuracy"] == 0.5
    assert task().metrics(words.scores, rows.targets)["accuracy"] > 0.5
