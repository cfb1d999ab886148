"""Any number of labels for each text or pair of texts, such as the emotions of GoEmotions (Demszky et al. 2020)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.data.label_cells import indicator_lists, label_lists
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.stats import measures
from maskwright.stats.calibration import Temperature
from maskwright.stats.measures import Measure
from maskwright.stats.selection import label_thresholds
from maskwright.tasks._calibration import SPREAD, Calibration, temperature
from maskwright.tasks._given import Given
from maskwright.tasks._label_set import LabelSetTask
from maskwright.tasks._task import Examples

EVEN = 0.5  #: from here on a label is likelier than not


class MultiLabel(LabelSetTask):
    """A yes or no for each label found in the training rows; the prediction is every label that is likely enough.

    The labels of a row stand in the column `label`, as a list or as a text that `separator` cuts, or in columns of 0
    and 1, which `labels` names. A row may have none. The best checkpoint is the one with the highest macro F1, the
    figure of the paper above, as `stats.metrics.labels_f1` defines it.
    """

    main: ClassVar[str] = "f1_macro"
    answers: ClassVar[Any] = "labels"
    problem: ClassVar[str] = "multi_label_classification"

    separator: str = Field(",", min_length=1, description="multi-label: what stands between the labels of a cell")
    labels: tuple[str, ...] | None = Field(
        None, description="multi-label: columns of 0 and 1, one a label (anger,joy), in the place of the label's column"
    )
    threshold: float | None = Field(
        None, gt=0, lt=1, description="multi-label: probability that a label needs; default: fitted for each, else 0.5"
    )

    @field_validator("labels", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """`anger,joy`, as an option says it. TOML has no word for nothing; here it is "none"."""
        if not isinstance(value, str):
            return value
        return None if value == "none" else [name.strip() for name in value.split(",")]

    @model_validator(mode="after")
    def _indicators_are_columns_of_their_own(self) -> Self:
        if self.labels is None:
            return self
        given = f"task.labels = {', '.join(self.labels)}"
        if len(self.labels) < 2:
            raise UserError(f"{given}: name two or more columns of 0 and 1, one for each label.")
        used = Counter((*self.columns(with_label=False), *self.labels))
        for name, count in used.items():
            if count > 1:
                raise UserError(f"{given}: the column {name!r} would have two meanings. Name each column once.")
        if self.names is not None:
            raise UserError(f"{given}: these are names already; task.names is for ids. Leave one of the two out.")
        return self

    def columns(self, with_label: bool = True) -> tuple[str, ...]:
        texts = super().columns(with_label=False)
        return (*texts, *(self.labels or (self.label,))) if with_label else texts

    def discover(self, table: Table) -> Labels:
        """Raises UserError for rows without any label, for one label alone, and for an indicator that is never 1."""
        rows = self._rows(table)
        counts = Counter(name for row in rows for name in row)
        if not counts:
            place = f"the columns {', '.join(self.labels)}" if self.labels else f"the column {self.label!r}"
            raise UserError(f"{table.source}: none of {len(rows):,} rows has a label in {place}. Name the right place.")
        if self.labels is not None:
            return _indicators(self.labels, counts, table)
        if len(counts) == 1:
            ((name, count),) = counts.items()
            raise UserError(
                f"{table.source}: the only label in {len(rows):,} rows is {name!r} ({count:,} times); it takes two "
                "or more. A yes or no about each text is --task classification; a cell with several labels is cut at "
                f"task.separator ({self.separator!r})."
            )
        flat, owner = _flat(rows)
        return self.label_set(flat, lambda i: table.where(owner[i]))

    def strata(self, examples: Examples) -> np.ndarray | None:
        return examples.targets

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        """(B, classes) fp32 of 0 and 1."""
        assert labels is not None
        if self.labels is not None and set(self.labels) != set(labels.names):
            odd = sorted(set(self.labels) ^ set(labels.names))
            raise UserError(
                f"{table.source}: task.labels are {', '.join(self.labels)}, but the model's labels are "
                f"{', '.join(labels.names)}. They must be the same; only one side has {', '.join(odd)}."
            )
        flat, owner = _flat(self._rows(table))
        out = np.zeros((len(table), len(labels)), dtype=np.float32)
        out[owner, labels.encode(flat, lambda i: table.where(owner[i]))] = 1
        return out

    def notes(self, examples: Examples, labels: Labels | None) -> list[str]:
        assert labels is not None
        assert examples.targets is not None
        marks, out = examples.targets.sum(axis=1), []
        if not marks.all():
            out.append(f"{int((marks == 0).sum()):,} of {len(marks):,} rows have no label.")
        if marks.max(initial=0) <= 1 and self.labels is None:
            out.append(f"No row has more than one label (a cell that is a text is cut at {self.separator!r}).")
        absent = [name for name, some in zip(labels.names, examples.targets.any(axis=0), strict=True) if not some]
        if absent:
            out.append(
                f"{len(absent)} of {len(labels)} labels stand in no row ({', '.join(absent)}); the F1 of such a label "
                "is 0 and lowers f1_macro."
            )
        return out

    def prior(self, targets: np.ndarray) -> np.ndarray:
        """The log odds of each label in the training rows (Lin et al. 2017, section 4.1).

        From zeros the first hundreds of steps would only push all scores down, and the encoder with them: labels are
        rare, and the quickest way there is one vector for all texts, which few rows do not undo.
        """
        rows, count = len(targets), targets.sum(axis=0)
        return np.log((count + 0.5) / (rows - count + 0.5)).astype(np.float32)

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        assert labels is not None
        return [[labels[int(i)] for i in np.flatnonzero(row)] for row in targets]

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """Binary cross-entropy: its mean over the labels, summed over the rows.

        An item is a row, so that the loop's division by items gives the mean over rows and labels together. That is
        what transformers optimises (problem_type multi_label_classification): learning rates carry over.
        """
        return F.binary_cross_entropy_with_logits(scores.float(), targets, reduction="sum") / scores.shape[-1]

    def probabilities(self, scores: np.ndarray, calibration: Calibration | None = None) -> np.ndarray:
        """sigmoid(scores / T), (B, classes) float64, each label's own; T is 1 without a calibration."""
        found: np.ndarray = (torch.from_numpy(scores).double() / temperature(calibration)).sigmoid().numpy()
        return found

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        """The labels that reach their threshold, and the probabilities of all, the likeliest first."""
        assert labels is not None
        probabilities = self.probabilities(scores, calibration)
        ranked = np.argsort(-probabilities, axis=-1, kind="stable")
        said = probabilities >= self.thresholds(calibration)
        return [
            {
                "labels": [labels[i] for i in order if yes[i]],
                "probabilities": {labels[i]: float(row[i]) for i in order},
            }
            for order, yes, row in zip(ranked, said, probabilities, strict=True)
        ]

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        said = self.probabilities(scores, calibration) >= self.thresholds(calibration)
        return measures.multi_label(targets, said, scores)

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration:
        """A temperature of all labels together, and then for each the threshold whose F1 is largest on these rows, or
        EVEN where it has no row; no thresholds where one is stated."""
        fitted = Calibration(split, len(targets), Temperature.fit(scores, targets, spread=SPREAD).value)
        if self.threshold is not None:
            return fitted
        found = label_thresholds(self.probabilities(scores, fitted), targets)
        some = targets.any(axis=0)
        return replace(fitted, thresholds=tuple(t if yes else EVEN for t, yes in zip(found, some, strict=True)))

    def settled(self, scores: np.ndarray, calibration: Calibration | None, metric: str) -> np.ndarray:
        """Over the temperature, and shifted by the log odds of the fitted thresholds, which then are EVEN."""
        if calibration is None:
            return scores
        scores = scores / temperature(calibration)
        if self.threshold is not None or calibration.thresholds is None:
            return scores
        fitted = np.asarray(calibration.thresholds, np.float64)
        return scores - (np.log(fitted) - np.log1p(-fitted))

    def thresholds(self, calibration: Calibration | None) -> np.ndarray:
        """(classes,), or one number for all: the stated one, else those that were fitted, else EVEN."""
        if self.threshold is not None:
            return np.asarray(self.threshold)
        fitted = None if calibration is None else calibration.thresholds
        return np.asarray(EVEN if fitted is None else fitted)

    def _rows(self, table: Table) -> list[list[str]]:
        """The names of each row's labels."""
        if self.labels is not None:
            return indicator_lists({name: table.column(name) for name in self.labels}, table.where)
        rows = label_lists(table.column(self.label), self.separator, table.where)
        flat, owner = _flat(rows)
        found = iter(self.named(flat, lambda i: table.where(owner[i])))
        return [[next(found) for _ in row] for row in rows]


def _indicators(names: tuple[str, ...], counts: Counter[str], table: Table) -> Labels:
    never = [name for name in names if not counts[name]]
    if never:
        raise UserError(
            f"{table.source}: no row to train on has a 1 in {', '.join(map(repr, never))}. What never occurs cannot be "
            "learnt: leave it out of task.labels, or add rows that have it."
        )
    return Labels(names)


def _flat(rows: list[list[str]]) -> tuple[list[str], list[int]]:
    """All labels one after another, and the row of each."""
    return [name for row in rows for name in row], [number for number, row in enumerate(rows) for _ in row]
