"""Classes that a model was never trained on, each told in a sentence (Yin et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.tasks._checks import listed
from maskwright.tasks._model import Model
from maskwright.tasks._told import AnyOf, OneOf
from maskwright.tasks.classification import Classification
from maskwright.tasks.entailment import Entailment
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.ordinal import Ordinal

TEMPLATE = "This text is about {}."


class ZeroShot:
    """Classifies texts by whether the sentence of a class follows from them.

    Of one class a text the probabilities are a softmax over the classes of the scores of "follows"; of several (many)
    each class has its own, "follows" against "is denied" (against all else where the model has no such label).

    `model` is a `Model` of these classes, which files are answered with and judged by as with any other.
    """

    def __init__(
        self,
        model: Model,
        classes: Sequence[str] | Mapping[str, str],
        template: str = TEMPLATE,
        many: bool = False,
        *,
        entails: str | None = None,
        denies: str | None = None,
    ) -> None:
        """model: of entailment, or one that classifies pairs and has a label for it, as those of Hugging Face do;
        classes: names, which are put into the template's {}; or names with a sentence each; entails, denies: the labels
        that say that a sentence follows and that it does not, where their names do not tell. Raises UserError for
        another model, for too few classes, and for a template without a place."""
        if not isinstance(model.task, Classification) or isinstance(model.task, Ordinal) or model.labels is None:
            raise UserError(
                f"This model was trained for {model.task.name}. Classes are told from sentences by one of entailment: "
                "maskwright finetune --task entailment --train PAIRS."
            )
        if "versions" in model.provenance and not model.task.pair:  # a folder of Hugging Face does not tell
            raise UserError(
                "This model was trained on single texts, so it cannot say whether a sentence follows from another. "
                "Take one of entailment: maskwright finetune --task entailment --train PAIRS."
            )
        if isinstance(model.long, Chunks):
            raise UserError(
                f"This model reads the second text of a pair in chunks (long = {model.long.name}), which here is the "
                "sentence of a class. Take one that was trained with --long head, tail, head-tail or native."
            )
        self.many, self.sentences = many, sentences(classes, template)
        least = 1 if many else 2
        if len(self.sentences) < least:
            raise UserError(f"{len(self.sentences)} classes were given; it takes {least} or more.")
        follows, denied = _task(model, entails, denies).places(model.labels)
        kind = AnyOf if many else OneOf
        told = kind(sentences=tuple(self.sentences.values()), follows=follows, denies=denied)
        self.model = replace(model, task=told, labels=Labels(tuple(self.sentences)), calibration=None)

    def predict(self, texts: Sequence[str] | str) -> list[dict[str, Any]]:
        """One answer for each text: its class and the probabilities; of many its classes, those of one half or more.
        One that was cut has `pieces_cut`."""
        return list(self.stream(listed(texts, "texts")))

    def stream(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The answers of `predict` as a generator, in constant memory."""
        return self.model.stream(texts)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """(B, classes, labels of entailment): what the model says of each text with each sentence."""
        examples = self.model.task.gather([self.model.task.example({"text": text}) for text in texts])
        return np.stack(list(self.model.outputs(self.model.inputs(examples))))


def _task(model: Model, entails: str | None, denies: str | None) -> Entailment:
    task = model.task if isinstance(model.task, Entailment) else Entailment()
    given = {"entails": entails, "denies": denies}
    return task.model_copy(update={name: label for name, label in given.items() if label is not None})


def sentences(classes: Sequence[str] | Mapping[str, str], template: str) -> dict[str, str]:
    """The sentence of each class. Raises UserError for a template without a place for the name, for a name that comes
    twice, and for a name or a sentence that is empty."""
    if isinstance(classes, Mapping):
        if template != TEMPLATE:
            raise UserError("A template makes sentences of names, but each class has its own here. Leave it away.")
        empty = next((name for name, sentence in classes.items() if not (name.strip() and sentence.strip())), None)
        if empty is not None:
            raise UserError(f"The class {empty!r} has no name or no sentence; give both.")
        return dict(classes)
    if template.count("{}") != 1:
        raise UserError(f"The template {template!r} has {template.count('{}')} places for a class; write {{}} once.")
    names = [name.strip() for name in classes]
    again = next((name for i, name in enumerate(names) if name in names[:i] or not name), None)
    if again is not None:
        raise UserError(f"The class {again!r} is empty or comes twice; give each once.")
    return {name: template.replace("{}", name) for name in names}
