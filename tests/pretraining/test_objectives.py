"""The losses of pre-training: equal to transformers' where it has them, to the paper's equation where not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from asking import ask
from torch import Tensor, nn

from maskwright.base.choice import dump, names, resolve
from maskwright.base.errors import UserError
from maskwright.models import families, family, save_network
from maskwright.nn import Batch
from maskwright.pretraining.masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.objectives import Asked, PretrainingObjective
from maskwright.pretraining.objectives.causal import Causal, sees_later
from maskwright.pretraining.objectives.mixture import Mixture
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens, corrupted

Make = Callable[..., tuple[nn.Module, Any, Any]]
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}
ALL = names(PretrainingObjective)


def padded(asked: Asked, ignore: int = -100) -> dict[str, Tensor]:
    """What transformers is given: padded ids, and labels of `ignore` where nothing is asked."""
    dense = asked.batch.to_dense()
    shape = (len(asked.batch), max(asked.batch.lengths))
    assert dense.real is not None
    labels = torch.full_like(asked.batch.ids, ignore).index_copy(0, asked.chosen.tokens, asked.labels)
    spread = torch.full(shape, ignore)
    spread[asked.batch.sequence, asked.batch.positions] = labels
    return {
        "input_ids": dense.ids.view(shape),
        "attention_mask": dense.real.long().view(shape),
        "token_type_ids": dense.segments.view(shape),
        "labels": spread,
    }


def reference(name: str, network: nn.Module, kind: Any, config: Any, folder: Path) -> nn.Module:
    save_network(folder, network, kind, config, {})
    found: nn.Module = getattr(transformers, name).from_pretrained(folder)
    return found.train()


@pytest.mark.parametrize("name", ALL)
def test_settings_survive_json(name: str) -> None:
    objective = resolve(PretrainingObjective, name)
    assert resolve(PretrainingObjective, dump(objective)) == objective


def test_masked_words_and_next_sentence_are_berts(
    network: Make, pieces: Pieces, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    objective = NextSentence()
    net, kind, config = network(head="pretraining")
    asked = ask(objective, pieces, vocabulary, pairs=True)
    loss, count, facts = objective.build(net, kind, config)(asked)
    theirs = reference("BertForPreTraining", net, kind, config, tmp_path)
    said = theirs(**padded(asked), next_sentence_label=asked.order)
    torch.testing.assert_close(loss / count, said.loss, **TOLERANCE)
    assert facts["words"] / count + facts["pairs"] / count == pytest.approx(float(said.loss), abs=1e-5)
    loss.backward()
    (said.loss * count).backward()
    word = theirs.bert.embeddings.word_embeddings.weight.grad
    torch.testing.assert_close(net.encoder.embeddings.word.weight.grad, word, atol=1e-3, rtol=1e-3)
    pooler = theirs.bert.pooler.dense.weight.grad
    torch.testing.assert_close(net.pooler.dense.weight.grad, pooler, atol=1e-3, rtol=1e-3)


def test_masked_words_and_swapped_texts_are_alberts(
    network: Make, pieces: Pieces, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    objective = resolve(PretrainingObjective, "sentence-order")
    net, kind, config = network("albert", "pretraining")
    asked = ask(objective, pieces, vocabulary, pairs=True)
    loss, count, _ = objective.build(net, kind, config)(asked)
    theirs = reference("AlbertForPreTraining", net, kind, config, tmp_path)
    said = theirs(**padded(asked), sentence_order_label=asked.order)
    torch.testing.assert_close(loss / count, said.loss, **TOLERANCE)


@pytest.mark.parametrize(
    "name", [n for n in families() if "masked-lm" in family(n).HEADS and hasattr(family(n), "KEYS")]
)
def test_masked_words_of_any_family(
    name: str, network: Make, pieces: Pieces, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    """Equal to the cross-entropy of the head's own scores, with and without z."""
    net, kind, config = network(name, padding=0)
    for objective in (Mlm(), Mlm(z=0.01)):
        asked = ask(objective, pieces, vocabulary)
        loss, count, facts = objective.build(net, kind, config)(asked)
        scores = net(asked.batch, asked.chosen)
        plain = F.cross_entropy(scores, asked.labels, reduction="sum")
        torch.testing.assert_close(loss, plain + objective.z * scores.logsumexp(-1).square().sum(), **TOLERANCE)
        assert facts["accuracy"] == (scores.argmax(-1) == asked.labels).sum()
        assert count == len(asked.labels) > 10


