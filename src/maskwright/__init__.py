"""maskwright: bidirectional encoders, the BERT family, for their whole life.

The names below are found when they are first used, so that `import maskwright` and `maskwright --help` cost nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskwright.base.errors import UserError
    from maskwright.evaluation.compare import compare
    from maskwright.finetuning.benchmark import benchmark
    from maskwright.finetuning.check import check_data
    from maskwright.finetuning.run import finetune
    from maskwright.pretraining.calculator.planning import plan as plan_pretrain
    from maskwright.pretraining.run import pretrain
    from maskwright.tasks import MaskedLM, ZeroShot, load

__version__ = "0.1.0"
__all__ = [
    "MaskedLM",
    "UserError",
    "ZeroShot",
    "__version__",
    "benchmark",
    "check_data",
    "compare",
    "finetune",
    "load",
    "plan_pretrain",
    "pretrain",
]

_HOME = {
    "MaskedLM": "maskwright.tasks",
    "UserError": "maskwright.base.errors",
    "ZeroShot": "maskwright.tasks",
    "benchmark": "maskwright.finetuning.benchmark",
    "check_data": "maskwright.finetuning.check",
    "compare": "maskwright.evaluation.compare",
    "finetune": "maskwright.finetuning.run",
    "load": "maskwright.tasks",
    "plan_pretrain": "maskwright.pretraining.calculator",
    "pretrain": "maskwright.pretraining.run",
}

_CALLED = {"plan_pretrain": "plan"}  #: what is called otherwise at home


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    there = _CALLED.get(name, name)
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), there)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
