"""What a plan computes: memory equal to that of real steps, and the arithmetic on it and on operations."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny

import maskwright
from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.models import family, random_network
from maskwright.nn.batch import Batch
from maskwright.nn.precision import precision
from maskwright.pretraining.calculator import Estimate, memory, plan, products, work
from maskwright.pretraining.calculator.machines import MACHINES, machine_of
from maskwright.training.optimizers import Optimizer

KNOWN: dict[str, Any] = {"machine": "a100-80g", "tokens": "1B"}


def kept(network: Any, batch: Batch, number_format: Any) -> float:
    """Bytes that the encoder keeps for its backward pass, weights aside."""
    own = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    found: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), precision(number_format):
        network.encoder(batch)
    return sum(storage.nbytes() for storage in found.values())


@pytest.mark.parametrize("number_format", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("name", "inner", "dropout"), [("bert", 512, 0.0), ("bert", 512, 0.1), ("modernbert", 192, 0.0)]
)
def test_a_block_keeps_what_the_equation_says(name: str, inner: int, dropout: float, number_format: str) -> None:
    """The third block over a second: within 2 % of what autograd holds."""
    kind, texts, length = family(name), 8, 64
    sizes = {"width": 128, "heads": 4, "inner": inner, "vocabulary": 100}
    drops = {field: dropout for field in kind.Config.model_fields if "dropout" in field}
    batch = Batch.packed(torch.randint(5, 99, (texts * length,)), [length] * texts)
    networks = [random_network(kind, kind.Config(layers=n, **sizes, **drops), "masked-lm").train() for n in (2, 3)]
    held = [kept(network, batch, number_format) for network in networks]
    number = 2 if number_format == "bf16" else 4
    step = memory.Step(texts * length, length, 10, number, kernel=False)
    last = networks[1].encoder.layers[-1]
    copies = number * sum(w.numel() for w in last.parameters() if w.dim() > 1) if number == 2 else 0
    computed = texts * length * memory.block(last, step) + copies
    assert computed == pytest.approx(held[1] - held[0], rel=0.02)


@pytest.mark.parametrize("name", names(Optimizer))
def test_memory_of_weights_and_optimizer_is_theirs(name: str) -> None:
    """Bytes of weights, gradients and the optimizer's state after a step; its counts of steps, a number each, aside."""
    kind = family("bert")
    network = random_network(kind, tiny(kind), "masked-lm")
    optimizer = find(Optimizer, name)()
    mover: Any = optimizer.build(network.named_parameters(), 1e-3)
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    mover.step()
    state = [t for slot in mover.state_dict()["state"].values() for t in slot.values() if t.dim()]
    found = memory.memory([work.Trained("", network, True)], optimizer, memory.Step(64, 32, 5, 4, kernel=False))
    assert found.optimizer == sum(t.nbytes for t in state)
    assert found.weights == sum(w.nbytes for w in network.parameters())
    assert found.gradients == sum(w.grad.nbytes for w in network.parameters() if w.grad is not None)


def test_hours_cost_and_budget_are_arithmetic() -> None:
    once = plan(**KNOWN, gpus=8, utilisation=0.4, price=2.5)
    assert once.hours == pytest.approx(once.flops / (8 * 0.4 * 312e12) / 3600)
    assert once.device_hours == pytest.approx(8 * once.hours)
    assert once.cost == pytest.approx(2.5 * once.device_hours)
    assert sum(once.parts.values()) == pytest.approx(once.flops)
    assert sum(phase.flops for phase in once.phases) == pytest.approx(once.flops)
    back = plan(machine="a100-80g", gpus=8, utilisation=0.4, budget="2h")
    assert back.hours == pytest.approx(2.0)
    assert back.tokens == pytest.approx(2.0 / once.hours * 1e9)
    assert plan(machine="a100-80g", steps=1000, batch_tokens=4096).tokens == 4_096_000


