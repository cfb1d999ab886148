"""Floor 2: a run is a folder of facts."""

from maskwright.runs.folder import RunFolder

__all__ = ["RunFolder"]
