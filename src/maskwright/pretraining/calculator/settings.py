"""What a plan of a pre-training may be asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from maskwright.base.choice import Choice
from maskwright.base.config import Config
from maskwright.base.errors import UserError
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.training.optimizers import Optimizer
from maskwright.training.optimizers.adamw import AdamW

AMOUNTS = ("tokens", "steps", "passes", "budget")


class Planned(Config):
    """`maskwright plan pretrain`, and the keyword arguments of `maskwright.plan_pretrain`."""

    family: str = Field("bert", description="the network; `maskwright show` lists them")
    size: str = Field("base", description="layers x width, such as 4x256, or a size of the family: tiny, base ...")
    preset: str | None = Field(None, description="both in one, such as bert-large, as `maskwright show` lists them")
    vocabulary: int | None = Field(None, ge=1, description="pieces of the tokenizer, in place of the size's own")
    objective: Choice[PretrainingObjective] = Field(Mlm(), description="what is learnt")
    rate: float | None = Field(None, gt=0, lt=1, description="share of the pieces that are masked, if not its usual")
    tokens: str | None = Field(None, description="pieces that are read in all: 137B, 300M")
    steps: int | None = Field(None, ge=1, description="optimizer steps in all, in place of tokens")
    passes: float | None = Field(None, gt=0, description="passes over the corpus, in place of tokens")
    budget: str | None = Field(None, description='what it may take: 20m, 2h, "1000 steps" or "5M tokens"')
    length: str = Field(
        "128", description="pieces of a sequence, or phases by their share of all pieces: 128:0.9,512:0.1"
    )
    batch_tokens: int = Field(32_768, ge=1, description="pieces of an optimizer step, on all devices together")
    machine: str | None = Field(None, description="such as a100-80g or tpu-v3-64; by default this one is measured")
    gpus: int | None = Field(None, ge=1, description="devices that share the work, GPUs or TPU chips (default: 1)")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 (or fp16) where that is faster")
    utilisation: float | None = Field(None, gt=0, le=1, description="share of the peak rate that training reaches")
    optimizer: Choice[Optimizer] = Field(AdamW(), description="adamw, lamb, muon")
    recompute: bool = Field(False, description="blocks are computed again for the backward pass, to save memory")
    micro_tokens: int = Field(8192, ge=1, description="pieces that one device has in memory at once")
    sharding: Literal["ddp", "fsdp"] = Field("ddp", description="every device has all weights, or its part of them")
    dropout: float | None = Field(None, ge=0, lt=1, description="all rates of the network, in place of the size's own")
    scores: Literal["scored", "every"] = Field(
        "scored", description="where words are scored: at what is asked for, as here, or everywhere, as others do"
    )
    price: float | None = Field(None, ge=0, description="of one device for an hour, in any currency")

    @field_validator("objective", "optimizer", mode="before")
    @classmethod
    def _named(cls, value: Any, info: ValidationInfo) -> Any:
        """Settings without a name are those of the usual part."""
        usual = cls.model_fields[info.field_name or ""].default.name
        return {"name": usual, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_amount(self) -> Planned:
        given = [name for name in AMOUNTS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} are given, and each says how much there is to do; give one of them"
            )
        return self


def amount_of(asked: Planned) -> Budget | None:
    """What was said of how much there is to do; None for nothing. Raises UserError for what is no amount."""
    if asked.tokens is not None:
        try:
            return Budget.read(f"{asked.tokens} tokens")
        except UserError:
            raise UserError(f"tokens = {asked.tokens!r} is no number of pieces. Give such as 137B, 300M, 5k.") from None
    if asked.steps is not None:
        return Budget(asked.steps, "steps")
    return None if asked.budget is None else Budget.read(asked.budget)


def phases_of(text: str) -> list[tuple[int, float]]:
    """(length, share of all pieces) of each phase, from `128` or `128:0.9,512:0.1`. Raises UserError for anything else,
    and for shares that do not come to 1."""
    found = []
    for part in text.split(","):
        length, colon, share = part.strip().partition(":")
        try:
            found.append((int(length), float(share) if colon else 1.0))
        except ValueError:
            found.append((0, 0.0))
    if any(length < 8 or not 0 < share <= 1 for length, share in found):
        raise UserError(f"length = {text!r}: give a length of 8 or more, or lengths with shares, 128:0.9,512:0.1.")
    total = sum(share for _, share in found)
    if abs(total - 1) > 1e-6:
        raise UserError(f"length = {text!r}: the shares come to {total:g}; let them come to 1.")
    return found
