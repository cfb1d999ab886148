"""What a tagger must beat: one tag for all words, the commonest tag of each word, and a linear model of words in their
surroundings.

They score tags word by word as a network does, so the same chain makes spans of what they say.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from maskwright.base.ragged import blocks
from maskwright.stats.measures import values
from maskwright.tasks import Examples, Task

FLOOR = 1e-6  #: the chance of a tag that a word never had
NEVER = -50.0  #: the log odds of a tag that no training word has
CELLS = 2**26  #: weights of all tags together, which decides how many features there may be
STRENGTHS = (1e-5, 1e-6)  #: scikit-learn's alpha, the weight of L2; the strongest of equals is taken
LARGE, SMALL = str.maketrans({chr(c): "X" for c in range(65, 91)}), str.maketrans({chr(c): "x" for c in range(97, 123)})

Answered = tuple[np.ndarray, float, dict[str, Any]]  #: scores, the seconds of training, the settings that were chosen


def one_tag(train: Examples, rows: Examples, classes: int) -> Answered:
    """The commonest tag for every word."""
    start = time.perf_counter()
    counts = np.bincount(np.concatenate(_tags(train)), minlength=classes)
    said = int(counts.argmax())
    sizes = [len(words) for words in _forms(rows)]
    scores = np.tile(np.eye(classes, dtype=np.float32)[said], (sum(sizes), 1))
    return blocks(scores, sizes), time.perf_counter() - start, {"tag": said, "tags": int((counts > 0).sum())}


def by_word(train: Examples, rows: Examples, classes: int) -> Answered:
    """The log of how often each word had each tag; a word that was not seen is like those that were seen once."""
    start = time.perf_counter()
    known: dict[str, Counter[int]] = defaultdict(Counter)
    for words, own in zip(_forms(train), _tags(train), strict=True):
        for word, tag in zip(words, own.tolist(), strict=True):
            known[word][tag] += 1
    once = Counter(next(iter(counts)) for counts in known.values() if counts.total() == 1)
    table = {word: _logs(counts, classes) for word, counts in known.items()}
    lower = {word.lower(): scores for word, scores in table.items()}
    strange = _logs(once or Counter(np.concatenate(_tags(train)).tolist()), classes)
    seconds = time.perf_counter() - start
    each = _forms(rows)
    scores = [table.get(word, lower.get(word.lower(), strange)) for words in each for word in words]
    found = np.array(scores, np.float32).reshape(-1, classes)
    return blocks(found, map(len, each)), seconds, {"words": len(known)}


def linear(task: Task, train: Examples, rows: Examples, held: Examples | None, classes: int) -> Answered:
    """Logistic regression on a word, its ends, its shape, and its neighbours."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    start = time.perf_counter()
    size = min(2**20, 2 ** (CELLS // classes).bit_length() // 2)
    hasher = FeatureHasher(max(size, 2**12), input_type="string", alternate_sign=False)

    def told(examples: Examples) -> Any:
        return hasher.transform(clues for words in _forms(examples) for clues in _clues(words))

    def judged(model: Any, asked: Any, examples: Examples) -> float:
        said = blocks(_scores(model, asked, classes), map(len, _forms(examples)))
        assert examples.targets is not None
        return values({"": task.measures(said, examples.targets)[task.main]}, len(examples))[""]

    known, targets = told(train), np.concatenate(_tags(train))
    tried = None if held is None or not len(held) else told(held)
    best: tuple[float, Any, float] | None = None
    for strength in STRENGTHS if tried is not None else STRENGTHS[:1]:
        model = SGDClassifier(loss="log_loss", alpha=strength, max_iter=10, tol=None, random_state=0)
        model.fit(known, targets)
        figure = 0.0 if tried is None or held is None else judged(model, tried, held)
        if best is None or figure > best[0]:
            best = figure, model, strength
    assert best is not None
    seconds = time.perf_counter() - start
    scores = blocks(_scores(best[1], told(rows), classes), map(len, _forms(rows)))
    return scores, seconds, {"alpha": best[2]}


def _forms(examples: Examples) -> list[list[str]]:
    """The words of each text."""
    assert examples.words is not None
    pairs = zip(examples.texts, examples.words, strict=True)
    return [[text[a:b] for a, b in words.tolist()] for text, words in pairs]


def _tags(examples: Examples) -> list[np.ndarray]:
    assert examples.targets is not None
    return [gold.tags for gold in examples.targets]


def _scores(model: Any, asked: Any, classes: int) -> np.ndarray:
    """(R, classes) log odds."""
    found = model.decision_function(asked)
    found = np.stack([-found, found], 1) if found.ndim == 1 else found
    out = np.full((asked.shape[0], classes), NEVER, np.float32)
    out[:, model.classes_] = found
    return out


def _logs(counts: Counter[int], classes: int) -> np.ndarray:
    out = np.full(classes, FLOOR)
    for tag, count in counts.items():
        out[tag] += count
    return np.asarray(np.log(out / out.sum()))


def _clues(words: Sequence[str]) -> Iterator[list[str]]:
    plain = ["", "", *(word.lower() for word in words), "", ""]
    shapes = ["", *(_shape(word) for word in words), ""]
    for i, word in enumerate(words):
        before, own, after = plain[i + 1], plain[i + 2], plain[i + 3]
        ends = [f"e{n}={own[-n:]}" for n in (1, 2, 3, 4)] + [f"b{n}={own[:n]}" for n in (1, 2, 3)]
        around = [f"p={before}", f"n={after}", f"pp={plain[i]}", f"nn={plain[i + 4]}"]
        around += [f"ps={shapes[i]}", f"ns={shapes[i + 2]}", f"pw={before} {own}", f"wn={own} {after}"]
        yield [f"w={own}", f"W={word}", f"s={shapes[i + 1]}", *ends, *around, "1"]


def _shape(word: str) -> str:
    """Letters as X and x, digits as 0, runs of more than three cut: `Obama` is Xxxx."""
    found = "".join("0" if c.isdigit() else c for c in word.translate(LARGE).translate(SMALL))
    out: list[str] = []
    for c in found:
        if out[-3:] != [c] * 3:
            out.append(c)
    return "".join(out)
