"""Answers to questions: windows and targets, the loss against transformers, n-best answers, none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from vocabularies import ANGLES, byte_level, camembert, deberta_v2, frame, xlm_roberta

import maskwright
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.base.ragged import objects
from maskwright.data.answered import answered
from maskwright.data.read import read
from maskwright.tasks import Model, Task
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Given
from maskwright.tasks.answer import Answer, _inside
from maskwright.text.tokenizer import Tokenizer

QUESTIONS = ["the film was", "a dull play", "the book", ""]


def task(**options: Any) -> Answer:
    found = resolve(Task, {"name": "answer", **options})
    assert isinstance(found, Answer)
    return found


@pytest.fixture
def rows(reviews: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Questions whose answer is a word of a context of several reviews; every fifth has none."""
    contexts = [" ".join(reviews["text"][i : i + 4]) for i in range(20)]
    answers: list[Any] = [[text.split()[1]] for text in contexts]
    for i in range(0, 20, 5):
        answers[i] = []
    return {"question": [QUESTIONS[i % 3] for i in range(20)], "context": contexts, "answers": answers}


@pytest.fixture
def model(tiny: Path) -> Callable[..., Model]:
    def make(**options: Any) -> Model:
        torch.manual_seed(5)
        made = Model.build(tiny, task(**options.pop("task", {})), None, **{"precision": "fp32", **options})
        with torch.no_grad():
            made.network.ends.weight.mul_(8)
        made.network.eval()
        return made

    return make


def test_every_window_has_the_whole_question_and_its_targets(tiny: Path, rows: dict[str, list[Any]]) -> None:
    tokenizer, made = Tokenizer.from_folder(tiny), task(stride=4)
    examples = made.examples(read(rows), None)
    whole, cut = (made.inputs(tokenizer, examples, length) for length in (512, 20))
    assert (whole.windowed, len(whole.encodings)) == (0, 20)
    assert cut.windowed == 20
    assert max(cut.encodings.lengths) <= 20
    for inputs in (whole, cut):
        wanted = made.wanted(examples.targets, inputs)
        assert len(wanted) == len(inputs.encodings)
        spans, windows = inputs.encodings.spans, inputs.by_window
        found = [0] * 20
        for window, (target,) in enumerate(wanted):
            row = int(np.searchsorted(inputs.sequences, window, side="right")) - 1
            start, stop = inputs.encodings.offsets[window : window + 2]
            question = tokenizer.encode([examples.texts[row]]).ids
            assert inputs.encodings.ids[start : start + len(question)].tolist() == question.tolist()
            asked = inputs.asked[windows.asks[window] : windows.asks[window + 1]]
            assert asked[0] == start
            assert asked[1:].tolist() == list(range(start + len(question), stop - 1))
            if target.any():
                first, last = (spans[asked[i]] for i in target)
                (answer,) = examples.targets[row].answers
                assert (first[0], last[1]) == answer
                found[row] += 1
        assert all((n > 0) == bool(true.answers) for n, true in zip(found, examples.targets, strict=True))
        assert inputs is cut or max(found) == 1


def test_the_loss_is_theirs(model: Callable[..., Model], rows: dict[str, list[Any]], tmp_path: Path) -> None:
    """Half the sum of both cross-entropies over the pieces that may be asked of a window; their scores are ours."""
    made = model()
    examples = made.task.examples(read(rows), None)
    inputs = made.inputs(examples)
    windows = inputs.by_window
    wanted = made.task.wanted(examples.targets, inputs)
    given = Given.of(windows, np.arange(len(windows)), made.task.marks)
    with torch.no_grad():
        scores = given.scores(made.network)
        mine = made.task.loss(scores, torch.from_numpy(np.concatenate(list(wanted))), given)
    total, at = 0.0, 0
    for count, (target,) in zip(windows.counts.tolist(), wanted, strict=True):
        own = scores[at : at + count]
        for side in (0, 1):
            total += float(torch.nn.functional.cross_entropy(own[None, :, side], torch.tensor([target[side]]))) / 2
        at += count
    assert float(mine) == pytest.approx(total, rel=1e-5)
    made.save(tmp_path / "model")
    theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    question, context = "the film was", "the book was dull"
    with torch.no_grad():
        said = theirs(**tokenizer(question, context, return_tensors="pt"))
        one = made.inputs(made.task.gather([made._example((1, (question, context)))]))
        own = Given.of(one, np.arange(1), made.task.marks).scores(made.network).numpy()
    logits = torch.stack([said.start_logits[0], said.end_logits[0]], -1).numpy()
    assert np.abs(own - logits[one.asked]).max() <= 1e-5