def test_a_masked_pass_teaches_less_than_a_causal_one_and_costs_almost_as_much() -> None:
    found = plan(family="electra", size="small", **KNOWN)
    few, more, causal, replaced = found.signals
    assert [round(one.scored_share, 2) for one in found.signals] == [0.15, 0.30, 0.99, 1.0]
    assert few.flops < more.flops < causal.flops
    assert causal.scored / few.scored > 6
    assert replaced.scored == 1e9
    assert few.flops_per_scored > 3 * causal.flops_per_scored


def test_phases_share_the_pieces() -> None:
    found = plan(**KNOWN, length="128:0.9,512:0.1")
    assert [phase.tokens for phase in found.phases] == pytest.approx([0.9e9, 0.1e9])
    assert found.phases[1].attention > 3 * found.phases[0].attention
    assert found.scored == pytest.approx(sum(phase.scored for phase in found.phases))


def test_recompute_and_sharding_trade_memory() -> None:
    alone = plan(preset="bert-large", **KNOWN, gpus=8, micro_tokens=65_536, dropout=0.0)
    again = plan(preset="bert-large", **KNOWN, gpus=8, micro_tokens=65_536, dropout=0.0, recompute=True)
    assert again.memory == alone.checkpointed
    assert again.memory.activations < 0.2 * alone.memory.activations
    assert 1.28 < again.flops / alone.flops < 4 / 3
    parts = plan(preset="bert-large", **KNOWN, gpus=8, sharding="fsdp")
    assert parts.memory.optimizer == alone.memory.optimizer / 8
    assert parts.memory.weights == alone.memory.weights / 8
    dropping = plan(preset="bert-large", **KNOWN, micro_tokens=65_536)
    assert dropping.memory.activations > 1.5 * alone.memory.activations, "dropout keeps attention's probabilities"


def test_bytes_sent_in_a_step() -> None:
    """Ring: 2 (n - 1) / n of the gradients; FSDP2 gathers twice in 16 bits and scatters once in fp32."""
    found = plan(preset="bert-large", **KNOWN, gpus=4)
    count = found.parameters
    assert found.traffic.ddp == pytest.approx(2 * 3 / 4 * 4 * count)
    assert found.traffic.fsdp2 == pytest.approx(3 / 4 * (2 * 2 + 4) * count)
    assert found.traffic.seconds == pytest.approx(found.traffic.ddp / 300e9)
    assert found.traffic.exposed == pytest.approx(
        found.traffic.compute / (found.traffic.compute + found.traffic.ddp / 300e9)
    )
    assert plan(preset="bert-large", **KNOWN, gpus=4, precision="fp32").traffic.fsdp2 > found.traffic.fsdp2
    passed = (2 * 4 + 4 + 2 * 8) * count
    assert found.traffic.update == pytest.approx(passed / 2039e9)
    alone = plan(**KNOWN).traffic
    assert (alone.ddp, alone.fsdp2, alone.hidden) == (0.0, 0.0, 1.0)
    assert plan(tokens="1B", machine="tpu-v4", gpus=4).traffic.seconds is None


def test_what_does_not_fit_is_said_with_what_to_do() -> None:
    big = plan(preset="albert-xxlarge", tokens="1B", machine="rtx-2080ti", micro_tokens=8192)
    assert big.devices_needed is None
    assert any("Take fewer pieces at once" in note for note in big.notes)
    sharded = plan(size="96x2048", tokens="1B", machine="v100-32g", micro_tokens=512, sharding="fsdp", recompute=True)
    assert (sharded.devices_needed or 0) > 1
    assert any(f"fits on {sharded.devices_needed} devices" in note for note in sharded.notes)


def test_a_machine_says_where_its_figures_are_from() -> None:
    for name, machine in MACHINES.items():
        assert machine.source, name
        assert machine.memory > 1e10
        assert (machine.fp32 or 0) < (machine.half or 0)
    assert machine_of("tpu-v3-64") == (MACHINES["tpu-v3"], 32)
    assert machine_of("tpu-v5e-16") == (MACHINES["tpu-v5e"], 16)
    assert plan(tokens="1B", machine="tpu-v3-64").devices == 32


