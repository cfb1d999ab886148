"""Each family is fine-tuned, saved, loaded, shown and resumed as BERT is, at toy size: nothing asks which one it is."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import save_encoder
from tiny import tiny as tiny_config

import maskwright as mw
from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.models import families, family, load_network, random_network, save_network, show
from maskwright.text.tokenizer import Tokenizer
from maskwright.training import loop
from maskwright.training.stop import Interrupted

pytestmark = pytest.mark.usefixtures("undrawn")

FAMILIES = [name for name in families() if "classification" in family(name).HEADS]
TEXTS = ["a wonderful film", "the dull and boring play was awful", ""]
OTHERS = ["i liked it", "", "dull"]

#: tensors that learn nothing: of Longformer's last block only the first token is read, which has projections of its own
UNASKED = {"longformer": [f"encoder.blocks.1.attention.qkv.{kind}" for kind in ("weight", "bias")]}


def test_one_arm_alone_has_no_classes() -> None:
    """The first encoder-decoder writes translations; every other family is fine-tuned below."""
    assert [name for name in families() if name not in FAMILIES] == ["encoder-decoder"]


@pytest.fixture
def encoder(tiny: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A folder with a random encoder of a family, and the tiny tokenizer."""
    return lambda name: save_encoder(name, tmp_path / name, Tokenizer.from_folder(tiny))


def outcome(folder: Path) -> dict[str, bytes]:
    names = ("model/model.safetensors", "seeds/0/log.jsonl", "metrics.json")
    return {name: (folder / name).read_bytes() for name in names}


@contextmanager
def stopped_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A signal comes after so many steps."""

    class Heard:
        asked = 0

        @property
        def number(self) -> int | None:
            self.asked += 1
            return signal.SIGTERM if self.asked > steps else None

    @contextmanager
    def listening() -> Iterator[Heard]:
        yield Heard()

    with monkeypatch.context() as patched:
        patched.setattr(loop, "listening", listening)
        yield


@pytest.mark.parametrize("name", FAMILIES)
def test_from_rows_to_answers(
    name: str,
    encoder: Callable[[str], Path],
    tune: Callable[..., Any],
    reviews: dict[str, list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = encoder(name)
    assert show(folder).family == name
    pairs = {"train": {**reviews, "other": reviews["text"]}, "pair": "other"}
    run = tune(model=folder, out="straight", **pairs)
    answers = run.predict(TEXTS, OTHERS)
    for answer in answers:
        assert answer["label"] in ("good", "bad")
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    model = mw.load(tmp_path / "straight" / "model")
    assert model.predict(TEXTS, OTHERS) == answers
    assert show(tmp_path / "straight").total == sum(p.numel() for p in model.network.parameters())
    before = load_network(folder, "classification").network.state_dict()
    after = model.network.state_dict()
    still = [n for n in before if n.startswith("encoder.") and torch.equal(before[n], after[n])]
    assert still == UNASKED.get(name, [])

    with stopped_after(7, monkeypatch), pytest.raises(Interrupted):
        tune(model=folder, out="stopped", **pairs)
    tune(model=folder, out="stopped", resume=True, **pairs)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "straight")


def test_tweets_are_made_even_on_request(
    encoder: Callable[[str], Path], tune: Callable[..., Any], tmp_path: Path
) -> None:
    """`normalise` reaches the tokenizer that is trained with, and the one that is saved."""
    for extra in ("nltk", "emoji"):
        pytest.importorskip(extra, reason="the extra `tweets` is not installed")
    folder = encoder("roberta")
    (folder / "tokenizer.json").unlink()
    letters = "abcdefghijklmnopqrstuvwxyzRSTUHLP@:_"
    pieces = [*letters, *(f"{letter}@@" for letter in letters)]
    (folder / "vocab.txt").write_text("".join(f"{piece} 1\n" for piece in pieces))
    (folder / "bpe.codes").write_text("U S 1\n")
    config = read_json(folder / "config.json")
    tokenizer = Tokenizer.from_folder(folder)
    resized = family("roberta").Config(**{**tiny_config(family("roberta")).model_dump(), "vocabulary": tokenizer.size})
    save_network(folder, random_network(family("roberta"), resized, "bare"), family("roberta"), resized, {})
    assert read_json(folder / "config.json")["vocab_size"] == tokenizer.size != config["vocab_size"]
    tune(model=folder, out="run", normalise=True)
    saved = Tokenizer.from_folder(tmp_path / "run" / "model")
    same = saved.encode(["@somebody https://t.co/x", "@USER HTTPURL"])
    assert saved.tokens(same.ids[: same.offsets[1]]) == saved.tokens(same.ids[same.offsets[1] :])
    assert "@@@" in saved.tokens(same.ids)


def test_longer_positions_are_trained_and_saved(
    encoder: Callable[[str], Path], tune: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="the encoder has 40 positions"):
        tune(model=encoder("bert"), out="short", max_length=60)
    run = tune(model=tmp_path / "bert", out="long", max_length=60, positions="tile")
    assert any("60 positions now instead of 40, made by 'tile'" in note for note in run.notes)
    assert read_json(tmp_path / "long" / "model" / "config.json")["max_position_embeddings"] == 60
    assert mw.load(tmp_path / "long" / "model").max_length == 60
    beside = tmp_path / "long" / "model" / "tokenizer_config.json"
    assert read_json(beside).get("model_max_length", 60) == 60
    assert "60 positions now" in read_json(tmp_path / "long" / "model" / "maskwright.json")["provenance"]["positions"]


def test_what_the_network_is_to_have_otherwise_is_trained_and_saved(
    encoder: Callable[[str], Path], tune: Callable[..., Any], tmp_path: Path
) -> None:
    """ModernBERT's pooling, and every rate of dropout, which changes what is learnt but not what is answered."""
    plain = tune(model=encoder("modernbert"), out="plain")
    run = tune(model=tmp_path / "modernbert", out="run", network={"classifier_pooling": "mean"}, dropout=0.25)
    saved = read_json(tmp_path / "run" / "model" / "config.json")
    assert saved["classifier_pooling"] == "mean"
    rates = ("embedding_dropout", "attention_dropout", "mlp_dropout", "classifier_dropout")
    assert [saved[name] for name in rates] == [0.25] * 4
    before, after = (mw.load(one.folder / "model") for one in (plain, run))
    assert {module.p for module in after.network.modules() if hasattr(module, "p")} <= {0.25}
    assert before.predict(["a fine film"]) != after.predict(["a fine film"])


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"pooling": "mean"}, r"network of the family 'modernbert'.*classifier_pooling"),
        ({"classifier_pooling": "max"}, r"classifier_pooling.*'cls'.*'mean'"),
        ({"layers": 5}, "is missing|needs as many kinds|5 layers"),
        ({"inner": 7}, r"has the shape"),
    ],
)
def test_a_network_that_the_weights_do_not_fit_is_refused(
    network: dict[str, Any], said: str, encoder: Callable[[str], Path], tune: Callable[..., Any]
) -> None:
    with pytest.raises(UserError, match=said):
        tune(model=encoder("modernbert"), out="run", network=network)


