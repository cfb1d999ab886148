"""A head is kept for the labels that it was trained for, and for no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.data.labels import Labels
from maskwright.models import convert
from maskwright.nn.positions import Positions
from maskwright.tasks import Model, Task, load
from maskwright.tasks._calibration import Calibration

Build = Callable[..., Model]


def start(folder: Path, *labels: str, task: Any = "classification", **options: Any) -> tuple[Model, str]:
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


# An order


@pytest.mark.parametrize("labels", [("bad", "good"), ("bad", "fair", "good")])
def test_the_head_of_an_order_is_kept(tiny: Path, tmp_path: Path, labels: tuple[str, ...]) -> None:
    """Its config.json says that it is for questions, of two ranks for a number; our own file says for which labels."""
    saved, _ = start(tiny, *labels, task="ordinal")
    saved.save(tmp_path)
    model, said = start(tmp_path, *labels, task="ordinal")
    assert said == f"The head of {tmp_path} is for the labels {', '.join(labels)} too and was kept."
    assert not model.new_head
    assert torch.equal(model.network.classifier.out.weight, saved.network.classifier.out.weight)
    model, said = start(tmp_path, *labels[:-1], "best", task="ordinal")
    assert model.new_head, "its highest rank is another one, though its questions are called alike"
    assert said == (
        f"The head of {tmp_path} is for the labels {', '.join(labels)}; a new one was started for "
        f"{', '.join([*labels[:-1], 'best'])}."
    )
    model, said = start(tmp_path, *labels)
    assert model.new_head
    assert f"is for ordinal of the labels {', '.join(labels)}; a new one was started for classification" in said


def test_what_others_saved_into_the_folder_is_not_taken_for_ours(build: Build, tmp_path: Path) -> None:
    """transformers writes config.json and the weights, and leaves maskwright.json as it was."""
    build("single").save(tmp_path)
    config = read_json(tmp_path / "config.json")
    names = {"id2label": {"0": "ham", "1": "spam"}, "label2id": {"ham": 0, "spam": 1}}
    write_json(tmp_path / "config.json", {**config, **names})
    model, said = start(tmp_path, "bad", "good")
    assert model.new_head
    assert said == f"The head of {tmp_path} is for the labels ham, spam; a new one was started for bad, good."


@pytest.mark.parametrize("change", [{"format": 99}, {"task": {"name": "nowhere.tasks:Mine"}}, {"task": None}])
def test_a_file_that_cannot_be_read_leaves_config_json_to_say_it(
    build: Build, tmp_path: Path, change: dict[str, Any]
) -> None:
    build("single").save(tmp_path)
    write_json(tmp_path / "maskwright.json", read_json(tmp_path / "maskwright.json") | change)
    model, said = start(tmp_path, "bad", "good")
    assert not model.new_head
    assert said.endswith("is for the labels bad, good too and was kept.")


# What is learnt beside the family's parts

TAGS = ("O", "B-thing", "I-thing")
CHAINS = {"name": "tagging", "crf": True}
FOLLOW, JOIN = "which tags follow each other", "how the chunks of a text are joined"


def learnt(model: Model, folder: Path) -> tuple[Model, dict[str, torch.Tensor]]:
    """The model, as if it had been trained, in a folder; and what stands in maskwright.safetensors."""
    own = {n: p for n, p in model.network.named_parameters() if n.startswith(("combine.", "behind."))}
    for parameter in own.values():
        torch.nn.init.normal_(parameter)
    model.save(folder)
    return model, {name: parameter.detach() for name, parameter in own.items()}


def test_what_was_learnt_of_chains_of_tags_is_kept_with_their_head(tiny: Path, tmp_path: Path) -> None:
    first, _ = start(tiny, *TAGS, task=CHAINS)
    assert f"{tiny} has not learnt {FOLLOW}; that is started anew." in first.notes
    _, own = learnt(first, tmp_path)
    again, _ = start(tmp_path, *TAGS, task=CHAINS)
    assert len(own) == 3
    assert all(torch.equal(again.network.state_dict()[name], tensor) for name, tensor in own.items())
    assert f"What {tmp_path} has learnt of {FOLLOW} was kept." in again.notes
    other, _ = start(tmp_path, "O", "B-word", "I-word", task=CHAINS)
    assert not other.network.behind.follow.any()
    assert f"What {tmp_path} has learnt of {FOLLOW} is of other labels; that is started anew." in other.notes
    free, _ = start(tmp_path, *TAGS, task="tagging")
    assert free.network.behind is None
    assert f"What {tmp_path} has learnt of {FOLLOW} is left out; nothing asks for it here." in free.notes
    drawn, _ = start(tmp_path, *TAGS, task=CHAINS, weights="random")
    assert not drawn.network.behind.follow.any()
    assert not [note for note in drawn.notes if "learnt" in note]


@pytest.mark.parametrize("long", ["chunk-attention", "hierarchical"])
def test_what_joins_chunks_is_kept_with_its_way(tiny: Path, tmp_path: Path, long: str) -> None:
    first, _ = start(tiny, "bad", "good", long=long)
    assert f"{tiny} has not learnt {JOIN}; that is started anew." in first.notes
    _, own = learnt(first, tmp_path)
    for labels in (("bad", "good"), ("ham", "spam")):  # it makes a vector of a text, whatever that is asked
        again, _ = start(tmp_path, *labels, long=long)
        assert all(torch.equal(again.network.state_dict()[name], tensor) for name, tensor in own.items())
        assert f"What {tmp_path} has learnt of {JOIN} was kept." in again.notes
    other = {"name": "hierarchical", "heads": 2}  # of the same shapes, and another network
    model, _ = start(tmp_path, "bad", "good", long=other)
    assert f"What {tmp_path} has learnt of {JOIN} is of another way; that is started anew." in model.notes
    for name, tensor in own.items():
        assert not torch.equal(model.network.state_dict().get(name, torch.zeros(())), tensor)
    plain, _ = start(tmp_path, "bad", "good", long="chunk-mean")
    assert f"What {tmp_path} has learnt of {JOIN} is left out; nothing asks for it here." in plain.notes


def test_a_longer_table_leaves_what_was_learnt_beside_it(tiny: Path, tmp_path: Path) -> None:
    _, own = learnt(start(tiny, *TAGS, task=CHAINS)[0], tmp_path / "short")
    convert(tmp_path / "short", tmp_path / "long", resolve(Positions, "tile"), 60)
    model = load(tmp_path / "long")
    assert model.max_length == 60
    assert all(torch.equal(model.network.state_dict()[name], tensor) for name, tensor in own.items())
