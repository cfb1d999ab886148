"""Run folders made up of plain files: a whole one, and a function that makes others."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SEEDS = (0, 1, 2)
LABELS = ("negative", "positive")
SETTINGS = {
    "task": {"name": "classification", "text": "sentence", "pair": None, "label": "label"},
    "model": "minilm",
    "out": "runs/reviews",
    "data": {"train": "train.tsv", "eval": "dev.tsv", "test": "test.tsv", "eval_share": 0.1},
    "train": {"epochs": 2.0, "batch_size": 32, "lr": 5e-05, "schedule": {"name": "linear", "warmup": 0.06}},
    "weights": "pretrained",
    "max_length": 128,
    "long": {"name": "head"},
    "seed": 0,
}


def interval(value: float, half: float, over: str = "examples and seeds", **more: Any) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "level": 0.95, "over": over, **more}


def log(seed: int, steps: int = 434) -> list[dict[str, Any]]:
    """The lines of a run that learns."""
    source = random.Random(seed)
    lines: list[dict[str, Any]] = [{"data": {"train": {"rows": 6920}}}]
    for step in range(1, steps + 1):
        loss = 0.08 + 0.62 * math.exp(-step / 90) + source.uniform(-0.06, 0.12)
        lines.append({"step": step, "loss": loss, "lr": 5e-05, "gradient_norm": source.uniform(0.3, 2.0)})
        if step % (steps // 4) == 0:
            reached = 0.89 - 0.3 * math.exp(-step / 100) + source.uniform(-0.01, 0.01)
            lines.append({"step": step, "evaluation": {"accuracy": reached, "f1_macro": reached - 0.002}})
    return lines


def facts() -> list[dict[str, Any]]:
    """One fact of each shape, as a task writes them."""
    source = random.Random(7)
    bins = [0.05 + 0.1 * i for i in range(10)]
    lengths = [5 * i for i in range(33)]
    return [
        {"shape": "sentences", "title": "In short", "sentences": ["Most errors are reviews that change their mind."]},
        {
            "shape": "table",
            "title": "Each class",
            "head": ["label", "rows", "precision", "recall", "F1"],
            "rows": [
                ["negative", 912, 0.893, 0.874, interval(0.883, 0.015, "examples")],
                ["positive", 909, 0.876, 0.895, interval(0.885, 0.014, "examples")],
            ],
            "note": "Precision and recall are of the saved model.",
        },
        {
            "shape": "matrix",
            "title": "Confusion",
            "rows": list(LABELS),
            "columns": list(LABELS),
            "cells": [[797, 115], [95, 814]],
            "note": "Counts of the saved model on the test rows.",
            "row_name": "true label",
            "column_name": "answer",
        },
        {
            "shape": "curve",
            "title": "Reliability",
            "x": "how sure it was",
            "y": "how often it was right",
            "lines": [
                {"name": "as trained", "x": bins, "y": [b * 0.82 + 0.03 for b in bins], "kind": "points"},
                {
                    "name": "calibrated",
                    "x": bins,
                    "y": [min(1, b + 0.01) for b in bins],
                    "low": [b - 0.04 for b in bins],
                    "high": [min(1, b + 0.05) for b in bins],
                },
            ],
            "note": "In bins of equally many rows.",
            "diagonal": True,
        },
        {
            "shape": "curve",
            "title": "Risk and coverage",
            "x": "share answered",
            "y": "share of errors",
            "lines": [{"name": "saved model", "x": bins, "y": [0.02 + 0.1 * b * b for b in bins]}],
            "kind": "steps",
        },
        {
            "shape": "histogram",
            "title": "Lengths",
            "edges": lengths,
            "series": [
                {"name": "train", "counts": [int(900 * math.exp(-((x - 25) ** 2) / 300)) for x in lengths[:-1]]},
                {"name": "test", "counts": [int(240 * math.exp(-((x - 27) ** 2) / 300)) for x in lengths[:-1]]},
            ],
            "x": "pieces of a text",
            "mark": {"x": 128, "name": "texts are cut here"},
            "note": "No text is longer than that.",
        },
        {
            "shape": "texts",
            "title": "Confidently wrong",
            "texts": [
                {
                    "text": "A film that is never quite as good as its first, wonderful ten minutes.",
                    "values": {
                        "where": f"test.tsv:{source.randint(2, 1800)}",
                        "true label": "negative",
                        "answer": "positive",
                        "probability": 0.987,
                    },
                },
                {"text": "Not bad at all.", "second": "The second text of a pair.", "values": {"answer": "negative"}},
            ],
            "note": "The surest of the wrong answers.",
        },
    ]


def metrics() -> dict[str, Any]:
    figures = {
        "accuracy": interval(0.8842, 0.0152, seeds=[0.8803, 0.8874, 0.8849]),
        "f1_macro": interval(0.8841, 0.0153, seeds=[0.8801, 0.8873, 0.8849]),
        "mcc": interval(0.7689, 0.0306, seeds=[0.7611, 0.7752, 0.7704]),
    }
    counts = {"rows": 1821, "texts_cut": 0, "pieces_cut": 0, "unknown_pieces": 3}
    return {
        "task": "classification",
        "main": "accuracy",
        "reported": {"split": "test", "source": "test.tsv", "rows": 1821},
        "seeds": list(SEEDS),
        "saved": {"seed": 1, "why": "the best accuracy on the eval rows, which no reported figure uses"},
        "labels": list(LABELS),
        "metrics": {
            "eval": {"accuracy": 0.8796, "f1_macro": 0.8795, "mcc": 0.7591, **counts, "rows": 872},
            "test": {"accuracy": 0.8842, "f1_macro": 0.8841, "mcc": 0.7689, **counts},
        },
        "figures": figures,
        "baselines": [
            {
                "name": "TF-IDF + logistic regression",
                "figures": {
                    "accuracy": interval(0.8126, 0.0182, "examples"),
                    "f1_macro": interval(0.8125, 0.0182, "examples"),
                    "mcc": interval(0.6251, 0.0362, "examples"),
                },
                "sentence": "The model is better than TF-IDF + logistic regression: accuracy differs by 0.072.",
            },
            {"name": "majority class", "figures": {"accuracy": interval(0.5008, 0.0231, "examples")}},
        ],
        "calibration": {
            "split": "eval",
            "rows": 692,
            "temperature": 1.7031,
            "error before": 0.0613,
            "error after": 0.0142,
        },
        "verdict": [
            "On 1,821 test rows this model is right in 88.4 % of all cases (86.9 to 90.0 %).",
            "That is better than TF-IDF with logistic regression, which is right in 81.3 %.",
            "It is too sure of itself by 6.1 points; a temperature of 1.70 mends that to 1.4.",
        ],
        "facts": facts(),
    }


def config() -> dict[str, Any]:
    rows = {"train": 6920, "eval": 872, "test": 1821}
    return {
        "settings": SETTINGS,
        "data": {
            name: {"source": f"/home/ada/{name}.tsv", "rows": count, "sha256": f"{count:064x}"}
            for name, count in rows.items()
        },
        "versions": {"python": "3.11.7", "maskwright": "0.1.0", "torch": "2.13.0+cpu"},
        "machine": {"processor": "AMD EPYC family 26 [avx2 avx512_bf16]", "device": "cpu", "threads": 2},
        "notes": ["train.tsv: tab-separated, quoting off.", "minilm holds no weights for: classifier."],
        "command": "maskwright finetune --train train.tsv --test test.tsv --out runs/reviews --seed 0",
    }


def data() -> dict[str, Any]:
    return {
        "findings": [
            {"kind": "lengths", "severity": "fact", "sentence": "Half of the texts have 23 pieces.", "count": 6920},
            {
                "kind": "duplicates",
                "severity": "error",
                "sentence": "12 test rows stand in the training rows too.",
                "count": 12,
                "where": [{"source": "test.tsv", "line": 17}, {"source": "test.tsv", "line": 203}],
            },
            {
                "kind": "conflicts",
                "severity": "warning",
                "sentence": "4 texts carry two labels.",
                "count": 4,
                "where": ["train.tsv:88", "train.tsv:1204"],
            },
        ]
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"config": config, "metrics": metrics, "data": data}
MODEL = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder: `config`, `metrics` and `data` change keys of those files (None takes a key out), and a
    file in `without` is not there."""

    def make(name: str = "reviews", *, without: tuple[str, ...] = (), logs: Any = log, **changes: Any) -> Path:
        folder = tmp_path / name
        files: dict[str, Any] = {}
        for part, values in PARTS.items():
            merged = {**values(), **changes.get(part, {})}
            files[f"{part}.json"] = {key: value for key, value in merged.items() if value is not None}
        files["model/config.json"] = MODEL
        files["model/maskwright.json"] = {"format": 1, "labels": list(LABELS), "max_length": 128}
        for seed in SEEDS:
            files[f"seeds/{seed}/log.jsonl"] = logs(seed)
            files[f"seeds/{seed}/timings.jsonl"] = [{"time": 1_795_341_600.5 + 100 * seed, "event": "start", "step": 0}]
        for place, content in files.items():
            if place in without or place.partition("/")[0] in without:
                continue
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = content if place.endswith(".jsonl") else [content]
            file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def hostile() -> list[str]:
    """Labels and texts that a page must survive."""
    return [
        "<script>alert('x')</script>",
        "--><img src=x onerror=alert(1)>",
        "\N{RIGHT-TO-LEFT OVERRIDE}txet desrever",
        "\N{ARABIC LETTER SEEN}\N{ARABIC LETTER LAM}\N{ARABIC LETTER ALEF}\N{ARABIC LETTER MEEM} abc",
        "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN} \N{GRINNING FACE}",
        "a NUL \x00 and a bell \x07",
        "half a pair \ud83d",
        "$\\frac{1}{$ and $x$",
        "_hidden from legends",
        "]]> --- `tick` | pipe *star* [link](x)",
        "  \n\n  ",
        "m" * 1_000_000,
    ]
