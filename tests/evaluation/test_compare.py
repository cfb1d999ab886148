"""Two systems on the same rows: the verdict, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.evaluation.compare import compare

RANDOM = np.random.default_rng(0)
TRUE = [str(i) for i in RANDOM.integers(0, 3, 400)]


def wrong(share: float, seed: int) -> list[str]:
    """The true labels with a share of them moved on by one."""
    random = np.random.default_rng(seed)
    return [str((int(t) + 1) % 3) if random.random() < share else t for t in TRUE]


def test_a_clear_difference_is_said_with_its_interval() -> None:
    found = compare({"prediction": wrong(0.1, 1), "target": TRUE}, {"prediction": wrong(0.3, 2)})
    assert found.sentence.startswith("the rows given is better than the rows given: accuracy differs by 0.")
    assert found.verdicts["accuracy"].resolved
    assert found.mcnemar is not None
    assert found.mcnemar < 0.001
    assert set(found.verdicts) == {"accuracy", "f1_macro", "mcc", "balanced_accuracy"}
    assert all(found.corrected[name] >= verdict.p for name, verdict in found.verdicts.items())


def test_what_cannot_be_told_apart_is_said_with_what_could() -> None:
    found = compare({"prediction": wrong(0.2, 1), "target": TRUE}, {"prediction": wrong(0.2, 2)})
    assert "These 400 rows do not tell" in found.sentence
    assert "they would show a difference of" in found.sentence


def test_files_of_any_system_and_a_file_of_the_truth(tmp_path: Path) -> None:
    a, b, gold = tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "gold.csv"
    a.write_text("label\n" + "\n".join(wrong(0.1, 1)) + "\n")
    b.write_text("".join(json.dumps({"prediction": p}) + "\n" for p in wrong(0.3, 2)))
    gold.write_text("id,truth\n" + "".join(f"{i},{t}\n" for i, t in enumerate(TRUE)))
    found = compare(str(a), str(b), data=str(gold), label="truth")
    assert found.sentence.startswith(f"{a} is better than {b}")
    told = json.loads(json.dumps(found.plain()))
    assert told["rows"] == 400
    assert told["differences"]["accuracy"]["value"] == pytest.approx(found.verdicts["accuracy"].difference.value)


def test_numbers_are_compared_as_a_regression() -> None:
    true = RANDOM.normal(size=200)
    near, far = true + RANDOM.normal(size=200) * 0.2, true + RANDOM.normal(size=200) * 2
    found = compare({"score": near.tolist(), "target": true.tolist()}, {"score": far.tolist()})
    assert set(found.verdicts) == {"pearson", "spearman", "mae", "mse", "r_squared"}
    assert "better" in found.sentence
    assert found.mcnemar is None


@pytest.mark.parametrize(
    ("a", "b", "options", "words"),
    [
        (
            {"prediction": ["1", "2"], "target": ["1", "2"]},
            {"prediction": ["1"]},
            {},
            "answers 2 rows and .* 1; a paired",
        ),
        ({"prediction": ["1", "2"]}, {"prediction": ["1", "2"]}, {}, "says what is true: it needs a column target"),
        (
            {"said": ["1", "2"]},
            {"prediction": ["1", "2"]},
            {},
            "has no column of answers. Name one of its columns \\(said",
        ),
        (
            {"prediction": ["1", "2"], "target": ["1", "2"], "text": ["x", "y"]},
            {"prediction": ["1", "2"], "text": ["x", "z"]},
            {},
            "are not the same text \\('y' and 'z'\\)",
        ),
        (
            {"prediction": ["1", "2"], "target": ["1", "2"]},
            {"prediction": ["1", "2"]},
            {"metric": "acuracy"},
            "Did you mean 'accuracy'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(a: Any, b: Any, options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        compare(a, b, **options)


# The same labels as other programs write them


def test_whole_numbers_are_matched_as_numbers() -> None:
    """pandas writes a column of integers with one hole as 1.0."""
    floats = [f"{t}.0" for t in TRUE]
    found = compare({"prediction": TRUE, "target": TRUE}, {"prediction": floats})
    assert found.verdicts["accuracy"].difference.value == 0
    assert found.mcnemar == 1
    assert len(found.notes) == 1  # that there are no texts
    assert compare({"prediction": floats, "target": [int(t) for t in TRUE]}, {"prediction": TRUE}).mcnemar == 1
    padded = [f"0{t}" for t in TRUE]
    assert compare({"prediction": padded, "target": TRUE}, {"prediction": TRUE}).mcnemar == 1


def test_a_side_that_tells_1_from_1_0_is_taken_at_its_word() -> None:
    true = ["1", "1.0"] * 20
    found = compare({"prediction": true, "target": true}, {"prediction": true[::-1]})
    assert found.verdicts["accuracy"].difference.value == 1


def test_labels_that_can_never_match_are_told() -> None:
    names = [("neg", "pos", "Other")[int(t)] for t in TRUE]
    theirs = [("neg", "pos ", "x")[int(t)] for t in TRUE]
    found = compare({"prediction": names, "target": names, "text": TRUE}, {"prediction": theirs, "text": TRUE})
    counts = [TRUE.count(t) for t in "012"]
    assert found.notes == [
        f"the rows given answers 'pos ' ({counts[1]} rows) and 'x' ({counts[2]} rows), but no row truly is that: it "
        "can never match. Only case or spaces tell 'pos ' from 'pos': write them one way."
    ]
    assert found.plain()["notes"] == found.notes
    found = compare({"prediction": theirs, "target": names, "text": TRUE}, {"prediction": theirs, "text": TRUE})
    assert found.notes[-1] == (
        f"Rows truly are 'Other' ({counts[2]} rows) and 'pos' ({counts[1]} rows), but no system answers that: it can "
        "never be matched."
    )


@pytest.mark.parametrize("cell", [None, " ", float("nan")])
def test_a_row_without_an_answer_is_refused(cell: Any) -> None:
    with pytest.raises(UserError, match="the data given row 2: the label is empty"):
        compare({"prediction": ["a", "b"], "target": ["a", "b"]}, {"prediction": ["a", cell]})


def test_json_truths_are_named_as_a_run_names_them() -> None:
    assert compare(
        {"prediction": [True, False], "target": ["true", "false"]}, {"prediction": ["true", "false"]}
    ).mcnemar


def test_a_word_among_numbers_with_fractions_is_refused() -> None:
    with pytest.raises(UserError, match=r"the data given row 2: 'high' is no finite number"):
        compare({"score": [0.5, 1.5], "target": [1, 2]}, {"score": [0.1, "high"]})


# Which class is the positive one


def test_the_order_of_the_rows_changes_nothing() -> None:
    true = ["yes" if t == "0" else "no" for t in TRUE]
    other = ["no" if i % 5 == 0 else t for i, t in enumerate(true)]
    values = set()
    for order in (range(400), reversed(range(400)), np.argsort(true), np.argsort(true)[::-1]):
        rows = list(order)
        a = {"prediction": [other[i] for i in rows], "target": [true[i] for i in rows]}
        found = compare(a, {"prediction": [true[i] for i in rows]})
        values.add(found.verdicts["f1"].difference.value)
    hits = sum(o == t == "yes" for o, t in zip(other, true, strict=True))
    (value,) = values
    assert value == pytest.approx(2 * hits / (other.count("yes") + true.count("yes")) - 1)


def write_run(path: Path, task: dict[str, Any], labels: list[str] | None, rows: list[dict[str, Any]]) -> Path:
    """What a comparison reads of a run's folder."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"settings": {"task": task}}))
    (path / "metrics.json").write_text(json.dumps({"labels": labels}))
    (path / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("labels", [["yes", "no"], ["no", "yes"]])
def test_a_run_says_which_class_is_positive(tmp_path: Path, labels: list[str]) -> None:
    true = ["yes" if t == "0" else "no" for t in TRUE]
    rows = [{"text": str(i), "target": t, "label": "no"} for i, t in enumerate(true)]  # never "yes", which it knows
    run = write_run(tmp_path / "run", {"name": "classification", "text": "text"}, labels, rows)
    texts = [str(i) for i in range(400)]
    assert compare(run, {"prediction": ["no"] * 400, "text": texts}).notes == []
    found = compare(run, {"prediction": true, "text": texts})
    f1 = 2 * true.count("no") / (400 + true.count("no")) if labels[1] == "no" else 0
    assert found.verdicts["f1"].difference.value == pytest.approx(f1 - 1)
    assert found.notes == []


def test_a_run_of_ranks_is_judged_by_how_far_off_it_is(tmp_path: Path) -> None:
    """The labels are written in the order of their ranks, which is not that of the alphabet."""
    names = ["low", "fair", "high", "top"]
    true = [i % 4 for i in range(200)]
    near, far = [abs(i - 1) for i in true], [(i + 2) % 4 for i in true]  # all wrong, by one rank and by two
    task = {"name": "ordinal", "text": "text"}
    runs = []
    for name, said in (("near", near), ("far", far)):
        rows = [
            {"text": str(i), "target": names[t], "label": names[s]}
            for i, (t, s) in enumerate(zip(true, said, strict=True))
        ]
        runs.append(write_run(tmp_path / name, task, names, rows))
    found = compare(*runs)
    assert list(found.verdicts)[:3] == ["kappa", "mae", "accuracy"]
    assert found.verdicts["mae"].difference.value == pytest.approx(-1.0)
    assert found.verdicts["accuracy"].difference.value == 0
    assert "kappa" in found.sentence
    others = {"prediction": [names[s] for s in near], "text": [str(i) for i in range(200)]}
    plain = write_run(tmp_path / "plain", {"name": "classification", "text": "text"}, sorted(names), [
        {"text": str(i), "target": names[t], "label": names[s]} for i, (t, s) in enumerate(zip(true, near, strict=True))
    ])  # fmt: skip
    for other in (others, plain):
        for sides in ((other, runs[1]), (runs[1], other)):
            assert abs(compare(*sides).verdicts["mae"].difference.value) == pytest.approx(1.0)
    strange = compare(runs[0], {**others, "prediction": ["splendid", *others["prediction"][1:]]})
    assert "kappa" not in strange.verdicts
    assert any("not measured" in note for note in strange.notes)


def test_two_runs_that_write_their_classes_differently(tmp_path: Path) -> None:
    ints = [{"text": str(i), "target": t, "label": t} for i, t in enumerate(TRUE)]
    floats = [{"text": str(i), "target": f"{t}.0", "label": f"{t}.0"} for i, t in enumerate(TRUE)]
    task = {"name": "classification", "text": "text"}
    one = write_run(tmp_path / "one", task, ["0", "1", "2"], ints)
    two = write_run(tmp_path / "two", task, ["0.0", "1.0", "2.0"], floats)
    assert compare(one, two).mcnemar == 1
    assert compare(two, one).mcnemar == 1


# Which column holds the answers, and whether the rows are the same


@pytest.mark.parametrize("column", ["label", "labels"])
def test_a_column_of_labels_is_no_answer_unless_the_truth_stands_elsewhere(column: str) -> None:
    system = {"prediction": wrong(0.1, 1), "target": TRUE}
    with pytest.raises(UserError) as caught:
        compare(system, {column: TRUE})
    assert str(caught.value) == (
        f"the rows given: the column '{column}' may hold answers or what is true, and nothing beside it tells which. "
        "If it holds answers, call it prediction, or give the true ones in a column target or by --data FILE --label "
        "COLUMN."
    )
    for options in ({"b": {column: TRUE, "gold": TRUE}}, {"b": {column: TRUE}, "data": {"label": TRUE}}):
        assert compare(system, **options).sentence.startswith("the rows given is better")


def test_another_column_does_not_stand_in_for_labels_that_may_be_true() -> None:
    with pytest.raises(UserError, match="the column 'label' may hold answers"):
        compare({"prediction": TRUE, "target": TRUE}, {"label": TRUE, "score": TRUE})


def test_a_column_of_scores_is_taken_for_answers_and_that_is_told() -> None:
    true = [0.5, 1.5, 2.5, 3.5]
    found = compare({"score": true, "target": true, "text": TRUE[:4]}, {"score": true[::-1], "text": TRUE[:4]})
    assert found.notes == ["The column 'score' of the rows given is taken for its answers, not for what is true."]


def test_texts_are_found_under_the_name_that_the_run_has_for_them(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(400)]
    rows = [{"text": text, "pair": "p", "target": t, "label": t} for text, t in zip(texts, TRUE, strict=True)]
    task = {"name": "classification", "text": "sentence", "pair": "second"}
    run = write_run(tmp_path / "run", task, ["0", "1", "2"], rows)
    same = {"sentence": texts, "prediction": TRUE}
    assert compare(run, same).notes == []
    assert compare(same, run).notes == []
    with pytest.raises(UserError, match=r"are not the same text \('text 0' and 'text 399'\)"):
        compare(run, {"sentence": texts[::-1], "prediction": TRUE})
    with pytest.raises(UserError, match=r"are not the same text \('p' and 'q'\)"):
        compare(run, {**same, "second": ["p"] * 399 + ["q"]})
    found = compare(run, {"review": texts, "prediction": TRUE}, metric="mcc")
    assert found.notes == [
        "Whether the rows of the rows given are those of the other side could not be checked beyond their number: not "
        "both have a column sentence or text."
    ]


def test_the_rows_of_the_truth_are_checked_too() -> None:
    a, b = {"text": TRUE, "prediction": TRUE}, {"text": TRUE, "prediction": wrong(0.2, 1)}
    assert compare(a, b, data={"text": TRUE, "label": TRUE}).notes == []
    with pytest.raises(UserError, match="are not the same text"):
        compare(a, b, data={"text": TRUE[::-1], "label": TRUE})
    notes = compare(a, b, data={"label": TRUE}).notes
    assert [note[:44] for note in notes] == ["Whether the rows of the data given are those"]


# Any number of labels a row

TAGS = [["a", "b"], ["b"], [], ["c", "a"]] * 25
SAID = [["b", "a"], ["a"], [], ["c"]] * 25


def test_two_truths_are_refused() -> None:
    one = {"target": ["a", "b", "a"], "prediction": ["a", "a", "a"]}
    other = {"target": ["a", "a", "a"], "prediction": ["a", "a", "b"]}
    with pytest.raises(UserError, match=r"row 2 .* do not have the same true label \('b' and 'a'\)"):
        compare(one, other)
    assert compare({**one, "target": ["1", "2", "1"]}, {**other, "target": [1.0, 2, 1]}).rows == 3


def test_two_truths_of_sets_and_of_numbers(tmp_path: Path) -> None:
    one = {"target": [["a", "b"], ["c"]], "labels": [["a"], ["c"]]}
    other = {"target": ["b, a", "c"], "labels": ["a", "c"]}
    assert compare({**one, "target": ["a,b", "c"], "labels": ["a", "c"]}, other).rows == 2
    with pytest.raises(UserError, match=r"row 2 .* do not have the same true label \('c' and 'a'\)"):
        compare({**other, "target": ["a,b", "c"]}, {**other, "target": ["a,b", "a"]})
    half = {"target": [float(np.float32(3.8)), 1.5], "prediction": [3.1, 1.0]}  # as single precision holds 3.8
    assert compare(half, {**half, "target": [3.8, 1.5]}).rows == 2
    with pytest.raises(UserError, match="do not have the same true label"):
        compare(half, {**half, "target": [3.81, 1.5]})


def test_lists_that_a_table_holds_as_json(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text('labels\n"[""a"", ""b""]"\n[]\n')
    found = compare({"prediction": [["a"], []]}, path, {"label": [["a", "b"], []]})
    assert found.verdicts["exact_match"].difference.value == -0.5


def test_the_smaller_error_is_called_better() -> None:
    truth = [i / 4 for i in range(60)]
    near, far = ({"target": truth, "prediction": [t + off for t in truth]} for off in (0.1, 2.0))
    assert compare(far, near, metric="mae").sentence.count("is better than") == 1
    assert compare(far, near, metric="mae").verdicts["mae"].difference.value == pytest.approx(1.9)


def test_sets_of_labels_however_they_are_written(tmp_path: Path) -> None:
    rows = [{"text": str(i), "target": t, "labels": s} for i, (t, s) in enumerate(zip(TAGS, SAID, strict=True))]
    run = write_run(tmp_path / "run", {"name": "multi-label", "text": "text", "separator": ";"}, ["a", "b", "c"], rows)
    found = compare(run, run)
    f1s = {"f1_macro", "f1_micro", "f1_weighted", "f1_samples"}
    assert set(found.verdicts) == {*f1s, "exact_match", "hamming_loss"}
    assert all(verdict.difference.value == 0 for verdict in found.verdicts.values())
    assert found.mcnemar is None
    texts = [str(i) for i in range(100)]
    differences = []
    for cells, options in (
        (TAGS, {}),
        ([";".join(tags) for tags in TAGS], {}),  # the run's own separator
        ([", ".join(tags) for tags in TAGS], {"separator": ","}),
    ):
        other = compare(run, {"text": texts, "prediction": cells}, **options)
        assert other.notes == []
        differences.append({name: verdict.difference.value for name, verdict in other.verdicts.items()})
    assert differences[0] == differences[1] == differences[2]
    f1 = {"a": 2 / 4, "b": 2 / 3, "c": 1.0}  # of the run, each label's; the other side is right everywhere
    assert differences[0]["f1_macro"] == pytest.approx(np.mean(list(f1.values())) - 1)
    assert differences[0]["f1_micro"] == pytest.approx(2 * 3 / (4 + 5) - 1)
    assert differences[0]["exact_match"] == pytest.approx(-0.5)


def test_sets_of_labels_in_files_of_anybody(tmp_path: Path) -> None:
    a, b, gold = tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "gold.jsonl"
    a.write_text("labels\n" + "".join(f'"{",".join(tags)}"\n' for tags in TAGS))
    b.write_text("".join(json.dumps({"prediction": tags}) + "\n" for tags in SAID))
    gold.write_text("".join(json.dumps({"tags": tags}) + "\n" for tags in TAGS))
    found = compare(str(a), str(b), data=str(gold), label="tags")
    assert found.sentence.startswith(f"{a} is better than {b}: f1_macro differs by 0.2")


def test_a_strange_label_of_a_set_is_told() -> None:
    said = [["A" if tag == "a" else tag for tag in tags] for tags in TAGS]
    found = compare({"prediction": TAGS, "target": TAGS}, {"prediction": said})
    assert found.notes[-1].endswith("answers 'A' (50 rows), but no row truly is that: it can never match. Only case or "
                                    "spaces tell 'A' from 'a': write them one way.")  # fmt: skip


def test_rows_without_any_label_are_refused() -> None:
    with pytest.raises(UserError, match="No row has a label, neither a true one nor an answer; a cell is cut at ','"):
        compare({"labels": [[], []], "target": [[], []]}, {"prediction": [[], []]})


def test_undefined_numbers_are_null_in_json() -> None:
    found = compare({"score": [0.5, 0.5], "target": [1, 2]}, {"score": [0.1, 0.2]})
    told = json.dumps(found.plain(), allow_nan=False)
    assert json.loads(told)["differences"]["pearson"]["value"] is None
    told = found.plain()["differences"]["pearson"]
    assert (told["p"], told["p_holm"], told["resolvable"]) == (None, None, None)
    assert found.plain()["differences"]["mae"]["p_holm"] is not None
