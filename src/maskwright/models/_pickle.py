"""`python -m maskwright.models._pickle FILE OUT`: a file of weights from pickle to safetensors, in its own process.

torch opens it with `weights_only`, which builds tensors and plain containers and calls nothing else. The process does
nothing but this, so that whatever a file may still manage ends with it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def main(source: Path, out: Path) -> None:
    """Write the tensors of `source`, each with memory of its own. On what is none it leaves with 1 and says why."""
    import torch
    from safetensors.torch import save_file

    try:
        held: Any = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as problem:  # whatever a damaged or hostile file raises
        raise SystemExit(" ".join(str(problem).split())[:300]) from None
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict) or not all(isinstance(t, torch.Tensor) for t in held.values()):
        raise SystemExit("it holds something else than named tensors")
    save_file({name: t.detach().clone().contiguous() for name, t in held.items()}, str(out), metadata={"format": "pt"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
