"""What any run must beat: an answer that is always the same, and a linear model of counted words (TF-IDF), or of words
in their surroundings where words are what is judged.

A fine-tuned encoder that does no better than counting words has learnt nothing that its cost would pay for, so both
stand beside every model's figures. A task says what its answers are (`Task.answers`); what there is for each kind of
answer stands in `KINDS`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.ragged import blocks, objects
from maskwright.data.labels import Labels
from maskwright.evaluation import _word_baselines
from maskwright.stats.measures import values
from maskwright.tasks import Examples, Task
from maskwright.tasks._calibration import Calibration
from maskwright.tasks.answer import NULL, Answer

BETWEEN = " [SEP] "  # joins the two texts of a pair; its own word, so that no bigram runs over the border unseen
TOKEN = r"\w+|[^\w\s]"  # words and signs: in short texts, code and other scripts signs tell much
STRENGTHS = (1.0, 10.0, 100.0)  # scikit-learn's C, the inverse of the weight of L2
LARGE = 1000  # training texts from which on a term must stand in two of them: a third of the terms, the same accuracy
SURE = 20.0  #: log odds of a label that is always, or never, answered


@dataclass(frozen=True)
class Baseline:
    """A system that is cheap to train, and what it says of the rows that it was asked about."""

    name: str
    scores: np.ndarray  #: (rows, classes), as a model of the same task gives them
    seconds: float  #: of training, the choice of settings included
    settings: Mapping[str, Any]
    calibration: Calibration | None = None  #: fitted on the eval rows, as a model's is


Fitted = Callable[[Any], np.ndarray]  #: rows of terms -> scores


@dataclass(frozen=True)
class Kind:
    """The two systems for one kind of answer. Targets are (rows,) or (rows, classes), scores (rows, classes)."""

    constant: str
    always: Callable[[np.ndarray, int], np.ndarray]  #: targets, classes -> the scores (classes,) of every row
    linear: str
    fit: Callable[[Any, np.ndarray, int, float], Fitted]  #: rows of terms, targets, classes, C -> predictor


def baselines(
    task: Task, labels: Labels | None, train: Examples, rows: Examples, held: Examples | None = None
) -> list[Baseline]:
    """Train both baselines of the task on `train` and let them answer `rows`; none for a task without a kind of answer.

    The strength of regularisation is the one with the best main metric on the rows of `held` (the strongest of equals),
    which fit thresholds as well; it is C = 1 without such rows. `rows` choose nothing. Raises UserError for training
    rows without a word.
    """
    if task.answers is None:
        return []
    classes = task.width(labels)
    assert train.targets is not None
    if task.answers == "tags":
        return _of_words(task, labels, train, rows, held)
    if task.answers == "span":
        return _of_none(task, rows)
    if task.answers == "choice":
        return _of_choices(train, rows)
    kind = KINDS[task.answers]
    texts = _texts(train)
    if not any(text.replace(BETWEEN, "").strip() for text in texts):
        raise UserError("The training texts are all empty; check which column holds the text.")
    return [
        _constant(kind, train.targets, classes, labels, len(rows)),
        _linear(kind, task, classes, (texts, train.targets), rows, held),
    ]


def _of_words(
    task: Task, labels: Labels | None, train: Examples, rows: Examples, held: Examples | None
) -> list[Baseline]:
    assert labels is not None
    classes = len(labels)
    always, took, said = _word_baselines.one_tag(train, rows, classes)
    out = [
        Baseline("commonest tag", always, took, {"answer": labels[said["tag"]]}),
        Baseline("commonest tag of each word", *_word_baselines.by_word(train, rows, classes)),
    ]
    if said["tags"] > 1:  # of one tag nothing can be learnt
        found = _word_baselines.linear(task, train, rows, held, classes)
        out.append(Baseline("word features + logistic regression", *found))
    return out


def _of_none(task: Task, rows: Examples) -> list[Baseline]:
    """No answer to any question, where a question may have none: half of SQuAD 2.0 is right so."""
    assert isinstance(task, Answer)
    never = objects([np.array([[NULL, NULL, 0.0]])] * len(rows))
    return [Baseline("no answer to any", never, 0.0, {})] if task.none == "yes" else []


def _of_choices(train: Examples, rows: Examples) -> list[Baseline]:
    """The place that is right most often, and what the words of a choice alone tell, without its question: wrong
    choices that were made up give themselves away (Gururangan et al. 2018)."""
    assert train.targets is not None
    assert train.choices is not None
    assert rows.choices is not None
    start = time.perf_counter()
    place = int(np.bincount([one.right for one in train.targets]).argmax())
    always = objects([1.0 * (np.arange(len(own)) == place) for own in rows.choices])
    out = [Baseline("commonest place", always, time.perf_counter() - start, {"answer": place + 1})]
    texts = [choice for own in train.choices for choice in own]
    marks = np.concatenate([np.arange(len(one.choices)) == one.right for one in train.targets])
    start = time.perf_counter()
    words, terms = _vectorizer(texts)
    fitted = _class_model(terms, marks.astype(np.int64), 2, STRENGTHS[0])
    seconds = time.perf_counter() - start
    said = fitted(words.transform([choice for own in rows.choices for choice in own]))
    scores = blocks(said[:, 1] - said[:, 0], map(len, rows.choices))
    settings = {"C": STRENGTHS[0], "terms": len(words.vocabulary_)}
    return [*out, Baseline("TF-IDF of the choices + logistic regression", scores, seconds, settings)]


def _constant(kind: Kind, targets: np.ndarray, classes: int, labels: Labels | None, rows: int) -> Baseline:
    start = time.perf_counter()
    always = kind.always(targets, classes)
    said: Any = float(always[0]) if labels is None else ", ".join(labels[i] for i in np.flatnonzero(always > 0))
    return Baseline(kind.constant, np.tile(always, (rows, 1)), time.perf_counter() - start, {"answer": said})


def _linear(
    kind: Kind,
    task: Task,
    classes: int,
    train: tuple[list[str], np.ndarray],
    rows: Examples,
    held: Examples | None,
) -> Baseline:
    start = time.perf_counter()
    words, counted = _vectorizer(train[0])
    tried = None if held is None or not len(held) else words.transform(_texts(held))
    best, chosen = -math.inf, None
    for strength in STRENGTHS if tried is not None else STRENGTHS[:1]:
        fitted, calibration, figure = kind.fit(counted, train[1], classes, strength), None, 0.0
        if tried is not None and held is not None:
            calibration, figure = _judged(task, fitted(tried), held)
        if chosen is None or figure > best:
            best, chosen = figure, (fitted, calibration, strength)
    assert chosen is not None
    fitted, calibration, strength = chosen
    seconds = time.perf_counter() - start
    scores = fitted(words.transform(_texts(rows))) if len(rows) else np.zeros((0, classes))
    settings = {"C": strength, "terms": len(words.vocabulary_), "min_df": words.min_df}
    return Baseline(kind.linear, scores, seconds, settings, calibration)


def _judged(task: Task, scores: np.ndarray, held: Examples) -> tuple[Calibration | None, float]:
    """The calibration that fits the eval rows, and the task's main metric with it; -inf where that is undefined."""
    assert held.targets is not None
    calibration = task.calibrate(scores, held.targets, "eval")
    main = values({"": task.measures(scores, held.targets, calibration)[task.main]}, len(held))[""]
    return calibration, main if math.isfinite(main) else -math.inf


