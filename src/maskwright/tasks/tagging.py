"""A tag for each word: named spans, as in CoNLL-2003 (Devlin et al. 2019, section 5.3), or parts of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.base.ragged import blocks, flat, objects
from maskwright.base.words import counted
from maskwright.data import tags as schemes
from maskwright.data.label_names import name_ids
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.data.tagged import WORDS, Labelled, Span, Split, characters, rows, text_of, words_in
from maskwright.nn.transitions import Moves, Transitions, parted, surprise
from maskwright.stats import spans as measured
from maskwright.stats.calibration import Temperature
from maskwright.stats.measures import Measure
from maskwright.tasks import _worded as worded
from maskwright.tasks._calibration import SPREAD, Calibration, temperature
from maskwright.tasks._chain import Chain, Said, fitting, unbound
from maskwright.tasks._given import Given, Inputs
from maskwright.tasks._gold import counts, of_spans, of_words, said
from maskwright.tasks._label_set import LabelSetTask
from maskwright.tasks._prepared import prepared
from maskwright.tasks._task import Example, Examples
from maskwright.tasks.long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.windows import Windowed, windowed


class Tagging(LabelSetTask):
    """Cross-entropy over the tags of words, each read from the first piece of its word.

    Labels are characters of the text until here: spans become tags of words in the scheme `learnt`, and answers become
    spans again, by the best chain of tags that fit each other. A text longer than the encoder takes stands in windows;
    each word is read in the one where it has most around it, so nothing is cut off.
    """

    head: ClassVar[str] = "token-classification"
    problem: ClassVar[str] = "token_classification"
    answers: ClassVar[Any] = "tags"
    pairs: ClassVar[bool] = False
    windows: ClassVar[bool] = True

    kind: Literal["auto", "spans", "words"] = Field(
        "auto", description="tagging: whether labels are spans of words or one a word; by the training rows"
    )
    scheme: Literal["auto", "IOB1", "IOB2", "IOBES", "BILOU"] = Field(
        "auto", description="tagging: how the tags of a file write spans down, to count those that break its rules"
    )
    learnt: schemes.Scheme = Field("IOB2", description="tagging: the scheme of the tags that the network learns")
    split: Literal["auto", "spaces", "signs"] = Field(
        "auto", description="tagging: where words end in a text that comes without them; as in the training rows"
    )
    overlap: int = Field(64, ge=0, description="tagging: pieces that the windows of a long text share")
    crf: bool = Field(False, description="tagging: whether it is learnt too which tags follow which (Lafferty 2001)")
    crf_rate: float = Field(
        100.0, gt=0, description="tagging: the learning rate of which tags follow which, as a multiple of train.lr"
    )

    @field_validator("text", "label")
    @classmethod
    def _is_a_column(cls, name: str) -> str:
        """Labels are places in the text, so that it stands as it is."""
        if name == worded.ALL or worded.fields(name) is not None:
            raise ValueError("a text whose words are tagged is one column as it stands: give its name")
        return name

    @model_validator(mode="after")
    def _a_rate_has_what_it_is_of(self) -> Self:
        if not self.crf and self.crf_rate != Tagging.model_fields["crf_rate"].default:
            raise ValueError("crf_rate is of what task.crf = true learns; say that too, or leave the rate away")
        return self

    @property
    def main(self) -> str:  # type: ignore[override]
        return "accuracy" if self.kind == "words" else "f1"

    # Rows

    def example(self, cells: Mapping[str, Any]) -> Example:
        try:
            text, words = text_of(cells.get(self.text), cells.get(WORDS) if self.text != WORDS else None)
        except UserError as problem:
            raise UserError(f"the column {self.text!r}: {problem}") from None
        return Example(text, None, words)

    def gather(self, some: Sequence[Example]) -> Examples:
        how: Split = "signs" if self.split == "auto" else self.split
        words = [words_in(each.text, how) if each.words is None else each.words for each in some]
        return Examples([each.text for each in some], None, None, words)

    def texts(self, table: Table) -> tuple[list[str], None]:
        cells = table.column(self.text)
        return [self.example({self.text: cell}).text for cell in cells], None

    def examples(self, table: Table, labels: Labels | None) -> Examples:
        assert labels is not None
        found, names = list(self._rows(table)), labels.names
        written = self.scheme if self.scheme != "auto" else schemes.detect(row.tags for row in found if row.tags)
        places = [(row, partial(table.where, i)) for i, row in enumerate(found)]
        if self._kind(names) == "words":
            gold = [of_words(row, names, where) for row, where in places]
        else:
            gold = [of_spans(row, names, self._scheme(names), written, where) for row, where in places]
        told = said(found, gold, table.where, written, self.scheme != "auto")
        return Examples([row.text for row in found], None, objects(gold), [g.words for g in gold], said=told)

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        """(B,) of `Gold`."""
        found = self.examples(table, labels).targets
        assert found is not None
        return found

    def _rows(self, table: Table) -> Iterator[Labelled]:
        for i, row in enumerate(rows(table, self.text, self.label, None if self.split == "auto" else self.split)):
            if row.tags and self.names is not None:
                row = replace(row, tags=name_ids(row.tags, self.names, lambda word, i=i: table.where(i, word)))
            yield row

    def discover(self, table: Table) -> Labels:
        """The tags that the network learns: of the spans in the training rows, or those of the words as they stand."""
        found = list(self._rows(table))
        tags = Counter(tag for row in found for tag in row.tags or ())
        spans = Counter(span.label for row in found for span in row.spans or ())
        if self.kind != "words" and schemes.are_marks(tags):
            listed = ", ".join(sorted(tags))
            raise UserError(
                f"{table.source}: the tags {listed} seem to mark spans, but none says of what. Write a hyphen and the "
                "label behind each mark (B-disease, I-disease, O); to learn the tags as they stand, --set "
                "task.kind=words."
            )
        if self.kind == "words" or (self.kind == "auto" and tags and not self._write_spans(tags, table)):
            if spans:
                raise UserError(f"{table.source}: some rows have spans, others a tag a word. Write all in one way.")
            return self._words(tags, table)
        labels = {*spans, *(schemes.parted(tag)[1] for tag in tags)} - {""}
        if not labels:
            raise UserError(
                f"{table.source}: none of {counted(len(found), 'row')} has a span in the column {self.label!r}. Check "
                "which column holds the labels; tags of words that are no spans are --set task.kind=words."
            )
        return Labels(schemes.names(labels, self.learnt))

    def _write_spans(self, tags: Counter[str], table: Table) -> bool:
        """Raises UserError where some tags have marks and others have none: the odd ones are slips, most likely."""
        plain = [tag for tag in tags if tag != schemes.OUTSIDE and not schemes.parted(tag)[1]]
        marked = len(tags) - len(plain) - (schemes.OUTSIDE in tags)
        if plain and marked:
            listed = ", ".join(f"{tag!r} ({counted(tags[tag], 'word')})" for tag in plain[:3])
            tagged = ((i, row.tags or []) for i, row in enumerate(self._rows(table)))
            first = next((i, own.index(plain[0])) for i, own in tagged if plain[0] in own)
            raise UserError(
                f"{table.source}: {marked} tags have the mark of a span (B-person) and {len(plain)} have none: "
                f"{listed}, the first at {table.where(*first)}. Mend these, or say what the labels are: "
                "--set task.kind=words."
            )
        return marked > 0

    def _words(self, tags: Counter[str], table: Table) -> Labels:
        if len(tags) < 2:
            told = f"all have the tag {next(iter(tags))!r}" if tags else "there are none"
            raise UserError(f"{table.source}: of {tags.total():,} words {told}; it takes two tags or more.")
        return Labels.of(tags)

    def settled_on(self, labels: Labels | None, table: Table | None = None) -> Self:
        assert labels is not None
        changes: dict[str, Any] = {"kind": self._kind(labels.names)}
        if self.split == "auto" and table is not None:
            apart = (
                row.found == "spaces" and len(words_in(row.text, "signs")) != len(row.words)
                for row in self._rows(table)
            )
            changes["split"] = "spaces" if any(apart) else "signs"
        return self.model_copy(update=changes)

    def _kind(self, names: Sequence[str]) -> Literal["spans", "words"]:
        if self.kind != "auto":
            return self.kind
        return "spans" if schemes.are_spans(names) else "words"

    def strata(self, examples: Examples) -> np.ndarray | None:
        """Which labels, or tags, each text has: a rare one shall not be missing where it is learnt."""
        gold = examples.targets
        assert gold is not None
        if not len(gold):
            return None
        labels = sorted({schemes.parted(name)[1] for name in gold[0].names})
        place = {label: i for i, label in enumerate(labels)}
        out = np.zeros((len(gold), len(labels) if self._kind(gold[0].names) == "spans" else len(gold[0].names)))
        for i, each in enumerate(gold):
            if self._kind(each.names) == "spans":
                out[i, [place[span.label] for span in each.spans]] = 1
            else:
                out[i, each.tags] = 1
        return out[:, out.any(0)] if out.any() else None

    def notes(self, examples: Examples, labels: Labels | None) -> list[str]:
        assert examples.targets is not None
        return [counts(list(examples.targets), self.kind != "words"), *examples.said]

    def marks(self, pieces: Encodings) -> np.ndarray:
        """None: each answer is read from a word of its own, as transformers' Longformer has it."""
        return np.zeros(len(pieces.ids), dtype=bool)

    # The network

    def inputs(self, tokenizer: Tokenizer, examples: Examples, max_length: int, long: Long | None = None) -> Inputs:
        """Windows; `long` has nothing to decide, since nothing is cut."""
        assert examples.words is not None
        ready = [prepared(tokenizer, *each) for each in zip(examples.texts, examples.words, strict=True)]
        whole = tokenizer.encode([text for text, _ in ready], details=True, prepared=True)
        return windowed(whole, [words for _, words in ready], max_length, self.overlap)

    def wanted(self, targets: np.ndarray, inputs: Inputs) -> np.ndarray:
        assert isinstance(inputs, Windowed)
        tags = [gold.tags for gold in targets]
        return blocks(np.concatenate(tags) if tags else np.zeros(0, np.int64), inputs.by_window.counts)

    @property
    def otherwise(self) -> str | None:
        if not self.crf:
            return None
        return "a tag has the score of its word alone; which tags follow each other is learnt beside it"

    def behind(self, labels: Labels | None) -> nn.Module | None:
        return Transitions(self.classes(labels), self.crf_rate) if self.crf else None

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """Of tags word by word; or of the chain of each window's tags, which begins and ends where its text does."""
        if not self.crf:
            return F.cross_entropy(scores.float(), targets, reduction="sum")
        assert given is not None
        assert given.asked is not None
        _, counts = torch.unique_consecutive(given.batch.sequence[given.asked], return_counts=True)
        own, moves = parted(scores.float())
        return surprise(own, moves, targets, counts, given.edges).sum()

    # Answers

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        assert labels is not None
        if self.kind == "words":
            return [[labels[int(tag)] for tag in gold.tags] for gold in targets]
        return [[span._asdict() for span in gold.spans] for gold in targets]

    def blank(self, labels: Labels | None) -> dict[str, Any]:
        return {self.kind: []}

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        """Each span with its characters, its label, and how likely it is that it stands exactly there; or each word
        with its tag and that tag's probability. scores: (B,) of (W, classes), or with moves as `Said.of` takes them."""
        assert labels is not None
        assert examples is not None
        assert examples.words is not None
        scale = Temperature(temperature(calibration))
        return [
            self._answer(Said.of(one, len(words)), scale, labels, text, words)
            for one, text, words in zip(scores, examples.texts, examples.words, strict=True)
        ]

    def _answer(self, said: Said, scale: Temperature, labels: Labels, text: str, words: np.ndarray) -> dict[str, Any]:
        path, chain = self._path(said, labels.names), self._chain(labels.names)
        p = scale(said.scores) if len(words) else said.scores
        learnt = None if said.learnt is None else said.learnt.over(scale.value)
        if self.kind == "words":
            each = p if learnt is None or not len(words) else chain.shares(p, learnt)
            sure = each[np.arange(len(path)), path]
            found = [Span(int(a), int(b), labels[int(tag)]) for (a, b), tag in zip(words, path, strict=True)]
        else:
            inside = schemes.spans([labels[int(tag)] for tag in path])
            found, sure = [characters(words, each) for each in inside], np.array(chain.chances(p, path, inside, learnt))
        told = [
            {**span._asdict(), "text": text[span.start : span.end], "probability": float(chance)}
            for span, chance in zip(found, sure, strict=True)
        ]
        return {self.kind: told}

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        """Of spans f1, precision and recall, f1_macro over their labels, and beside them what others report: f1 of the
        likeliest tag of each word as conlleval reads them (f1_conlleval), and as seqeval's strict mode does, which
        reads the true tags of a file strictly too (f1_strict). Of tags of words accuracy, f1_macro and whole_texts."""
        names = targets[0].names
        if self.kind == "words":
            return measured.words([gold.tags for gold in targets], self.tags(scores, targets), len(names))
        gold, said = [set(each.spans) for each in targets], self.answered(scores, targets)
        labels = sorted({schemes.parted(name)[1] for name in names} - {""})
        found = measured.entities(gold, said)
        found["f1_macro"] = measured.averaged(*measured.by_label(gold, said, labels))
        for name, sides in self.read_otherwise(scores, targets).items():
            found[name] = measured.entities(*sides)["f1"]
        return found

    def read_otherwise(self, scores: np.ndarray, targets: np.ndarray) -> dict[str, tuple[list[set[Span]], ...]]:
        """By the name of a figure of others the true spans and the answers, as they read them: see `measures`."""
        likeliest, true = self._likeliest(scores, targets), [set(each.spans) for each in targets]
        strict, scheme = [set(each.strict) for each in targets], self._scheme(targets[0].names)
        out = {}
        for name, gold, how in (("f1_conlleval", true, None), ("f1_strict", strict, scheme)):
            said = [
                {characters(each.words, inside) for inside in schemes.spans(tags, how)}
                for each, tags in zip(targets, likeliest, strict=True)
            ]
            out[name] = gold, said
        return out

    def _likeliest(self, scores: np.ndarray, targets: np.ndarray) -> list[list[str]]:
        """The tags of each text's words, whether or not they fit each other."""
        names = targets[0].names
        return [[names[int(tag)] for tag in path] for path in self.tags(scores, targets, unbound(names))]

    def suspected(self, scores: np.ndarray, targets: np.ndarray) -> list[str]:
        """Whether the likeliest tags begin spans as IOB1 does, where they are read as IOB2: the marks of both are the
        same, and a model of others does not say which one it learnt."""
        if self.kind == "words" or not len(targets) or self._scheme(targets[0].names) != "IOB2":
            return []
        outer, inner = schemes.begins(self._likeliest(scores, targets))
        if inner <= outer:
            return []
        return [
            f"In the likeliest tags {inner:,} of {outer + inner:,} spans begin with I-, which IOB2 does not have: the "
            "model seems to have learnt IOB1. Read it so: --set task.learnt=IOB1."
        ]

    def answered(self, scores: np.ndarray, targets: np.ndarray) -> list[set[Span]]:
        """The spans of each text."""
        out = []
        for path, gold in zip(self.tags(scores, targets), targets, strict=True):
            inside = schemes.spans([gold.names[int(tag)] for tag in path])
            out.append({characters(gold.words, each) for each in inside})
        return out

    def tags(self, scores: np.ndarray, targets: np.ndarray, chain: Chain | None = None) -> list[np.ndarray]:
        """(W,) the tags of each text's words: those of the best chain. chain: another than that of the labels."""
        said = (Said.of(one, len(gold.words)) for one, gold in zip(scores, targets, strict=True))
        return [self._path(each, gold.names, chain) for each, gold in zip(said, targets, strict=True)]

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration | None:
        """A temperature of the words' tags (Guo et al. 2017); where chains are learnt, of each text's chain of tags."""
        said = [Said.of(one, len(gold.words)) for one, gold in zip(scores, targets, strict=True)]
        values, tags = flat(objects([one.scores for one in said])), np.concatenate([gold.tags for gold in targets])
        if not len(values):
            return None
        learnt = next((one.learnt for one in said if one.learnt is not None), None)
        if learnt is None:
            return Calibration(split, len(targets), temperature=Temperature.fit(values, tags, spread=SPREAD).value)
        whole, chosen = torch.from_numpy(values.astype(np.float64)), torch.from_numpy(tags)
        moves = Moves(*(torch.from_numpy(part.astype(np.float64)) for part in learnt))
        counts = torch.tensor([len(gold.tags) for gold in targets if len(gold.tags)])

        def loss(t: float) -> float:
            return float(surprise(whole / t, Moves(*(part / t for part in moves)), chosen, counts).sum())

        scale = Temperature.smallest(loss, len(tags), spread=SPREAD)
        return Calibration(split, len(targets), temperature=scale.value)

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        told = super().describe(labels)
        del told["problem_type"]  # which Hugging Face has for whole texts
        return told

    def _path(self, said: Said, names: tuple[str, ...], chain: Chain | None = None) -> np.ndarray:
        """(W,) the tags of a text's words: those of the best chain."""
        if not len(said.scores):
            return np.zeros(0, np.int64)
        return (chain or self._chain(names)).best(said.scores, said.learnt)

    def _chain(self, names: tuple[str, ...]) -> Chain:
        """Of spans: of tags that fit each other."""
        return unbound(names) if self._kind(names) == "words" else fitting(names, self._scheme(names))

    def _scheme(self, names: Sequence[str]) -> schemes.Scheme:
        """That of a model's labels; what B- and I- alone cannot tell, `learnt` does."""
        found = schemes.scheme_of(names)
        return "IOB1" if found == "IOB2" and self.learnt == "IOB1" else found
