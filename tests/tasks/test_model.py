"""`Model`: what is saved is what is loaded, predictions depend on their own text alone, misuse is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import maskwright
from maskwright.base.errors import UserError
from maskwright.tasks import Model, _model, load
from maskwright.tasks._checks import check_vocabulary
from maskwright.tasks.long.tail import Tail

Build = Callable[..., Model]
Reviews = dict[str, list[Any]]


def texts(model: Model, reviews: Reviews, count: int = 30) -> tuple[list[str], list[str] | None]:
    return reviews["text"][:count], reviews["other"][:count] if model.task.pair else None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_saved_is_what_is_loaded_to_the_bit(
    build: Build, kind: str, reviews: Reviews, tmp_path: Path, precision: str
) -> None:
    model = build(kind, precision=precision, max_length=12, long="tail")
    model.provenance["note"] = "kept"
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert not again.network.training
    assert (again.task, again.labels, again.max_length, again.long, again.precision) == (
        model.task, model.labels, 12, Tail(), precision,
    )  # fmt: skip
    assert again.provenance["note"] == "kept"
    given = texts(model, reviews)
    assert again.predict(*given) == model.predict(*given)
    encodings = model.encode(*given)
    assert np.array_equal(again.scores(encodings), model.scores(encodings))
    again.save(tmp_path / "again")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("model", "again")]
    assert weights[0] == weights[1]


def test_the_top_level_name_loads_it_too(build: Build, tmp_path: Path) -> None:
    build("single").save(tmp_path)
    assert maskwright.load(tmp_path).predict("the film was dull") == build("single").predict("the film was dull")


def test_an_answer_says_everything(build: Build) -> None:
    (answer,) = build("single", labels=("bad", "fair", "good")).predict("the film was lovely")
    assert set(answer) == {"label", "probability", "probabilities"}
    assert list(answer["probabilities"]) == ["bad", "fair", "good"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["probability"] == max(answer["probabilities"].values()) == answer["probabilities"][answer["label"]]
    (score,) = build("regression").predict("the film was lovely")
    assert set(score) == {"score"}
    json.dumps([answer, score])


def test_probabilities_are_the_softmax_of_the_scores(build: Build, reviews: Reviews) -> None:
    model = build("single", labels=("bad", "fair", "good"))
    encodings = model.encode(reviews["text"])
    with torch.no_grad():  # so that no class wins everywhere
        model.network.classifier.out.bias -= torch.from_numpy(model.scores(encodings)).median(0).values
    scores = torch.from_numpy(model.scores(encodings)).double()
    answers = model.predict(reviews["text"])
    found = torch.tensor([list(a["probabilities"].values()) for a in answers], dtype=torch.float64)
    assert torch.allclose(found, scores.softmax(-1))
    assert [a["label"] for a in answers] == [("bad", "fair", "good")[i] for i in scores.argmax(-1)]
    assert len({a["label"] for a in answers}) > 1


def flat(answers: list[dict[str, Any]]) -> np.ndarray:
    """One row of numbers an answer, probabilities in the order of their labels."""

    def numbers(answer: dict[str, Any]) -> list[float]:
        return [answer["score"]] if "score" in answer else [p for _, p in sorted(answer["probabilities"].items())]

    return np.array([numbers(answer) for answer in answers])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(order=st.lists(st.integers(0, 29), min_size=1, max_size=30))
def test_a_prediction_depends_on_its_own_text_alone(build: Build, reviews: Reviews, order: list[int]) -> None:
    for kind in ("pair", "multi-label", "regression"):
        model = build(kind)
        firsts, seconds = texts(model, reviews)
        whole = flat(model.predict(firsts, seconds))
        some = model.predict([firsts[i] for i in order], seconds and [seconds[i] for i in order])
        assert np.abs(flat(some) - whole[order]).max() <= 1e-5


def test_one_text_and_no_text(build: Build) -> None:
    single, pair = build("single"), build("pair")
    assert single.predict("the film was dull") == single.predict(["the film was dull"])
    assert pair.predict("the film", "a play") == pair.predict(["the film"], ["a play"])
    assert single.predict([]) == pair.predict([], []) == []
    assert len(single.predict([""])) == 1, "an empty text is a text"
    assert single.predict(t for t in ["the film was dull"]) == single.predict("the film was dull")  # type: ignore[arg-type]


def test_the_second_text_counts(build: Build) -> None:
    model = build("pair")
    one, two, swapped = model.predict(
        ["the film was dull", "the film was dull", "a lovely play"],
        ["a lovely play", "a dull song", "the film was dull"],
    )
    assert one != two
    assert one != swapped


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("pair", (["a film"],), "This model was trained on pairs (text, other); give both texts."),
        ("single", (["a film"], ["a play"]), "This model was trained on single texts; give no second text."),
        ("pair", (["a", "b"], ["c"]), "2 texts and 1 second texts were given; give as many of each."),
        ("single", (["a film", 7],), "Text 2 is 7, a int; give a text."),
        ("single", (["a film", None],), "Text 2 is None, a NoneType; give a text."),
        ("pair", (["a", "b"], ["c", 1.5]), "Text 2 is 1.5, a float; give a text."),
        ("single", ([["a", "b"]],), "Text 1 is ['a', 'b'], a list; give a text."),
    ],
)
def test_wrong_use_is_said(build: Build, kind: str, given: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        build(kind).predict(*given)
    assert str(caught.value) == said


def test_what_was_cut_is_said_with_the_answer(build: Build) -> None:
    model = build("single", max_length=6)
    short, long = model.predict(["the film", "the film was dull film film film"])
    assert "pieces_cut" not in short
    assert long["pieces_cut"] == 3


@pytest.mark.parametrize(("keep", "end"), [("head", "the film was dull"), ("tail", "play play book song")])
def test_the_end_that_was_chosen_stays(build: Build, keep: str, end: str) -> None:
    long = "the film was dull play play book song"
    model = build("single", max_length=6, long=keep)
    (answer,) = model.predict(long)
    assert answer.pop("pieces_cut") == 4
    assert answer == model.predict(end)[0]


def test_a_length_beyond_the_positions_is_refused(build: Build) -> None:
    assert build("single").max_length == 24
    assert build("single", max_length=24).max_length == 24
    with pytest.raises(UserError) as caught:
        build("single", max_length=25)
    assert str(caught.value).startswith("max_length = 25, but the encoder has 24 positions. Give at most 24;")


def test_the_head_of_a_bare_encoder_is_new_and_said(build: Build, tiny: Path) -> None:
    assert build("single").notes == [f"{tiny} holds no weights for: classifier. They start from random ones."]


@pytest.mark.parametrize(("change", "spare"), [(-1, 0), (129, 129), (200, 200)])
def test_a_vocabulary_of_another_model_is_refused(
    make_tiny: Callable[..., Path], tmp_path: Path, change: int, spare: int
) -> None:
    from maskwright.text.tokenizer import Tokenizer

    size = Tokenizer.from_folder(make_tiny(tmp_path / "fits", "classification")).size
    folder = make_tiny(tmp_path / "other", "classification", vocabulary=size + change)
    with pytest.raises(UserError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"The vocabulary of {folder} has {size} pieces, its embedding ")
    assert message.endswith("The tokenizer belongs to another model.")
    if change < 0:
        assert f"only {size - 1} rows: ids from {size - 1} on would have no vector." in message
    else:
        assert f"{size + change} rows, {spare} too many to be padding." in message


def test_rows_of_padding_are_usual_and_said(make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    from maskwright.text.tokenizer import Tokenizer

    size = Tokenizer.from_folder(make_tiny(tmp_path / "fits", "classification")).size
    rows = -(-size // 64) * 64
    folder = make_tiny(tmp_path / "padded", "classification", vocabulary=rows)
    assert f"The embedding of {folder} has {rows - size} rows of padding." in load(folder).notes


@pytest.mark.parametrize(
    ("pieces", "rows"),
    [(128_001, 128_100), (250_102, 251_000), (250_002, 250_037), (50_280, 50_368), (30_522, 30_522)],
    ids=["deberta-v3", "mdeberta-v3", "multilingual MiniLM", "modernbert", "bert"],
)
def test_published_pairs_of_vocabulary_and_embedding_fit(pieces: int, rows: int) -> None:
    said = check_vocabulary(SimpleNamespace(size=pieces), SimpleNamespace(vocabulary=rows), "it", pairs=False)  # type: ignore[arg-type]
    assert said == (f"The embedding of it has {rows - pieces} rows of padding." if rows > pieces else "")


def drift(file: Path, change: Callable[[Any], None]) -> None:
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))


def swap(table: Any) -> None:
    vocabulary = table["model"]["vocab"]
    vocabulary["e"], vocabulary["a"] = vocabulary["a"], vocabulary["e"]


def keep_case(table: Any) -> None:
    table["normalizer"]["lowercase"] = False


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("tokenizer.json", swap),
        ("tokenizer_config.json", lambda table: table.update(do_lower_case=False)),
        ("tokenizer_config.json", lambda table: table.update(strip_accents=False)),
    ],
)
def test_a_tokenizer_that_drifted_is_refused(build: Build, tmp_path: Path, file: str, change: Any) -> None:
    build("single").save(tmp_path)
    load(tmp_path)
    drift(tmp_path / file, change)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert message.startswith("The tokenizer is not the one that was stored with the model: ")
    assert "golden texts are encoded otherwise. The first is " in message
    assert "Put the model's own tokenizer files back." in message


def test_a_newer_format_is_refused(build: Build, tmp_path: Path) -> None:
    build("single").save(tmp_path)
    drift(tmp_path / "maskwright.json", lambda table: table.update(format=99))
    with pytest.raises(UserError, match=r"has format 99, this version reads up to 1. Update maskwright."):
        load(tmp_path)


def test_an_encoder_is_not_a_model_yet(tiny: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tiny)
    assert f"{tiny} is an encoder without a task (its architecture is 'BertModel')" in str(caught.value)
    assert f"maskwright finetune --model {tiny} --train FILE" in str(caught.value)


@pytest.mark.usefixtures("minilm")
def test_an_encoder_is_called_what_the_person_called_it() -> None:
    with pytest.raises(UserError) as caught:
        load("minilm")
    assert str(caught.value).startswith("minilm is an encoder without a task ")
    assert "--model minilm " in str(caught.value)
    assert "site-packages" not in str(caught.value)


@pytest.mark.parametrize("key", ["golden", "task", "labels", "max_length", "long", "precision", "provenance"])
def test_a_description_without_a_key_is_said(build: Build, tmp_path: Path, key: str) -> None:
    build("single").save(tmp_path)
    drift(tmp_path / "maskwright.json", lambda table: table.pop(key))
    with pytest.raises(UserError, match=f"^{tmp_path / 'maskwright.json'} lacks the key '{key}'"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": null}'])
def test_a_description_of_no_format_is_said(build: Build, tmp_path: Path, content: str) -> None:
    build("single").save(tmp_path)
    (tmp_path / "maskwright.json").write_text(content)
    with pytest.raises(UserError, match=r"maskwright\.json does not say its format"):
        load(tmp_path)


@pytest.mark.parametrize("given", [None, 3.5, {"text": "a film"}])
def test_what_holds_no_texts_is_said(build: Build, given: Any) -> None:
    with pytest.raises(UserError, match=f"a {type(given).__name__}: give a text, or a list of texts"):
        build("single").predict(given)
    if given is not None:
        with pytest.raises(UserError, match=r"^pairs = .* give a text, or a list of texts"):
            build("pair").predict("a film", given)


def test_a_model_that_lost_its_head_is_not_finished(build: Build, tiny: Path, tmp_path: Path) -> None:
    build("single").save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    (tmp_path / "checksums.json").unlink()
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert f"{tmp_path} is not a finished model: " in str(caught.value)
    assert "holds no weights for: classifier." in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no model folder '.*nowhere'"):
        load(tmp_path / "nowhere")


def test_predicting_leaves_training_mode_as_it_was(build: Build) -> None:
    model = build("single")
    calm = model.predict("the film was dull")
    model.network.train()
    assert model.predict("the film was dull") == calm, "no dropout in a prediction"
    assert model.network.training


def test_a_crash_while_saving_leaves_the_old_model(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build("single")
    old.save(tmp_path / "model")

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    new = build("single")
    with torch.no_grad():
        new.network.classifier.out.weight.zero_()
    monkeypatch.setattr(_model, "write_json", dies)
    with pytest.raises(KeyboardInterrupt):
        new.save(tmp_path / "model")
    monkeypatch.undo()
    assert load(tmp_path / "model").predict("the film") == old.predict("the film")
    new.save(tmp_path / "model")
    assert load(tmp_path / "model").predict("the film") == new.predict("the film")


@pytest.mark.parametrize(("kind", "keep"), [("single", "head"), ("pair", "tail")])
def test_a_text_of_a_megabyte_is_cut_counted_and_answered(build: Build, reviews: Reviews, kind: str, keep: str) -> None:
    """As its end that stays alone is, beside short texts too, which it does not change."""
    model = build(kind, long=keep)
    words = ["wonderful", *["the film was boring"] * 55_000, "terrible"]
    long = " ".join(words)
    assert len(long) > 2**20
    end = " ".join(words[:20] if keep == "head" else words[-20:])
    pairs = reviews["other"][:1] if model.task.pair else None
    encoded = model.encode([long], pairs)
    assert (encoded.truncated, len(encoded.ids)) == (1, model.max_length) == (1, 24)
    assert encoded.pieces_cut > 200_000
    assert encoded.ids.tolist() == model.encode([end], pairs).ids.tolist()

    def answers(texts: list[str]) -> list[dict[str, Any]]:
        return model.predict(texts, None if pairs is None else pairs * len(texts))

    short = reviews["text"][:9]
    expected = [*answers(short), *answers([end])]
    for one, other in zip(answers([*short, long]), expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_a_word_of_a_megabyte_is_unknown_and_answered(build: Build) -> None:
    model, word = build("single"), "x" * 2**20
    encoded = model.encode([word])
    assert (len(encoded.ids), encoded.unknown, encoded.truncated) == (3, 1, 0)
    assert model.predict([word, "a film"])[0]["label"] in ("bad", "good")


def test_saving_deletes_nothing_of_a_persons(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("single")
    (tmp_path / "thesis.tex").write_text("years of work")
    for folder in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(UserError, match=r"is not a model of maskwright\. Give a new or empty folder"):
            model.save(folder)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="is the folder that this process works in"):
        model.save(".")
    (tmp_path / "empty").mkdir()
    for _ in range(2):  # into an empty folder, and over a model
        model.save("../empty")
    assert load(tmp_path / "empty").labels == model.labels


def test_a_flipped_bit_is_found(build: Build, tmp_path: Path) -> None:
    build("single").save(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged: its checksum"):
        load(tmp_path / "model")


def test_a_run_that_is_not_finished_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"settings": {}, "data": {}, "versions": {}}')
    with pytest.raises(UserError, match=r"is a run that is not finished.*--resume"):
        load(tmp_path)


def test_labels_with_a_gap_are_said(tmp_path: Path) -> None:
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "2": "good"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"has 2 labels .*none with the number 1"):
        load(tmp_path)
