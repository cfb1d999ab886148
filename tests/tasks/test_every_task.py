"""Every task of the folder, with each of its switches: what is saved answers alike, on encoders whose tokenizers differ
most; and no answer depends on what is asked beside it, whatever way long texts are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import UNLIKE, save_encoder
from material import Asked, variants

from maskwright.base.choice import find, names, resolve
from maskwright.base.errors import UserError
from maskwright.models import family
from maskwright.tasks import Task, _stream, load
from maskwright.tasks._joined import check_long
from maskwright.tasks.long import Long

VARIANTS = variants()


def on_encoders() -> Iterator[tuple[str, str]]:
    for case, settings in VARIANTS.items():
        head = find(Task, settings["name"]).head
        yield from ((case, name) for name in UNLIKE if head in family(name).HEADS)


def read_long() -> Iterator[tuple[str, str]]:
    """Each task with each way to read long texts that means something to it."""
    for case, settings in VARIANTS.items():
        for long in names(Long):
            try:
                check_long(resolve(Long, long), resolve(Task, settings))
            except UserError:
                continue
            yield case, long


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders = {name: save_encoder(name, tmp_path_factory.mktemp(name)) for name in UNLIKE}
    return folders.__getitem__


def alike(one: Any, other: Any) -> bool:
    """The same answers, numbers within rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return abs(one - other) <= 1e-4 if isinstance(one, float) else bool(one == other)


def test_every_task_is_asked() -> None:
    assert {settings["name"] for settings in VARIANTS.values()} == set(names(Task))
    assert {"tagging-crf", "classification-pair"} <= set(VARIANTS)
    assert {long for _, long in read_long()} == set(names(Long))


@pytest.mark.parametrize(("case", "name"), list(on_encoders()))
def test_what_is_saved_answers_alike(case: str, name: str, encoder: Callable[[str], Path], tmp_path: Path) -> None:
    """To the bit: spans, n-best answers and choices, as well as labels; with the calibration."""
    asked = Asked(VARIANTS[case])
    model = asked.model(encoder(name), max_length=24)
    assert asked.examples.targets is not None
    scores = model.scores(model.inputs(asked.examples))
    model.calibration = model.task.calibrate(scores, asked.examples.targets, "eval")
    answers = list(model.stream(asked.rows))
    assert sum(answer != answers[0] for answer in answers) > len(answers) // 2, "they are not all one"
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert list(again.stream(asked.rows)) == answers
    kept = ("task", "labels", "long", "max_length", "calibration")
    assert [getattr(again, part) for part in kept] == [getattr(model, part) for part in kept]


@pytest.mark.parametrize(("case", "long"), list(read_long()))
def test_no_answer_depends_on_what_is_asked_beside_it(
    case: str, long: str, encoder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on the window, nor on how many are computed or decoded at once, nor on the order of the rows."""
    asked = Asked(VARIANTS[case])
    model = asked.model(encoder("bert"), long=long, max_length=None if long == "native" else 16)
    whole = list(model.stream(asked.rows))
    order = np.random.default_rng(0).permutation(len(whole))
    for window, tokens, characters in ((3, 50, 10**6), (20, 1, 60)):
        monkeypatch.setattr(_stream, "TOKENS", tokens)
        monkeypatch.setattr(_stream, "CHARACTERS", characters)
        monkeypatch.setattr(_stream, "DECODED", 3)
        some = list(model.stream([asked.rows[i] for i in order], window=window))
        wrong = [i for i, answer in zip(order.tolist(), some, strict=True) if not alike(answer, whole[i])]
        assert not wrong, f"rows {wrong} of {len(whole)}, read in windows of {window} and {tokens} tokens at once"
