"""`show`: counts to the parameter, with and without weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import tiny
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForPreTraining, BertModel

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models import bert, families, family, listing, random_network, save_network, show
from maskwright.models._family import write_config
from maskwright.models._flops import flops, part_of
from maskwright.nn import Batch

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
    with pytest.raises(
        UserError, match=r"no model 'bert-bse'. Did you mean 'bert-base'\?.*no model folder 'bert-bse', and"
    ):
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


COUNTS = {
    "albert-base": 11_683_584,
    "albert-large": 17_683_968,
    "albert-xlarge": 58_724_864,
    "albert-xxlarge": 222_595_584,
    "albert-base-v1": 11_683_584,
    "bert-tiny": 4_385_920,
    "bert-mini": 11_267_900,
    "bert-small": 29_058_876,
    "bert-medium": 41_668_412,
    "bert-base": 110_106_428,
    "bert-large": 336_226_108,
    "bert-base-cased": 108_310_272,
    "bert-large-cased": 333_579_264,
    "bert-multilingual": 177_853_440,
    "bert-minilm": 22_713_216,
    "bert-spanbert-base": 108_310_272,
    "bert-spanbert-large": 333_579_264,
    "bert-biobert": 108_310_272,
    "bert-legalbert": 109_482_240,
    "bert-legalbert-small": 35_068_416,
    "bert-finbert": 109_482_240,
    "bert-finbert-fin": 109_751_808,
    "camembert-base": 110_621_952,
    "camembert-large": 336_661_504,
    "deberta-base": 138_601_728,
    "deberta-large": 405_163_008,
    "deberta-xlarge": 757_804_032,
    "deberta-v2-v2-xlarge": 884_593_152,
    "deberta-v2-v2-xxlarge": 1_564_549_632,
    "deberta-v2-v3-xsmall": 70_682_112,
    "deberta-v2-v3-small": 141_304_320,
    "deberta-v2-v3-base": 183_831_552,
    "deberta-v2-v3-large": 434_012_160,
    "deberta-v2-mdeberta-v3-base": 278_218_752,
    "distilbert-base": 66_362_880,
    "distilbert-multilingual": 134_734_080,
    "electra-small": 13_483_008,
    "electra-base": 108_891_648,
    "electra-large": 334_092_288,
    "electra-small-generator": 4_580_928,
    "electra-base-generator": 33_511_168,
    "electra-large-generator": 50_999_552,
    "elmo-base": 91_255_812,
    "encoder-decoder-base": 63_082_496,
    "encoder-decoder-big": 214_245_376,
    "left-to-right-gpt": 116_536_320,
    "left-to-right-base": 108_891_648,
    "longformer-base": 148_659_456,
    "longformer-large": 434_600_960,
    "lstm-on-top-base": 112_436_736,
    "mobilebert-base": 24_844_544,
    "modernbert-base": 149_014_272,
    "modernbert-large": 394_781_696,
    "mpnet-base": 109_486_464,
    "rembert-base": 575_920_384,
    "roberta-base": 124_645_632,
    "roberta-large": 355_359_744,
    "roberta-bertweet-base": 134_899_968,
    "roberta-bertweet-large": 355_359_744,
    "two-directions-base": 217_783_296,
    "xlm-roberta-base": 278_043_648,
    "xlm-roberta-large": 559_890_432,
}


def test_every_published_size_has_its_parameters() -> None:
    """To the parameter: what is said beside a source's number is what was built."""
    assert {row.model: row.parameters for row in listing()} == COUNTS


@pytest.mark.parametrize(
    "name", "albert bert camembert distilbert electra mobilebert mpnet rembert roberta xlm-roberta".split()
)
def test_operations_are_those_that_the_reference_does(name: str) -> None:
    """Counted by torch while transformers computes: every product of a forward pass over one text.

    DeBERTa is not among them: its reference multiplies each token with all vectors of distances and gathers, where we
    multiply with those in use, one for each distance. Its operations are those that our own network does, below.
    """
    kind, tokens = family(name), 23
    config = tiny(kind)
    sizes = transformers.AutoConfig.for_model(**write_config(kind, config))
    reference = getattr(transformers, kind.HEADS["bare"].architecture)._from_config(sizes, attn_implementation="eager")
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        reference.eval()(input_ids=torch.full((1, tokens), 5))
    assert sum(flops(random_network(kind, config, "bare"), tokens).values()) == counted.get_total_flops()


@pytest.mark.parametrize("length", [5, 23])
@pytest.mark.parametrize(
    ("name", "head", "more"),
    [
        ("bert", "masked-lm", {}),
        ("deberta", "token-classification", {"furthest": 9}),
        ("deberta-v2", "masked-lm", {"buckets": 8, "furthest": 20, "cls_names": True}),
        ("deberta-v2", "token-classification", {"buckets": 8, "furthest": 20, "terms": ("p2c",), "convolution": 3}),
        ("deberta-v2", "token-classification", {"buckets": 0, "furthest": 9, "shared": False}),
        ("deberta-v2", "token-classification", {"relative": False, "norm_relative": "none"}),
        ("deberta-v2", "enhanced-masked-lm", {"buckets": 8, "furthest": 20}),
    ],
)
def test_operations_are_those_that_the_network_does(
    name: str, head: str, more: dict[str, Any], length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted by torch, of texts shorter and longer than the span, up to which each distance has its own vector.

    torch counts no product of oneDNN's. The dense twin rounds no length up.
    """
    kind = family(name)
    config = kind.Config(**{**tiny(kind).model_dump(), "embedding": 24, **more}) if name != "bert" else tiny(kind)
    network = random_network(kind, config, head).eval().requires_grad_(False)
    ids = torch.full((1, length), 5)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        network(Batch.dense(ids, ids > 0))
    assert sum(flops(network, length).values()) == counted.get_total_flops()


def test_distances_beyond_the_buckets_cost_no_projection() -> None:
    """At 512 tokens v3-base projects 511 vectors for 1,023 distances, since distances beyond 128 share buckets."""
    width, tokens = 768, 512
    term = 2 * width**2 * 511 + 2 * width * tokens * (2 * tokens - 1)
    attention = 2 * tokens * 4 * width**2 + 4 * tokens**2 * width + 2 * term
    work = {row.part: row.flops for row in show("deberta-v2-v3-base", tokens=tokens).rows}
    assert work["encoder.blocks.attention"] == 12 * attention


def test_each_operation_stands_in_a_row() -> None:
    """Nothing is counted under a name that no row has."""
    for name in families():
        kind = family(name)
        for head in kind.HEADS:
            network = random_network(kind, tiny(kind), head)
            parts = {part_of(n)[0] for n, _ in network.named_parameters()}
            assert set(flops(network, 7)) <= parts, (name, head)
