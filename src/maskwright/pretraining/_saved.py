"""The model that a pre-training leaves: written, read again and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.files import write_folder, write_json
from maskwright.models import load_network, save_network, special_ids, write_length
from maskwright.nn.batch import Batch
from maskwright.pretraining.objectives import Asked
from maskwright.pretraining.start import Start
from maskwright.text.golden import golden

FORMAT = 1  #: of maskwright.json


def save(folder: Path, start: Start, described: dict[str, Any]) -> None:
    """The Hugging Face layout plus maskwright.json, atomically. described: what that says beside the rest."""

    def fill(into: Path) -> None:
        ids = special_ids(start.kind, start.tokenizer.role_ids)
        save_network(into, start.network, start.kind, start.config, {**ids})
        start.tokenizer.save(into)
        if start.network.encoder.limit is not None:
            write_length(into, start.network.encoder.limit)
        facts = {"format": FORMAT, **described, "golden": golden(start.tokenizer)}
        facts["provenance"] = {**described["provenance"], "versions": runtime.versions()}
        write_json(into / "maskwright.json", facts)

    write_folder(folder, fill)


@torch.inference_mode()
def prove(folder: Path, start: Start, head: str, asked: list[Asked]) -> None:
    """Raises UserError unless the model in `folder` gives the trained one's numbers on some batches."""
    again = load_network(folder, head)
    device = next(start.network.parameters()).device
    mine, other = start.network.eval(), again.network.to(device).eval()
    worst = max((_difference(mine, other, one.batch.to(device)) for one in asked), default=0.0)
    if again.new or not worst <= 1e-6:
        raise UserError(
            f"The model saved in {folder} does not repeat the trained one: its outputs differ by up to {worst:.2g}. "
            "This is a fault of maskwright or of the disk; please report it."
        )


def _difference(mine: Any, other: Any, batch: Batch) -> float:
    outputs = [found if isinstance(found, tuple) else (found,) for found in (mine(batch), other(batch))]
    return max(float((a.float() - b.float()).abs().max()) for a, b in zip(*outputs, strict=True))
