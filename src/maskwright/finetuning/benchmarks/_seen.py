"""Encoders that were trained on rows of benchmarks before, told by their weights and not by what a folder is called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from maskwright.base.files import read_json
from maskwright.models import load_network, locate
from maskwright.runs.card import BASES

#: what `Case.seen` calls an encoder -> the digest of its weights
ENCODERS = {"minilm": "6ffa2ce624e823c9a46abb159db4b673ed1f6126ca3761df2e6cdd7fb798bf5e"}
_NAMES = {**{name: name for name in ENCODERS}, **{BASES[name]: name for name in ENCODERS if name in BASES}}


def known_encoder(model: str | Path) -> str | None:
    """The one of ENCODERS that a model is, or began from as far as the folders tell that it began from; else None.

    A copy under another name is found by its weights, a model that was trained further by its provenance. Nothing is
    fetched but what `model` itself names.
    """
    at, passed = str(model), set[str]()
    while at not in passed:
        passed.add(at)
        if at in _NAMES and not Path(at).is_dir():
            return _NAMES[at]
        if at != str(model) and not Path(at).is_dir():
            return None
        weights = digest(at)
        found = next((name for name, known in ENCODERS.items() if known == weights), None)
        described = locate(at) / "maskwright.json"
        if found is not None or not described.exists():
            return found
        at = str(read_json(described).get("provenance", {}).get("base"))
    return None


def digest(model: str | Path) -> str:
    """SHA-256 of an encoder's tensors in half precision, in which a copy of a rounded file has the same."""
    out = hashlib.sha256()
    for name, tensor in sorted(load_network(model, "bare").encoder.state_dict().items()):
        out.update(name.encode())
        out.update(tensor.half().contiguous().numpy().tobytes())
    return out.hexdigest()
