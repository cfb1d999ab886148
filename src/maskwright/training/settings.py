"""The settings of a training run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from maskwright.base.choice import Choice
from maskwright.base.config import Config
from maskwright.training.averaging import Averaging
from maskwright.training.optimizers import Optimizer
from maskwright.training.optimizers.adamw import AdamW
from maskwright.training.schedules import Schedule
from maskwright.training.schedules.linear import Linear
from maskwright.training.trackers import Tracker


class Steps(Config):
    """What any training may say of its steps, whatever they read."""

    micro_tokens: int = Field(8192, ge=1, description="most tokens at once; a larger step is accumulated")
    lr: float = Field(5e-5, gt=0, description="peak learning rate")
    optimizer: Choice[Optimizer] = Field(AdamW(), description="how gradients move weights")
    schedule: Choice[Schedule] = Field(Linear(), description="how the learning rate moves")
    averaging: Choice[Averaging] | None = Field(
        None, description="judge and keep an average of the last weights; none: those of the last step"
    )
    clip: float | None = Field(1.0, gt=0, description="largest gradient norm; none: not clipped")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="bf16 where the processor is fast at it")
    recompute: bool = Field(
        False, description="gradient checkpointing: a third more time, and of each block only its input is kept"
    )
    parallel: Literal["auto", "none", "ddp", "fsdp"] = Field(
        "auto", description="of several processes: ddp, each with all weights; fsdp, each with a share; auto: ddp"
    )
    timeout_minutes: float = Field(30.0, gt=0, description="how long a process waits for another, evaluations included")
    device: str = Field("auto", description="auto, cpu, cuda")
    threads: int | None = Field(None, ge=1, description="all cores by default")
    evaluations: int = Field(1, ge=1, description="evaluations per epoch")
    checkpoint_minutes: float | None = Field(5.0, ge=0, description="time between checkpoints; none: none are written")
    log_steps: int = Field(10, ge=1, description="steps between lines of log.jsonl")
    tracker: Choice[Tracker] | None = Field(None, description="shows the run elsewhere too; none: nowhere")

    @field_validator("tracker", "averaging", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if value == "none" else value


class Train(Steps):
    """What `[train]` of a fine-tuning's run file, or `--set train.NAME=VALUE`, may say: passes over rows."""

    epochs: float = Field(3, gt=0, description="passes over the training rows; a fraction is allowed")
    batch_size: int = Field(32, ge=1, description="sequences per optimizer step")
    batch_tokens: int | None = Field(None, ge=1, description="tokens per optimizer step, instead of batch_size")
    order: Literal["random", "grouped"] = Field("random", description="grouped: texts of like length share a step")
