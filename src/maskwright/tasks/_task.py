"""The contract of a task: which columns it reads, which head it trains, its loss, its decoding, its metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator
from torch import Tensor, nn

from maskwright.base.choice import Part
from maskwright.base.errors import UserError
from maskwright.data.doubts import repeated_ids
from maskwright.data.labels import Labels
from maskwright.data.table import NoColumn, Table
from maskwright.stats.measures import Measure, values
from maskwright.tasks import _worded as worded
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Given, Inputs
from maskwright.tasks._scale import Scale
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer


class Example(NamedTuple):
    """A text; its second text where the task has pairs; its words, (W, 2) first and last (exclusive) characters, where
    the task has such and they were given; its choices, where it has such."""

    text: str
    pair: str | None = None
    words: np.ndarray | None = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Examples:
    """Rows as a task sees them: B texts, maybe B second texts, and the targets of each where the labels are known; the
    words of each text where the task is about words, and the choices of each where it has such."""

    texts: list[str]
    pairs: list[str] | None
    targets: np.ndarray | None
    words: list[np.ndarray] | None = None
    choices: list[tuple[str, ...]] | None = None
    said: tuple[str, ...] = ()  #: what a person should know of how the rows are written

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: np.ndarray) -> Examples:
        pairs = None if self.pairs is None else [self.pairs[i] for i in rows]
        targets = None if self.targets is None else self.targets[rows]
        words = None if self.words is None else [self.words[i] for i in rows]
        choices = None if self.choices is None else [self.choices[i] for i in rows]
        return Examples([self.texts[i] for i in rows], pairs, targets, words, choices)


class Task(Part):
    """Settings (the columns) and behaviour. Every number the task defines is defined here and nowhere else."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # columns of files without a header are called 1, 2, ...

    head: ClassVar[str]  #: the network that it trains, a name in the family's HEADS
    problem: ClassVar[str]  #: problem_type in Hugging Face's config.json
    main: ClassVar[str]  #: the metric that decides which checkpoint is best, higher being better
    #: what one answer is: a class, a set of labels, a number, tags of words, a part of a text, one of a row's choices;
    #: it says which simple systems stand beside. None for none
    answers: ClassVar[Literal["class", "labels", "number", "tags", "span", "choice"] | None] = None
    #: a metric, lower being better, that judges a constant answer too where `main` is not defined for one
    error: ClassVar[str | None] = None
    one_label: ClassVar[bool] = False  #: an answer is one label with its probability, and might be withheld
    pairs: ClassVar[bool] = True  #: whether it takes a second text
    labelled: ClassVar[bool] = True  #: whether answers are labels of a set
    windows: ClassVar[bool] = False  #: whether long texts are read in windows, in the place of being cut
    welcome: ClassVar[tuple[str, ...]] = ()  #: further columns that are used where rows have them

    text: str = Field("text", description="column of the text; or a template of columns, {a} and {b}; or * for all")
    pair: str | None = Field(None, description="column of the second text, for pairs")
    label: str = Field("label", description="column of the label or score")

    @model_validator(mode="after")
    def _as_many_texts_as_it_takes(self) -> Self:
        if self.pair and not self.pairs:
            raise UserError(f"The task {self.name} is about one text; there is no second one. Leave pair out.")
        return self

    def by_option(self) -> dict[str, tuple[str, ...]]:
        """The columns that each of the settings `text`, `pair` and `label` names."""
        pair = worded.columns(self.pair) if self.pair else ()
        return {"text": worded.columns(self.text), "pair": pair, "label": (self.label,)}

    def absent(self, problem: NoColumn, how: str) -> str:
        """What a column that is not there is, and how another one is named: `how` with the option for it."""
        option = next((option for option, columns in self.by_option().items() if problem.column in columns), None)
        return f"{problem} Name the right one by {how.format(option)}." if option else str(problem)

    def columns(self, with_label: bool = True) -> tuple[str, ...]:
        """The columns that a file must have."""
        named = self.by_option()
        return tuple(dict.fromkeys([*named["text"], *named["pair"], *(named["label"] if with_label else ())]))

    @property
    def whole_rows(self) -> bool:
        """Whether it looks at more columns than those that it needs."""
        return self.text == worded.ALL or bool(self.welcome)

    def spelled(self, table: Table) -> Self:
        """This task, its `text` a template where it stands for all columns of the training rows."""
        if self.text != worded.ALL:
            return self
        others = [name for name in table.columns if name not in (*self.columns(), self.label)]
        if not others:
            raise UserError(f"{table.source} has no column beside {self.label!r}; text = * stands for all others.")
        return self.model_copy(update={"text": worded.template(others)})

    def texts(self, table: Table) -> tuple[list[str], list[str] | None]:
        """The texts of a table, and the second texts of pairs. Raises UserError for a cell that is no text; an empty
        one is a text of no words."""
        return worded.of_table(table, self.text), worded.of_table(table, self.pair) if self.pair else None

    def example(self, cells: Mapping[str, Any]) -> Example:
        """The texts of one row. Raises UserError for a cell that is absent or no text."""
        return Example(worded.of_cells(cells, self.text), worded.of_cells(cells, self.pair) if self.pair else None)

    def characters(self, example: Example) -> int:
        """How many of them are encoded of an example."""
        return len(example.text) * len(example.choices or "1") + len(example.pair or "")

    def gather(self, some: Sequence[Example]) -> Examples:
        """Rows without targets, as they come one by one."""
        pairs = [example.pair or "" for example in some] if self.pair else None
        return Examples([example.text for example in some], pairs, None)

    def doubts(self, table: Table) -> list[str]:
        """What may be a slip in rows as they were read and is taken as it stands, one sentence each."""
        return repeated_ids(table)

    def examples(self, table: Table, labels: Labels | None) -> Examples:
        """All rows of a table with their targets."""
        texts, pairs = self.texts(table)
        return Examples(texts, pairs, self.targets(table, labels))

    def inputs(self, tokenizer: Tokenizer, examples: Examples, max_length: int, long: Long | None = None) -> Inputs:
        """Examples as pieces; a text (or pair) of more than `max_length` is read as `long` says, by default from its
        beginning."""
        return (long or Head()).inputs(tokenizer, examples.texts, examples.pairs, max_length)

    def shortened(self, long: Long) -> str:
        """How a text that is too long loses pieces, behind "it was"."""
        return long.told

    def discover(self, table: Table) -> Labels | None:
        """The label set of the training rows; None for a task that has none."""
        return None

    def settled_on(self, labels: Labels | None, table: Table | None = None) -> Self:
        """This task, what it left open decided by the labels that were found in the training rows, and by these."""
        return self

    def wanted(self, targets: np.ndarray, inputs: Inputs) -> np.ndarray:
        """What the loss compares scores with, one entry for each example, or for each of their windows where they stand
        in such. inputs: the examples as pieces."""
        return targets

    def lost(self, targets: np.ndarray, inputs: Inputs) -> list[str]:
        """What the network cannot learn of these targets, as the examples are given to it; one sentence each."""
        return []

    def condensed(self, scores: np.ndarray, inputs: Inputs) -> np.ndarray:
        """What is kept of the network's scores of B examples, one entry each: all that answers and metrics need."""
        return scores

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        """B targets as plain values, as answers say theirs."""
        out: list[Any] = targets.tolist()
        return out

    def strata(self, examples: Examples) -> np.ndarray | None:
        """What a split keeps in proportion: (B,) a class a row, (B, C) 0 and 1 for each label of a row, or None."""
        return None

    def together(self, table: Table) -> dict[str, list[str]]:
        """What rows may have in common that belong on one side of a split: by name a cell a row, the widest first."""
        return {}

    def marks(self, pieces: Encodings) -> np.ndarray | None:
        """(N,) bool: the pieces that see everything and are seen from everywhere, where an encoder has such ones
        (Longformer's global attention): those that an answer is read from. The first of each text, unless a task says
        otherwise; None: what the network's head says."""
        marked = np.zeros(len(pieces.ids), dtype=bool)
        marked[pieces.offsets[:-1][pieces.lengths > 0]] = True
        return marked

    def notes(self, examples: Examples, labels: Labels | None) -> list[str]:
        """What to tell about labelled rows, one sentence each, such as how many have no label."""
        return []

    def prior(self, targets: np.ndarray) -> np.ndarray | None:
        """(classes,) the scores that a new head should give before it has seen a text; None for zeros."""
        return None

    def scale(self, targets: np.ndarray) -> Scale:
        """What the network learns in the place of these training targets; as they stand, unless a task says more."""
        return Scale()

    @abstractmethod
    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        """(B,) one target for each row, or (B, C) one for each of its labels. Raises UserError with the line of a label
        that cannot be one."""

    @abstractmethod
    def classes(self, labels: Labels | None) -> int:
        """Outputs of the head."""

    def width(self, labels: Labels | None) -> int:
        """Numbers that are kept of an example."""
        return self.classes(labels)

    @property
    def otherwise(self) -> str | None:
        """What the class of transformers that loads the head does otherwise, behind "In transformers"; None where its
        logits are all that answers are made of."""
        return None

    def behind(self, labels: Labels | None) -> nn.Module | None:
        """A new module that the head's outputs go through, where the task learns more than they say."""
        return None

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """The loss summed over the items, which are the B rows, or the tokens that were asked, or windows. scores: (B,
        classes); targets: as `wanted` gives them; given: what the scores are of, for a loss that tells windows apart.
        """

    @abstractmethod
    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        """B predictions as plain values. scores: (B, classes) fp32; examples: the texts, for a task that answers with
        parts of them."""

    def blank(self, labels: Labels | None) -> dict[str, Any]:
        """An answer as others will look, for a file whose columns must be known before the first one."""
        return self.decode(np.zeros((1, self.width(labels)), np.float32), labels)[0]

    @abstractmethod
    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        """The task's metrics by name, `main` first, as functions of how often each row counts: what intervals need."""

    def metrics(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, float]:
        """The task's metrics by name, `main` first; NaN where one is undefined on these rows."""
        if not len(targets):
            raise UserError("There are no rows to judge; give at least one.")
        return values(self.measures(scores, targets, calibration), len(targets))

    def suspected(self, scores: np.ndarray, targets: np.ndarray) -> list[str]:
        """What scores of labelled rows let one doubt of how the model is read; one sentence each."""
        return []

    def probabilities(self, scores: np.ndarray, calibration: Calibration | None = None) -> np.ndarray | None:
        """(B, classes) float64, calibrated where that was fitted. None for a task that gives none."""
        return None

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration | None:
        """What held-out rows say of the scores; `split` names the rows. None for a task that has no use for it."""
        return None

    def settled(self, scores: np.ndarray, calibration: Calibration | None, metric: str) -> np.ndarray:
        """Scores that have, without the calibration, the `metric` that these have with it, on a scale that two systems
        share: a paired test swaps their answers row by row."""
        return scores

    @abstractmethod
    def describe(self, labels: Labels | None) -> dict[str, Any]:
        """What Hugging Face's config.json says of the head: id2label, problem_type."""
