"""`show`: counts to the parameter, with and without weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from transformers import BertConfig, BertForPreTraining, BertModel

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models import bert, random_network, save_network, show

SIZES = BertConfig(
    vocab_size=50,
    hidden_size=12,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=20,
    max_position_embeddings=16,
    num_labels=5,
)


@pytest.mark.parametrize(
    ("model", "head", "count"),
    [
        ("bert-base", None, 109_482_240),
        ("bert-large", None, 335_141_888),
        ("bert-base", "pretraining", 110_106_428),
        ("bert-large", "pretraining", 336_226_108),
    ],
)
def test_published_sizes(model: str, head: str | None, count: int) -> None:
    shown = show(model, head)
    assert shown.total == count
    assert shown.head == (head or "bare")
    assert sum(row.total for row in shown.rows) == count


def test_minilm(minilm: Path) -> None:
    shown = show("minilm")
    assert shown.total == 22_713_216
    assert (shown.family, shown.head) == ("bert", None)
    parts = {row.part: row for row in shown.rows}
    assert parts["encoder.embeddings.word"].total == 30522 * 384
    assert parts["encoder.embeddings.position"].total == 512 * 384
    assert parts["encoder.embeddings.segment"].total == 2 * 384
    assert parts["encoder.embeddings.norm"].total == 2 * 384
    assert parts["encoder.blocks.attention"].each == [4 * (384 * 384 + 384)] * 6
    assert parts["encoder.blocks.feedforward"].each == [2 * 384 * 1536 + 1536 + 384] * 6
    assert parts["encoder.blocks.feedforward"].blocks == 6
    assert parts["pooler"].total == 384 * 384 + 384
    assert shown.encoder == shown.total - parts["pooler"].total
    assert shown.megabytes["weights in fp32"] == pytest.approx(90.852864)
    assert shown.megabytes["weights in bf16"] == pytest.approx(45.426432)
    assert shown.megabytes["weights in int8"] == pytest.approx(22.713216)
    assert shown.megabytes["training with AdamW in fp32"] == pytest.approx(363.411456)
    wanted = {"layers": 6, "width": 384, "heads": 12, "positions": 512, "vocabulary": 30522}
    assert wanted.items() <= shown.sizes.items()
    assert show(minilm).rows == shown.rows


def test_a_folder_is_counted_with_the_heads_that_it_holds(tmp_path: Path) -> None:
    both = BertForPreTraining(SIZES)
    both.save_pretrained(tmp_path / "both")
    shown = show(tmp_path / "both")
    assert shown.total == sum(p.numel() for p in both.parameters())
    assert {r.part for r in shown.rows if not r.part.startswith("encoder.")} == {
        "pooler",
        "masked_lm",
        "next_sentence",
    }

    plain = BertModel(SIZES, add_pooling_layer=False)
    plain.save_pretrained(tmp_path / "plain")
    shown = show(tmp_path / "plain")
    assert shown.total == shown.encoder == sum(p.numel() for p in plain.parameters())

    asked = show(tmp_path / "both", "classification")
    new = {row.part: row.total for row in asked.rows if row.new}
    assert new == {"classifier": 12 * 5 + 5}


def test_a_runs_model_folder(tmp_path: Path) -> None:
    """Given the run, its model is shown, not the config.json that describes the run."""
    config = bert.PRESETS["tiny"].config
    save_network(tmp_path / "run" / "model", random_network(bert, config, "classification", 2), bert, config, {})
    write_json(tmp_path / "run" / "config.json", {"task": "classification"})
    assert show(tmp_path / "run").rows == show(tmp_path / "run" / "model").rows
    assert show(tmp_path / "run").total == show("bert-tiny", "classification").total


def test_a_folder_that_does_not_fit_its_config(tmp_path: Path) -> None:
    BertModel(SIZES).save_pretrained(tmp_path)
    write_json(tmp_path / "config.json", {**read_json(tmp_path / "config.json"), "hidden_size": 14})
    with pytest.raises(UserError, match=r"word_embeddings.weight has the shape \(50, 12\), expected \(50, 14\)"):
        show(tmp_path)


def test_a_folder_wins_over_a_preset_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = BertModel(SIZES)
    plain.save_pretrained(tmp_path / "bert-base")
    monkeypatch.chdir(tmp_path)
    assert show("bert-base").total == sum(p.numel() for p in plain.parameters())


def test_it_is_plain_json() -> None:
    shown = asdict(show("bert-tiny"))
    assert json.loads(json.dumps(shown)) == shown


def test_unknown_names() -> None:
    with pytest.raises(UserError, match=r"no model 'bert-bse'. Did you mean 'bert-base'\?.*Or give a model's folder"):
        show("bert-bse")
    with pytest.raises(UserError, match=r"no head of bert 'pretrain'. Did you mean 'pretraining'\?"):
        show("bert-tiny", "pretrain")


def test_operations_are_those_of_the_equations() -> None:
    """Two for each weight and token, and 4 T^2 H for Q K^T and P V; a shared block counts at each layer."""
    tokens, width, words = 128, 768, 30522
    attention = 12 * (2 * tokens * 4 * width**2 + 4 * tokens**2 * width)
    feedforward = 12 * 2 * tokens * 8 * width**2
    for name in ("bert-base", "albert-base"):
        work = {row.part: row.flops for row in show(name).rows}
        assert work["encoder.blocks.attention"] == attention
        assert work["encoder.blocks.feedforward"] == feedforward
    assert {row.part: row.flops for row in show("bert-base").rows}["pooler"] == 2 * width**2, "one token"
    scored = {row.part: row.flops for row in show("bert-base", "masked-lm").rows}["masked_lm"]
    assert scored == 2 * tokens * width * (width + words)
    seen = sum(min(i, 64) + 1 + min(255 - i, 64) for i in range(256))
    local, full = 14 * 4 * width * seen, 8 * 4 * width * 256**2
    work = {row.part: row.flops for row in show("modernbert-base", tokens=256).rows}
    assert work["encoder.blocks.attention"] == 22 * 2 * 256 * 4 * width**2 + local + full


def test_operations_of_the_first_transformer() -> None:
    """A decoder's block has attention to what stands before and to all of the source; its words are the encoder's."""
    tokens, width, inner, words = 128, 512, 2048, 37000
    before = 4 * width * tokens * (tokens + 1) // 2
    block = 2 * tokens * (8 * width**2 + 2 * width * inner) + before + 4 * width * tokens**2
    work = {row.part: row.flops for row in show("transformer").rows}
    assert work["decoder"] == 6 * block + 2 * tokens * width * words
