"""The contract of maskings, for every file of the folder: exact rates, rules, and what must not depend on what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import masks
import numpy as np
import pytest
from scipy import stats

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.pretraining.masking import KEPT, MASKED, RANDOM, Draw, Masked, Masking, Pieces, Vocabulary
from maskwright.pretraining.rates import Rate

ALL = names(Masking)
LEAST = 1e-4  #: the numbers are fixed, so that a test passes always or never
EPOCHS = 60  #: times 16,000 pieces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maskings")


@pytest.fixture(scope="module", params=ALL)
def masking(request: pytest.FixtureRequest, folder: Path) -> Masking:
    return masks.ready(request.param, folder)


@pytest.fixture(scope="module")
def drawn(masking: Masking) -> list[Masked]:
    """About 10^6 pieces."""
    found = [masking.apply(masks.pieces(), masks.vocabulary(), Draw(0, epoch)) for epoch in range(EPOCHS)]
    assert EPOCHS * len(masks.pieces().ids) > 9e5
    return found


def ordinary(pieces: Pieces, vocabulary: Vocabulary) -> np.ndarray:
    """(B,) pieces of each sequence that may be chosen."""
    return np.bincount(pieces.owner[~vocabulary.special[pieces.ids]], minlength=len(pieces))


def units_at_places(masked: Masked) -> np.ndarray:
    """(N,) the first place of each chosen piece's unit, -1 for the others: units without their numbers."""
    out = np.full(len(masked.ids), -1)
    _, first, of = np.unique(masked.units, return_index=True, return_inverse=True)
    out[masked.chosen] = masked.chosen[first][of]
    return out


def test_the_selected_share_is_the_rate(masking: Masking, drawn: list[Masked]) -> None:
    """Within 4 standard errors, of all and of sequences that are shorter than a unit may be."""
    counts = np.array([np.bincount(m.pieces.owner[m.chosen], minlength=len(m.pieces)) for m in drawn])
    room = ordinary(masks.pieces(), masks.vocabulary())
    over = counts - 0.15 * room
    for group in (room >= 0, (room > 0) & (room <= 8), room > 150):
        mean = over[:, group].mean(0)
        error = over[:, group].std(0, ddof=1) / EPOCHS**0.5
        assert abs(mean.sum()) < 4 * (error**2).sum() ** 0.5
    assert not counts[:, room == 0].any()


def test_rules_have_their_shares(masking: Masking, drawn: list[Masked]) -> None:
    """80/10/10, of units where a unit has one rule."""
    counts = np.zeros(3)
    for masked in drawn:
        rules = masked.rules
        if masking.together:
            _, first, of = np.unique(masked.units, return_index=True, return_inverse=True)
            assert (rules[first][of] == rules).all()
            rules = rules[first]
        counts += np.bincount(rules, minlength=3)
    assert counts.sum() > 2e4
    assert stats.chisquare(counts, counts.sum() * np.array([0.8, 0.1, 0.1])).pvalue > LEAST


def test_what_stands_where(drawn: list[Masked]) -> None:
    special = masks.vocabulary().special
    for masked in drawn:
        ids, chosen = masked.pieces.ids, masked.chosen
        assert (np.diff(chosen) > 0).all()
        assert (masked.labels == ids[chosen]).all()
        assert not special[masked.labels].any()
        seen = masked.ids[chosen]
        assert (seen[masked.rules == MASKED] == masks.vocabulary().mask).all()
        assert (seen[masked.rules == KEPT] == masked.labels[masked.rules == KEPT]).all()
        assert not special[seen[masked.rules == RANDOM]].any()
        others = np.ones(len(ids), bool)
        others[chosen] = False
        assert (masked.ids[others] == ids[others]).all()
        assert len(masked.units) == len(masked.rules) == len(chosen)


def test_random_pieces_are_any_ordinary_ones(drawn: list[Masked]) -> None:
    """Each as likely, whatever stood there and wherever."""
    put = np.concatenate([m.ids[m.chosen][m.rules == RANDOM] for m in drawn])
    counts = np.bincount(put, minlength=len(masks.vocabulary().special))[masks.vocabulary().ordinary]
    assert stats.chisquare(counts).pvalue > LEAST


def test_the_batch_does_not_matter(masking: Masking) -> None:
    """Sequences keep their masks in other company, in another order and one by one."""
    pieces, draw = masks.pieces(), Draw(7, 3)
    whole = masking.apply(pieces, masks.vocabulary(), draw)
    ids, units = whole.ids, units_at_places(whole)
    order = np.random.default_rng(0).permutation(len(pieces))
    for rows in ([k] for k in order[:20].tolist()), np.array_split(order, 7), [order]:
        for few in rows:
            part = masks.some(pieces, list(few))
            masked = masking.apply(part, masks.vocabulary(), draw)
            there = units_at_places(masked)
            for k, row in enumerate(few):
                a, b = part.offsets[k], part.offsets[k + 1]
                c, d = pieces.offsets[row], pieces.offsets[row + 1]
                assert (masked.ids[a:b] == ids[c:d]).all()
                assert (np.maximum(there[a:b] - a, -1) == np.maximum(units[c:d] - c, -1)).all()


