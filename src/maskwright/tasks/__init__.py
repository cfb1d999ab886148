"""Floor 4: one file per task, and `Model`, the one thing that trains, predicts, saves and reloads."""

from maskwright.tasks._bulk import Bulk, check_top, likeliest
from maskwright.tasks._model import Model, check_length, load
from maskwright.tasks._task import Examples, Task

__all__ = ["Bulk", "Examples", "Model", "Task", "check_length", "check_top", "likeliest", "load"]
