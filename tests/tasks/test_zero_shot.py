"""Classes told in sentences: as transformers' pipeline has it on the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import maskwright
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.tasks import Task, ZeroShot
from maskwright.tasks.entailment import Entailment

TEXTS = ["the film was wonderful", "a dull play", "the book was a lovely story"]
CLASSES = ["film", "play", "story"]


def task(**options: Any) -> Entailment:
    found = resolve(Task, {"name": "entailment", **options})
    assert isinstance(found, Entailment)
    return found


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of transformers for entailment; its weights are large enough that classes differ."""
    out = tmp_path_factory.mktemp("nli")
    config = transformers.AutoConfig.from_pretrained(tiny)
    names = ["contradiction", "neutral", "entailment"]
    config.id2label, config.label2id = dict(enumerate(names)), {name: i for i, name in enumerate(names)}
    torch.manual_seed(0)
    network = transformers.AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        network.classifier.weight.mul_(30)
    network.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (tiny / name).exists():
            (out / name).write_bytes((tiny / name).read_bytes())
    return out


@pytest.mark.parametrize("many", [False, True])
def test_it_is_the_pipeline_of_transformers(folder: Path, many: bool) -> None:
    theirs = transformers.pipeline("zero-shot-classification", model=str(folder), device="cpu")
    template = "the {} was"
    said = theirs(TEXTS, CLASSES, hypothesis_template=template, multi_label=many)
    model = maskwright.load(folder)
    model.precision = "fp32"
    answers = ZeroShot(model, CLASSES, template, many).predict(TEXTS)
    for answer, one in zip(answers, said, strict=True):
        wanted = dict(zip(one["labels"], one["scores"], strict=True))
        assert answer["probabilities"] == pytest.approx(wanted, abs=1e-5)
        if many:
            assert answer["labels"] == [name for name in CLASSES if wanted[name] > 0.5]
        else:
            assert answer["label"] == one["labels"][0]


def test_sentences_of_ones_own(folder: Path) -> None:
    model = maskwright.load(folder)
    by_name = ZeroShot(model, ["film", "play"], "the {} was").predict(TEXTS)
    assert ZeroShot(model, {"film": "the film was", "play": "the play was"}).predict(TEXTS) == by_name
    assert ZeroShot(model, ["film", "play"]).sentences["film"] == "This text is about film."
    for given, said in (
        ({"classes": ["a", "b"], "template": "no place"}, "has 0 places"),
        ({"classes": ["a"]}, "it takes 2 or more"),
        ({"classes": ["a", "a"]}, "'a' is empty or comes twice"),
    ):
        with pytest.raises(UserError, match=said):
            ZeroShot(model, **given)


def test_without_a_label_of_denial_all_else_stands_against(folder: Path) -> None:
    model = maskwright.load(folder)
    model.labels = Labels(("neither", "other", "yes"))
    model.task = task(entails="yes")
    (answer,) = ZeroShot(model, ["film"], many=True).predict(TEXTS[:1])
    scores = torch.from_numpy(ZeroShot(model, ["film"], many=True).scores(TEXTS[:1]))[0, 0]
    assert answer["probabilities"]["film"] == pytest.approx(float(scores.softmax(-1)[2]), abs=1e-6)


def test_which_label_says_that_it_follows() -> None:
    names = Labels(("contradiction", "entailment", "neutral"))
    assert task().places(names) == (1, 0)
    assert task().places(Labels(("entailment", "not_entailment"))) == (0, 1)
    assert task(entails="0", denies="2").places(Labels(("0", "1", "2"))) == (0, 2)
    with pytest.raises(UserError, match=r"task\.entails=x is none of the labels a, b"):
        task(entails="x").places(Labels(("a", "b")))
    with pytest.raises(UserError, match=r"None of the labels a, b is known .*--set task\.entails=a"):
        task().discover(read({"premise": ["p"] * 4, "hypothesis": ["h"] * 4, "label": ["a", "b", "a", "b"]}))


def test_another_model_is_refused(tiny: Path) -> None:
    other = maskwright.tasks.Model.build(tiny, resolve(Task, "regression"), None)
    with pytest.raises(UserError, match="was trained for regression"):
        ZeroShot(other, ["a", "b"])
