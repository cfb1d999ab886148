"""Classes that a model was never trained on, each told in a sentence (Yin et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.stats.calibration import softmax
from maskwright.tasks._checks import listed
from maskwright.tasks._model import Model
from maskwright.tasks._task import Example
from maskwright.tasks.classification import Classification
from maskwright.tasks.entailment import Entailment

TEMPLATE = "This text is about {}."
PAIRS = 2048  #: texts with one of the sentences each, that are computed together


class ZeroShot:
    """Classifies texts by whether the sentence of a class follows from them.

    Of one class a text the probabilities are a softmax over the classes of the scores of "follows"; of several (many)
    each class has its own, "follows" against "is denied" (against all else where the model has no such label).
    """

    def __init__(
        self, model: Model, classes: Sequence[str] | Mapping[str, str], template: str = TEMPLATE, many: bool = False
    ) -> None:
        """model: of entailment, or one that classifies pairs and has a label for it, as those of Hugging Face do;
        classes: names, which are put into the template's {}; or names with a sentence each. Raises UserError for
        another model, for too few classes, and for a template without a place."""
        if not isinstance(model.task, Classification) or model.labels is None:
            raise UserError(
                f"This model was trained for {model.task.name}. Classes are told from sentences by one of entailment: "
                "maskwright finetune --task entailment --train PAIRS."
            )
        task = model.task if isinstance(model.task, Entailment) else Entailment()
        self.model, self.many = replace(model, task=task), many
        self.follows, self.denies = task.places(model.labels)
        self.sentences = sentences(classes, template)
        least = 1 if many else 2
        if len(self.sentences) < least:
            raise UserError(f"{len(self.sentences)} classes were given; it takes {least} or more.")

    def predict(self, texts: Sequence[str] | str) -> list[dict[str, Any]]:
        """One answer for each text: its class and the probabilities; of many its classes, those above one half."""
        return list(self.stream(listed(texts, "texts")))

    def stream(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The answers of `predict` as a generator, in constant memory."""
        rest = iter(texts)
        while some := list(islice(rest, max(1, PAIRS // len(self.sentences)))):
            for row in self._probabilities(some):
                p = dict(zip(self.sentences, map(float, row), strict=True))
                if self.many:
                    yield {"labels": [name for name, chance in p.items() if chance > 0.5], "probabilities": p}
                else:
                    best = max(p, key=lambda name: p[name])
                    yield {"label": best, "probability": p[best], "probabilities": p}

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """(B, classes, labels of entailment): what the model says of each text with each sentence."""
        pairs = [Example(text, sentence) for text in texts for sentence in self.sentences.values()]
        found = self.model.scores(self.model.inputs(self.model.task.gather(pairs)))
        return found.reshape(len(texts), len(self.sentences), -1)

    def _probabilities(self, texts: Sequence[str]) -> np.ndarray:
        scores = self.scores(texts).astype(np.float64)
        if not self.many:
            return np.asarray(softmax(scores[..., self.follows]))
        if self.denies is None:
            return np.asarray(softmax(scores)[..., self.follows])
        return np.asarray(softmax(scores[..., [self.denies, self.follows]])[..., 1])


def sentences(classes: Sequence[str] | Mapping[str, str], template: str) -> dict[str, str]:
    """The sentence of each class. Raises UserError for a template without a place for the name, and a name that comes
    twice."""
    if isinstance(classes, Mapping):
        return dict(classes)
    if template.count("{}") != 1:
        raise UserError(f"The template {template!r} has {template.count('{}')} places for a class; write {{}} once.")
    names = [name.strip() for name in classes]
    again = next((name for i, name in enumerate(names) if name in names[:i] or not name), None)
    if again is not None:
        raise UserError(f"The class {again!r} is empty or comes twice; give each once.")
    return {name: template.replace("{}", name) for name in names}
