"""A head is kept for the labels that it was trained for, and for no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.data.labels import Labels
from maskwright.models import convert
from maskwright.nn.positions import Positions
from maskwright.tasks import Model, Task, load
from maskwright.tasks._calibration import Calibration

Build = Callable[..., Model]


def start(folder: Path, *labels: str, task: str = "classification", **options: Any) -> tuple[Model, str]:
    """A model on a folder that has a head, and what is said of that head."""
    model = Model.build(folder, resolve(Task, task), Labels(labels) if labels else None, **options)
    return model, next((note for note in model.notes if "head" in note.split()), "")


def test_the_head_of_the_same_labels_is_kept(build: Build, tmp_path: Path) -> None:
    saved = build("single")
    saved.save(tmp_path)
    model, said = start(tmp_path, "bad", "good", precision="fp32")
    assert said == f"The head of {tmp_path} is for the labels bad, good too and was kept."
    assert not model.new_head
    np.testing.assert_array_equal(model.scores(model.encode(["a film"])), saved.scores(saved.encode(["a film"])))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("ham", "spam"), "is for the labels bad, good; a new one was started for ham, spam."),
        (("a", "b", "c"), "is for the labels bad, good; a new one was started for a, b, c."),
        (("good", "bad"), "is for the labels bad, good; a new one was started for good, bad in another order."),
        (tuple("abcdefgh"), "is for the labels bad, good; a new one was started for a, b, c, d, e, f and 2 more."),
    ],
)
def test_other_labels_start_a_new_head(build: Build, tmp_path: Path, labels: tuple[str, ...], said: str) -> None:
    saved = build("single")
    saved.save(tmp_path)
    model, note = start(tmp_path, *labels)
    assert note == f"The head of {tmp_path} {said}"
    assert model.new_head
    head, before = model.network.classifier.out, saved.network.classifier.out
    assert head.weight.shape == (len(labels), 32)
    assert not head.bias.any()
    assert not np.isin(head.weight.detach().numpy(), before.weight.detach().numpy()).any()
    kept = model.network.pooler.state_dict()
    assert all((kept[name] == tensor).all() for name, tensor in saved.network.pooler.state_dict().items())


def test_another_task_starts_a_new_head(build: Build, tmp_path: Path) -> None:
    build("single").save(tmp_path)
    _, said = start(tmp_path, task="regression")
    assert said.endswith(
        "is for classification of the labels bad, good; a new one was started for regression of a score."
    )
    _, said = start(tmp_path, "bad", "good", task="multi-label")
    assert said.endswith("a new one was started for multi-label of the labels bad, good.")


def test_a_score_stays_a_score(build: Build, tmp_path: Path) -> None:
    """Whatever its column is called."""
    build("regression").save(tmp_path)
    model, said = start(tmp_path, task="regression")
    assert said == f"The head of {tmp_path} is for a score too and was kept."
    assert not model.new_head


def test_a_head_of_others_without_names_is_for_no_label_of_ours(make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_tiny(tmp_path, head="classification", classes=5)
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    model, said = start(folder, "bad", "good")
    assert "is for the labels LABEL_0, LABEL_1; a new one was started for bad, good." in said
    assert model.network.classifier.out.weight.shape == (2, 32)


def test_an_encoder_has_no_head_to_speak_of(tiny: Path) -> None:
    assert start(tiny, "bad", "good")[0].notes == [
        f"{tiny} holds no weights for: classifier. They start from random ones."
    ]


def test_a_head_that_does_not_fit_its_own_description_is_refused(
    make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"classifier\.weight has the shape \(5, 32\), expected \(2, 32\)"):
        load(make_tiny(tmp_path, head="classification", classes=5))


def test_a_longer_table_takes_longer_texts_and_no_old_calibration(build: Build, tmp_path: Path) -> None:
    saved = build("single")
    saved.calibration = Calibration("eval", 10, temperature=2.0)
    saved.save(tmp_path / "short")
    positions: Positions = resolve(Positions, "tile")
    done = convert(tmp_path / "short", tmp_path / "long", positions, 60)
    assert "60 positions now instead of 24" in done.lengthened
    assert done.lengthened.endswith("Its calibration was made for the old table and is left out.")
    model = load(tmp_path / "long")
    assert (model.max_length, model.calibration) == (60, None)
    assert model.provenance["positions"] in done.lengthened
    text = "the film was lovely " * 9
    assert model.encode([text]).lengths.tolist() == [38]
    assert model.predict(text)[0]["label"] in ("bad", "good")


def test_a_classifier_of_another_network_is_not_kept(make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    """Of the same shape and name, for labels called alike: but for each token."""
    folder = make_tiny(tmp_path / "tokens", "token-classification")
    config = read_json(folder / "config.json") | {"id2label": {"0": "bad", "1": "good"}}
    write_json(folder / "config.json", config)
    model, said = start(folder, "bad", "good")
    assert model.new_head
    assert said == (
        f"The head of {folder} is for token-classification of the labels bad, good; a new one was started for "
        "classification of the labels bad, good."
    )