def test_the_best_answers_of_all_windows(model: Callable[..., Model], rows: dict[str, list[Any]]) -> None:
    """Against every start and end of every window, one by one."""
    made = model(max_length=20, task={"stride": 4, "longest": 3, "best": 6})
    examples = made.task.examples(read(rows), None)
    inputs = made.inputs(examples)
    kept = made.scores(inputs)
    raw = model(max_length=20, task={"stride": 4}).network
    spans, windows = inputs.encodings.spans, inputs.by_window
    for row in range(3):
        best: dict[tuple[int, int], float] = {}
        nulls = []
        for window in range(inputs.sequences[row], inputs.sequences[row + 1]):
            given = Given.of(windows, np.array([window]), made.task.marks)
            with torch.no_grad():
                scores = given.scores(raw).numpy()
            asked = spans[inputs.asked[windows.asks[window] : windows.asks[window + 1]]]
            nulls.append(float(scores[0].sum()))
            for i in range(1, len(scores)):
                for j in range(i, min(i + 3, len(scores))):
                    place = int(asked[i, 0]), int(asked[j, 1])
                    best[place] = max(best.get(place, -1e9), float(scores[i, 0] + scores[j, 1]))
        ranked = sorted(best.values(), reverse=True)[:6]
        assert kept[row][0, 2] == pytest.approx(min(nulls), abs=1e-4)
        assert kept[row][1:, 2] == pytest.approx(ranked, abs=1e-4)
        for start, end, score in kept[row][1:]:
            assert best[int(start), int(end)] == pytest.approx(float(score), abs=1e-4)


def test_none_is_given_beyond_the_threshold() -> None:
    made = task(none="yes")
    scores = np.array([[-1, -1, 3.0], [0, 4, 2.0], [5, 7, 1.0]], np.float32)
    assert made.found(scores).start == made.found(scores).end == 0
    assert made.found(scores).doubt == pytest.approx(1)
    lenient = Calibration("eval", 9, thresholds=(1.5,))
    assert (made.found(scores, lenient).start, made.found(scores, lenient).end) == (0, 4)
    assert task(none="no").found(scores).end == 4
    (settled,) = made.settled(objects([scores]), lenient, "f1")
    assert made.found(settled).end == 4
    nothing = made.found(scores[:1], lenient)
    assert (nothing.start, nothing.end, nothing.probability) == (0, 0, 1)


def test_where_answering_never_pays_the_fitted_threshold_gives_no_answer() -> None:
    made = task(none="yes")
    scores = objects([np.array([[-1, -1, 0.0], [4, 8, 2.0 + i]]) for i in range(4)])
    targets = objects([answered("the film was dull", ["dull"] if i == 3 else []) for i in range(4)])
    fitted = made.calibrate(scores, targets, "eval")
    assert made.said(scores, targets, fitted) == [""] * 4
    assert made.metrics(scores, targets, fitted)["f1"] == 0.75
    assert made.metrics(scores, targets)["f1"] == 0
    assert made.metrics(made.settled(scores, fitted, "f1"), targets)["f1"] == 0.75


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6))
def test_scores_that_are_settled_give_the_same_answers(rows: list[tuple[float, float]]) -> None:
    """At the threshold itself too, where a rounding would turn one."""
    made = task(none="yes")
    scores = objects([np.array([[-1, -1, null], [0, 3, best]]) for null, best in rows])
    doubts = [made.found(one).doubt for one in scores]
    for least in (*doubts, float(np.nextafter(min(doubts), -np.inf))):
        fitted = Calibration("eval", 9, thresholds=(least,))
        ends = [made.found(one, fitted).end for one in scores]
        assert [made.found(one).end for one in made.settled(scores, fitted, "f1")] == ends
        assert sum(map(bool, ends)) == sum(doubt <= least for doubt in doubts)


def test_all_answers_that_do_not_stand_in_their_context_are_named() -> None:
    rows = {"question": ["q"] * 8, "context": ["a film"] * 8, "answers": [["film"], *[["x"]] * 7]}
    places = ", ".join(f"the data given row {row}" for row in range(3, 8))
    with pytest.raises(UserError) as caught:
        task().targets(read(rows), None)
    assert str(caught.value) == (
        "the data given row 2: the answer 'x' does not stand in the context. 6 more rows are refused too: "
        f"{places} and 1 more."
    )


def test_what_may_be_a_slip_is_told_with_its_place() -> None:
    rows = {
        "question": ["q", " ", "r", ""], "context": ["c", "c", "", "c"], "answers": [[]] * 4, "id": ["a", 7, "a", None],
    }  # fmt: skip
    assert task().doubts(read(rows)) == [
        "the data given: 1 id stands at several rows: 'a' at the data given row 1 and the data given row 3.",
        "the data given: 2 questions are empty (first at the data given row 2).",
        "the data given: 1 context is empty (first at the data given row 3).",
    ]
    assert task().doubts(read({"question": ["q"], "context": ["c"], "answers": [[]]})) == []