@pytest.mark.parametrize(
    ("length", "said"), [(None, "needs both"), (30, "takes texts of 30 tokens as it is; there is nothing to lengthen")]
)
def test_positions_that_lengthen_nothing_are_refused(
    length: int | None, said: str, encoder: Callable[[str], Path], tune: Callable[..., Any]
) -> None:
    with pytest.raises(UserError, match=said):
        tune(model=encoder("bert"), out="run", positions="tile", max_length=length)


def test_where_no_table_ends_any_length_may_be_asked_for(
    encoder: Callable[[str], Path], tune: Callable[..., Any], tmp_path: Path
) -> None:
    tune(model=encoder("modernbert"), out="run", max_length=100)
    assert mw.load(tmp_path / "run" / "model").max_length == 100
    tune(model=tmp_path / "modernbert", out="usual")
    assert mw.load(tmp_path / "usual" / "model").max_length == 40


USUAL = ("longformer", "deberta-v2")
TAGGERS = [name for name in families() if "token-classification" in family(name).HEADS]


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in TAGGERS]
)
def test_words_are_tagged_by_every_family(
    name: str, encoder: Callable[[str], Path], tune: Callable[..., Any], reviews: dict[str, list[Any]]
) -> None:
    """In windows as well, and loaded as it was saved."""
    words = [text.split() for text in reviews["text"]]
    tags = [["O", "B-thing", *["O"] * (len(row) - 2)] for row in words]
    settings = {"train": {"epochs": 4}}
    run = tune(
        task="tagging", train={"text": words, "label": tags}, model=encoder(name), settings=settings, max_length=9
    )
    assert run.metrics["test"]["f1"] > 0.5
    answers = mw.load(run.folder / "model").predict([" ".join(row) for row in words[:8]])
    assert answers == run.predict([" ".join(row) for row in words[:8]])
    assert any(answer["spans"] for answer in answers)