def test_an_epoch_repeats_its_masks_and_others_differ(masking: Masking) -> None:
    pieces, vocabulary = masks.pieces(), masks.vocabulary()
    one, again, other, seed = (
        masking.apply(pieces, vocabulary, Draw(*key)) for key in [(0, 5), (0, 5), (0, 6), (1, 5)]
    )
    assert (one.ids == again.ids).all()
    assert (one.units == again.units).all()
    for different in (other, seed):
        same = np.intersect1d(one.chosen, different.chosen)
        assert 0.05 < len(same) / len(one.chosen) < 0.35  # about the rate, as of independent choices


def test_static_masks_come_again(masking: Masking) -> None:
    static = masking.model_copy(update={"copies": 3})
    pieces, vocabulary = masks.pieces(), masks.vocabulary()
    found = [static.apply(pieces, vocabulary, Draw(0, epoch)).ids for epoch in range(7)]
    dynamic = [masking.apply(pieces, vocabulary, Draw(0, epoch)).ids for epoch in range(4)]
    for epoch, ids in enumerate(found):
        assert (ids == dynamic[epoch % 3]).all()
    assert (dynamic[3] != dynamic[0]).any()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_budgets_of_nothing_half_and_all(masking: Masking, share: float) -> None:
    pieces, vocabulary = masks.pieces(), masks.vocabulary()
    room = ordinary(pieces, vocabulary)
    counts = []
    for epoch in range(12):
        units = masking.choose(pieces, vocabulary, share * room, Draw(0, epoch))
        assert units.shape == (len(pieces.ids),)
        assert not (units[vocabulary.special[pieces.ids]] >= 0).any()
        counts.append(np.bincount(pieces.owner[units >= 0], minlength=len(pieces)))
    if share != 0.5:
        assert (np.array(counts) == share * room).all()
    error = np.std(counts, axis=0, ddof=1) / len(counts) ** 0.5
    assert abs((np.mean(counts, axis=0) - share * room).sum()) <= 4 * (error**2).sum() ** 0.5


def test_the_rate_follows_the_progress(masking: Masking) -> None:
    changing = masking.model_copy(update={"rate": resolve(Rate, {"name": "linear", "start": 0.4, "end": 0.1})})
    pieces, vocabulary = masks.pieces(), masks.vocabulary()
    room = ordinary(pieces, vocabulary).sum()
    for progress, rate in ((0.0, 0.4), (0.5, 0.25), (1.0, 0.1)):
        found = len(changing.apply(pieces, vocabulary, Draw(0, 0), progress).chosen)
        assert found / room == pytest.approx(rate, abs=0.02)


def test_a_batch_without_pieces_to_choose(masking: Masking) -> None:
    tokenizer, vocabulary = masks.tokenizer(), masks.vocabulary()
    bare = masks.pack([np.array([tokenizer.cls_id, tokenizer.sep_id]), np.array([tokenizer.cls_id])])
    masked = masking.apply(bare, vocabulary, Draw(0, 0))
    assert len(masked.chosen) == len(masked.units) == 0
    assert (masked.ids == bare.ids).all()
    word = masks.pack([np.array([tokenizer.cls_id, vocabulary.ordinary[0], tokenizer.sep_id])], np.array([3]))
    found = [len(masking.apply(word, vocabulary, Draw(0, epoch)).chosen) for epoch in range(400)]
    assert set(found) == {0, 1}
    assert 0.08 < np.mean(found) < 0.22


def test_all_masked_or_none(masking: Masking) -> None:
    pieces, vocabulary = masks.pieces(), masks.vocabulary()
    for masked, random, rule in ((1.0, 0.0, MASKED), (0.0, 1.0, RANDOM), (0.0, 0.0, KEPT)):
        changed = masking.model_copy(update={"masked": masked, "random": random})
        assert set(changed.apply(pieces, vocabulary, Draw(0, 0)).rules.tolist()) == {rule}


def test_written_out_and_read_again(masking: Masking) -> None:
    again = resolve(Masking, dump(masking))
    assert dump(again) == dump(masking)
    prepared = again.prepare(masks.tokenizer())
    one, other = (m.apply(masks.pieces(), masks.vocabulary(), Draw(0, 0)) for m in (masking, prepared))
    assert (one.ids == other.ids).all()