def test_without_a_context_nothing_is_asked() -> None:
    with pytest.raises(UserError, match="name its column"):
        task(pair=None)


def test_answers_are_told_with_their_place(model: Callable[..., Model], rows: dict[str, list[Any]]) -> None:
    made = model()
    answers = made.predict(rows["question"], rows["context"])
    for answer, context in zip(answers, rows["context"], strict=True):
        for one in ({**answer, "text": answer["answer"]}, *answer["others"]):
            assert one["text"] == context[one["start"] : one["end"]]
            assert one["text"] == one["text"].strip()
        assert 0 <= answer["probability"] <= 1
    assert made.predict("who", "") == [
        {"answer": "", "start": 0, "end": 0, "probability": 1.0, "none": 1.0, "others": []}
    ]
    with pytest.raises(UserError, match="give both texts"):
        made.predict("who")


def test_what_is_settled_by_the_training_rows(rows: dict[str, list[Any]]) -> None:
    table = read(rows)
    assert task().settled_on(None, table).none == "yes"
    always = read({**rows, "answers": [[text.split()[0]] for text in rows["context"]]})
    assert task().settled_on(None, always).none == "no"
    examples = task().examples(table, None)
    assert task(none="yes").notes(examples, None) == ["20 questions, 4 of them without an answer."]
    assert "cannot be right" in task(none="no").notes(examples, None)[1]
    with pytest.raises(UserError, match="none of 1 question has an answer in"):
        task().discover(read({"question": ["q"], "context": ["c"], "answers": [[]]}))
    with pytest.raises(UserError, match=r"row 1: the answer 'x' does not stand in the context"):
        task().targets(read({"question": ["q"], "context": ["c"], "answers": [["x"]]}), None)


def test_saved_and_loaded_it_answers_alike(
    model: Callable[..., Model], rows: dict[str, list[Any]], tmp_path: Path
) -> None:
    made = model(max_length=20, task={"none": "yes", "stride": 4})
    made.calibration = Calibration("eval", 9, thresholds=(-0.5,))
    made.save(tmp_path / "model")
    again = maskwright.load(tmp_path / "model")
    again.precision = "fp32"
    assert again.task == made.task
    assert again.predict(rows["question"], rows["context"]) == made.predict(rows["question"], rows["context"])


def test_a_folder_of_theirs_answers(tiny: Path, tmp_path: Path, rows: dict[str, list[Any]]) -> None:
    torch.manual_seed(0)
    theirs = transformers.AutoModelForQuestionAnswering.from_config(transformers.AutoConfig.from_pretrained(tiny))
    theirs.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (tiny / name).exists():
            (tmp_path / name).write_bytes((tiny / name).read_bytes())
    made = maskwright.load(tmp_path)
    assert made.task.name == "answer"
    assert made.labels is None
    assert made.predict(rows["question"][0], rows["context"][0])[0]["answer"] in rows["context"][0]


MADE = {
    "byte-level": lambda: frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP"),
    "xlm-roberta": xlm_roberta,
    "camembert": camembert,
    "deberta-v2": deberta_v2,
}


@pytest.mark.parametrize("name", MADE)
def test_the_pieces_of_an_answer_cover_it_in_every_kind_of_vocabulary(name: str, tmp_path: Path) -> None:
    """No piece more than those that hold some of its characters; a space before a word may be part of a piece."""
    MADE[name]().save(str(tmp_path / "tokenizer.json"))
    tokenizer, made = Tokenizer.from_folder(tmp_path), task(stride=2)
    context = "The dog doesn't see (two) dogs in 東京, and Zoë's New-York sees it. " * 2
    found = ["dog", "doesn't", "(two) dogs", "two", "東京", "Zoë", "New-York sees", "York", "it."]
    rows = {"question": ["who?"] * len(found), "context": [context] * len(found), "answers": [[one] for one in found]}
    examples = made.examples(read(rows), None)
    inputs = made.inputs(tokenizer, examples, 64)
    wanted = made.wanted(examples.targets, inputs)
    spans, windows = inputs.encodings.spans, inputs.by_window
    for row, said in enumerate(found):
        held = 0
        for window in range(inputs.sequences[row], inputs.sequences[row + 1]):
            ((first, last),) = wanted[window]
            if not last:
                continue
            asked = spans[inputs.asked[slice(*windows.asks[window : window + 2])]]
            ((start, end),) = examples.targets[row].answers
            covered = [i for i in range(1, len(asked)) if asked[i, 0] < end and asked[i, 1] > start]
            assert covered == list(range(first, last + 1))
            assert said in context[asked[first, 0] : asked[last, 1]]
            held += 1
        assert held, said


