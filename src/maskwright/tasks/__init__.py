"""Floor 4: one file per task, and `Model`, the one thing that trains, predicts, saves and reloads.

Beside them `MaskedLM`, which needs no training: it fills masks, scores texts and writes some; and `ZeroShot`, which
classifies by what a model of entailment says of sentences.
"""

from maskwright.tasks._bulk import Bulk, check_top, cut_note, likeliest
from maskwright.tasks._checks import check_length
from maskwright.tasks._filling import Candidate, Filled
from maskwright.tasks._generation import LIMITS, Generated, Generation
from maskwright.tasks._likelihood import METHODS, Likelihood, Sum, open_texts, texts_of
from maskwright.tasks._masked_lm import MaskedLM
from maskwright.tasks._minimal_pairs import Accuracy, Judged
from maskwright.tasks._model import Model, load
from maskwright.tasks._task import Examples, Task
from maskwright.tasks._zero_shot import ZeroShot

__all__ = [
    "LIMITS",
    "METHODS",
    "Accuracy",
    "Bulk",
    "Candidate",
    "Examples",
    "Filled",
    "Generated",
    "Generation",
    "Judged",
    "Likelihood",
    "MaskedLM",
    "Model",
    "Sum",
    "Task",
    "ZeroShot",
    "check_length",
    "check_top",
    "cut_note",
    "likeliest",
    "load",
    "open_texts",
    "texts_of",
]