def test_a_masked_piece_may_be_read_from_the_one_before(network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    net, kind, config = network()
    asked = ask(Mlm(shift=True), pieces, vocabulary)
    loss, _, _ = Mlm(shift=True).build(net, kind, config)(asked)
    scores = net(asked.batch)[asked.chosen.tokens - 1]
    torch.testing.assert_close(loss, F.cross_entropy(scores, asked.labels, reduction="sum"), **TOLERANCE)


# ---------------------------------------------------------------- replaced tokens


def discriminated(network: Make, name: str, sharing: str, **settings: Any) -> tuple[Any, nn.Module, Any]:
    objective = ReplacedTokens(sharing=sharing, **settings)
    kind = family(name)
    net, kind, config = network(name, objective.head_of(kind), heads=4, width=24, inner=36)
    return objective, objective.build(net, kind, config), config


def test_both_parts_are_electras(network: Make, pieces: Pieces, vocabulary: Vocabulary, tmp_path: Path) -> None:
    objective, built, config = discriminated(network, "electra", "all")
    kind = family("electra")
    asked = ask(objective, pieces, vocabulary)
    with torch.no_grad():  # so that it is right here and there
        built.generator.masked_lm.bias[asked.labels[:3]] += 6
    loss, count, facts = built(asked)
    generator = reference("ElectraForMaskedLM", built.generator, kind, objective.smaller(config), tmp_path / "g")
    given = padded(asked)
    said = generator(**given)
    assert facts["words"] / count == pytest.approx(float(said.loss), abs=1e-5)
    # the generator's choice, drawn again from its scores and the same lots
    scores = said.logits[asked.batch.sequence, asked.batch.positions][asked.chosen.tokens]
    drawn = torch.searchsorted(scores.softmax(-1).cumsum(-1), asked.lots.float()[:, None])[:, 0]
    found = corrupted(asked.batch, asked.chosen.tokens, drawn)
    original = asked.batch.ids.index_copy(0, asked.chosen.tokens, asked.labels)
    discriminator = reference("ElectraForPreTraining", built.network, kind, config, tmp_path / "d")
    dense = padded(replace(asked, batch=found))
    labels = torch.full_like(dense["input_ids"], -100)
    labels[found.sequence, found.positions] = (found.ids != original).long()
    other = discriminator(**{**dense, "labels": labels}).loss
    assert facts["found"] / count == pytest.approx(float(other), abs=1e-5)
    torch.testing.assert_close(loss / count, said.loss + 50 * other, atol=1e-3, rtol=1e-5)
    assert facts["replaced"] / count == pytest.approx(float((found.ids != original).float().mean()), abs=1e-6)
    right = drawn == asked.labels
    assert 0 < right.sum() < len(right)
    assert (labels[found.sequence, found.positions][asked.chosen.tokens[right]] == 0).all()


@pytest.mark.parametrize("name", ["electra", "deberta-v2"])
def test_vectors_that_are_shared(name: str, network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    objective, built, _ = discriminated(network, name, "all", width=1.0 if name == "deberta-v2" else 0.5)
    own, other = built.network.encoder.embeddings.word.weight, built.generator.encoder.embeddings.word.weight
    assert own is other
    built(ask(objective, pieces, vocabulary))[0].backward()
    assert own.grad is not None
    objective, apart, _ = discriminated(network, name, "none")
    assert apart.network.encoder.embeddings.word.weight is not apart.generator.encoder.embeddings.word.weight


def test_the_discriminator_does_not_move_the_generators_vectors(
    network: Make, pieces: Pieces, vocabulary: Vocabulary
) -> None:
    """Gradient-disentangled: the generator's vectors have the gradient of its own loss alone; both see the sum."""
    settings = {"width": 1.0, "depth": 0.5}
    objective, built, _ = discriminated(network, "deberta-v2", "gradient-disentangled", **settings)
    asked = ask(objective, pieces, vocabulary)
    built(asked)[0].backward()
    word = built.generator.encoder.embeddings.word
    alone = F.cross_entropy(built.generator(asked.batch, asked.chosen), asked.labels, reduction="sum")
    (wanted,) = torch.autograd.grad(alone, [word.weight])
    torch.testing.assert_close(word.weight.grad, wanted, atol=1e-4, rtol=1e-4)
    delta = built.network.encoder.embeddings.word.delta.weight
    assert delta.grad.abs().sum() > 0
    with torch.no_grad():
        delta.add_(0.1 * torch.randn(delta.shape, generator=torch.Generator().manual_seed(0)))
    before = built.network(asked.batch)
    finished = built.finished()
    torch.testing.assert_close(finished(asked.batch), before, **TOLERANCE)
    assert torch.equal(finished.encoder.embeddings.word.weight, word.weight + delta)
    assert len([n for n, _ in built.named_parameters() if n.endswith("word.weight")]) == 2


def test_a_family_without_a_discriminator_is_named() -> None:
    with pytest.raises(UserError, match=r"trains the network 'replaced-tokens', which the family 'bert' does not have"):
        ReplacedTokens().head_of(family("bert"))


# ---------------------------------------------------------------- causal and mixed


@pytest.mark.parametrize("name", ["bert", "modernbert", "deberta", "deberta-v2", "mpnet", "left-to-right"])
def test_the_next_piece_from_those_before(name: str, network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    net, kind, config = network(name, padding=0)
    asked = ask(Causal(), pieces, vocabulary)
    loss, count, _ = Causal().build(net, kind, config)(asked)
    assert count == len(pieces.ids) - len(pieces)
    total = torch.zeros(())
    for start, end in zip(pieces.offsets[:-1], pieces.offsets[1:], strict=True):
        for i in range(start, end - 1):  # each prefix read as a text of its own
            ids = torch.from_numpy(pieces.ids[start : i + 1])
            prefix = replace(Batch.packed(ids, [len(ids)]), causal=True)
            total = total + F.cross_entropy(net(prefix)[-1:], torch.tensor([pieces.ids[i + 1]]))
    torch.testing.assert_close(loss, total, atol=1e-3, rtol=1e-4)


def test_a_causal_batch_is_that_in_its_dense_twin_too(network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    net, *_ = network()
    batch = ask(Causal(), pieces, vocabulary).batch
    dense = batch.to_dense()
    torch.testing.assert_close(net.encoder(dense)[dense.real], net.encoder(batch), **TOLERANCE)


def test_who_sees_later_pieces_otherwise_is_refused(network: Make) -> None:
    net, kind, config = network("deberta-v2", convolution=3)
    assert sees_later(net)
    with pytest.raises(UserError, match="sees what comes later by other ways than attention"):
        Causal().build(net, kind, config)
    assert not sees_later(network("deberta-v2")[0])


def test_a_mixture_deals_sequences_by_their_shares(network: Make, vocabulary: Vocabulary) -> None:
    rows = 4000
    ids = np.tile([1, 9, 8, 7, 2], rows)
    many = Pieces(ids, np.arange(0, 5 * rows + 1, 5), np.arange(rows))
    several = ask(Mixture(shares=[0.25, 0.75]), many, vocabulary)
    sizes = {number: len(asked.batch) for number, asked in several.parts}
    assert sum(sizes.values()) == rows
    assert abs(sizes[0] / rows - 0.25) < 4 * np.sqrt(0.25 * 0.75 / rows)
    for number, asked in several.parts:
        assert asked.batch.causal == (number == 1)


def test_a_mixture_is_the_mean_of_its_parts(network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    net, kind, config = network()
    mixture = Mixture()
    several = ask(mixture, pieces, vocabulary)
    loss, count, facts = mixture.build(net, kind, config)(several)
    assert count == len(pieces.ids)
    wanted = 0.0
    for number, asked in several.parts:
        part, items, _ = mixture.parts[number].build(net, kind, config)(asked)
        wanted += part / items * len(asked.batch.ids)
    torch.testing.assert_close(loss, torch.as_tensor(wanted), **TOLERANCE)
    assert {"mlm.words", "causal.words"} <= set(facts)


@pytest.mark.parametrize(("progress", "part"), [(0.0, 0), (0.29, 0), (0.3, 1), (1.0, 1)])
def test_parts_one_after_the_other(progress: float, part: int, pieces: Pieces, vocabulary: Vocabulary) -> None:
    mixture = Mixture(parts=[Causal(), Mlm()], shares=[0.3, 0.7], order="then")
    several = ask(mixture, pieces, vocabulary, progress=progress)
    assert [number for number, _ in several.parts] == [part]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "mixture", "shares": [0.5, 0.6]}, "give 2 numbers above 0 that come to 1"),
        ({"name": "mixture", "parts": ["mlm", "next-sentence"]}, "train the network 'masked-lm', not pretraining"),
        ({"name": "mixture", "format": "segment-pair"}, "give a format without pairs"),
        (
            {"name": "mixture", "parts": [{"name": "mlm", "format": "full-sentences"}, "causal"]},
            "'full-sentences' of the part 'mlm' would be left out; say it of the mixture",
        ),
        ({"name": "next-sentence", "format": "doc-sentences"}, "it has no pairs, whose order is asked for"),
        ({"name": "mlm", "masking": {"name": "token", "masked": 0.9, "random": 0.2}}, "come to more than 1"),
        ({"name": "mlm", "masking": {"name": "token", "rate": 1.5}}, "less than 1"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve(PretrainingObjective, settings)


def test_one_of_the_users_own_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_objectives.py").write_text(
        "from maskwright.pretraining.objectives.mlm import Mlm\n\n\nclass Mine(Mlm):\n    weight: float = 2.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = resolve(PretrainingObjective, {"name": "my_objectives:Mine", "weight": 3.0})
    assert (found.name, found.weight, found.head) == ("my_objectives:Mine", 3.0, "masked-lm")
    assert resolve(PretrainingObjective, dump(found)) == found


# ---------------------------------------------------------------- in pieces

MIXED = {"name": "mixture", "parts": ["mlm", {"name": "mixture", "parts": ["causal", "span-boundary"]}]}


@pytest.mark.parametrize("name", [*ALL, "nested"])
def test_a_step_in_pieces_has_the_gradient_of_the_step_in_one(
    name: str, network: Make, pieces: Pieces, vocabulary: Vocabulary
) -> None:
    """Whatever the pieces: a loss that is made of several means takes each over the whole step."""
    objective = resolve(PretrainingObjective, MIXED if name == "nested" else name)
    family_name = {"replaced-tokens": "electra", "sentence-order": "albert"}.get(name, "bert")
    net, kind, config = network(family_name, objective.head_of(family(family_name)))
    trained = objective.build(net, kind, config)
    if objective.format.pairs:
        pieces = replace(pieces, segments=(pieces.positions > 5).astype(np.int64), order=pieces.rows % 2)

    def asked(rows: list[int]) -> Any:
        return objective.ask(pieces.take(np.array(rows)), vocabulary, Draw(1, 0), 0.5)

    def learnt(parts: list[Any]) -> tuple[float, int, dict[str, float], list[Tensor]]:
        trained.zero_grad()
        total, items, said = 0.0, 0, dict[str, float]()
        for part in parts:
            loss, count, facts = trained(part)
            loss.backward()
            total, items = total + float(loss.detach()), items + count
            said = {key: said.get(key, 0.0) + facts.get(key, 0.0) for key in said | facts}
        return total / items, items, said, [p.grad / items for p in trained.parameters() if p.grad is not None]

    batches = [asked([0]), asked([1, 2, 5]), asked([3, 4])]
    counts = [trained.counts(batch) for batch in batches]
    trained.totals = None if counts[0] is None else dict(sum((Counter(count) for count in counts), Counter()))
    cut = learnt(batches)
    trained.totals = None
    whole = learnt([asked([0, 1, 2, 3, 4, 5])])
    assert cut[0] == pytest.approx(whole[0], rel=1e-5)
    assert cut[1] == whole[1]
    assert cut[2] == pytest.approx(whole[2], rel=1e-4)
    assert len(cut[3]) == len(whole[3])
    assert all(torch.allclose(a, b, **TOLERANCE) for a, b in zip(cut[3], whole[3], strict=True))
