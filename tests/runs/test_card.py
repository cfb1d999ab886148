"""The model card: the hub reads its front matter as it was meant, and a person reads the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.runs.card import card, md, write_card, yaml

Make = Callable[..., Path]


def read(text: str) -> ModelCard:
    return ModelCard(text)


# What the hub reads


def test_the_front_matter_says_what_the_hub_needs(make_run: Make) -> None:
    data = read(card(make_run())).data.to_dict()
    assert {name: data[name] for name in data if name != "model-index"} == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "tags": ["maskwright", "classification"],
        "metrics": ["accuracy", "f1", "matthews_correlation"],
    }


def test_the_figures_are_results_that_the_hub_reads(make_run: Make) -> None:
    results = read(card(make_run())).data.eval_results
    assert [(r.metric_type, r.metric_value, r.metric_args) for r in results] == [
        ("accuracy", 0.8842, None),
        ("f1", 0.8841, {"average": "macro"}),
        ("matthews_correlation", 0.7689, None),
    ]
    assert results[0] == EvalResult(
        task_type="text-classification",
        task_name="classification",
        dataset_type="local-file",
        dataset_name="test.tsv",
        dataset_split="test",
        dataset_args={"rows": 1821, "sha256": f"{1821:064x}"},
        metric_type="accuracy",
        metric_value=0.8842,
        metric_name="accuracy (95 % interval over examples and seeds: 0.869 to 0.899)",
    )


def test_the_card_survives_a_round_trip_through_the_hubs_library(make_run: Make) -> None:
    once = read(card(make_run()))
    again = read(str(once))
    assert again.data.to_dict() == once.data.to_dict()
    assert again.text.strip() == once.text.strip()


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"metrics": {"figures": None}}, {"metrics", "model-index"}),
        ({"config": {"settings": {"model": "/home/ada/bert", "task": {"name": "classification"}}}}, {"base_model"}),
        ({"config": {"settings": {"model": "minilm", "weights": "random"}}}, {"base_model"}),
        ({"without": ("model",)}, {"pipeline_tag", "model-index"}),
        ({"without": ("metrics.json",)}, {"metrics", "model-index"}),
    ],
)
def test_what_is_not_known_is_left_out(make_run: Make, changes: dict[str, Any], gone: set[str]) -> None:
    every = {"library_name", "pipeline_tag", "base_model", "tags", "metrics", "model-index"}
    assert set(read(card(make_run(**changes))).data.to_dict()) == every - gone


def test_an_undefined_figure_is_no_result(make_run: Make) -> None:
    nothing = {"low": None, "high": None}
    figures = {"pearson": {"value": None, **nothing}, "mae": {"value": 1e-05, **nothing}}
    (result,) = read(card(make_run(metrics={"figures": figures, "main": "pearson"}))).data.eval_results
    assert (result.metric_type, result.metric_value, result.metric_name) == ("mae", 1e-05, "mae")


scalars = st.one_of(st.text(max_size=8), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
keys = st.sampled_from(["type", "name", "value", "model-index"])
tables = st.dictionaries(keys, scalars | st.lists(scalars, min_size=1, max_size=2), min_size=1, max_size=3)


@given(st.dictionaries(keys, scalars | tables | st.lists(scalars | tables, min_size=1, max_size=3), min_size=1))
def test_yaml_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    import yaml as oracle

    from maskwright.runs._words import clean

    def cleaned(v: Any) -> Any:
        if isinstance(v, dict):
            return {key: cleaned(inner) for key, inner in v.items()}
        if isinstance(v, list):
            return [cleaned(inner) for inner in v]
        return clean(v) if isinstance(v, str) else v

    assert oracle.safe_load("\n".join(yaml(value))) == cleaned(value)


# What a person reads


def test_the_text_says_what_it_is_how_well_and_how_to_use_it(make_run: Make) -> None:
    text = read(card(make_run())).text
    wanted = [
        "# reviews\n",
        "`minilm`, fine-tuned for the task classification on 6,920 rows of train.tsv by maskwright 0.1.0.",
        "It knows 2 labels: `negative`, `positive`.",
        "## Verdict\n",
        "On 1,821 test rows this model is right in 88.4 % of all cases (86.9 to 90.0 %).",
        "## Figures\n",
        "On 1,821 rows of test.tsv (test); in brackets the 95 % interval over examples and seeds or the 95 % interval",
        "|  | accuracy | f1\\_macro | mcc |\n| --- | --- | --- | --- |\n",
        "| this model, mean of 3 seeds | 0.884 (0.869 to 0.899) |",
        "| TF-IDF + logistic regression | 0.813 (0.794 to 0.831) |",
        "| majority class | 0.501 (0.478 to 0.524) |  |  |",
        "## Data\n",
        "| train | train.tsv | 6,920 | 0000000000000000 |",
        "- error: 12 test rows stand in the training rows too.",
        "- warning: 4 texts carry two labels.",
        "## Calibration\n",
        "- temperature: 1.703",
        "## How to use it\n",
        "```sh\nmaskwright predict runs/reviews/model --text 'A text of your own.'\n```",
        'model = mw.load("runs/reviews/model")\nprint(model.predict(["A text of your own."]))',
        'tokenizer(["A text of your own."], truncation=True, max_length=128, return_tensors="pt")',
        "## Limits\n",
        "texts like those they were measured on (1,821 rows of test.tsv)",
        "The figures are means over 3 seeds; the weights here are those of seed 1.",
        "A text longer than 128 pieces is cut at its end; of the 1,821 reported ones 0 were.",
        "## Repeat it\n",
        "```sh\nmaskwright finetune --train train.tsv",
    ]
    at = 0
    for part in wanted:
        assert text.find(part, at) >= 0, f"{part!r} is missing or too early"
        at = text.find(part, at)
    assert "/home/ada" not in text


def test_a_pair_is_asked_for_with_both_texts(make_run: Make) -> None:
    task = {"name": "classification", "text": "a", "pair": "b"}
    text = card(make_run(config={"settings": {"task": task, "out": "/home/ada/pairs"}}))
    assert "maskwright predict pairs/model --text 'A text of your own.' --pair 'The second text of the pair.'" in text
    assert 'model.predict(["A text of your own."], ["The second text of the pair."])' in text


def test_where_transformers_would_answer_otherwise_its_snippet_and_pipeline_are_left_out(make_run: Make) -> None:
    """The figures stay: they are ours, and of the same kind of task."""
    folder = make_run()
    described = folder / "model" / "maskwright.json"
    said = "a text is one sequence, and nothing joins the chunks of a longer one"
    for told in ([], [said]):
        described.write_text(json.dumps({**json.loads(described.read_text()), "transformers": told}))
        found = read(card(folder))
        assert found.data.to_dict().get("pipeline_tag") == (None if told else "text-classification")
        assert [result.task_type for result in found.data.eval_results] == ["text-classification"] * 3
        assert ("AutoModelForSequenceClassification" in found.text) == (not told)
        assert (f"- In transformers {said}." in found.text) == bool(told)
        assert "mw.load(" in found.text


def test_a_network_from_random_weights_is_not_called_fine_tuned(make_run: Make) -> None:
    text = card(make_run(config={"settings": {"model": "minilm", "weights": "random"}}))
    assert "The network of `minilm`, trained from random weights for the task classification" in text


def test_a_run_without_anything_but_its_settings_has_a_card(make_run: Make) -> None:
    text = card(make_run(without=("metrics.json", "data.json", "model", "seeds")))
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles == ["Data", "How to use it", "Limits", "Repeat it"]


def test_hostile_names_are_no_markup_and_valid_yaml(make_run: Make, hostile: list[str]) -> None:
    folder = make_run(
        metrics={
            "task": hostile[0],
            "labels": hostile,
            "verdict": hostile,
            "reported": {"split": hostile[1], "source": hostile[9], "rows": 3},
            "figures": {text: {"value": 0.5, "low": 0.4, "high": 0.6, "over": text} for text in hostile},
            "baselines": [{"name": text, "figures": {}, "sentence": text} for text in hostile],
            "calibration": {text: text for text in hostile},
        },
        config={"command": "```\nmaskwright", "settings": {"model": hostile[9], "out": hostile[0]}},
        data={"findings": [{"severity": "error", "sentence": text} for text in hostile]},
    )
    (path, _) = write_card(folder)
    text = path.read_text(encoding="utf-8")
    found = read(text)
    assert len(found.data.eval_results) == len(hostile)
    assert len(text) < 200_000
    body = re.sub(r"^(`{3,}).*?^\1$", "", found.text, flags=re.DOTALL | re.MULTILINE)
    body = re.sub(r"`[^`\n]*`", "", body)
    assert not re.search(r"(?<!\\)<", body), "no tag outside of code"
    assert "````sh\n```\nmaskwright\n````" in text


@pytest.mark.parametrize("text", ["a|b", "*a*", "[a](b)", "<b>", "`a`", "a_b_c", "# a", "&lt;", "~~a~~", "\\*"])
def test_markdown_is_escaped(text: str) -> None:
    escaped = md(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[|*\[\]<>`_#&~]", escaped)


def test_it_is_written_into_the_run_and_into_the_model(make_run: Make) -> None:
    folder = make_run()
    assert write_card(folder) == [folder / "README.md", folder / "model" / "README.md"]
    assert (folder / "README.md").read_bytes() == (folder / "model" / "README.md").read_bytes() == card(folder).encode()
    assert write_card(make_run("unfinished", without=("model",))) == [folder.parent / "unfinished" / "README.md"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run of maskwright"):
        write_card(tmp_path)
    assert not list(tmp_path.iterdir())
