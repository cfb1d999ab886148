"""What a network holds that is no family's: what makes one vector of several sequences, and what judges chains of tags.

Its weights stand in a file of their own, which other libraries leave alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.models import Loaded
from maskwright.tasks._saved import trained
from maskwright.tasks._task import Task
from maskwright.tasks.long import Long
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long.head import Head

FILE = "maskwright.safetensors"  #: in a model folder
#: by the names that the network has for them, and what a person is told that they have learnt
PARTS = {"combine": "how the chunks of a text are joined", "behind": "which tags follow each other"}


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


def join(loaded: Loaded, long: Long, task: Task, labels: Labels | None) -> None:
    """Give the network what `long` and the task need, new.

    Raises UserError for a network whose answer does not come from one vector of a text.
    """
    network = loaded.network
    network.combine, network.behind = long.combine(loaded.encoder.width), task.behind(labels)
    if network.combine is not None and not (getattr(network, "pooled", False) and hasattr(network, "classifier")):
        raise UserError(f"long = {long.name} joins the vectors of texts, which this network has none of.")


def load_joined(loaded: Loaded) -> None:
    """The weights of a finished model's folder. Raises UserError where they are not those that the network has."""
    wanted, path = _tensors(loaded.network), loaded.folder / FILE
    held = load_file(path) if wanted and path.exists() else {}
    if _shapes(held) != _shapes(wanted):
        raise UserError(f"{path} does not hold the weights that its maskwright.json speaks of. Save the model again.")
    _copy(held, wanted)


def keep_joined(loaded: Loaded, long: Long, model: str, new_head: bool) -> list[str]:
    """Take over what the folder's model has learnt of PARTS, where it means the same here: chunks that are joined in
    the same way, moves between the tags of a head that was kept. A sentence on each part that is here or there."""
    path, found = loaded.folder / FILE, trained(loaded.folder)
    held = load_file(path) if path.exists() and found is not None else {}
    same = {"combine": found is not None and found.long == long, "behind": not new_head}
    out = []
    for part, learnt in PARTS.items():
        theirs, mine = (_of(part, tensors) for tensors in (held, _tensors(loaded.network)))
        if mine and not theirs:
            out.append(f"{model} has not learnt {learnt}; that is started anew.")
        elif theirs and not mine:
            out.append(f"What {model} has learnt of {learnt} is left out; nothing asks for it here.")
        elif mine and same[part] and _shapes(mine) == _shapes(theirs):
            _copy(theirs, mine)
            out.append(f"What {model} has learnt of {learnt} was kept.")
        elif mine:
            other = "another way" if part == "combine" else "other labels"
            out.append(f"What {model} has learnt of {learnt} is of {other}; that is started anew.")
    return out


def save_joined(network: nn.Module, folder: Path) -> None:
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(network).items()}
    if held:
        save_file(held, folder / FILE)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if name.split(".")[0] in PARTS}


def _of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.split(".")[0] == part}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _copy(held: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(held[name])