def test_an_answer_keeps_its_marks_where_the_tokenizer_drops_them(tmp_path: Path) -> None:
    """Accents of their own, behind the letter."""
    tokenizer = Tokenizer.train(["she met jose at the cafe"], size=80, min_frequency=1)
    made, context = task(stride=2), "She met Jose\u0301 at the cafe\u0301"
    found = ["Jose\u0301", "cafe\u0301", "met"]
    rows = {"question": ["who?"] * 3, "context": [context] * 3, "answers": [[one] for one in found]}
    examples = made.examples(read(rows), None)
    inputs = made.inputs(tokenizer, examples, 64)
    spans = inputs.encodings.spans
    for row, wanted in enumerate(made.wanted(examples.targets, inputs)):
        asked = spans[inputs.asked[slice(*inputs.asks[row : row + 2])]]
        ((first, last),) = wanted
        assert context[asked[first, 0] : asked[last, 1]] == found[row]


def test_white_space_is_no_answer(tmp_path: Path) -> None:
    """Which byte-level vocabularies have pieces of."""
    MADE["byte-level"]().save(str(tmp_path / "tokenizer.json"))
    tokenizer, made = Tokenizer.from_folder(tmp_path), task()
    context = "The dog\n\n  sees it."
    examples = made.examples(read({"question": ["who?"], "context": [context], "answers": [["dog"]]}), None)
    inputs = made.inputs(tokenizer, examples, 64)
    spans = inputs.encodings.spans[inputs.asked[1:]].tolist()
    blank = [i for i, (a, b) in enumerate(spans, 1) if a == b]
    assert blank, "there are such pieces"
    scores = np.zeros((len(inputs.asked), 2), np.float32)
    scores[blank] = 9.0
    (found,) = made.condensed(objects([scores]), inputs)
    texts = [context[int(start) : int(end)].strip() for start, end, _ in found[1:]]
    assert texts
    assert all(texts)


@pytest.mark.parametrize("context", ["\u3000", "\u200b", "\u0301", "\ufeff", ""])
def test_a_context_without_a_piece_has_no_answer(model: Callable[..., Model], context: str) -> None:
    assert model().predict("the film", context)[0]["answer"] == ""


def test_an_answer_that_a_window_cuts_is_not_asked_of_it() -> None:
    spans = np.array([[10, 14], [15, 20], [20, 26]])
    assert _inside(spans, [(15, 20)]) == (2, 2)
    assert _inside(spans, [(12, 26)]) == (1, 3)
    assert _inside(spans, [(9, 14)]) == _inside(spans, [(20, 27)]) == _inside(spans, []) == (0, 0)
    assert _inside(spans[:0], [(10, 14)]) == (0, 0)


def test_the_question_sees_everything(tiny: Path) -> None:
    """Of a Longformer: what stands before the first separator."""
    made, tokenizer = task(), Tokenizer.from_folder(tiny)
    pieces = tokenizer.encode(["the film", ""], ["was a play", "dull"], details=True)
    marks = made.marks(pieces)
    for row, (first, second) in enumerate((("the film", "was a play"), ("", "dull"))):
        own = marks[slice(*pieces.offsets[row : row + 2])]
        assert own.tolist() == [True] * (len(first.split()) + 1) + [False] * (len(second.split()) + 2)


def test_what_is_lost_is_told(tiny: Path) -> None:
    made, tokenizer = task(stride=0, longest=2), Tokenizer.from_folder(tiny)
    context = "the film was dull and the book was a wonderful story and the song was lovely"
    rows = {"question": ["the film"] * 2, "context": [context] * 2, "answers": [["was dull and the"], ["dull"]]}
    examples = made.examples(read(rows), None)
    assert made.lost(examples.targets, made.inputs(tokenizer, examples, 64)) == [
        "In 1 window the answer has more than task.longest = 2 pieces."
    ]
    (told,) = made.lost(examples.targets, made.inputs(tokenizer, examples, 9))
    assert told == "1 answer is in no window as a whole; a larger --max-length or task.stride helps."


def test_a_question_may_be_empty_and_a_long_one_is_cut(model: Callable[..., Model]) -> None:
    made = model(max_length=16)
    (empty,) = made.predict("", "the film was dull")
    assert empty["answer"] in "the film was dull"
    (long,) = made.predict("the film was dull " * 8, "the film was dull")
    assert long["answer"] in "the film was dull"
    inputs = made.inputs(made.task.gather([made._example((1, ("the film was dull " * 8, "the film was dull")))]))
    assert inputs.pieces_cut > 0