def test_words_are_whole_but_with_tokens(masking: Masking, drawn: list[Masked]) -> None:
    """Of each word all pieces are chosen or none, and in one unit; only `token` chooses pieces."""
    words = masks.pieces().words(masks.vocabulary())
    cut = 0
    for masked in drawn[:10]:
        units = units_at_places(masked)
        inside = words >= 0
        low, high = (np.full(words.max() + 1, start) for start in (2**40, -1))
        np.minimum.at(low, words[inside], units[inside])
        np.maximum.at(high, words[inside], units[inside])
        cut += int((low != high).sum())
    assert cut > 100 if masking.name == "token" else cut == 0


def test_units_are_runs_of_pieces(drawn: list[Masked]) -> None:
    """Pieces of one unit follow one another, in one sequence, with nothing special between."""
    for masked in drawn[:10]:
        for unit in np.split(masked.chosen, np.flatnonzero(np.diff(masked.units)) + 1):
            assert (np.diff(unit) == 1).all()
            assert len(set(masked.pieces.owner[unit].tolist())) == 1
        numbers = masked.units[np.flatnonzero(np.diff(masked.units, prepend=-1))]
        assert len(set(numbers.tolist())) == len(numbers)


def test_tokens_are_equally_likely() -> None:
    masking, vocabulary = find(Masking, "token")(), masks.vocabulary()
    ids = np.concatenate([[masks.tokenizer().cls_id], np.resize(vocabulary.ordinary, 40), [masks.tokenizer().sep_id]])
    pieces = masks.pack([ids] * 5000)
    chosen = masking.apply(pieces, vocabulary, Draw(0, 0)).chosen
    assert stats.chisquare(np.bincount(pieces.positions[chosen], minlength=42)[1:-1]).pvalue > LEAST
    assert set(np.bincount(pieces.owner[chosen]).tolist()) == {6}  # 0.15 times 40


def test_rules_do_not_follow_the_choice() -> None:
    """Of two neighbours that are both chosen the rules are independent, and so are rule and place."""
    masking, vocabulary = find(Masking, "token")(rate=0.5), masks.vocabulary()
    pieces = masks.pack([np.resize(vocabulary.ordinary, 100)] * 2000)
    masked = masking.apply(pieces, vocabulary, Draw(0, 0))
    next_to = np.flatnonzero(np.diff(masked.chosen) == 1)
    table = np.zeros((3, 3))
    np.add.at(table, (masked.rules[next_to], masked.rules[next_to + 1]), 1)
    assert stats.chi2_contingency(table).pvalue > LEAST


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"name": "token", "rate": 1.5}, "start = 1.5"),
        ({"name": "token", "rate": 0}, "start = 0"),
        ({"name": "token", "masked": 0.9, "random": 0.2}, "masked = 0.9 and random = 0.2 come to more than 1"),
        ({"name": "token", "masked": -0.1}, "masked = -0.1"),
        ({"name": "token", "copies": 0}, "copies = 0"),
        ({"name": "span", "p": 1.0}, "p = 1.0"),
        ({"name": "span", "longest": 0}, "longest = 0"),
        ({"name": "n-gram", "longest": 0}, "longest = 0"),
        ({"name": "spans"}, "There is no masking 'spans'. Did you mean 'span'?"),
        ({"name": "token", "rat": 0.2}, "Did you mean 'rate'?"),
        ({"name": "phrase"}, "The setting 'file' is needed"),
        ({"name": "pmi"}, "The setting 'file' is needed"),
    ],
)
def test_mistakes_are_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(Masking, table)
    assert said in str(caught.value)


def test_a_rate_by_number_or_table() -> None:
    kind = find(Masking, "token")
    assert parse(kind, {"rate": 0.3}).rate.at(0.7) == 0.3
    assert parse(kind, {"rate": "cosine"}).rate.at(0.5) == pytest.approx(0.225)
    assert parse(kind, {"rate": {"name": "linear", "start": 0.3, "end": 0.15}}).rate.at(0.5) == pytest.approx(0.225)


def test_words_end_where_the_vocabulary_says() -> None:
    """BERTweet's pieces say that a word goes on; others, that one begins."""
    vocabulary = replace(masks.vocabulary(), starts=np.zeros(8, bool), special=np.arange(8) < 2, ends=np.arange(8) > 4)
    pieces = Pieces(np.array([0, 2, 3, 5, 6, 2, 1, 2, 5, 3, 0]), np.array([0, 7, 11]), np.arange(2))
    assert pieces.words(vocabulary).tolist() == [-1, 0, 0, 0, 1, 2, -1, 3, 3, 4, -1]