def test_without_a_machine_this_one_is_measured() -> None:
    found = plan(size="2x64", vocabulary=100, budget="1m", precision="fp32", micro_tokens=256)
    assert found.peak > 1e8
    assert found.hours == pytest.approx(1 / 60)
    assert found.utilisation == products.REACHED
    assert "measured here" in found.source


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"machine": "a100-80"}, "There is no machine 'a100-80'. Did you mean 'a100-80g'?"),
        ({"machine": "tpu-v3-7"}, "2 cores on a chip"),
        ({"machine": "tpu-v9-8"}, "There is no machine 'tpu-v9-8'"),
        ({"machine": "tpu-v3-64", "gpus": 8}, "a slice of 32 chips, and --gpus 8"),
        ({"machine": "tpu-v3", "precision": "fp32"}, "No rate in fp32 is published for tpu-v3"),
        ({"machine": None, "gpus": 8}, "needs a --machine"),
        ({"preset": "bert-lage"}, "There is no preset 'bert-lage'. Did you mean 'bert-large'?"),
        ({"preset": "bert-large", "size": "base"}, "says family and size in one"),
        ({"family": "brt"}, "Did you mean 'bert'?"),
        ({"size": "hge"}, "There is no size 'hge'"),
        ({"length": "1024"}, "bert-base has 512 positions"),
        ({"length": "128:0.9,512:0.2"}, "the shares come to 1.1"),
        ({"length": "long"}, "give a length of 8 or more"),
        ({"tokens": "many"}, "is no number of pieces"),
        ({"tokens": "0B"}, "is no number of pieces"),
        ({"tokens": None, "budget": "0m"}, "leaves nothing to train with"),
        ({"budget": "20m"}, "tokens and budget are given"),
        ({"tokens": None, "passes": 2}, "over which corpus?"),
        ({"objective": {"name": "mixture", "parts": ["causal", "causal"]}, "rate": 0.3}, "'mixture' masks nothing"),
        ({"objective": "causal", "rate": 0.3}, "masks nothing"),
        ({"family": "electra", "size": "small", "objective": "next-sentence"}, "Take bert or albert"),
        ({"objective": "replaced-tokens"}, "does not have"),
        ({"tokns": "1B"}, "Did you mean 'tokens'?"),
        ({"gpus": 0}, "gpus = 0"),
        ({"optimizer": "adam"}, "Did you mean 'adamw'?"),
    ],
)
def test_mistakes(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as mistake:
        plan(**{**KNOWN, **settings})
    assert said in str(mistake.value)


def test_a_corpus_makes_passes(tmp_path: Path) -> None:
    from maskwright.data.corpus import build

    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(f"Sentence number {i} says something. And so does another." for i in range(200)))
    corpus = build([text], tmp_path / "corpus", {"documents": "blank-lines"}, quiet=True)
    words = corpus.facts["splits"]["train"]["words"]
    found = plan(corpus.folder, machine="a100-80g")
    assert found.corpus_tokens == pytest.approx(1.3 * words)
    assert found.passes == 1.0
    assert any("1.3 for each of its" in note for note in found.notes)
    assert plan(corpus.folder, machine="a100-80g", tokens="1M").passes == pytest.approx(1e6 / (1.3 * words))
    counted = corpus.folder / "pieces" / "train-0123"
    counted.mkdir(parents=True)
    (counted / "pieces.json").write_text('{"pieces": 5000}')
    assert plan(corpus.folder, machine="a100-80g", passes=3).tokens == 15_000
    with pytest.raises(UserError, match="There is no corpus"):
        plan(tmp_path / "nothing", machine="a100-80g")


def test_three_lines_of_python() -> None:
    found = maskwright.plan_pretrain(preset="bert-base", tokens="1B", machine="a100-80g")
    assert isinstance(found, Estimate)
    with pytest.raises(FrozenInstanceError):
        found.hours = 1.0  # type: ignore[misc]
