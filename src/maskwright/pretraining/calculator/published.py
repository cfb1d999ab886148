"""Costs of pre-training that others published, beside what is computed for the same work.

FLOPs are compared as counts. Hours are computed at the machine's peak and the one utilisation that is assumed for all
(`machines.HALF`, `machines.FP32`), so that a ratio of computed to published hours is that utilisation's mistake: a run
that reached a third of the peak has a ratio near 1, one that reached a twentieth a small one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from maskwright.pretraining.calculator.planning import plan

FACTOR = 2.0  #: within which a cost counts as reproduced


@dataclass(frozen=True)
class Published:
    """settings: those of `plan` that describe the same work. why: what is known of a cost that is not reproduced."""

    name: str
    unit: Literal["FLOPs", "hours"]
    value: float
    source: str
    settings: Mapping[str, Any] = field(repr=False)
    why: str = ""


@dataclass(frozen=True)
class Compared:
    """ratio: computed / published; utilisation: of the peak, that the published hours come to with our count."""

    name: str
    unit: str
    published: float
    computed: float
    ratio: float
    utilisation: float | None
    within: bool
    source: str
    why: str


def _phases(*parts: tuple[float, int, int]) -> dict[str, str]:
    """`tokens` and `length` of phases, each (steps, sequences a step, length)."""
    read = [steps * batch * length for steps, batch, length in parts]
    shares = [f"{length}:{tokens / sum(read):.9f}" for tokens, (_, _, length) in zip(read, parts, strict=True)]
    return {"tokens": f"{sum(read):.0f}", "length": ",".join(shares)}


_ELECTRA = "Clark et al. 2020, table 8; their count: github.com/google-research/electra, flops_computation.py"
_DEVLIN = "Devlin et al. 2019, appendix A.2"
_LAMB = "You et al. 2020 (LAMB), table 1 of arXiv:1904.00962"
_NVIDIA = "NVIDIA DeepLearningExamples, PyTorch BERT, README of 2019 (pytorch:19.07), pre-training loss results"
_A100 = "NVIDIA DeepLearningExamples, PyTorch BERT, README (pytorch:21.11), pre-training loss results"
_SMALL = {"family": "electra", "size": "small"}
_WORDS = {"objective": "mlm", "rate": 0.15625}
_REPLACED = {"objective": "replaced-tokens", "rate": 0.15625}
_BERT = _phases((900_000, 256, 128), (100_000, 256, 512))
_LARGE = {"preset": "bert-large", "objective": "next-sentence"}
_STEPS_OF_LAMB = _phases((7038, 65_536, 128), (1563, 32_768, 512))
_V100 = {**_LARGE, **_STEPS_OF_LAMB, "machine": "v100-32g"}
_BATCH = "the paper gives no rate to tell more, nor which TPU (v3 is taken); a step gives {} sequences to a core"

PUBLISHED: Sequence[Published] = (
    Published("GPT", "FLOPs", 4.0e19, _ELECTRA, {
        "preset": "left-to-right-gpt", "objective": "causal", **_phases((960_800, 128, 512))}),
    Published("BERT-small (12x256)", "FLOPs", 1.4e18, _ELECTRA, {**_SMALL, **_WORDS, **_phases((1.45e6, 128, 128))}),
    Published("BERT-base", "FLOPs", 6.4e19, _ELECTRA, {"preset": "bert-base", **_WORDS, **_phases((1e6, 256, 512))}),
    Published("BERT-large", "FLOPs", 1.9e20, _ELECTRA, {"preset": "bert-large", **_WORDS, **_phases((1e6, 256, 512))}),
    Published("RoBERTa-large, 500K steps", "FLOPs", 3.2e21, _ELECTRA, {
        "preset": "roberta-large", **_WORDS, **_phases((500_000, 8000, 512))}),
    Published("ALBERT-xxlarge", "FLOPs", 3.1e22, _ELECTRA, {
        "preset": "albert-xxlarge", **_WORDS, **_phases((1.5e6, 4096, 512))}),
    Published("ELECTRA-small", "FLOPs", 1.4e18, _ELECTRA, {**_SMALL, **_REPLACED, **_phases((1e6, 128, 128))}),
    Published("ELECTRA-base", "FLOPs", 6.4e19, _ELECTRA, {
        "preset": "electra-base", **_REPLACED, **_phases((766_000, 256, 512))}),
    Published("ELECTRA-large, 400K steps", "FLOPs", 7.1e20, _ELECTRA, {
        "preset": "electra-large", **_REPLACED, **_phases((400_000, 2048, 512))}),
    Published("ELECTRA-large, 1.75M steps", "FLOPs", 3.1e21, _ELECTRA, {
        "preset": "electra-large", **_REPLACED, **_phases((1.75e6, 2048, 512))}),
    Published("BERT-large, 16 TPU v3", "hours", 81.4, _LAMB, {
        **_LARGE, **_phases((900_000, 512, 128), (100_000, 512, 512)), "machine": "tpu-v3", "gpus": 16}),
    Published("BERT-large, 1,024 TPU v3", "hours", 76.19 / 60, _LAMB, {
        **_LARGE, **_STEPS_OF_LAMB, "machine": "tpu-v3", "gpus": 1024}),
    Published("BERT-large, 8 V100 (16 GB)", "hours", 153.16, _NVIDIA, {**_V100, "machine": "v100-16g", "gpus": 8}),
    Published("BERT-large, 16 V100", "hours", 58.4, _NVIDIA, {**_V100, "gpus": 16}),
    Published("BERT-large, 128 V100 (16 GB)", "hours", 10.36, _NVIDIA, {**_V100, "machine": "v100-16g", "gpus": 128}),
    Published("BERT-large, 256 V100", "hours", 3.94, _NVIDIA, {**_V100, "gpus": 256}),
    Published("BERT-large, 1,024 V100", "hours", 1.124, _NVIDIA, {**_V100, "gpus": 1024}),
    Published("BERT-large, 1,024 V100 in fp32", "hours", 4.338, _NVIDIA, {**_V100, "gpus": 1024, "precision": "fp32"}),
    Published(
        "BERT-large, 1,472 V100", "hours", 47 / 60,
        "NVIDIA 2019, developer blog; the steps are those of its README, which the blog does not give",
        {**_V100, "gpus": 1472},
    ),
    Published("BERT-large, 256 A100", "hours", 1.2, _A100, {
        **_LARGE, **_STEPS_OF_LAMB, "machine": "a100-80g", "gpus": 256}),
    Published(
        "BERT-base (transformers), 8 A100", "hours", 11.5,
        "MosaicML examples, benchmarks/bert, README: 286,720,000 sequences of 128",
        {"preset": "bert-base", **_phases((70_000, 4096, 128)), "machine": "a100-80g", "gpus": 8, "scores": "every"},
    ),
    Published(
        "ELECTRA-small, 1 V100", "hours", 96, "Clark et al. 2020, table 1; the precision is not said, fp32 is taken",
        {**_SMALL, **_REPLACED, **_phases((1e6, 128, 128)), "machine": "v100-16g", "precision": "fp32"},
        "the paper gives no rate to tell more; its matrices are 64 and 256 wide",
    ),
    Published(
        "ELECTRA-base, 16 TPU v3", "hours", 96, "Clark et al. 2020, table 1",
        {"preset": "electra-base", **_REPLACED, **_phases((766_000, 256, 512)), "machine": "tpu-v3", "gpus": 16},
        "the paper gives no rate to tell more; a step gives 8 sequences to a core",
    ),
    Published(
        "BERT-base, 16 TPU chips", "hours", 96, _DEVLIN,
        {"preset": "bert-base", "objective": "next-sentence", **_BERT, "machine": "tpu-v3", "gpus": 16},
        _BATCH.format(8),
    ),
    Published(
        "BERT-large, 64 TPU chips", "hours", 96, _DEVLIN, {**_LARGE, **_BERT, "machine": "tpu-v3", "gpus": 64},
        _BATCH.format(2),
    ),
    Published(
        "RoBERTa-large, 100K steps, 1,024 V100", "hours", 24, 'Liu et al. 2019, section 5: "approximately one day"',
        {"preset": "roberta-large", **_phases((100_000, 8192, 512)), "machine": "v100-32g", "gpus": 1024},
        "the paper gives no rate to tell more; a step gives 8 sequences to a GPU",
    ),
)  # fmt: skip


def compare() -> list[Compared]:
    """Every published cost beside ours."""
    return [compared(one) for one in PUBLISHED]


def compared(one: Published) -> Compared:
    """One of them. FLOPs need no machine; one that is known spares the probe."""
    found = plan(**{"machine": "a100-80g", **one.settings})
    computed = found.flops if one.unit == "FLOPs" else found.hours
    ratio = computed / one.value
    reached = found.utilisation * ratio if one.unit == "hours" else None
    within = 1 / FACTOR <= ratio <= FACTOR
    return Compared(one.name, one.unit, one.value, computed, ratio, reached, within, one.source, one.why)