def _texts(examples: Examples) -> list[str]:
    if examples.pairs is None:
        return examples.texts
    return [BETWEEN.join(pair) for pair in zip(examples.texts, examples.pairs, strict=True)]


def _vectorizer(texts: list[str]) -> tuple[Any, Any]:
    """Terms of one and two words, 1 + log(count) times inverse document frequency, rows of unit length."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    def fitted(rare: int) -> tuple[Any, Any]:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN, min_df=rare)
        return words, words.fit_transform(texts)

    try:
        return fitted(2 if len(texts) >= LARGE else 1)
    except ValueError:  # no term stands in two texts
        return fitted(1)


def _commonest_class(targets: np.ndarray, classes: int) -> np.ndarray:
    """Log odds of the commonest class, of equals the first."""
    return SURE * np.eye(classes)[np.bincount(targets, minlength=classes).argmax()]


def _class_model(rows: Any, targets: np.ndarray, classes: int, strength: float) -> Fitted:
    """The log probabilities of multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=1000).fit(rows, targets)

    def scores(asked: Any) -> np.ndarray:
        out = np.zeros((asked.shape[0], classes))
        out[:, model.classes_] = model.predict_proba(asked)
        return np.log(np.maximum(out, np.finfo(np.float64).tiny))

    return scores


def _commonest_labels(targets: np.ndarray, classes: int) -> np.ndarray:
    """Log odds that say yes to the labels of at least half of the rows, or else to the commonest one, of equals the
    first."""
    share = targets.mean(axis=0)
    said = share >= 0.5
    if not said.any():
        said[share.argmax()] = True
    return np.where(said, SURE, -SURE)


def _labels_model(rows: Any, targets: np.ndarray, classes: int, strength: float) -> Fitted:
    """The log odds of one logistic regression a label; a label that all rows or none have is always answered so."""
    from sklearn.linear_model import LogisticRegression

    def one(marks: np.ndarray) -> Any:
        if marks.all() or not marks.any():
            return SURE if marks.all() else -SURE
        # liblinear: half the time of lbfgs on 43,410 texts of GoEmotions, and the better F1 (it shrinks the intercept)
        return LogisticRegression(C=strength, solver="liblinear", random_state=0).fit(rows, marks)

    models = [one(targets[:, i] > 0) for i in range(classes)]

    def scores(asked: Any) -> np.ndarray:
        out = np.empty((asked.shape[0], classes), np.float32)
        for i, model in enumerate(models):
            out[:, i] = model if isinstance(model, float) else model.decision_function(asked)
        return out

    return scores


def _mean(targets: np.ndarray, classes: int) -> np.ndarray:
    return np.array([targets.mean(dtype=np.float64)])


def _number_model(rows: Any, targets: np.ndarray, classes: int, strength: float) -> Fitted:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1 / strength).fit(rows, targets.astype(np.float64))
    return lambda asked: model.predict(asked)[:, None]


KINDS = {
    "class": Kind("majority class", _commonest_class, "TF-IDF + logistic regression", _class_model),
    "labels": Kind("commonest labels", _commonest_labels, "TF-IDF + logistic regression", _labels_model),
    "number": Kind("mean of the training rows", _mean, "TF-IDF + ridge regression", _number_model),
}
