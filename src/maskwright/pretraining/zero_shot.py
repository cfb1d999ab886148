"""Minimal pairs that a pre-training is judged by, without any training for them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from maskwright.base.errors import UserError
from maskwright.data.pairs import Pair, read_pairs
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.start import Start
from maskwright.runs.shapes import Shape, Table
from maskwright.tasks import MaskedLM
from maskwright.tasks._likelihood import _flaw as flaw_of

FEW = 10  #: pairs of a paradigm that are judged on the way
KINDS = ("good", "bad")


class ZeroShot:
    """Pairs of a file or folder, up to `limit` of each paradigm, and a few of them for the way."""

    def __init__(self, path: str, limit: int | None) -> None:
        self.pairs, self.notes = read_pairs(path, limit)
        self.few = first(self.pairs, FEW)

    def judge(
        self, objective: PretrainingObjective, built: Any, start: Start, precision: Any, few: bool = False
    ) -> Any:
        """`tasks.MaskedLM.judge` by the network that an objective trains; None where it names no masked words."""
        network = objective.speaks(built)
        if network is None:
            return None
        return _model(network, start, precision, objective.spoken).judge(self.few if few else self.pairs)

    def check(self, start: Start) -> None:
        """Raises UserError for a sentence that cannot be scored."""
        model = _model(start.network, start)
        sentences = [
            (f"{pair.where}: the {kind} sentence", getattr(pair, kind)) for pair in self.pairs for kind in KINDS
        ]
        encodings = start.tokenizer.encode([text for _, text in sentences], details=True)
        for row, (where, _) in enumerate(sentences):
            if flaw := flaw_of(model, encodings, row):
                raise UserError(f"{where} {flaw}")


def _model(network: Any, start: Start, precision: Any = "auto", answers: Any = "at") -> MaskedLM:
    length = start.network.encoder.limit or start.config.positions
    return MaskedLM(network, start.tokenizer, start.kind, start.config, length, precision, answers)


def first(pairs: list[Pair], most: int) -> list[Pair]:
    """At most so many of each paradigm, the first ones."""
    seen: Counter[str] = Counter()
    out = []
    for pair in pairs:
        seen[pair.paradigm] += 1
        if seen[pair.paradigm] <= most:
            out.append(pair)
    return out


def tables(judged: Any) -> list[Shape]:
    """Accuracies by field, term and paradigm."""
    head = ["", "accuracy", "pairs", "ties"]
    found: list[Shape] = []
    for title, group in (("field", judged.fields), ("term", judged.terms), ("paradigm", judged.paradigms)):
        rows = [[name, one.accuracy, one.pairs, one.ties] for name, one in sorted(group.items())]
        if len(rows) > 1:
            found.append(Table(f"Minimal pairs by {title}", head, rows, "Chance is 0.5; ties count half."))
    return found
