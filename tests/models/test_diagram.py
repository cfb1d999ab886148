"""`show --diagram`: the picture is the computation."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tiny import draw_config, tiny

from maskwright.models import families, family, random_network, show
from maskwright.models._diagram import _order, drawn


def rows(model: str, head: str | None = None) -> list[list[str]]:
    """The diagram's lines, each as its words."""
    return [line.split() for line in show(model, head, draw=True).diagram]


def test_a_block_of_bert_normalises_last() -> None:
    assert show("bert-base", draw=True).diagram == [
        "  ids  (T)",
        "  embeddings: Embeddings  -> (T, 768), dropout 0.1",
        "    word      30522 x 768",
        "  + position  512 x 768",
        "  + segment   2 x 768",
        "    norm      LayerNorm 768, eps 1e-12",
        "  12 x PostNormBlock      -> (T, 768), dropout 0.1",
        "  .   attention         768 -> 2304, 12 heads of 64, dropout 0.1, 768 -> 768",
        "  '-+ input",
        "      attention_norm    LayerNorm 768, eps 1e-12",
        "  .   feedforward       768 -> 3072, gelu, 3072 -> 768",
        "  '-+ attention_norm",
        "      feedforward_norm  LayerNorm 768, eps 1e-12",
        "  pooler                  768 -> 768, tanh",
        "  gives  (768) for the whole text",
    ]


def test_a_block_of_modernbert_normalises_first() -> None:
    """Three kinds of blocks, each drawn once with the order that they stand in, and the activation of the gate."""
    found = rows("modernbert-base")
    assert "22 layers: A, 7 x (2 x B, C)" in " ".join(map(" ".join, found))
    start = found.index(["B:", "PreNormBlock"])
    block = [words[1:] for words in found[start + 1 : start + 8] if words[1:] != ["with", "relative"]]
    names = ["attention_norm", "attention", "input", "feedforward_norm", "feedforward", "the"]
    assert [words[0] for words in block] == names
    assert "gelu(one half) * other half" in " ".join(block[4])


def test_equal_parts_are_drawn_once() -> None:
    found = ["".join(line) for line in show("two-directions-base", draw=True).diagram]
    assert sum("12 x PostNormBlock" in line for line in found) == 2, "one sees left, one right"
    assert sum("30522 x 768" in line for line in found) == 1
    assert any("embeddings: Embeddings, as above" in line for line in found)
    assert any("[left; right]" in line for line in found)
    found = show("transformer", draw=True).diagram
    assert sum("6 x DecoderBlock" in line for line in found) == 1
    assert sum(" cross " in line for line in found) == 1


def test_a_long_way_round_is_drawn_beside_short_ones() -> None:
    """MobileBERT's input is added behind all that was added to narrower states."""
    found = show("mobilebert-base", draw=True).diagram
    start = next(i for i, line in enumerate(found) if "24 x Block" in line)
    sums = [line.strip() for line in found[start:] if "-+ " in line]
    assert sums == [
        "| '-+ enter",
        "| '-+ attention_norm",
        "| '-+ more_norms.0",
        "| '-+ more_norms.1",
        "| '-+ more_norms.2",
        "'---+ input",
    ]


def test_who_reads_something_else_says_so() -> None:
    found = rows("bert-base", "pretraining")
    assert ["pooler", "768", "->", "768,", "tanh;", "reads", "encoder"] in found
    found = rows("deberta-v2-v3-base", "enhanced-masked-lm")
    names = [words[:4] for words in found]
    last = next(i for i, words in enumerate(names) if words[:2] == ["2", "x"])
    assert names[last - 1][:2] == ["+", "absolute"]
    assert ["11", "x", "DisentangledBlock", "->"] in names


@pytest.mark.parametrize("name", families())
def test_every_parameter_stands_in_one_line(name: str) -> None:
    kind = family(name)
    for config in (tiny(kind), draw_config(kind, 0)):
        for head in kind.HEADS:
            with torch.device("meta"):
                network = random_network(kind, config, head).train()
            lines = drawn(network)
            held = Counter(parameter for line in lines for parameter in line.holds)
            assert held == Counter(dict(network.named_parameters()).keys()), (head, config)
            said = " ".join(line.said for line in lines)
            for parameter, weight in network.named_parameters():
                gates = 4 if "_l0" in parameter else 1  # an LSTM's weights are four matrices, one below the other
                sizes = [weight.shape[0] // gates, *weight.shape[1:2]]
                assert all(str(size) in said for size in sizes), parameter
            assert all(module.training and not module._forward_hooks for module in network.modules())
    assert torch.backends.mkldnn.enabled


@pytest.mark.parametrize("name", families())
def test_a_diagram_fits_a_page(name: str) -> None:
    kind = family(name)
    presets = [*getattr(kind, "PRESETS", {}).values()]
    for preset in {id(p): p for p in presets[:1] + presets[-1:]}.values():
        for head in dict.fromkeys(["bare", preset.head, [*kind.HEADS][-1]]):
            with torch.device("meta"):
                network = random_network(kind, preset.config, head)
            lines = [line.text for line in drawn(network)]
            assert len(lines) <= 40, (head, lines)
            assert max(map(len, lines)) <= 130, (head, lines)


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ("A", "A"),
        ("AB", "A, B"),
        ("ABBB", "A, 3 x B"),
        ("ABBCBBCBBC", "A, 3 x (2 x B, C)"),
        ("ABABC", "2 x (A, B), C"),
    ],
)
def test_the_order_of_layers_in_words(letters: str, said: str) -> None:
    assert _order([*letters]) == said
