"""What a network holds that is no family's: what makes one vector of several sequences, and what judges chains of tags.

Its weights stand in a file of their own, which other libraries leave alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.models import Loaded
from maskwright.tasks._task import Task
from maskwright.tasks.long import Long
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long.head import Head

FILE = "maskwright.safetensors"  #: in a model folder
PARTS = ("combine", "behind")


def check_long(long: Long, task: Task) -> None:
    """Raises UserError for a way that means nothing to the task."""
    if task.windows and not isinstance(long, Head):
        raise UserError(
            f"The task {task.name} reads long texts in windows and leaves nothing out; long = {long.name} has no part "
            "in it. Leave it out."
        )
    if task.answers == "choice" and isinstance(long, Chunks):
        raise UserError(
            f"A question and a choice are one sequence each; long = {long.name} is for texts with one answer. Allowed "
            "here: head, tail, head-tail, native."
        )


def join(loaded: Loaded, long: Long, task: Task, labels: Labels | None, finished: bool) -> list[str]:
    """Give the network what `long` and the task need, with the folder's weights where it was `finished`; which of PARTS
    are new.

    Raises UserError for a network whose answer does not come from one vector of a text, and for other weights.
    """
    network = loaded.network
    network.combine, network.behind = long.combine(loaded.encoder.width), task.behind(labels)
    if network.combine is not None and not (getattr(network, "pooled", False) and hasattr(network, "classifier")):
        raise UserError(f"long = {long.name} joins the vectors of texts, which this network has none of.")
    wanted = _tensors(network)
    if not finished or not wanted:
        return sorted({name.split(".")[0] for name in wanted})
    path = loaded.folder / FILE
    held = load_file(path) if path.exists() else {}
    if {name: each.shape for name, each in held.items()} != {name: each.shape for name, each in wanted.items()}:
        raise UserError(f"{path} does not hold the weights that its maskwright.json speaks of. Save the model again.")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(held[name])
    return []


def save_joined(network: nn.Module, folder: Path) -> None:
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(network).items()}
    if held:
        save_file(held, folder / FILE)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if name.split(".")[0] in PARTS}
