"""What any run must beat: the commonest class, and TF-IDF with logistic regression.

A fine-tuned encoder that does no better than counting words has learnt nothing that its cost would pay for, so both
stand beside every classifier's figures.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from maskwright.base.errors import UserError
from maskwright.stats import metrics

Text = str | tuple[str, str]

BETWEEN = " [SEP] "  # joins the two texts of a pair; its own word, so that no bigram runs over the border unseen
TOKEN = r"\w+|[^\w\s]"  # words and signs: in short texts, code and other scripts signs tell much
STRENGTHS = (1.0, 10.0, 100.0)  # scikit-learn's C, the inverse of the weight of L2
LARGE = 1000  # training texts from which on a term must stand in two of them: a third of the terms, the same accuracy


@dataclass(frozen=True)
class Baseline:
    """A system that is cheap to train, and what it says of the texts that it was asked about."""

    name: str
    predictions: list[str]
    seconds: float  # of training, the choice of settings included
    settings: Mapping[str, Any]

    def metrics(self, labels: Sequence[str]) -> dict[str, float]:
        """accuracy and f1_macro against the true labels, as `stats.metrics` defines them."""
        return {
            "accuracy": metrics.accuracy(labels, self.predictions),
            "f1_macro": metrics.f1(labels, self.predictions),
        }


def baselines(
    train_texts: Sequence[Text],
    train_labels: Sequence[str],
    texts: Sequence[Text],
    *,
    eval_texts: Sequence[Text] = (),
    eval_labels: Sequence[str] = (),
) -> list[Baseline]:
    """Train both baselines and let them predict `texts`; a text may be a pair.

    The strength of regularisation is the one with the best accuracy on the eval rows (the strongest of equals), and
    C = 1 without such rows; `texts` choose nothing. Raises UserError for training rows of one class or without a word.
    """
    _check(train_texts, train_labels)
    return [
        _majority(train_labels, len(texts)),
        _tfidf([_joined(t) for t in train_texts], train_labels, [_joined(t) for t in texts], eval_texts, eval_labels),
    ]


def _check(texts: Sequence[Text], labels: Sequence[str]) -> None:
    if len(texts) != len(labels):
        raise UserError(f"There are {len(texts):,} training texts and {len(labels):,} labels; give one label a text.")
    if len(set(labels)) < 2:
        found = f"are all {labels[0]!r}" if labels else "are none"
        raise UserError(f"A baseline needs at least two classes; the labels of the training rows {found}.")
    if not any(part.strip() for text in texts for part in ((text,) if isinstance(text, str) else text)):
        raise UserError("The training texts are all empty; check which column holds the text.")


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else BETWEEN.join(text)


def _majority(labels: Sequence[str], rows: int) -> Baseline:
    start = time.perf_counter()
    counts = Counter(labels)
    commonest = min(counts, key=lambda label: (-counts[label], label))
    return Baseline("majority class", [commonest] * rows, time.perf_counter() - start, {"class": commonest})


def _tfidf(
    train: list[str], labels: Sequence[str], texts: list[str], eval_texts: Sequence[Text], eval_labels: Sequence[str]
) -> Baseline:
    """Terms of one and two words, 1 + log(count) times inverse document frequency, rows of unit length."""
    start = time.perf_counter()
    rare = 2 if len(train) >= LARGE else 1
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN, min_df=rare)
    rows = vectorizer.fit_transform(train)
    held = vectorizer.transform([_joined(t) for t in eval_texts]) if len(eval_texts) else None
    best, model = -1.0, None
    for strength in STRENGTHS if held is not None else STRENGTHS[:1]:
        tried = LogisticRegression(C=strength, max_iter=1000).fit(rows, labels)
        score = 0.0 if held is None else metrics.accuracy(eval_labels, tried.predict(held))
        if score > best:
            best, model = score, tried
    assert model is not None
    seconds = time.perf_counter() - start
    predictions = [str(label) for label in model.predict(vectorizer.transform(texts))] if texts else []
    settings = {"C": model.C, "terms": len(vectorizer.vocabulary_), "min_df": rare}
    return Baseline("TF-IDF + logistic regression", predictions, seconds, settings)
