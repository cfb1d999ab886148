"""Networks that transformers does not have, against their equations, written out token by token in numpy, or against
`torch.nn.Transformer`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskwright.models import deberta, deberta_v2, elmo, encoder_decoder, left_to_right, lstm_on_top, random_network
from maskwright.models import two_directions as two_sides
from maskwright.nn import Batch
from maskwright.nn.batch import Chosen

LENGTHS = [4, 1, 6, 3]
TOLERANCE = {"atol": 1e-5, "rtol": 0.0}

Array = np.ndarray
Stir = Callable[..., Any]


def ids(count: int, words: int = 20, seed: int = 0) -> Tensor:
    return torch.randint(words, (count,), generator=torch.Generator().manual_seed(seed))


def number(t: Tensor) -> Array:
    return t.detach().double().numpy()


def weights(network: nn.Module) -> dict[str, Array]:
    return {name: number(t) for name, t in network.state_dict().items()}


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    return (x - x.mean()) / math.sqrt(x.var() + eps) * weight + bias


def gelu(x: Array) -> Array:
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])


# ---------------------------------------------------------------- DeBERTa's enhanced mask decoder

HEADS, EACH = 2, 2
WIDTH = HEADS * EACH


def query_key_value(kind: Any, at: dict[str, Array]) -> tuple[tuple[Array, Array], ...]:
    """Weight (H, H) and bias (H,) of each, heads in rows one after the other."""
    before = "encoder.blocks.1.attention"
    if kind is deberta_v2:
        weight, bias = at[f"{before}.qkv.weight"], at[f"{before}.qkv.bias"]
        return tuple((weight[i * WIDTH : (i + 1) * WIDTH], bias[i * WIDTH : (i + 1) * WIDTH]) for i in range(3))
    whole = at[f"{before}.qkv.weight"]  # head 0's query, key, value, then head 1's
    rows = [[h * 3 * EACH + i * EACH + d for h in range(HEADS) for d in range(EACH)] for i in range(3)]
    biases = at[f"{before}.q_bias"], np.zeros(WIDTH), at[f"{before}.v_bias"]
    return tuple((whole[some], bias) for some, bias in zip(rows, biases, strict=True))


def last_block(kind: Any, config: Any, at: dict[str, Array], asks: Array, states: Array) -> Array:
    """Equations 2 to 4: of each head a score (q_i k_j + q_i K_(i - j) + k_j Q_(i - j)) / sqrt(3 D).

    The paper prints Q_(j - i); its authors' code, and after it transformers, read the vector of i - j for both.
    """
    (wq, bq), (wk, bk), (wv, bv) = query_key_value(kind, at)
    before = "encoder.blocks.1"
    far = at["encoder.relative.weight"]
    if kind is deberta_v2:
        far = np.array(
            [norm(r, at["encoder.relative.norm.weight"], at["encoder.relative.norm.bias"], config.eps) for r in far]
        )
        far_keys, far_queries = far @ wk.T + bk, far @ wq.T + bq  # positions are projected as content is
    else:
        far_keys = far @ at[f"{before}.attention.position_key.weight"].T
        position_query = at[f"{before}.attention.position_query.weight"], at[f"{before}.attention.position_query.bias"]
        far_queries = far @ position_query[0].T + position_query[1]
    q, k, v = asks @ wq.T + bq, states @ wk.T + bk, states @ wv.T + bv
    span = len(far) // 2
    out = []
    for i in range(len(states)):
        mixed = []
        for head in range(HEADS):
            mine = slice(head * EACH, (head + 1) * EACH)
            scores = []
            for j in range(len(states)):
                content = q[i, mine] @ k[j, mine]
                to_position = q[i, mine] @ far_keys[i - j + span, mine]
                from_position = k[j, mine] @ far_queries[i - j + span, mine]
                scores.append((content + to_position + from_position) / math.sqrt(3 * EACH))
            shares = np.exp(scores) / np.exp(scores).sum()
            mixed += list(sum(share * v[j, mine] for j, share in enumerate(shares)))
        y = np.array(mixed) @ at[f"{before}.attention.out.weight"].T + at[f"{before}.attention.out.bias"]
        y = norm(asks[i] + y, at[f"{before}.attention_norm.weight"], at[f"{before}.attention_norm.bias"], config.eps)
        inner = gelu(at[f"{before}.feedforward.into.weight"] @ y + at[f"{before}.feedforward.into.bias"])
        z = y + at[f"{before}.feedforward.out.weight"] @ inner + at[f"{before}.feedforward.out.bias"]
        out.append(norm(z, at[f"{before}.feedforward_norm.weight"], at[f"{before}.feedforward_norm.bias"], config.eps))
    return np.array(out)


@pytest.mark.parametrize("kind", [deberta, deberta_v2])
def test_the_enhanced_mask_decoder(kind: Any, stir: Stir) -> None:
    """Section 3.2 of He et al. 2021: the last block is applied twice to the states before it, first asked by these with
    absolute positions added, then by what that gave."""
    sizes = {"vocabulary": 11, "embedding": WIDTH, "width": WIDTH, "heads": HEADS, "layers": 2, "inner": 6}
    config = kind.Config(**sizes, positions=5, **({"buckets": -1} if kind is deberta_v2 else {}))
    network = stir(random_network(kind, config, "enhanced-masked-lm"), spread=0.7)
    at, text = weights(network), Batch.packed(torch.tensor([7, 2, 9]), [3])
    with torch.no_grad():
        found, usual = number(network(text)), number(network.encoder(text))
        _, before, _ = (number(s) for s in network.encoder.states(text))

    asks = before + at["absolute.weight"][:3]
    for _ in range(2):
        asks = last_block(kind, config, at, asks, before)
    wanted = []
    for state in asks:
        x = gelu(at["masked_lm.own.dense.weight"] @ state + at["masked_lm.own.dense.bias"])
        x = norm(x, at["masked_lm.own.norm.weight"], at["masked_lm.own.norm.bias"], config.eps)
        wanted.append(at["encoder.embeddings.word.weight"] @ x + at["masked_lm.own.bias"])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(last_block(kind, config, at, before, before), usual, atol=1e-5)
    assert np.abs(asks - usual).max() > 0.1


@pytest.mark.parametrize("kind", [deberta, deberta_v2])
def test_the_enhanced_mask_decoder_of_packed_texts_and_chosen_tokens(kind: Any, stir: Stir) -> None:
    config = kind.Config(vocabulary=20, embedding=12, width=12, heads=3, layers=2, inner=16, positions=8)
    network = stir(random_network(kind, config, "enhanced-masked-lm"))
    texts = ids(sum(LENGTHS)).split(LENGTHS)
    with torch.no_grad():
        alone = torch.cat([network(Batch.packed(text, [len(text)])) for text in texts])
        batch = Batch.packed(torch.cat(texts), LENGTHS)
        torch.testing.assert_close(network(batch), alone, **TOLERANCE)
        some = torch.tensor([1, 4, 6, 9, 13])
        torch.testing.assert_close(network(batch, Chosen(some, (1, 1, 2, 1))), alone[some], **TOLERANCE)


# ---------------------------------------------------------------- LSTMs


def lstm(x: Array, weight_x: Array, weight_h: Array, bias: Array, project: Array | None = None) -> Array:
    """(T, H) -> (T, H): gates i, f, g, o (Hochreiter and Schmidhuber 1997; Gers et al. 2000), from left to right."""
    cells = len(bias) // 4
    h, c, out = np.zeros(weight_h.shape[1]), np.zeros(cells), []
    for now in x:
        gates = weight_x @ now + weight_h @ h + bias
        i, f, g, o = (gates[n * cells : (n + 1) * cells] for n in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        if project is not None:
            h = project @ h
        out.append(h)
    return np.array(out)


def named(at: dict[str, Array], before: str, side: str = "") -> list[Array | None]:
    """What `lstm` takes: weights, the sum of both biases, and the projection where there is one."""
    bias = at[f"{before}.bias_ih_l0{side}"] + at[f"{before}.bias_hh_l0{side}"]
    project = at.get(f"{before}.weight_hr_l0{side}")
    return [at[f"{before}.weight_ih_l0{side}"], at[f"{before}.weight_hh_l0{side}"], bias, project]


@pytest.mark.parametrize("cells", [6, 10])
def test_elmo(cells: int, stir: Stir) -> None:
    """Peters et al. 2018, equation 1, over two LSTMs each way, the second of which is added to the first; with 10 cells
    they are projected to 6 numbers, with 6 they are not."""
    config = elmo.Config(vocabulary=20, width=6, layers=2, inner=cells)
    network = stir(random_network(elmo, config, "bare"), spread=0.6)
    at, text = weights(network), ids(sum(LENGTHS))
    assert ("encoder.ahead.layers.0.weight_hr_l0" in at) == (cells == 10)
    shares = np.exp(at["encoder.mix"]) / np.exp(at["encoder.mix"]).sum()
    wanted, tops = [], []
    for some in text.split(LENGTHS):
        x = at["encoder.embeddings.word.weight"][some.numpy()]
        sides = []
        for side, step in (("ahead", 1), ("back", -1)):
            first = lstm(x[::step], *named(at, f"encoder.{side}.layers.0"))
            second = first + lstm(first, *named(at, f"encoder.{side}.layers.1"))
            sides.append([x, first[::step], second[::step]])
        layers = [np.concatenate(both, -1) for both in zip(*sides, strict=True)]
        wanted.append(at["encoder.gamma"] * sum(share * layer for share, layer in zip(shares, layers, strict=True)))
        tops.append(layers[-1])
    batch = Batch.packed(text, LENGTHS)
    with torch.no_grad():
        found, states = network.encoder(batch), network.encoder.states(batch)
        means = network(batch)
    np.testing.assert_allclose(number(found), np.concatenate(wanted), atol=1e-5)
    np.testing.assert_allclose(number(states[-1]), np.concatenate(tops), atol=1e-5)
    np.testing.assert_allclose(number(means), [some.mean(0) for some in wanted], atol=1e-5)


def test_elmo_foretells_the_next_token_and_the_one_before(stir: Stir) -> None:
    """The score of the next token does not depend on what follows, nor that of the one before on what precedes."""
    config = elmo.Config(vocabulary=20, width=6, layers=2, inner=10)
    network = stir(random_network(elmo, config, "language-model"), spread=0.6)
    text = ids(6)
    changed = text.clone()
    changed[3] = (text[3] + 1) % 20
    with torch.no_grad():
        (ahead, back), (ahead_too, back_too) = (network(Batch.packed(t, [6])) for t in (text, changed))
        states = network.encoder.states(Batch.packed(text, [6]))[-1]
    at = weights(network)
    np.testing.assert_allclose(
        number(ahead), number(states)[:, :6] @ at["encoder.embeddings.word.weight"].T + at["words.bias"], atol=1e-5
    )
    moved = [
        [bool((a - b).abs().max() > 1e-5) for a, b in zip(*pair, strict=True)]
        for pair in ((ahead, ahead_too), (back, back_too))
    ]
    assert moved == [[False] * 3 + [True] * 3, [True] * 4 + [False] * 2]


def test_an_lstm_on_top(stir: Stir) -> None:
    config = lstm_on_top.Config(vocabulary=20, width=8, layers=2, heads=2, inner=12, positions=8)
    network = stir(random_network(lstm_on_top, config, "bare"), spread=0.5)
    at, batch = weights(network), Batch.packed(ids(sum(LENGTHS)), LENGTHS)
    with torch.no_grad():
        found, below = network.encoder(batch), number(network.encoder.below(batch))
        *_, last, top = network.encoder.states(batch)
    wanted = []
    for x in np.split(below, np.cumsum(LENGTHS)[:-1]):
        ahead = lstm(x, *named(at, "encoder.lstm"))
        back = lstm(x[::-1], *named(at, "encoder.lstm", "_reverse"))[::-1]
        wanted.append(np.concatenate([ahead, back], -1))
    np.testing.assert_allclose(number(found), np.concatenate(wanted), atol=1e-5)
    assert torch.equal(top, found)
    np.testing.assert_allclose(number(last), below, atol=0)


# ---------------------------------------------------------------- who sees whom


def who_moves(encoder: nn.Module, batch: Batch, place: int) -> list[Tensor]:
    """Of every layer (N, H) bool: which numbers change when the token at `place` does."""
    changed = batch.ids.clone()
    changed[place] = (changed[place] + 1) % 20
    with torch.no_grad():
        before, after = encoder.states(batch), encoder.states(replace(batch, ids=changed))
    return [(a - b).abs() > 1e-6 for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("place", range(4, 10))
def test_left_to_right_sees_what_stands_before(place: int, stir: Stir) -> None:
    config = left_to_right.Config(vocabulary=20, width=8, layers=2, heads=2, inner=12, positions=8)
    encoder = stir(random_network(left_to_right, config, "bare"), spread=0.5).encoder
    batch = Batch.packed(ids(14), [4, 6, 4])
    for depth, moved in enumerate(who_moves(encoder, batch, place)):
        wanted = [place <= n < 10 if depth else n == place for n in range(14)]
        assert moved.any(-1).tolist() == wanted


@pytest.mark.parametrize("place", range(4, 10))
def test_two_directions_never_meet(place: int, stir: Stir) -> None:
    """The left half of a state changes with what stands up to it, the right half with what stands from it."""
    config = two_sides.Config(vocabulary=20, width=8, layers=2, heads=2, inner=12, positions=8)
    encoder = stir(random_network(two_sides, config, "bare"), spread=0.5).encoder
    batch = Batch.packed(ids(14), [4, 6, 4])
    for depth, moved in enumerate(who_moves(encoder, batch, place)):
        left, right = (side.any(-1).tolist() for side in moved.chunk(2, -1))
        assert left == [place <= n < 10 if depth else n == place for n in range(14)]
        assert right == [4 <= n <= place if depth else n == place for n in range(14)]


# ---------------------------------------------------------------- the first Transformer


def test_sinusoidal_positions_by_hand() -> None:
    """Section 3.5 of Vaswani et al. 2017. Of width 4 they are sin(p), cos(p), sin(p / 100), cos(p / 100), 100 being
    10000^(2 / 4)."""
    embeddings = encoder_decoder.SineEmbeddings(encoder_decoder.Config(vocabulary=3, width=4, heads=2, dropout=0.0))
    with torch.no_grad():
        embeddings.word.weight.copy_(torch.tensor([[0.0] * 4, [1.0, 2.0, 3.0, 4.0], [0.0] * 4]))
        found = embeddings(Batch.packed(torch.tensor([0, 1, 0, 0]), [1, 3]))
    wanted = [
        [0.0, 1.0, 0.0, 1.0],
        [2.0, 5.0, 6.0, 9.0],  # sqrt(4) of the word vector comes with it
        [0.841471, 0.540302, 0.010000, 0.999950],
        [0.909297, -0.416147, 0.019999, 0.999800],
    ]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=2e-6, rtol=0)


def pour(mine: dict[str, Tensor], layer: Any, before: str, cross: bool) -> None:
    """A block of ours into a layer of torch's."""
    attentions = [(layer.self_attn, "attention"), *([(layer.multihead_attn, "cross")] if cross else [])]
    for theirs, name in attentions:
        for part in ("weight", "bias"):
            whole = (
                [f"{before}.{name}.qkv.{part}"]
                if name == "attention"
                else [f"{before}.cross.{x}.{part}" for x in ("q", "kv")]
            )
            getattr(theirs, f"in_proj_{part}").copy_(torch.cat([mine[w] for w in whole]))
            getattr(theirs.out_proj, part).copy_(mine[f"{before}.{name}.out.{part}"])
    norms = ["attention_norm", *(["cross_norm"] if cross else []), "feedforward_norm"]
    others = {"linear1": "feedforward.into", "linear2": "feedforward.out"}
    others |= {f"norm{i}": name for i, name in enumerate(norms, 1)}
    for theirs, name in others.items():
        for part in ("weight", "bias"):
            getattr(getattr(layer, theirs), part).copy_(mine[f"{before}.{name}.{part}"])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_the_first_transformer_is_torchs(stir: Stir) -> None:
    sizes = {"width": 12, "heads": 3, "layers": 2, "inner": 20}
    config = encoder_decoder.Config(vocabulary=20, **sizes)
    network = stir(random_network(encoder_decoder, config, "sequence-to-sequence"), spread=0.4)
    peer = nn.Transformer(12, 3, 2, 2, 20, dropout=0.0, activation="relu", layer_norm_eps=1e-5, batch_first=True)
    peer.encoder.norm = peer.decoder.norm = None  # the paper has none behind the last block; torch adds one
    mine, table = network.state_dict(), network.encoder.embeddings.word.weight.detach()
    with torch.no_grad():
        for i in range(2):
            pour(mine, peer.encoder.layers[i], f"encoder.blocks.{i}", cross=False)
            pour(mine, peer.decoder.layers[i], f"decoder.blocks.{i}", cross=True)
    peer.eval()

    def given(text: Tensor) -> Tensor:
        places = np.arange(len(text))[:, None] / 10000.0 ** (2 * (np.arange(12) // 2) / 12)
        waves = np.where(np.arange(12) % 2 == 0, np.sin(places), np.cos(places))
        return (math.sqrt(12) * table[text] + torch.tensor(waves).float())[None]

    lengths = [5, 2, 7, 1], [3, 6, 1, 4]
    source, target = (ids(sum(some), seed=i) for i, some in enumerate(lengths))
    wanted, memories = [], []
    with torch.no_grad():
        for one, other in zip(source.split(lengths[0]), target.split(lengths[1]), strict=True):
            memories.append(peer.encoder(given(one))[0])
            mask = nn.Transformer.generate_square_subsequent_mask(len(other))
            wanted.append(peer(given(one), given(other), tgt_mask=mask)[0] @ table.T)
        found = network(Batch.packed(source, lengths[0]), Batch.packed(target, lengths[1]))
        memory = network.encoder(Batch.packed(source, lengths[0]))
    torch.testing.assert_close(memory, torch.cat(memories), **TOLERANCE)
    torch.testing.assert_close(found, torch.cat(wanted), **TOLERANCE)
