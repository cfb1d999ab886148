"""What we save, transformers loads with the same logits; what it saved, we load with its labels and the same logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import maskwright
from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.evaluation import evaluate
from maskwright.tasks import Model
from maskwright.tasks.long import Long
from maskwright.tasks.multi_label import MultiLabel
from maskwright.text.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

Reviews = dict[str, list[Any]]


def theirs(folder: Path, texts: list[str], pairs: list[str] | None = None, max_length: int | None = None) -> np.ndarray:
    """Their logits in fp32 from their own reading of the folder, tokenizer included."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    cut = {"truncation": True, "max_length": max_length} if max_length else {}
    inputs = tokenizer(texts, pairs, padding=True, return_tensors="pt", **cut)
    with torch.no_grad():
        logits: np.ndarray = network(**inputs).logits.numpy()
    return logits


@pytest.fixture(params=["single", "pair", "multi-label", "regression"])
def tuned(request: pytest.FixtureRequest, tiny: Path, reviews: Reviews, tagged: Reviews, tmp_path: Path) -> Any:
    """A run that trained a little in fp32."""
    rows = tagged if request.param == "multi-label" else reviews
    task = {
        "single": {},
        "pair": {"pair": "other"},
        "multi-label": {"task": "multi-label"},
        "regression": {"task": "regression", "label": "score"},
    }
    train = {"epochs": 1, "lr": 3e-3, "precision": "fp32", "threads": 1, "checkpoint_minutes": None}
    return maskwright.finetune(
        train=rows,
        model=tiny,
        out=tmp_path / "run",
        quiet=True,
        seeds=1,
        settings={"train": train},
        **task[request.param],
    )


def test_they_load_what_we_fine_tuned(tuned: Any, reviews: Reviews) -> None:
    model: Model = tuned.model
    texts, pairs = reviews["text"], reviews["other"] if model.task.pair else None
    ours = model.scores(model.encode(texts, pairs))
    found = theirs(tuned.folder / "model", texts, pairs)
    assert found.shape == ours.shape
    assert np.abs(found - ours).max() <= 1e-5
    assert np.ptp(ours) > 0.01, "the outputs are not all one"
    config = json.loads((tuned.folder / "model" / "config.json").read_text())
    if model.labels is not None:
        names = ("film", "good", "play") if model.task.name == "multi-label" else ("bad", "good")
        assert config["id2label"] == {str(i): name for i, name in enumerate(names)}
        assert config["label2id"] == {name: i for i, name in enumerate(names)}
    problems = {"classification": "single_label_classification", "multi-label": "multi_label_classification"}
    assert config["problem_type"] == problems.get(model.task.name, "regression")


def test_their_pipeline_says_the_same_labels(tiny: Path, reviews: Reviews, tmp_path: Path) -> None:
    run = maskwright.finetune(
        train=reviews,
        model=tiny,
        out=tmp_path / "run",
        seeds=1,
        settings={"train": {"epochs": 15, "lr": 3e-3, "precision": "fp32", "threads": 1, "checkpoint_minutes": None}},
    )
    pipeline = transformers.pipeline("text-classification", model=str(run.folder / "model"), device="cpu")
    answers = pipeline(reviews["text"])
    run.model.calibration = None  # which they do not know
    ours = run.predict(reviews["text"])
    assert [a["label"] for a in answers] == [a["label"] for a in ours]
    assert {a["label"] for a in answers} == {"bad", "good"}
    assert [a["score"] for a in answers] == pytest.approx([a["probability"] for a in ours], abs=1e-5)


