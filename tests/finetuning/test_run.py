"""A run from rows to a model: it learns, it repeats itself to the bit, it keeps the best, its folder tells all."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

import maskwright
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.finetuning import _seeds
from maskwright.finetuning import run as runs
from maskwright.tasks import Model

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]


def outcome(folder: Path, seed: int = 0) -> tuple[bytes, bytes, bytes]:
    """The weights, the log and the metrics as bytes."""
    names = ("model/model.safetensors", f"seeds/{seed}/log.jsonl", f"seeds/{seed}/metrics.json")
    return tuple((folder / name).read_bytes() for name in names)  # type: ignore[return-value]


def log(folder: Path) -> list[dict[str, Any]]:
    """The steps and evaluations; the first line, on the data, is looked at elsewhere."""
    return [json.loads(line) for line in (folder / "seeds" / "0" / "log.jsonl").read_text().splitlines()][1:]


@pytest.mark.parametrize(
    ("options", "metric", "least"),
    [
        ({}, "accuracy", 0.95),
        ({"pair": "other"}, "accuracy", 0.95),
        ({"task": "regression", "label": "score"}, "pearson", 0.8),
        ({"task": "regression", "label": "score", "pair": "other"}, "pearson", 0.7),
    ],
)
def test_it_learns(tune: Tune, reviews: Reviews, options: dict[str, str], metric: str, least: float) -> None:
    """The rows say it all in one word each; the commoner class alone would have 0.6."""
    run = tune(settings={"train": {"epochs": 25, "lr": 2e-3}, "data": {"eval_share": 0.2}}, **options)
    judged = maskwright.load(run.folder)
    from maskwright.evaluation import evaluate

    assert evaluate(judged, reviews).metrics[metric] >= least
    assert run.metrics["eval"][metric] >= least - 0.1
    falls = 4 if metric == "accuracy" else 2  # a regression starts from the mean, and there is noise in the scores
    assert log(run.folder)[0]["loss"] > falls * log(run.folder)[-2]["loss"]
    answers = run.predict(reviews["text"][:3], reviews["other"][:3] if "pair" in options else None)
    if metric == "accuracy":
        assert [a["label"] for a in answers] == reviews["label"][:3]


def test_its_folder_holds_the_facts_of_a_run(tune: Tune, reviews: Reviews) -> None:
    run = tune()
    held = {str(f.relative_to(run.folder)) for f in run.folder.rglob("*") if f.is_file()}
    assert held >= {
        "config.json", "metrics.json", "model/config.json", "model/model.safetensors", "model/maskwright.json",
        "model/tokenizer.json", "seeds/0/log.jsonl", "seeds/0/timings.jsonl", "seeds/0/metrics.json",
        "seeds/0/scores.safetensors", "predictions.jsonl",
    }  # fmt: skip
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics == run.summary
    assert metrics["metrics"] == run.metrics == json.loads((run.folder / "seeds" / "0" / "metrics.json").read_text())
    assert set(run.metrics) == {"eval", "test"}
    assert set(run.metrics["eval"]) == {
        "accuracy", "f1_macro", "mcc", "balanced_accuracy", "f1", "auc", "average_precision", "rows", "texts_cut",
        "pieces_cut", "unknown_pieces",
    }  # fmt: skip
    config = json.loads((run.folder / "config.json").read_text())
    assert set(config) == {"settings", "command", "data", "versions", "machine", "start", "notes"}
    assert config["machine"]["threads"] == 1
    assert config["versions"]["torch"] == torch.__version__
    assert config["data"]["train"]["rows"] == 64
    described = json.loads((run.folder / "model" / "maskwright.json").read_text())
    assert described["labels"] == ["bad", "good"]
    assert described["provenance"]["seed"] == 0
    assert described["provenance"]["data"] == config["data"]


def test_a_clock_that_jumps_changes_nothing(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tune(out="plain", seeds=1)
    jumps = itertools.cycle([4e9, 0.0, 1e9])
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: next(jumps))
        run = tune(out="jumping", seeds=1)
    assert outcome(run.folder) == outcome(plain.folder)
    clocks = [json.loads(line) for line in (run.folder / "seeds" / "0" / "timings.jsonl").read_text().splitlines()]
    assert all(line.get("seconds", 0) >= 0 for line in clocks)


def test_the_log_has_a_line_a_step_and_one_an_evaluation_and_no_clocks(tune: Tune) -> None:
    run = tune(settings={"train": {"evaluations": 2}})
    found = log(run.folder)
    assert [line["step"] for line in found if "loss" in line] == list(range(1, 17))
    assert [line["step"] for line in found if "evaluation" in line] == [4, 8, 12, 16]
    assert {key for line in found for key in line} == {
        "step", "loss", "lr", "gradient_norm", "items", "tokens", "efficiency", "evaluation",
    }  # fmt: skip


def test_the_same_seed_repeats_to_the_bit_and_another_does_not(tune: Tune) -> None:
    one, two, other = tune(out="one"), tune(out="two"), tune(out="other", seed=1)
    assert outcome(one.folder) == outcome(two.folder)
    assert outcome(other.folder, seed=1)[0] != outcome(one.folder)[0]
    assert outcome(other.folder, seed=1)[1] != outcome(one.folder)[1]


def test_the_resolved_settings_run_the_same_run_again(tune: Tune, tmp_path: Path, reviews: Reviews) -> None:
    given = {"train": {"schedule": {"name": "cosine", "warmup": 0.2}, "optimizer": {"name": "adamw", "beta2": 0.99}}}
    first = tune(settings=given, pair="other", max_length=9, long="tail", seed=3)
    config = json.loads((first.folder / "config.json").read_text())
    again = maskwright.finetune({**config["settings"], "out": str(tmp_path / "again")}, train=reviews)
    assert outcome(again.folder, seed=3) == outcome(first.folder, seed=3)
    repeated = json.loads((again.folder / "config.json").read_text())
    assert repeated["settings"] == {**config["settings"], "out": str(tmp_path / "again")}
    assert repeated["data"] == config["data"]


def test_a_run_file_options_and_sets_make_one_run(
    tune: Tune, tmp_path: Path, tiny: Path, reviews: Reviews, write_csv: Callable[..., str]
) -> None:
    data = write_csv(tmp_path / "reviews.csv", reviews)
    file = tmp_path / "run.toml"
    file.write_text(
        f'model = "{tiny}"\nout = "{tmp_path / "toml"}"\nseed = 9\nseeds = 1\nbaselines = false\n'
        'task = {name = "classification", pair = "other"}\n'
        f'[data]\ntrain = "{data}"\neval_chooses = true\n[train]\nepochs = 2\nbatch_size = 8\nlr = 1\nthreads = 1\n'
        'log_steps = 1\ncheckpoint_minutes = "none"\n'
    )
    from_file = maskwright.finetune(file, seed=0, settings={"train": {"lr": 3e-3}})
    by_hand = tune(train=data, pair="other")
    assert outcome(from_file.folder) == outcome(by_hand.folder)
    assert json.loads((from_file.folder / "config.json").read_text())["settings"]["data"]["train"] == data


def test_rows_in_memory_are_as_good_as_a_file(
    tune: Tune, tmp_path: Path, reviews: Reviews, write_csv: Callable[..., str]
) -> None:
    file = tune(train=write_csv(tmp_path / "reviews.csv", reviews), out="file")
    records = [dict(zip(reviews, row, strict=True)) for row in zip(*reviews.values(), strict=True)]
    for name, source in {
        "columns": reviews,
        "records": records,
        "stream": iter(records),
        "frame": pa.table(reviews),
        "table": read(reviews),
    }.items():
        run = tune(train=source, out=name)
        assert outcome(run.folder) == outcome(file.folder), name
        assert json.loads((run.folder / "config.json").read_text())["settings"]["data"]["train"] is None
    parquet.write_table(pa.table(reviews), tmp_path / "reviews.parquet")
    (tmp_path / "reviews.csv.gz").write_bytes(gzip.compress((tmp_path / "reviews.csv").read_bytes()))
    for name in ("reviews.csv", "reviews.parquet", "reviews.csv.gz"):
        assert outcome(tune(train=tmp_path / name, out=f"from {name}").folder) == outcome(file.folder), name


def planted(monkeypatch: pytest.MonkeyPatch, accuracies: list[float]) -> list[dict[str, torch.Tensor]]:
    """Evaluations in training that say these accuracies; gives the weights at each."""
    judge, seen = _seeds.judge, []

    def said(model: Model, *args: Any, **options: Any) -> Any:
        found = judge(model, *args, **options)
        if len(seen) < len(accuracies):
            found.metrics["accuracy"] = accuracies[len(seen)]
            seen.append({name: tensor.clone() for name, tensor in model.network.state_dict().items()})
        return found

    monkeypatch.setattr(_seeds, "judge", said)
    return seen


@pytest.mark.parametrize(
    ("accuracies", "best"), [([0.2, 0.9, 0.5, 0.1], 1), ([0.9, 0.2, 0.2, 0.9], 0), ([0, 0, 0, 1], 3)]
)
def test_the_best_evaluations_weights_are_saved(
    tune: Tune, monkeypatch: pytest.MonkeyPatch, accuracies: list[float], best: int
) -> None:
    seen = planted(monkeypatch, accuracies)
    model = tune(settings={"train": {"epochs": 4}}).model
    assert len(seen) == 4
    for index, weights in enumerate(seen):
        equal = all(torch.equal(t, weights[n]) for n, t in model.network.state_dict().items())
        assert equal == (index == best)


def test_what_is_reported_is_what_the_saved_model_does(tune: Tune, reviews: Reviews) -> None:
    from maskwright.evaluation import evaluate

    held = {column: cells[:30] for column, cells in reviews.items()}
    run = tune(eval=held)
    assert evaluate(maskwright.load(run.folder), held).plain() == run.metrics["eval"]


def test_a_model_that_does_not_repeat_itself_after_saving_is_not_called_done(
    tune: Tune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load = runs.load

    def other(folder: Path) -> Model:
        model = load(folder)
        with torch.no_grad():
            model.network.classifier.out.bias[0] += 2**-4  # more than bf16 rounds away
        return model

    monkeypatch.setattr(runs, "load", other)
    with pytest.raises(UserError, match=r"does not repeat the trained one: its outputs differ by up to 0.0"):
        tune()
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(("keep", "end"), [("head", "end"), ("tail", "start")])
def test_texts_that_are_cut_are_counted_and_said(tune: Tune, reviews: Reviews, keep: str, end: str) -> None:
    run = tune(max_length=6, long=keep, eval={c: v[:10] for c, v in reviews.items()})
    notes = [note for note in run.notes if "were cut" in note]
    assert len(notes) == 2
    lengths = run.model.tokenizer.encode(reviews["text"]).lengths
    cut, lost = int((lengths > 6).sum()), int(np.maximum(lengths - 6, 0).sum())
    assert notes[0] == (
        f"{cut} of 80 train texts are longer than 6 pieces and were cut at the {end}: {lost} pieces, "
        f"{lost / lengths.sum():.1%} of all, are never seen. Other ways to read long texts are --long tail, head-tail, "
        "chunk-mean and more."
    )
    assert run.metrics["eval"]["texts_cut"] == int((lengths[:10] > 6).sum())
    logged = json.loads((run.folder / "seeds" / "0" / "log.jsonl").read_text().splitlines()[0])
    assert json.loads((run.folder / "config.json").read_text())["notes"] == run.notes
    assert logged["data"]["train"] == {
        "rows": 80,
        "pieces": int(np.minimum(lengths, 6).sum()),
        "texts_cut": cut,
        "pieces_cut": lost,
        "unknown_pieces": run.model.encode(reviews["text"]).unknown,
    }
    assert run.metrics["eval"]["pieces_cut"] == int(np.maximum(lengths[:10] - 6, 0).sum())
    assert run.model.long.name == keep


def test_the_kept_end_is_the_one_that_is_learned_from(tune: Tune, reviews: Reviews) -> None:
    """The word that decides stands last in long texts: with long=head it is out of sight."""
    filler = "the film was the play was the book"
    rows = {"text": [f"{filler} {t.split()[3]}" for t in reviews["text"]], "label": reviews["label"]}
    scores = {}
    for keep in ("head", "tail"):
        run = tune(train=rows, eval=rows, max_length=6, long=keep, out=keep, settings={"train": {"epochs": 8}})
        scores[keep] = run.metrics["eval"]["accuracy"]
    assert scores["tail"] == 1.0
    assert scores["head"] == pytest.approx(0.6), "all rows look alike: the commoner class"


def test_unknown_pieces_are_counted(tune: Tune, reviews: Reviews) -> None:
    odd = {"text": ["the film was ∞ ∂", "a play"], "label": ["good", "bad"]}
    assert tune(eval=odd).metrics["eval"]["unknown_pieces"] == 2


def test_random_weights_are_random_and_follow_the_seed(tune: Tune, tiny: Path) -> None:
    from maskwright.models import load_network

    runs_ = [
        tune(weights="random", seed=s, out=f"r{i}", settings={"train": {"lr": 1e-9}}) for i, s in enumerate((0, 0, 1))
    ]
    words = [run.model.network.encoder.embeddings.word.weight.detach() for run in runs_]
    start = load_network(tiny, "bare").network.encoder.embeddings.word.weight
    assert torch.equal(words[0], words[1])
    assert not torch.allclose(words[0], words[2], atol=0.01)
    assert not torch.allclose(words[0], start, atol=0.01)
    assert float(words[0].std()) == pytest.approx(0.2, rel=0.1), "the spread that its config states"


def test_nothing_is_printed(tune: Tune, capfd: pytest.CaptureFixture[str]) -> None:
    tune(quiet=True)
    assert capfd.readouterr() == ("", "")


def test_bf16_and_fp32_are_settings(tune: Tune) -> None:
    runs_ = {p: tune(out=p, settings={"train": {"precision": p}}) for p in ("fp32", "bf16")}
    assert runs_["bf16"].model.precision == "bf16"
    assert outcome(runs_["fp32"].folder)[0] != outcome(runs_["bf16"].folder)[0]
    first = {p: log(run.folder)[0]["loss"] for p, run in runs_.items()}
    assert first["fp32"] == pytest.approx(first["bf16"], rel=0.02)
    kinds = {t.dtype for t in runs_["bf16"].model.network.state_dict().values()}
    assert kinds == {torch.float32}, "the weights stay fp32"


def test_undefined_metrics_are_null(tune: Tune, reviews: Reviews) -> None:
    held = {"text": reviews["text"][:5], "score": [2.5] * 5}
    run = tune(task="regression", label="score", eval=held)
    assert run.metrics["eval"]["pearson"] is None
    assert json.loads((run.folder / "metrics.json").read_text())["metrics"]["eval"]["spearman"] is None
    assert run.metrics["eval"]["mse"] > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_on_a_gpu_learns_and_proves_what_it_saved(tune: Tune, precision: str) -> None:
    run = tune(settings={"train": {"device": "cuda", "precision": precision, "epochs": 10}})
    assert run.metrics["eval"]["accuracy"] > 0.8


def test_a_table_is_read_as_sentences(tune: Tune, reviews: Reviews, tmp_path: Path) -> None:
    rows = {
        "thing": [text.split()[1] for text in reviews["text"]],
        "word": [text.split()[3] for text in reviews["text"]],
        "stars": list(range(len(reviews["text"]))),
        "label": reviews["label"],
    }
    parquet.write_table(pa.table(rows), tmp_path / "rows.parquet")  # a format that leaves out what nobody asks for
    run = tune(train=tmp_path / "rows.parquet", text="*", settings={"train": {"epochs": 12}})
    assert run.model.task.text == "thing: {thing}; word: {word}; stars: {stars}"
    assert run.metrics["test"]["accuracy"] > 0.9
    given = [{name: cells[i] for name, cells in rows.items()} for i in range(4)]
    assert [answer["label"] for answer in run.model.stream(given)] == reviews["label"][:4]
