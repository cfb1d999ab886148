"""Mistakes a person can make with `maskwright finetune`: one paragraph, exit code 2, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError

Reviews = dict[str, list[Any]]
Say = Callable[..., str]


def rows(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return str(path)


FEW = "text,label\n" + "the film was lovely,good\nthe play was dull,bad\n" * 10


# --- the files of rows


def test_no_such_column_names_the_nearest(say: Say) -> None:
    message = say(text="texts")
    assert (
        "reviews.csv: There is no column 'texts'. Did you mean 'text'? Allowed: label, other, score, text." in message
    )
    assert "There is no column 'lable'. Did you mean 'label'?" in say(label="lable")
    assert "There is no column 'others'. Did you mean 'other'?" in say(pair="others")


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ({"text": "review"}, "--text NAME"),
        ({"label": "gold"}, "--label NAME"),
        ({"pair": "second"}, "--pair NAME"),
    ],
)
def test_no_such_column_says_how_to_name_another(say: Say, more: dict[str, str], option: str) -> None:
    assert say(**more).endswith(f"Name the right one by {option}.")
    assert say("--set", "data.group=user").endswith("Name the right one by --set data.group=NAME.")


@pytest.mark.parametrize(
    ("task", "more", "option"),
    [
        ("answer", {}, "--text NAME"),
        ("answer", {"text": "text", "pair": "passage"}, "--pair NAME"),
        ("answer", {"text": "text", "pair": "other"}, "--label NAME"),
        ("choice", {"pair": "text,other"}, "--text NAME"),
        ("choice", {"text": "text"}, "--pair NAME"),
        ("choice", {"text": "text", "pair": "other,second"}, "--pair NAME"),
        ("choice", {"text": "text", "pair": "text,other", "label": "gold"}, "--label NAME"),
        ("entailment", {"text": "text"}, "--pair NAME"),
        ("classification", {"text": "{text} of {year}"}, "--text NAME"),
    ],
)
def test_each_task_says_which_of_its_columns_is_missing(say: Say, task: str, more: dict[str, str], option: str) -> None:
    assert say(task=task, **more).endswith(f"Name the right one by {option}.")


def test_the_same_columns_must_be_in_every_file(say: Say, tmp_path: Path) -> None:
    held = rows(tmp_path / "dev.csv", "sentence,label\na film,good\n")
    assert f"{held}: There is no column 'text'." in say(eval=held)


def test_an_empty_file(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "empty.csv", "")
    assert say(train=file) == f"{file} is empty; a file of rows is needed."
    assert f"{file} is empty" in say(eval=file)


def test_a_header_and_no_rows(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "header.csv", "text,label\n")
    assert say(train=file).startswith(f"{file} has a header (text, label) and no rows.")


def test_one_class(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "one.csv", "text,label\n" + "a film,good\n" * 20)
    assert say(train=file).startswith(f"All 20 rows have the label 'good' ({file} line 2 onwards); a classifier needs")


@pytest.mark.parametrize("side", ["eval", "test"])
def test_a_label_that_training_has_not_seen(say: Say, tmp_path: Path, side: str) -> None:
    file = rows(tmp_path / "dev.csv", "text,label\na film,good\na play,goood\na book,bad\n")
    message = say(**{side: file})
    assert message == (
        f"{file} line 3: There is no label 'goood'. Did you mean 'good'? Allowed: bad, good. It stands in 1 row."
    )


def test_a_label_that_is_no_number(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "scores.csv", "text,label\na film,3.5\na play,high\n" + "a book,1\n" * 20)
    message = say(train=file, task="regression")
    assert message.startswith(f"{file} line 3: the label 'high' is not a finite number.")
    assert "for classes use --task classification" in message


@pytest.mark.parametrize(("cell", "shown"), [("null", "None"), ("true", "True"), ('["a"]', "['a']")])
def test_a_text_that_is_none(say: Say, tmp_path: Path, cell: str, shown: str) -> None:
    good = '{"text": "a film", "label": "good"}\n{"text": "a play", "label": "bad"}\n'
    file = rows(tmp_path / "rows.jsonl", good * 5 + f'{{"text": {cell}, "label": "bad"}}\n' + good * 5)
    message = say(train=file)
    assert message.startswith(f"{file} line 11: the column 'text' holds {shown} where a text is needed.")


def test_an_empty_label(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "rows.csv", FEW + "a film,\n")
    assert say(train=file) == f"{file} line 22: the label is empty. Fill it or remove the row."


@pytest.mark.parametrize("count", [2, 4])
def test_too_few_rows_to_split(say: Say, tmp_path: Path, count: int) -> None:
    file = rows(tmp_path / "few.csv", "\n".join(FEW.splitlines()[: count + 1]) + "\n")
    message = say(train=file)
    assert message.startswith(f"{file} cannot be split: {count} rows are too few to split into parts of ")
    assert message.endswith("More rows, or files for both --eval and --test, would do.")


@pytest.mark.parametrize("side", ["eval", "test"])
def test_too_few_rows_beside_one_file(say: Say, tmp_path: Path, side: str) -> None:
    """An eval file alone is reported on; what chooses is then split off the training rows, and nothing else is said."""
    file = rows(tmp_path / "few.csv", "\n".join(FEW.splitlines()[:3]) + "\n")
    message = say(train=file, **{side: file})
    assert message.startswith(f"{file} cannot be split: 2 rows are too few to split into parts of ")
    assert message.endswith(
        "More rows, both --eval and --test, or --eval alone with --set data.eval_chooses=true would do."
    )


def test_one_row(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "one.csv", "text,label\na film,good\n")
    assert say(train=file).startswith(f"The only row has the label 'good' ({file} line 2); a classifier needs")


def test_groups_that_split_nothing(say: Say, tmp_path: Path) -> None:
    held = rows(tmp_path / "dev.csv", FEW)
    assert say("--set", "data.group=other", eval=held, test=held) == (
        "data.group says how rows are split off, but an eval file is given and nothing is. Leave one of them out."
    )
    assert "There is no column 'users'. Did you mean 'user'?" in say("--set", "data.group=users", train=owned(tmp_path))
    message = say("--set", "data.group=user", train=owned(tmp_path, users=("ann", "bob")))
    assert message.startswith(
        f"{tmp_path / 'owned.csv'} cannot be split: The rows form 2 groups, too few for 3 parts: "
    )
    assert message.endswith("More rows, or files for both --eval and --test, would do.")
    message = say("--set", "data.group=user", train=owned(tmp_path, users=("ann", "")))
    assert message.startswith(f"{tmp_path / 'owned.csv'} line 3: the group is empty, so nothing says which rows")


def owned(folder: Path, users: tuple[str, ...] = ("ann", "bob", "cem", "dee")) -> str:
    lines = FEW.splitlines()[1:]
    content = "".join(f"{line},{users[row % len(users)]}\n" for row, line in enumerate(lines))
    return rows(folder / "owned.csv", f"text,label,user\n{content}")


def test_a_column_that_holds_no_classes(say: Say) -> None:
    message = say(label="score")
    assert "A classifier needs classes that come again: check which column holds the label;" in message


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["2.5"] * 20, "All 20 rows have the score 2.5 ({file} line 2 onwards); a regression learns from scores that"),
        (["2.5", "inf", *["1"] * 18], "{file} line 3: the label 'inf' is not a finite number."),
        (
            ["2.5", "1e39", *["1"] * 18],
            "{file} line 3: the label '1e39' is beyond 3.4e+38, the largest single precision",
        ),
    ],
)
def test_scores_that_teach_nothing(say: Say, tmp_path: Path, cells: list[str], said: str) -> None:
    file = rows(tmp_path / "scores.csv", "text,label\n" + "".join(f"a film,{cell}\n" for cell in cells))
    assert say(train=file, task="regression").startswith(said.format(file=file))


def test_shares_that_leave_nothing(say: Say) -> None:
    message = say("--set", "data.eval_share=0.6", "--set", "data.test_share=0.4")
    assert message.startswith("data.eval_share and data.test_share leave nothing to train on: ")


def test_no_training_rows(say: Say) -> None:
    assert say(train=None) == 'No training rows were given: --train FILE, or [data] train = "FILE" in the run file.'


def test_a_file_that_is_not_there_names_the_nearest(say: Say, tmp_path: Path) -> None:
    wrong = tmp_path / "review.csv"
    assert say(train=str(wrong)) == f"There is no file {str(wrong)!r}. Did you mean {str(tmp_path / 'reviews.csv')!r}?"


def test_a_suffix_that_says_nothing(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "rows.txt", FEW)
    assert f"{file}: the suffix '.txt' tells no file format. Allowed: " in say(train=file)


# --- the settings


def test_an_unknown_key_in_the_run_file(say: Say, tmp_path: Path) -> None:
    file = rows(tmp_path / "run.toml", "[train]\nbatchsize = 4\n")
    message = say(file)
    assert message.startswith(f"{file}: There is no setting 'batchsize'. Did you mean 'batch_size'? Allowed: ")
    assert message.endswith("(At train.batchsize.)")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("train.batchsize=4", "There is no setting 'batchsize'. Did you mean 'batch_size'?"),
        ("epochs=3", "There is no setting 'epochs'. Did you mean 'train.epochs'?"),
        ("lr=1e-3", "There is no setting 'lr'. Did you mean 'train.lr'?"),
        ("warmup=0.2", "There is no setting 'warmup'. Did you mean 'train.schedule.warmup'?"),
        ("data.epochs=3", "There is no setting 'epochs'. Did you mean 'train.epochs'?"),
        ("trian.lr=4", "There is no setting 'trian'. Did you mean 'train'?"),
        ("train.lr=fast", "train.lr = 'fast': Input should be a valid number"),
        ("train.schedule=linar", "There is no schedule 'linar'. Did you mean 'linear'?"),
        ("train.schedule.warmpu=0.1", "There is no setting 'warmpu'. Did you mean 'warmup'?"),
        ("train.optimizer=adam", "There is no optimizer 'adam'. Did you mean 'adamw'?"),
        ("train.device=tpu", "The device 'tpu' cannot be used here"),
        ("data.encoding=utf8x", "There is no encoding 'utf8x'."),
        ("train.lr", "--set 'train.lr': write it as name=value, for example train.lr=3e-5."),
        ("=3", "--set '=3': write it as name=value"),
    ],
)
def test_a_setting_that_is_wrong(say: Say, given: str, said: str) -> None:
    assert said in say("--set", given)


def test_an_unknown_task(say: Say) -> None:
    message = say(task="clasification")
    assert message.startswith("There is no task 'clasification'. Did you mean 'classification'? Allowed: answer, ")


def test_a_run_file_that_is_not_there(say: Say) -> None:
    assert say("no.toml") == "There is no file 'no.toml'."


# --- the run's folder


@pytest.fixture
def done(tune: Callable[..., Any]) -> Path:
    """A run that was finished before."""
    folder: Path = tune().folder
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_run_is_there_already(say: Say, done: Path) -> None:
    before = everything(done)
    assert say() == (
        f"{done} already holds a run. Go on with it by --resume, replace it by --overwrite, or give another --out."
    )
    assert everything(done) == before


def test_a_mistake_beside_overwrite_costs_no_run(say: Say, done: Path) -> None:
    before = everything(done)
    for mistake in ({"model": "no/such/model"}, {"text": "texts"}, {"max_length": "99"}):
        say("--overwrite", **mistake)
        assert everything(done) == before


def test_overwrite_deletes_nothing_but_runs(say: Say, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    assert (
        "holds something that is not a run of maskwright; --overwrite will not delete it. Give another --out."
        in say("--overwrite")
    )
    assert "already holds something that is not a run of maskwright. Give another --out." in say()
    assert (tmp_path / "run" / "thesis.tex").read_text() == "years of work"


def test_overwrite_replaces_a_run(tune: Callable[..., Any], done: Path) -> None:
    (done / "seeds" / "7").mkdir()
    again = tune(overwrite=True, seed=1)
    assert {p.name for p in (again.folder / "seeds").iterdir()} == {"1"}


def test_overwrite_does_not_delete_the_model_to_start_from(tune: Callable[..., Any], done: Path) -> None:
    with pytest.raises(UserError, match=r"model lies in .*, which --overwrite would empty\. Give another --out\."):
        tune(model=str(done / "model"), overwrite=True)
    assert (done / "model" / "model.safetensors").exists()


def test_resume_and_overwrite_at_once(say: Say) -> None:
    assert say("--resume", "--overwrite") == "Say either --resume or --overwrite, not both."


def test_a_place_that_is_a_file(say: Say, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    assert say() == f"{tmp_path / 'run'} is a file; a run needs a folder. Give another --out."


# --- what training runs into


def test_a_rate_at_which_numbers_end(say: Say, tmp_path: Path, reviews: Reviews) -> None:
    """The run has started by then: its folder stays, with the batch in it."""
    (tmp_path / "wild").mkdir()
    message = say(
        "--set", "train.lr=1e38", "--set", "train.schedule=constant", "--set", "train.schedule.warmup=0", out="wild"
    )
    kept = tmp_path / "wild" / "seeds" / "0" / "not_finite.json"
    assert (
        "gave a loss or gradient that is not a finite number: the first module with such an output is network."
        in message
    )
    assert str(kept) in message
    assert "a lower train.lr" in message
    assert json.loads(kept.read_text())["batches"][0]["given"]["batch"]["ids"]
