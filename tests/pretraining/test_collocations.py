"""Collocations: counts and scores against a toy corpus by hand and against all segmentations by brute force."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import log, prod
from pathlib import Path

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.pretraining.collocations import SHARES, Collocations, collocations, count
from maskwright.pretraining.masking import Vocabulary

#: 0 is special; 1 to 20 begin a word, 21 to 25 go on with one
VOCABULARY = Vocabulary(0, np.arange(26) == 0, np.arange(26) <= 20)
Documents = list[list[int]]


def block(documents: Documents) -> tuple[np.ndarray, np.ndarray]:
    flat = np.array([i for document in documents for i in document], np.int32)
    return flat, np.cumsum([0, *map(len, documents)])


def found(made: Collocations) -> dict[tuple[int, ...], tuple[int, float]]:
    bounds = zip(made.offsets[:-1], made.offsets[1:], strict=True)
    runs = [tuple(made.ids[a:b].tolist()) for a, b in bounds]
    assert len(set(runs)) == len(runs)
    return dict(zip(runs, zip(made.counts.tolist(), made.scores.tolist(), strict=True), strict=True))


def brute(documents: Documents, least: int, longest: int = 5) -> dict[tuple[int, ...], tuple[int, float]]:
    """Count, and PMI_n over all segmentations, of each run of 2 to `longest` words, written as its pieces."""
    counts: dict[int, Counter[tuple[tuple[int, ...], ...]]] = {n: Counter() for n in range(1, longest + 1)}
    for document in documents:
        stretches: list[list[tuple[int, ...]]] = [[]]
        for i in document:
            if i == 0:
                stretches.append([])
            elif i <= 20 or not stretches[-1]:
                stretches[-1].append((i,))
            else:
                stretches[-1][-1] += (i,)
        for words in stretches:
            for n in counts:
                counts[n].update(tuple(words[k : k + n]) for k in range(len(words) - n + 1))
    total = {n: sum(counts[n].values()) for n in counts}

    def share(run: tuple[tuple[int, ...], ...]) -> float:
        return counts[len(run)][run] / total[len(run)]

    out = {}
    for n in range(2, longest + 1):
        for run, times in counts[n].items():
            cuts = [c for k in range(1, n) for c in combinations(range(1, n), k)]
            parts = [[run[a:b] for a, b in zip((0, *c), (*c, n), strict=True)] for c in cuts]
            score = min(log(share(run) / prod(map(share, each))) for each in parts)
            if times >= least and score > 1e-12:
                out[tuple(i for word in run for i in word)] = (times, score)
    return out


def words_in(run: tuple[int, ...]) -> int:
    return 1 + sum(i <= 20 for i in run[1:])


def drawn(seed: int = 0, documents: int = 60) -> Documents:
    """Random words, some of two pieces, with special pieces and planted runs."""
    source = np.random.default_rng(seed)
    planted = [[1, 2], [3, 21, 4, 5], [6, 7, 8, 9], [10, 11, 12, 13, 14]]
    out = []
    for _ in range(documents):
        document: list[int] = []
        for _ in range(int(source.integers(0, 40))):
            if source.random() < 0.3:
                document += planted[source.integers(len(planted))]
            else:
                document += [0] if source.random() < 0.05 else [int(source.integers(1, 26))]
        out.append(document)
    return out


def same(one: dict[tuple[int, ...], tuple[int, float]], other: dict[tuple[int, ...], tuple[int, float]]) -> None:
    assert one.keys() == other.keys()
    for run, (times, score) in one.items():
        assert other[run] == (times, pytest.approx(score))


def test_a_toy_corpus_by_hand() -> None:
    """a b a b a c: of words a 3, b 2, c 1 of 6; of pairs ab 2, ba 2, ac 1 of 5; of triples aba 2, bab 1, bac 1 of 4.

    PMI(ab) = log 0.4 / (1/2 1/3). PMI(aba) = min over a|b|a: 1/12, ab|a: 1/5, a|ba: 1/5 of log 0.5 / these.
    """
    made = collocations([block([[1, 2, 1, 2, 1, 3]])], VOCABULARY, "mine", least=2)
    same(found(made), {(1, 2): (2, log(2.4)), (2, 1): (2, log(2.4)), (1, 2, 1): (2, log(2.5))})
    assert made.fingerprint == "mine"


def test_the_minimum_keeps_the_spurious_out() -> None:
    """1 2 always stand together and are rare, 3 is frequent: cut into words "1 2 3" looks like a collocation."""
    documents = [[1, 2, 3] if k % 2 else [1, 2, 4, 3] for k in range(20)] + [[3, 4] * 6, [4, 3] * 6] * 20
    scores = found(collocations([block(documents)], VOCABULARY, "", least=2))
    assert scores[1, 2][1] > 2.5
    assert scores[1, 2, 3][1] < 1
    words = sum(map(len, documents))
    triples = sum(max(0, len(d) - 2) for d in documents)
    by_words = log(10 / triples) - sum(log(sum(d.count(w) for d in documents) / words) for w in (1, 2, 3))
    assert by_words > 2.5


def test_cut_at_every_word() -> None:
    """Where pairs come less often than by chance, the segmentation into words explains most: 1|2|3 has 1/3 cubed."""
    documents = [[1, 2, 3]] * 6 + [[k] * 24 for k in (1, 2, 3)]
    made = found(collocations([block(documents)], VOCABULARY, "", least=2))
    same(made, brute(documents, 2))
    assert made[1, 2, 3] == (6, pytest.approx(log(6 / 72 * 27)))
    assert (1, 2) not in made


@pytest.mark.parametrize("seed", range(3))
def test_against_all_segmentations(seed: int) -> None:
    documents = drawn(seed)
    want = brute(documents, 4)
    assert {len(run) for run in want} >= {2, 3, 4, 5}
    same(found(collocations([block(documents)], VOCABULARY, "", least=4)), want)


@pytest.mark.parametrize("limit", [3, 50, 2**20])
def test_blocks_and_memory_change_nothing(limit: int) -> None:
    documents = drawn()
    blocks = [block(documents[k : k + 7]) for k in range(0, len(documents), 7)] + [block([]), block([[], [0]])]
    many = collocations(blocks, VOCABULARY, "", least=4, limit=limit)
    one = collocations([block(documents)], VOCABULARY, "", least=4)
    assert (many.ids == one.ids).all()
    assert (many.counts == one.counts).all()
    assert many.scores == pytest.approx(one.scores)


def test_no_more_than_the_limit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus whose different runs are many times the limit is counted exactly, with small tables."""
    import maskwright.pretraining.collocations as module

    sizes = []
    merged = module._merged

    def watched(tables: list[np.ndarray]) -> np.ndarray:
        sizes.append(sum(table.shape[1] for table in tables))
        return merged(tables)

    source = np.random.default_rng(0)
    blocks = [block([source.integers(1, 21, 200).tolist()]) for _ in range(50)]
    whole = count(blocks, VOCABULARY, 3, 2, 2**20)
    monkeypatch.setattr(module, "_merged", watched)
    small = count(blocks, VOCABULARY, 3, 2, 400)
    assert len(whole[3][0]) > 1000
    for n, (numbers, times, total) in whole.items():
        assert (small[n][0] == numbers).all()
        assert (small[n][1] == times).all()
        assert small[n][2] == total
    assert max(sizes) <= 2 * 400 + 2 * 200  # a full table, as many that wait, and a block


