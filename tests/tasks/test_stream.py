"""The stream: the answers of `predict` one by one, whatever the windows; it reads ahead by one window and no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.tasks import Model, _stream
from maskwright.tasks._task import Example

Build = Callable[..., Model]
Reviews = dict[str, list[Any]]


def examples(model: Model, reviews: Reviews, count: int = 70) -> list[Any]:
    texts = reviews["text"][:count]
    return list(zip(texts, reviews["other"][:count], strict=True)) if model.task.pair else texts


def flat(answers: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[a["score"]] if "score" in a else list(a["probabilities"].values()) for a in answers])


def alike(some: list[dict[str, Any]], others: list[dict[str, Any]]) -> bool:
    """The same labels and lengths, figures within rounding."""
    plain = [[{k: v for k, v in a.items() if not isinstance(v, float | dict)} for a in side] for side in (some, others)]
    return plain[0] == plain[1] and float(np.abs(flat(some) - flat(others)).max()) <= 1e-5


def test_it_gives_what_predict_gives(build: Build, kind: str, reviews: Reviews) -> None:
    model = build(kind)
    given = examples(model, reviews)
    pairs = [second for _, second in given] if model.task.pair else None
    firsts = [first for first, _ in given] if model.task.pair else given
    assert list(model.stream(iter(given))) == model.predict(firsts, pairs)
    columns = {name: reviews[name] for name in model.task.columns(with_label=False)}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)][:70]
    assert list(model.stream(rows)) == model.predict(firsts, pairs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6)
@given(
    window=st.integers(1, 80),
    tokens=st.sampled_from([1, 40, 300, 8192]),
    characters=st.sampled_from([1, 60, 10**6]),
    shift=st.integers(0, 60),
)
def test_windows_and_batches_change_no_answer(
    build: Build, reviews: Reviews, window: int, tokens: int, characters: int, shift: int
) -> None:
    for kind in ("pair", "regression"):
        model = build(kind, max_length=12)
        given = examples(model, reviews)
        whole = list(model.stream(given))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_stream, "TOKENS", tokens)
            patch.setattr(_stream, "CHARACTERS", characters)
            patch.setattr(_stream, "DECODED", 7)
            some = list(model.stream(given[shift:], window=window))
        assert alike(some, whole[shift:])


def test_no_text_and_one_text(build: Build) -> None:
    model = build("single")
    assert list(model.stream([])) == []
    assert len(list(model.stream(["a film"]))) == 1
    assert list(model.stream([("a film", None)])) == list(model.stream(["a film"]))


def test_it_reads_one_window_ahead_and_no_more(build: Build, reviews: Reviews) -> None:
    taken = []

    def source() -> Iterator[str]:
        for text in reviews["text"]:
            taken.append(text)
            yield text

    answers = build("single").stream(source(), window=4)
    assert not taken
    for count in range(1, 40):
        next(answers)
        assert len(taken) <= 4 * ((count - 1) // 4 + 2)
    answers.close()


def test_a_window_of_long_texts_ends_sooner(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = _stream._encode
    monkeypatch.setattr(_stream, "CHARACTERS", 100)
    monkeypatch.setattr(_stream, "_encode", lambda model, some: sizes.append(len(some)) or real(model, some))
    assert len(list(build("single").stream(["film " * 4] * 12 + ["film " * 50] * 2))) == 14
    assert sizes == [5, 5, 3, 1]


def test_it_leaves_nothing_behind_between_answers(build: Build, reviews: Reviews) -> None:
    """Whoever takes the answers trains and computes as before; and a stream that is left alone ends its thread."""
    model, before = build("single", precision="bf16"), threading.active_count()
    model.network.train()
    answers = model.stream(reviews["text"], window=8)
    next(answers)
    assert model.network.training
    assert not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")
    answers.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("kind", "bad", "said"),
    [
        ("single", 7, "Text 3 is 7, a int; give a text."),
        ("single", ("a", "b"), "Text 3 is ('a', 'b'), a tuple; give a text."),
        ("single", {"txt": "a"}, "Row 3: the column 'text' holds None where a text is needed."),
        ("pair", "a film", "Text 3 is 'a film', a str; give a pair of texts, (text, other)."),
        ("pair", ("a", None), "Text 3 is None, a NoneType; give a text."),
        ("pair", ("a", "b", "c"), "Text 3 is ('a', 'b', 'c'), a tuple; give a pair of texts, (text, other)."),
        ("pair", {"text": "a", "other": True}, "Row 3: the column 'other' holds True where a text is needed."),
    ],
)
def test_an_example_that_is_none_is_said_behind_the_answers_before_it(
    build: Build, reviews: Reviews, kind: str, bad: Any, said: str
) -> None:
    model = build(kind)
    good = examples(model, reviews, 2)
    answers: list[Any] = []
    with pytest.raises(UserError) as caught:
        answers.extend(model.stream([*good, bad, *good]))  # list.extend keeps what came before the error
    assert str(caught.value).startswith(said)
    alone = list(model.stream(good))  # in a batch of other neighbours, so equal within tolerance
    assert [a["label"] for a in answers] == [a["label"] for a in alone]
    for answer, one in zip(answers, alone, strict=True):
        assert answer["probabilities"] == pytest.approx(one["probabilities"], abs=1e-5)


def test_a_window_that_makes_no_sense(build: Build) -> None:
    with pytest.raises(UserError, match="window = 0: give at least 1"):
        list(build("single").stream(["a"], window=0))


def test_a_network_that_gives_no_number_is_said(build: Build) -> None:
    model = build("single")
    with torch.no_grad():
        model.network.classifier.out.bias[0] = float("nan")
    with pytest.raises(UserError, match="the model gives no finite number for this text"):
        model.predict("a film")


# The stream under it


def text_or_error(item: str) -> Example:
    if item == "bad":
        raise UserError("it is bad")
    return Example(item)


def test_errors_keep_their_place(build: Build, reviews: Reviews) -> None:
    items = [*reviews["text"][:9], "bad", "bad", *reviews["text"][9:20], "bad"]
    model = build("single")
    for window in (1, 2, 5, 100):
        found = list(_stream.stream(model, items, text_or_error, window=window))
        assert [item for item, _ in found] == items
        assert [str(a) for item, a in found if item == "bad"] == ["it is bad"] * 3
        good = [answer for item, answer in found if item != "bad"]
        assert alike(good, model.predict(reviews["text"][:20]))


def test_skipped_items_change_no_bit_of_the_others(
    build: Build, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their windows stay where they were, and those that hold nothing else are not computed."""
    model, items = build("single", precision="bf16"), [*reviews["text"][:30], "bad", *reviews["text"][30:]]
    whole = list(_stream.stream(model, items, text_or_error, window=8))
    computed: list[int] = []
    real = _stream.scores
    monkeypatch.setattr(_stream, "scores", lambda model, e: computed.append(len(e)) or real(model, e))
    for skip in (0, 1, 7, 8, 9, 31, 32, 79, 80, 81, 200):
        computed.clear()
        found = list(_stream.stream(model, items, text_or_error, window=8, skip=skip))
        assert [item for item, _ in found] == items[skip:]
        pairs = zip(found, whole[skip:], strict=True)
        assert all(a == b or str(a) == str(b) == "it is bad" for (_, a), (_, b) in pairs)
        assert len(computed) == sum(skip < min(start + 8, len(items)) for start in range(0, len(items), 8))
