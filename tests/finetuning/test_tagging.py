"""Fine-tuning a tagger: learnt, reported, resumed, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import maskwright
from maskwright.base.errors import UserError
from maskwright.evaluation.evaluate import evaluate

Tune = Callable[..., Any]
Rows = dict[str, list[Any]]


@pytest.fixture(scope="session")
def spans(reviews: Rows) -> Rows:
    """The reviews, in which each thing that is reviewed is a span, and what is said of it another."""
    labels = []
    for text in reviews["text"]:
        found, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            kind = "thing" if word in ("film", "play", "book", "song", "story") else "word"
            if word not in ("the", "was"):
                found.append({"start": at, "end": at + len(word), "label": kind})
            at += len(word)
        labels.append(found)
    return {"text": reviews["text"], "label": labels}


@pytest.fixture
def tag(tune: Tune, spans: Rows) -> Tune:
    def go(settings: dict[str, Any] | None = None, **options: Any) -> Any:
        train = {"epochs": 12, **(settings or {})}
        return tune(**{"task": "tagging", "train": spans, "settings": {"train": train}, **options})

    return go


def test_spans_are_learnt_and_reported(
    tag: Tune, spans: Rows, tmp_path: Path, strange_figures: Callable[[Path], set[str]]
) -> None:
    run = tag(baselines=True)
    assert run.metrics["test"]["f1"] > 0.95
    assert next(iter(run.summary["figures"])) == "f1"
    assert next(other["name"] for other in run.summary["baselines"]) == "commonest tag"
    titles = [fact["title"] for fact in run.summary["facts"]]
    assert titles == [
        "Label by label", "What becomes of a span", "Which label is taken for which", "Most spans wrong",
        "How long the texts are",
    ]  # fmt: skip
    assert any("80 texts" in note or "64 texts" in note for note in run.notes)
    assert not strange_figures(run.folder)
    (answer,) = [run.predict("the song was dull")]
    assert [(s["text"], s["label"]) for s in answer[0]["spans"]] == [("song", "thing"), ("dull", "word")]
    told = [json.loads(line) for line in (run.folder / "predictions.jsonl").read_text().splitlines()]
    assert all(set(line) == {"where", "text", "target", "spans"} for line in told)
    again = maskwright.load(run.folder)
    judged = evaluate(again, spans)
    assert judged.metrics["f1"] > 0.95
    assert again.calibration is not None
    assert again.calibration.temperature is not None


def test_chains_are_learnt_and_reported(tag: Tune, spans: Rows) -> None:
    """With a conditional random field, whose moves are saved beside the weights of the family."""
    run = tag({"epochs": 20}, task={"name": "tagging", "crf": True, "crf_rate": 2}, baselines=True)
    assert run.metrics["test"]["f1"] > 0.95
    assert (run.folder / "model" / "maskwright.safetensors").exists()
    again = maskwright.load(run.folder)
    assert float(again.network.behind.follow.detach().abs().sum()) > 0
    assert again.predict("the song was dull") == run.predict("the song was dull")
    (answer,) = again.predict("the song was dull")
    assert [(s["text"], s["label"]) for s in answer["spans"]] == [("song", "thing"), ("dull", "word")]
    assert all(0.5 < s["probability"] <= 1 for s in answer["spans"])
    assert again.predict("")[0]["spans"] == []
    assert next(other["name"] for other in run.summary["baselines"]) == "commonest tag"


def test_a_crf_learns_moves_that_matter_at_the_default_rate(tune: Tune) -> None:
    """Tags that take turns on words that say nothing, in as many steps as three epochs of WNUT-17 have. At the rate of
    the encoder the moves stay where they began."""
    random = np.random.default_rng(0)
    things = ["film", "play", "book", "song", "story"]
    texts = [[things[i] for i in random.integers(len(things), size=7)] for _ in range(80)]

    def learnt(**more: Any) -> tuple[float, float, float]:
        """How much likelier two tags in turn are than one tag twice, nats; the share of words with the right tag, and
        what it is without the moves."""
        run = tune(
            task={"name": "tagging", "crf": True, **more}, train={"text": texts, "label": [list("ABABABA")] * 80},
            settings={"train": {"epochs": 10, "batch_size": 2, "lr": 5e-5}}, out=f"run{len(more)}",
        )  # fmt: skip

        def right() -> float:
            said = [word["label"] for answer in run.predict(texts) for word in answer["words"]]
            return float(np.mean([one == other for one, other in zip(said, "ABABABA" * 80, strict=True)]))

        moves, whole = run.model.network.behind, right()
        follow = moves.follow.detach()
        gain = float(follow[0, 1] + follow[1, 0] - follow.trace()) / 2
        with torch.no_grad():
            for weight in moves.parameters():
                weight.zero_()
        return gain, whole, right()

    gain, right, without = learnt()
    assert gain > 0.5
    assert right > 0.9
    assert right - without > 0.2
    gain, right, without = learnt(crf_rate=1.0)
    assert 0 < gain < 0.05
    assert right - without < 0.05


def test_two_runs_are_compared_by_their_spans(tag: Tune, tmp_path: Path) -> None:
    from maskwright.evaluation.compare import compare

    good, bad = tag(out="good"), tag({"epochs": 1}, out="bad")
    found = compare(good.folder, bad.folder)
    assert list(found.verdicts) == ["f1", "precision", "recall"]
    assert found.verdicts["f1"].difference.value > 0.2
    lines = [json.loads(line) for line in (good.folder / "predictions.jsonl").read_text().splitlines()]
    others = [{"text": line["text"], "prediction": line["target"]} for line in lines]
    (tmp_path / "others.jsonl").write_text("".join(json.dumps(line) + "\n" for line in others))
    assert compare(bad.folder, tmp_path / "others.jsonl").verdicts["f1"].difference.value < 0
    others[0]["prediction"] = ["O"]
    (tmp_path / "others.jsonl").write_text("".join(json.dumps(line) + "\n" for line in others))
    with pytest.raises(UserError, match="is no list of spans"):
        compare(bad.folder, tmp_path / "others.jsonl")


def test_tags_of_words_are_learnt_and_reported(tune: Tune, reviews: Rows) -> None:
    kinds = {"the": "DET", "was": "VERB", "film": "NOUN", "play": "NOUN", "book": "NOUN", "song": "NOUN"}
    words = [text.split() for text in reviews["text"]]
    tags = [[kinds.get(word, "NOUN" if word == "story" else "ADJ") for word in row] for row in words]
    run = tune(task="tagging", train={"text": words, "label": tags}, settings={"train": {"epochs": 12}})
    assert run.metrics["test"]["accuracy"] > 0.95
    assert run.summary["main"] == "accuracy"
    titles = [fact["title"] for fact in run.summary["facts"]]
    assert titles == ["Tag by tag", "What is taken for what", "Most words wrong", "How long the texts are"]
    assert [w["label"] for w in run.predict("the song was dull")[0]["words"]] == ["DET", "NOUN", "VERB", "ADJ"]
    from maskwright.evaluation.compare import compare

    same = compare(run.folder, run.folder)
    assert list(same.verdicts) == ["accuracy", "f1_macro", "whole_texts"]
    assert same.verdicts["accuracy"].difference.value == 0


def test_a_run_that_was_stopped_ends_with_the_same_bits(tag: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.finetuning import _seeds

    often = {"epochs": 4, "checkpoint_minutes": 0.0}
    whole = tag(often, out="whole")
    judge, seen = _seeds.judge, []

    def stops(*given: Any, **options: Any) -> Any:
        seen.append(given)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return judge(*given, **options)

    monkeypatch.setattr(_seeds, "judge", stops)
    with pytest.raises(KeyboardInterrupt):
        tag(often, out="cut")
    again = tag(often, out="cut", resume=True)
    for name in ("model/model.safetensors", "seeds/0/log.jsonl", "seeds/0/scores.safetensors", "metrics.json"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_long_texts_are_learnt_in_windows(tag: Tune, spans: Rows) -> None:
    """Nothing is cut, so nothing is said to be; the words of all windows are trained on and judged."""
    texts, labels = [], []
    for i in range(0, 80, 5):
        text, found = "", []
        for one, own in zip(spans["text"][i : i + 5], spans["label"][i : i + 5], strict=True):
            found += [{**span, "start": span["start"] + len(text), "end": span["end"] + len(text)} for span in own]
            text += one + " "
        texts.append(text)
        labels.append(found)
    run = tag({"epochs": 40}, train={"text": texts, "label": labels}, max_length=16)
    assert any("are read in windows that overlap, and nothing is cut off." in note for note in run.notes)
    card = (run.folder / "README.md").read_text()
    assert "is read in windows that overlap; nothing of it is cut off." in card
    assert "in windows that overlap" in (run.folder / "report.html").read_text()
    assert run.metrics["test"]["texts_cut"] == 0
    assert run.metrics["test"]["f1"] > 0.9


def test_texts_without_words_are_no_obstacle(tag: Tune, spans: Rows) -> None:
    """Steps of such texts alone would have no mean; they are left out, and said to be there."""
    blank = {"text": [*spans["text"], *[" "] * 20], "label": [*spans["label"], *[[]] * 20]}
    run = tag({"order": "grouped"}, train=blank)
    assert run.metrics["test"]["f1"] > 0.9
    assert any("without a word; nothing is asked of such texts." in note for note in run.notes)


def test_a_rare_label_is_where_it_is_learnt(tag: Tune, spans: Rows) -> None:
    rare = [list(row) for row in spans["label"]]
    for i in (3, 70):
        rare[i][0] = {**rare[i][0], "label": "rare"}
    for seed in range(2):
        run = tag({"epochs": 1}, train={**spans, "label": rare}, seed=seed, out=f"run-{seed}")
        assert any("rare" in note for note in run.notes if note.startswith("train: "))


def test_rows_are_looked_at_before_anything_is_trained(spans: Rows, tiny: Path) -> None:
    facts = maskwright.check_data(task="tagging", train=spans, model=tiny)
    assert not facts.of_severity("error")
    words = {**spans, "text": [text.split() for text in spans["text"]]}
    tags = {"label": [["B-thing" if i == 1 else "O" for i, _ in enumerate(row)] for row in words["text"]]}
    assert not maskwright.check_data(task="tagging", train={**words, **tags}).of_severity("error")


def test_a_file_of_answers_has_one_column_of_spans(tag: Tune, spans: Rows, tmp_path: Path) -> None:
    from maskwright.tasks import Bulk

    run = tag({"epochs": 2})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in spans["text"][:5]))
    for suffix in ("csv", "parquet", "jsonl"):
        out = tmp_path / f"answers.{suffix}"
        Bulk(run.model, tmp_path / "rows.jsonl").write(out)
        assert out.exists()
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["spans"] for line in lines] == [a["spans"] for a in run.predict(spans["text"][:5])]
    assert np.all([line["row"] == i for i, line in enumerate(lines, 1)])


def test_a_file_of_words_that_looks_like_a_table_is_told_apart(tag: Tune, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("Ada\tB-person\nmet\tO\n\nBo\tB-person\nsang\tO\n")
    with pytest.raises(UserError, match=r"A file with one word a line.*data.reader=conll"):
        tag(train=path)


@pytest.mark.realdata
def test_a_real_file_is_read_as_it_stands(tune: Tune, data: Path, minilm: Path) -> None:
    files = {"train": data / "wnut17/emerging.dev.conll", "test": data / "wnut17/emerging.test.annotated"}
    small = {side: maskwright.data.read.read(path, "conll").select(range(40)) for side, path in files.items()}
    run = tune(task="tagging", model=minilm, settings={"train": {"epochs": 1}}, **small)
    assert set(run.summary["labels"]) <= {"O"} | {
        f"{mark}-{label}"
        for mark in "BI"
        for label in ("person", "location", "group", "corporation", "product", "creative-work")
    }
