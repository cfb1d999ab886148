"""Classes told in sentences: as transformers' pipeline has it on the same weights."""

from __future__ import annotations

import json
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
from maskwright.evaluation import evaluate
from maskwright.tasks import Bulk, Task, ZeroShot, _stream
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
            assert sorted(answer["labels"]) == [name for name in CLASSES if wanted[name] > 0.5]
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
        ({"classes": {"a": "it is a", "b": " "}}, "'b' has no name or no sentence"),
        ({"classes": {"a": "it is a", "b": "it is b"}, "template": "about {}"}, "each class has its own here"),
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
    with pytest.raises(UserError, match=r"entails = x is none of the labels a, b"):
        task(entails="x").places(Labels(("a", "b")))
    with pytest.raises(UserError, match="'entailment' cannot say both"):
        task(denies="entailment").places(names)
    undecided = {"premise": ["p"] * 4, "hypothesis": ["h"] * 4, "label": ["entailment", "-", "neutral", "-"]}
    with pytest.raises(UserError, match="2 rows with the label '-', which SNLI writes"):
        task().discover(read(undecided))
    with pytest.raises(UserError, match=r"None of the labels a, b is known .*--entails a"):
        task().discover(read({"premise": ["p"] * 4, "hypothesis": ["h"] * 4, "label": ["a", "b", "a", "b"]}))


def test_labels_that_are_numbers_are_named(folder: Path) -> None:
    model = maskwright.load(folder)
    by_name = ZeroShot(model, CLASSES, many=True).predict(TEXTS)
    model.labels = Labels(("LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(UserError, match="Name it: --entails LABEL_0"):
        ZeroShot(model, CLASSES)
    assert ZeroShot(model, CLASSES, many=True, entails="LABEL_2", denies="LABEL_0").predict(TEXTS) == by_name


def test_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    other = maskwright.tasks.Model.build(tiny, resolve(Task, "regression"), None)
    with pytest.raises(UserError, match="was trained for regression"):
        ZeroShot(other, ["a", "b"])
    order = resolve(Task, {"name": "ordinal", "order": "no,maybe,yes"})
    ranks = maskwright.tasks.Model.build(tiny, order, Labels(("no", "maybe", "yes")))
    with pytest.raises(UserError, match="was trained for ordinal"):
        ZeroShot(ranks, ["a", "b"])
    single = maskwright.tasks.Model.build(tiny, resolve(Task, "classification"), Labels(("no", "yes")))
    single.save(tmp_path / "single")
    with pytest.raises(UserError, match="was trained on single texts"):
        ZeroShot(maskwright.load(tmp_path / "single"), ["a", "b"])
    names = Labels(("entailment", "neutral"))
    chunks = maskwright.tasks.Model.build(tiny, resolve(Task, "entailment"), names, long="chunk-mean")
    with pytest.raises(UserError, match="the second text of a pair in chunks"):
        ZeroShot(chunks, ["a", "b"])


def test_a_text_that_is_cut_says_so(folder: Path) -> None:
    """By as many pieces as the longest sentence takes from it."""
    model, long = maskwright.load(folder), " ".join(["the film was wonderful"] * 12)
    told = {"film": "film", "play": "the play was a dull play"}
    short, cut = ZeroShot(model, told).predict([TEXTS[0], long])
    assert "pieces_cut" not in short
    whole = model.tokenizer.encode([long], [told["play"]]).full_lengths[0]
    assert cut["pieces_cut"] == whole - model.max_length > 0


def test_long_texts_and_many_sentences_are_not_computed_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows end by characters, of each text with each sentence; batches by tokens."""
    judge = ZeroShot(maskwright.load(folder), [f"{thing} {i}" for thing in CLASSES for i in range(10)])
    judge.model.precision = "fp32"
    texts = [text for _ in range(4) for text in (*TEXTS, " ".join(["the film was dull"] * 4))]
    whole = judge.predict(texts)
    windows: list[int] = []
    real = _stream._encode
    monkeypatch.setattr(_stream, "_encode", lambda model, some: windows.append(len(some)) or real(model, some))
    monkeypatch.setattr(_stream, "CHARACTERS", 30 * 100)
    monkeypatch.setattr(_stream, "TOKENS", 60)
    tokens: list[int] = []
    judge.model.network.encoder.register_forward_pre_hook(lambda _, given: tokens.append(len(given[0].ids)))
    for answer, one in zip(judge.predict(texts), whole, strict=True):
        assert answer["probabilities"] == pytest.approx(one["probabilities"], abs=1e-5)
    assert sum(windows) == len(texts)
    assert max(windows) <= 3
    assert max(tokens) <= 60


def test_weights_that_give_no_number_are_told(folder: Path) -> None:
    model = maskwright.load(folder)
    with torch.no_grad():
        model.network.classifier.out.bias[0] = float("nan")
    with pytest.raises(UserError, match="the model gives no finite number for this text"):
        ZeroShot(model, CLASSES, many=True).predict(TEXTS)


@pytest.mark.parametrize("many", [False, True])
def test_a_file_is_answered_and_judged_as_by_any_model(folder: Path, tmp_path: Path, many: bool) -> None:
    judge = ZeroShot(maskwright.load(folder), CLASSES, "the {} was", many)
    said = judge.predict(TEXTS)
    rows = [
        {"text": text, "label": one["labels"] or ["play"] if many else one["label"]}
        for text, one in zip(TEXTS, said, strict=True)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        Bulk(judge.model, tmp_path / "rows.jsonl").write(tmp_path / name)
    told = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert told == [{"row": i, **one} for i, one in enumerate(said, 1)]
    found = evaluate(judge.model, tmp_path / "rows.jsonl")
    assert found.rows == 3
    if many:
        assert "f1_macro" in found.metrics
    else:
        assert found.metrics["accuracy"] == 1
    with pytest.raises(UserError, match="There is no label 'news'"):
        evaluate(judge.model, {"text": ["a"], "label": ["news"]})
