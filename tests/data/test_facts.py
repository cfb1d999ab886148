"""Facts on data: each finding is there with its count, its rows and its severity, and absent where it should be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from maskwright.data import _fragments
from maskwright.data._finding import percent
from maskwright.data.facts import Facts, Finding, Side, examine
from maskwright.data.table import Table
from maskwright.text.tokenizer import Tokenizer

PIECES = [*"[PAD] [UNK] [CLS] [SEP] [MASK]".split(), *"the film was good bad dull a play The Film".split()]


def side(name: str, texts: list[str], targets: Any = None, pairs: list[str] | None = None) -> Side:
    """Rows that stand in `<name>.csv` from line 2 on."""
    table = Table({"text": texts}, f"{name}.csv", list(range(2, len(texts) + 2)))
    return Side(name, table, texts, pairs, None if targets is None else np.array(targets))


def encoded(given: Side, tokenizer: Tokenizer, max_length: int | None = None) -> Side:
    found = tokenizer.encode(given.texts, given.pairs, max_length=max_length)
    return Side(given.name, given.table, given.texts, given.pairs, given.targets, found)


def kinds(facts: Facts) -> dict[str, Finding]:
    """The findings by kind; of several of one kind the first."""
    return {finding.kind: finding for finding in reversed(facts.findings)}


def all_of(facts: Facts, kind: str) -> list[Finding]:
    return [finding for finding in facts.findings if finding.kind == kind]


def filler(count: int, start: int = 0) -> list[str]:
    """Texts that have nothing in common, all of a like length and manner."""
    words = np.random.default_rng(start).integers(10**9, 10**10, size=(count, 4)).tolist()
    letters = str.maketrans("0123456789", "abcdefghij")
    return [" ".join(str(word) for word in row).translate(letters) for row in words]


# Repeats


def test_repeats_within_a_split_are_found_whatever_their_case_spaces_and_normal_form() -> None:
    texts = ["Café au lait", "something else", " cafe\u0301  AU\tlait", "STRASSE", "straße", "café au lait"]
    found = kinds(examine([side("train", texts)]))["duplicates"]
    assert found.sentence == "3 of 6 train rows (50 %) repeat the text of an earlier train row."
    assert (found.severity, found.count) == ("warning", 3)
    assert found.where == (
        "train.csv line 4, as train.csv line 2",
        "train.csv line 6, as train.csv line 5",
        "train.csv line 7, as train.csv line 2",
    )
    assert found.values["lines"] == [4, 6, 7]
    assert found.values["other_lines"] == [2, 5, 2]
    assert found.values["lines_left_out"] == 0


def test_one_repeat_among_many_rows_is_a_fact() -> None:
    texts = filler(200)
    found = kinds(examine([side("train", [*texts, texts[7]])]))["duplicates"]
    assert found.sentence == "1 of 201 train rows (0.5 %) repeats the text of an earlier train row."
    assert (found.severity, found.where) == ("fact", ("train.csv line 202, as train.csv line 9",))


def test_a_leak_from_train_is_an_error_from_one_percent_on_and_a_warning_below() -> None:
    train, held = filler(300), filler(200, start=1)
    few = kinds(examine([side("train", train), side("eval", [*held, train[4]])]))["leak"]
    assert few.sentence == "1 of 201 eval rows (0.5 %) has the text of a train row; figures on eval flatter."
    assert (few.severity, few.where) == ("warning", ("eval.csv line 202, as train.csv line 6",))
    many = kinds(examine([side("train", train), side("eval", [*held, *train[:9]])]))["leak"]
    assert (many.severity, many.count) == ("error", 9)
    assert len(many.where) == 5  # a person is shown the first; a program gets all
    assert many.values["lines"] == list(range(202, 211))
    assert many.values["other_lines"] == list(range(2, 11))


def test_each_two_splits_are_compared() -> None:
    a, b, c = filler(3), filler(3, start=1), filler(3, start=2)
    facts = examine([side("train", [*a, "x y"]), side("eval", [*b, "x y", "u v"]), side("test", [*c, "X Y", "u v"])])
    told = [(f.values["other_split"], f.values["split"], f.count, f.severity) for f in all_of(facts, "leak")]
    assert told == [
        ("train", "eval", 1, "error"), ("train", "test", 1, "error"), ("eval", "test", 2, "warning"),
    ]  # fmt: skip


def test_of_pairs_both_texts_count_in_their_order() -> None:
    given = side("train", ["a b", "A  b", "a b", "c"], pairs=["c", "C", "d", "a b"])
    found = kinds(examine([given]))["duplicates"]
    assert found.values["lines"] == [3]


def test_empty_texts_repeat_nothing_but_are_said_to_hold_no_word() -> None:
    facts = examine([side("train", ["", " ", "…!", "a word"])])
    assert "duplicates" not in kinds(facts)
    bare = kinds(facts)["no word"]
    assert bare.sentence == "3 of 4 train texts hold no word at all."
    assert (bare.severity, bare.where) == (
        "warning", ("train.csv line 2", "train.csv line 3", "train.csv line 4"),
    )  # fmt: skip
    pairs = kinds(examine([side("train", ["a", "b"], pairs=["c", "--"])]))["no word"]
    assert pairs.sentence == "1 of 2 train texts holds no word at all."


def test_clean_rows_give_no_warning() -> None:
    facts = examine([side("train", filler(60), [0, 1] * 30), side("eval", filler(20, start=1), [0, 1] * 10)])
    assert facts.of_severity("error", "warning") == []
    assert facts.notes() == []


def test_near_repeats_beyond_the_limit_are_said_to_be_left_out() -> None:
    rows = [side("train", ["a good film about a man", "a good film about a man!"])]
    assert kinds(examine(rows))["near duplicates"].count == 1
    (told,) = all_of(examine(rows, near=1), "near duplicates")
    assert told.sentence == "Near repeats were not looked for: there are 2 rows, more than 1."


# Contradicting labels


def test_equal_texts_with_other_labels_within_a_split() -> None:
    texts, labels = ["ok", "fine", "OK", "fine", "ok", "sad"], [0, 1, 1, 1, 0, 0]
    found = kinds(examine([side("train", texts, labels)], names=("bad", "good")))["conflicts"]
    assert found.sentence == "1 train text stands in 3 rows with more than one label."
    assert found.where == ("train.csv line 2 says 'bad', train.csv line 4 says 'good'",)
    assert (found.severity, found.count, found.values["lines"]) == ("warning", 3, [2, 4, 6])


def test_equal_texts_with_other_labels_across_splits() -> None:
    train = side("train", ["ok", "fine", "both", "both"], [0, 1, 0, 1])
    held = side("eval", ["OK", "fine", "both"], [1, 1, 0])
    found = all_of(examine([train, held], names=("bad", "good")), "conflicts")
    assert [f.sentence for f in found] == [
        "1 train text stands in 2 rows with more than one label.",
        "1 of 3 eval rows (33 %) has the text of a train row but another label.",
    ]
    assert found[1].where == ("eval.csv line 2 says 'good', train.csv line 2 says 'bad'",)


def test_scores_contradict_each_other_beyond_a_tenth_of_their_range() -> None:
    texts = ["a", "a", "b", "b", "c"]
    found = all_of(examine([side("train", texts, [0.0, 0.4, 1.0, 1.6, 5.0])]), "conflicts")
    assert [f.sentence for f in found] == ["1 train text stands in 2 rows with more than one score."]
    assert found[0].where == ("train.csv line 4 says 1, train.csv line 5 says 1.6",)


def test_rows_with_several_classes_contradict_each_other_unless_all_are_the_same() -> None:
    marks = np.array([[1, 0, 1], [1, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=np.float32)
    found = kinds(examine([side("train", ["a", "a", "b", "B"], marks)], names=("joy", "fear", "love")))
    assert found["conflicts"].where == ("train.csv line 4 says no label, train.csv line 5 says 'joy'",)
    assert found["conflicts"].values["texts"] == 1


def test_targets_that_are_not_one_a_row_are_left_alone() -> None:
    facts = examine([side("train", ["a", "a"], [0, 1, 2]), side("eval", ["b"], [-100])])
    assert not {"conflicts", "classes"} & set(kinds(facts))


# Labels


def test_class_balance_with_rare_and_absent_classes() -> None:
    train = side("train", filler(50), [0] * 30 + [1] * 18 + [2] * 2)
    held = side("eval", filler(10, start=1), [0] * 5 + [1] * 5)
    found = kinds(examine([train, held], names=("a", "b", "c")))
    assert found["classes"].sentence == "50 train rows: 'a' 60 %, 'b' 36 %, 'c' 4.0 %."
    assert found["classes"].values["classes"] == {"a": 30, "b": 18, "c": 2}
    assert found["rare classes"].sentence == "1 class has fewer than 10 training rows: 'c' (2)."
    assert found["absent classes"].sentence == (
        "1 class has training rows but no eval row, so figures do not tell how well they are learnt: 'c' (2)."
    )
    assert found["rare classes"].severity == found["absent classes"].severity == "warning"
    assert "one class" not in found


def test_many_classes_are_told_by_their_extremes() -> None:
    labels = [c for c in range(20) for _ in range(c + 1)]
    found = kinds(examine([side("train", filler(len(labels)), labels)]))
    assert found["classes"].sentence == "210 train rows: 20 classes, from 1 ('0') to 20 ('19')."
    assert found["rare classes"].sentence.endswith("'0' (1), '1' (2), '2' (3), '3' (4), '4' (5) and 4 more.")


def test_a_class_that_nearly_all_rows_have() -> None:
    found = kinds(examine([side("train", filler(100), [0] * 97 + [1] * 3)], names=("no", "yes")))
    assert found["one class"].sentence.startswith("97 % of the train rows are 'no': always to answer that is as acc")
    assert "one class" not in kinds(examine([side("train", filler(100), [0] * 95 + [1] * 5)]))


def test_rows_with_several_classes_are_counted_by_class() -> None:
    marks = np.zeros((20, 2))
    marks[:15, 0] = marks[:4, 1] = 1
    found = kinds(examine([side("train", filler(20), marks)], names=("joy", "fear")))
    assert found["classes"].sentence == "20 train rows: 'joy' 75 %, 'fear' 20 %; 5 rows without any label."
    assert found["rare classes"].values["classes"] == {"fear": 4}


def test_scores_have_a_range_and_those_far_out_are_named() -> None:
    scores = [*np.linspace(1, 5, 40).tolist(), 50.0]
    facts = examine([side("train", filler(41), scores), side("eval", filler(3, start=1), [2.0, 3.0, 77.0])])
    found = kinds(facts)
    assert found["scores"].sentence.startswith("41 train scores from 1 to 50, half of them from ")
    assert found["far scores"].sentence == (
        "1 train score lies far out, more than 3 interquartile ranges beyond the quartiles."
    )
    assert found["far scores"].where == ("train.csv line 42: 50",)
    assert found["scores beyond"].sentence == (
        "1 eval score lies outside of the training scores, which go from 1 to 50."
    )
    assert found["scores beyond"].where == ("eval.csv line 4: 77",)


def test_one_score_for_all_rows_is_an_error() -> None:
    found = kinds(examine([side("train", filler(5), [2.5] * 5)]))["one score"]
    assert (found.severity, found.sentence) == (
        "error", "All 5 train rows have the score 2.5: there is nothing to learn.",
    )  # fmt: skip


# Pieces and case


@pytest.fixture
def uncased() -> Tokenizer:
    return Tokenizer.from_vocabulary(PIECES)


@pytest.fixture
def cased() -> Tokenizer:
    return Tokenizer.from_vocabulary(PIECES, lowercase=False)


def test_lengths_and_what_will_be_cut(uncased: Tokenizer) -> None:
    texts = ["the film"] * 60 + ["the film was good the film was bad"] * 40
    given = encoded(side("train", texts), uncased, max_length=6)
    found = kinds(examine([given], tokenizer=uncased, max_length=6))["lengths"]
    assert found.sentence == (
        "train texts have 4 pieces in the middle, 99 % at most 10, the longest 10; 40 % (40) will be cut at 6."
    )
    assert (found.severity, found.count) == ("warning", 40)
    assert found.where[0] == "train.csv line 62: 10 pieces"
    assert found.values["histogram"] == [
        {"at_most": 4, "texts": 60}, {"at_most": 8, "texts": 0}, {"at_most": 16, "texts": 40},
    ]  # fmt: skip
    assert found.values["pieces_lost"] == 40 * 4
    whole = kinds(examine([encoded(side("train", texts), uncased)], tokenizer=uncased))["lengths"]
    assert (whole.severity, whole.where) == ("fact", ())
    assert whole.sentence.endswith("the longest 10; none will be cut.")


def test_unknown_pieces_with_the_words_behind_them(uncased: Tokenizer) -> None:
    texts = ["the film was 世 good", "the film", "a zyx play was bad", "a 世 zyx 世"]
    found = kinds(examine([encoded(side("train", texts), uncased)], tokenizer=uncased))["unknown pieces"]
    assert found.sentence == (
        "31 % of the train pieces (5, in 3 texts) are unknown to the vocabulary, such as '世', 'zyx'."
    )
    assert (found.severity, found.where[0]) == ("warning", "train.csv line 5")
    clean = kinds(examine([encoded(side("train", ["the film"]), uncased)], tokenizer=uncased))["unknown pieces"]
    assert (clean.severity, clean.sentence) == ("fact", "The vocabulary can write every piece of the train texts.")


def test_unknown_words_of_pairs_come_from_the_right_text(uncased: Tokenizer) -> None:
    given = side("train", ["the film was good"], pairs=["a bad qqq"])
    found = kinds(examine([encoded(given, uncased)], tokenizer=uncased))["unknown pieces"]
    assert found.values["words"] == ["qqq"]


def test_case_matters_to_a_cased_vocabulary_only(uncased: Tokenizer, cased: Tokenizer) -> None:
    mixed, lower, upper = ["The film"] * 9, ["the film"] * 9, ["THE FILM"] * 9

    def case(tokenizer: Tokenizer | None, **texts: list[str]) -> tuple[str, str]:
        sides = [side(name, t) if tokenizer is None else encoded(side(name, t), tokenizer) for name, t in texts.items()]
        found = kinds(examine(sides, tokenizer=tokenizer))["case"]
        return found.severity, found.sentence

    assert case(uncased, train=mixed) == ("fact", "Letters: train mixed case; the vocabulary lower-cases all of it.")
    assert case(uncased, train=upper)[0] == "fact"
    assert case(None, train=upper) == ("fact", "Letters: train all upper case.")
    assert case(cased, train=mixed)[0] == "fact"
    assert case(cased, train=mixed, eval=lower) == (
        "warning",
        "Letters: train mixed case, eval all lower case; the vocabulary tells cases apart and has learnt from mixed "
        "case.",
    )
    assert case(cased, train=upper)[0] == "warning"
    assert "case" not in kinds(examine([side("train", ["我 是", "12 34"])]))


# Strange rows


def test_the_strangest_rows_with_their_reasons() -> None:
    texts = filler(100)
    texts[10], texts[20], texts[30] = "слова на другом языке здесь, у нас", "7.5 % | 1,200 | --- | 33 %", "x" * 40_000
    given = side("train", texts)
    (found,) = all_of(examine([given]), "strange rows")
    assert [line.partition(": ")[0] for line in found.where] == [f"train.csv line {n}" for n in (32, 12, 22)]
    assert found.where[0].endswith(": 40,000 characters, where 43 are usual")
    assert found.where[1].endswith(": 100 % of its letters are not Latin, as most letters are")
    assert found.where[2].endswith("of its characters are neither letters nor spaces")
    assert found.sentence == "The 3 strangest rows, worth a look."
    assert (found.severity, found.count) == ("fact", 3)
    assert len(found.values["rows"][0]["text"]) == 200
    assert [row["score"] for row in found.values["rows"]] == sorted(
        (row["score"] for row in found.values["rows"]), reverse=True
    )


def test_at_most_ten_strange_rows_of_different_texts() -> None:
    texts = [*filler(300), *["!?!?!?"] * 30, *(f"{'.' * n} {n}" for n in range(1, 20))]
    (found,) = all_of(examine([side("train", texts)]), "strange rows")
    assert found.count == len(found.where) == 10
    assert sum("line 302:" in line for line in found.where) <= 1
    assert len({row["text"] for row in found.values["rows"]}) == 10


def test_rows_of_unknown_pieces_are_strange(uncased: Tokenizer) -> None:
    texts = ["the film was good"] * 30 + ["qwe rtz uio pas"]
    found = kinds(examine([encoded(side("train", texts), uncased)], tokenizer=uncased))["strange rows"]
    assert found.where == ("train.csv line 32: 67 % of its pieces are unknown to the vocabulary",)


def test_even_rows_have_no_strange_one() -> None:
    assert "strange rows" not in kinds(examine([side("train", filler(50))]))


# The whole


def test_the_most_serious_comes_first_and_all_goes_to_json() -> None:
    train = side("train", ["ok", "ok", *filler(40)], [0, 1, *[0, 1] * 20])
    facts = examine([train, side("eval", ["ok", *filler(5, start=1)], [0, 1, 0, 1, 0, 1])])
    severities = [finding.severity for finding in facts.findings]
    assert severities == sorted(severities, key=["error", "warning", "fact"].index)
    plain = facts.plain()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["errors"], plain["warnings"]) == (severities.count("error"), severities.count("warning"))
    assert plain["facts"] == severities.count("fact") > 0
    said = facts.sentences()
    assert said[0] == (
        "error: 1 of 6 eval rows (17 %) has the text of a train row; figures on eval flatter.\n"
        "    eval.csv line 2, as train.csv line 2"
    )


def test_notes_are_the_first_warnings_and_a_count_of_the_rest() -> None:
    found = [Finding("lengths", "warning", "Long."), *(Finding("x", "warning", f"Warning {i}.") for i in range(7))]
    facts = Facts.of([Finding("y", "fact", "Fact."), *found, Finding("z", "error", "Error.")])
    assert facts.notes(said=("lengths",)) == [
        "Error.", "Warning 0.", "Warning 1.", "Warning 2.", "Warning 3.",
        "data.json in the folder of the run holds 3 more warnings.",
    ]  # fmt: skip
    assert Facts.of(found[:3]).notes() == ["Long.", "Warning 0.", "Warning 1."]


def test_long_lists_of_lines_say_how_many_are_left_out() -> None:
    found = kinds(examine([side("train", ["same"] * 1500)]))["duplicates"]
    assert found.count == 1499
    assert len(found.values["lines"]) == len(found.values["other_lines"]) == 1000
    assert found.values["lines_left_out"] == 499


@pytest.mark.parametrize(
    ("part", "told"),
    [(0, "0 %"), (1, "under 0.1 %"), (50, "0.5 %"), (1200, "12 %"), (9950, "99.5 %"), (9999, "over 99.9 %"),
     (10_000, "100 %")],
)  # fmt: skip
def test_shares_are_not_rounded_to_nothing_or_to_all(part: int, told: str) -> None:
    assert percent(part, 10_000) == told


def test_pieces_a_word(uncased: Tokenizer) -> None:
    prose = side("train", ["the film was a film", "the play"])
    code = side("test", ["film.play(book)", "film[play] = self.film(play)"])
    found = [f for f in examine([prose, code], tokenizer=uncased).findings if f.kind == "pieces a word"]
    by_split = {one.values["split"]: one for one in found}
    assert by_split["test"].severity == "warning"
    assert "where prose has 1.1 to 1.5: code, tables, formulas, or another language" in by_split["test"].sentence
    assert by_split["train"].values["pieces_between_spaces"] == pytest.approx(1.0)
    told = "train texts have 1.00 pieces a word, as spaces part them; 0 % of the pieces are unknown to the vocabulary."
    assert by_split["train"].sentence == told
    assert examine([prose, code], tokenizer=uncased).notes()[0] == told, "a run says it of what it learns from, always"
    assert _fragments._spaced("\u6f22\u5b57 and \u3042") == 4
    assert "pieces a word" not in kinds(examine([encoded(side("train", ["..."]), uncased)], tokenizer=None))