def saved_by_them(folder: Path, tokenizer: Tokenizer, **config: Any) -> Path:
    """A folder that transformers wrote: random weights of a tiny BERT, and our tokenizer beside them."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    described = transformers.BertConfig(
        vocab_size=tokenizer.size, max_position_embeddings=24, initializer_range=0.3, **{**sizes, **config}
    )
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(described).save_pretrained(folder)
    tokenizer.save(folder)
    return folder


NAMED = {
    "id2label": {0: "sad", 1: "calm", 2: "glad"},
    "label2id": {"sad": 0, "calm": 1, "glad": 2},
}


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        (NAMED, ("sad", "calm", "glad")),
        ({"num_labels": 4}, tuple(f"LABEL_{i}" for i in range(4))),
        ({}, ("LABEL_0", "LABEL_1")),
    ],
)
def test_we_load_what_they_saved(
    tiny: Path, reviews: Reviews, tmp_path: Path, config: dict[str, Any], labels: tuple[str, ...]
) -> None:
    folder = saved_by_them(tmp_path, Tokenizer.from_folder(tiny), **config)
    model = maskwright.load(folder)
    assert model.labels is not None
    assert model.labels.names == labels
    model.precision = "fp32"
    ours = model.scores(model.encode(reviews["text"]))
    found = theirs(folder, reviews["text"])
    assert np.abs(found - ours).max() <= 1e-5
    answers = model.predict(reviews["text"])
    assert [a["label"] for a in answers] == [labels[i] for i in found.argmax(-1)]
    assert set(answers[0]["probabilities"]) == set(labels)


@pytest.mark.parametrize("config", [{"num_labels": 1}, {"num_labels": 1, "problem_type": "regression"}])
def test_one_output_of_theirs_is_a_regression(
    tiny: Path, reviews: Reviews, tmp_path: Path, config: dict[str, Any]
) -> None:
    folder = saved_by_them(tmp_path, Tokenizer.from_folder(tiny), **config)
    model = maskwright.load(folder)
    model.precision = "fp32"
    scores = [answer["score"] for answer in model.predict(reviews["text"])]
    assert scores == pytest.approx(theirs(folder, reviews["text"])[:, 0].tolist(), abs=1e-5)


SEVERAL = {**NAMED, "problem_type": "multi_label_classification"}
ONE = {"id2label": {0: "odd"}, "label2id": {"odd": 0}}


@pytest.mark.parametrize(
    ("config", "labels"), [(SEVERAL, ("sad", "calm", "glad")), ({**SEVERAL, **ONE}, ("odd",))], ids=["three", "one"]
)
def test_several_labels_at_once_are_a_task_of_their_own(
    tiny: Path, reviews: Reviews, tmp_path: Path, config: dict[str, Any], labels: tuple[str, ...]
) -> None:
    folder = saved_by_them(tmp_path, Tokenizer.from_folder(tiny), **config)
    model = maskwright.load(folder)
    assert (model.task.name, model.labels) == ("multi-label", Labels(labels))
    model.precision = "fp32"
    found = theirs(folder, reviews["text"])
    assert np.abs(model.scores(model.encode(reviews["text"])) - found).max() <= 1e-5
    p = 1 / (1 + np.exp(-found.astype(np.float64)))
    answers = model.predict(reviews["text"])
    ours = np.array([[answer["probabilities"][name] for name in labels] for answer in answers])
    assert np.abs(ours - p).max() <= 1e-5
    rows = {"text": reviews["text"], "label": [[labels[0]] if i % 2 else [] for i in range(80)]}
    assert evaluate(model, rows).rows == 80


def test_their_pipeline_says_the_same_of_several_labels(tiny: Path, tagged: Reviews, tmp_path: Path) -> None:
    train = {"epochs": 6, "lr": 3e-3, "precision": "fp32", "threads": 1, "checkpoint_minutes": None}
    run = maskwright.finetune(
        task="multi-label", train=tagged, model=tiny, out=tmp_path / "run", seeds=1, settings={"train": train}
    )
    run.model.calibration = None
    pipeline = transformers.pipeline("text-classification", model=str(run.folder / "model"), device="cpu", top_k=None)
    for theirs_, ours in zip(pipeline(tagged["text"]), run.predict(tagged["text"]), strict=True):
        assert {a["label"]: a["score"] for a in theirs_} == pytest.approx(ours["probabilities"], abs=1e-5)


def test_their_loss_of_several_labels_is_ours(tiny: Path, tagged: Reviews, tmp_path: Path) -> None:
    folder = saved_by_them(tmp_path, Tokenizer.from_folder(tiny), **SEVERAL)
    targets = torch.tensor([[float(i % 2), float(i % 3 == 0), 0.0] for i in range(80)])
    scores = torch.from_numpy(theirs(folder, tagged["text"]))
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = transformers.AutoTokenizer.from_pretrained(folder)(tagged["text"], padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = float(network(**inputs, labels=targets).loss)
    assert float(MultiLabel().loss(scores, targets)) / 80 == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("keep", ["head", "tail"])
def test_texts_that_are_too_long_are_cut_as_theirs_are(tiny: Path, reviews: Reviews, tmp_path: Path, keep: str) -> None:
    folder = saved_by_them(tmp_path, Tokenizer.from_folder(tiny))
    model = maskwright.load(folder)
    model.precision, model.long = "fp32", resolve(Long, keep)
    texts = [" ".join(reviews["text"][i : i + 6]) for i in range(8)]
    encodings = model.encode(texts)
    assert encodings.truncated == 8
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.truncation_side = {"head": "right", "tail": "left"}[keep]
    expected = tokenizer(texts, truncation=True, max_length=24)["input_ids"]
    assert [
        encodings.ids[a:b].tolist() for a, b in zip(encodings.offsets, encodings.offsets[1:], strict=False)
    ] == expected


def test_our_model_can_be_fine_tuned_on(tuned: Any, reviews: Reviews, tagged: Reviews, tmp_path: Path) -> None:
    """A finished model is an encoder like any other; its head goes on where its size fits."""
    train = {"epochs": 1, "precision": "fp32", "threads": 1, "checkpoint_minutes": None}
    task = tuned.model.task
    rows = tagged if task.name == "multi-label" else reviews
    kind = {"task": task.name, "label": task.label, **({"pair": task.pair} if task.pair else {})}
    again = maskwright.finetune(
        train=rows, model=tuned.folder, out=tmp_path / "again", seeds=1, settings={"train": train}, **kind
    )
    assert not any("start from random" in note for note in again.notes)