def test_the_list_has_its_size_and_shares() -> None:
    documents = drawn()
    every = found(collocations([block(documents)], VOCABULARY, "", least=2))
    made = collocations([block(documents)], VOCABULARY, "", least=2, size=24)
    lengths = Counter(words_in(run) for run in found(made))
    assert lengths == {n: int(24 * share) for n, share in SHARES.items()}
    for n in SHARES:
        of_length = sorted((score for run, (_, score) in every.items() if words_in(run) == n), reverse=True)
        kept = [score for run, (_, score) in found(made).items() if words_in(run) == n]
        assert kept == pytest.approx(of_length[: len(kept)])
    pairs = collocations([block(documents)], VOCABULARY, "", least=2, shares={2: 1.0})
    assert {words_in(run) for run in found(pairs)} == {2}


def test_saved_and_loaded(tmp_path: Path) -> None:
    made = collocations([block(drawn())], VOCABULARY, "abc", least=4)
    made.save(tmp_path / "some.npz")
    again = Collocations.load(tmp_path / "some.npz")
    assert again.fingerprint == "abc"
    same(found(again), found(made))


def test_another_file_is_no_list(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.arange(9))
    with pytest.raises(UserError, match="does not hold collocations"):
        Collocations.load(tmp_path / "ids.npy")


def test_mistakes() -> None:
    for documents in ([], [[]], [[1, 2, 3]], [[0, 0]]):
        with pytest.raises(UserError, match="No run of 2 to 5 words comes 11 times"):
            collocations([block(documents)], VOCABULARY, "")
    with pytest.raises(AssertionError, match="several times"):
        collocations(iter([block([[1]])]), VOCABULARY, "")
