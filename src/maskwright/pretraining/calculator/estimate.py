"""What a plan answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PhaseEstimate:
    """A part of the training of one length."""

    length: int
    tokens: float
    scored: float  #: pieces whose loss is taken
    flops: float
    attention: float  #: the share of these that attention between tokens has, which grows with the length


@dataclass(frozen=True)
class Signal:
    """What one pass over the corpus, or over `tokens` where there is none, gives to learn from, and for what."""

    objective: str
    scored_share: float
    scored: float
    flops: float
    flops_per_scored: float


@dataclass(frozen=True)
class Memory:
    """Bytes that one device holds at the height of a step (`memory.py` has the equations)."""

    weights: float  #: fp32
    gradients: float  #: fp32
    optimizer: float  #: what it remembers of each weight, fp32
    copies: float  #: of weights in the products' format, and of a gathered block under FSDP2
    activations: float  #: kept for the backward pass
    scores: float  #: of one portion of words

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.copies + self.activations + self.scores


@dataclass(frozen=True)
class Traffic:
    """Bytes that each device sends in one step, and the seconds that they take over the machine's link; None where the
    link, or the bandwidth of its memory, is not known."""

    ddp: float
    fsdp2: float
    seconds: float | None  #: of the sharding that was asked for
    compute: float  #: seconds of a step's operations
    update: (
        float | None
    )  #: seconds that the optimizer's pass over weights, gradients and its own numbers takes at least
    hidden: float | None  #: share of the time that computes where sending goes on beside it
    exposed: float | None  #: the same where nothing computes while bytes are sent


@dataclass(frozen=True)
class Estimate:
    """A pre-training before it runs. Counts are of the whole training on all devices, memory and traffic of one."""

    model: str
    layers: int
    width: int
    vocabulary: int
    parameters: int
    objective: str
    rate: float  #: share of the pieces that is masked, of the texts in which some are; 1 where none are in any
    phases: tuple[PhaseEstimate, ...]
    tokens: float
    steps: float
    scored: float
    corpus_tokens: float | None  #: of one pass, where a corpus was given
    passes: float | None
    parts: dict[str, float]  #: FLOPs by part
    flops: float
    every: float  #: FLOPs if the states of all tokens were scored, as a dense implementation does
    signals: tuple[Signal, ...]
    machine: str
    devices: int
    precision: str
    peak: float  #: FLOP/s of one device
    utilisation: float
    source: str  #: of the peak
    hours: float
    device_hours: float
    cost: float | None
    memory: Memory
    checkpointed: Memory  #: the same with activation recompute
    capacity: float  #: bytes of one device
    devices_needed: int | None  #: least power of two that holds it, sharded as asked; None: no number does
    traffic: Traffic
    notes: tuple[str, ...]
