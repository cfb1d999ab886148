"""A run file, options and --set become one table of settings, or a sentence that names what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.choice import names, resolve
from maskwright.base.config import pairs
from maskwright.base.errors import UserError
from maskwright.finetuning.settings import Finetune, gather, task_options
from maskwright.tasks import Task

CONFIG = {"out": "o", "task": {"name": "regression", "text": "file"}, "train": {"lr": 1e-3, "epochs": 7}, "seed": 4}


def refused(config: Any = None, options: Any = None, sets: Any = None) -> str:
    with pytest.raises(UserError) as caught:
        gather(config, {"out": "o"} if options is None else options, sets or {})
    return str(caught.value)


def test_options_win_over_the_file_and_sets_over_both() -> None:
    asked = gather(CONFIG, {"seed": 5, "text": "option", "max_length": 9}, {})
    assert (asked.seed, asked.task.text, asked.train.lr, asked.train.epochs) == (5, "option", 1e-3, 7)
    asked = gather(CONFIG, {"seed": 5, "text": "option"}, pairs(["seed=6", "task.text=set", "train.lr=2e-3"]))
    assert (asked.seed, asked.task.text, asked.train.lr, asked.train.epochs) == (6, "set", 2e-3, 7)


def test_an_option_that_was_not_typed_leaves_the_file_alone() -> None:
    asked = gather(CONFIG, {"seed": None, "text": None, "out": None, "task": None, "train": None}, {})
    assert asked == gather(CONFIG, {}, {})
    assert asked.task.name == "regression"


def test_a_corpus_is_one_file_or_a_list_of_them() -> None:
    held = {"data": {"corpus": "of the run file.txt"}}
    assert gather(held, {}, {}).data.corpus == ("of the run file.txt",)
    assert gather(held, {"corpus": [Path("a.txt"), "b, c.txt"]}, {}).data.corpus == ("a.txt", "b, c.txt")
    assert gather(held, {"corpus": "a.txt"}, pairs(["data.corpus=set.txt"])).data.corpus == ("set.txt",)
    assert gather(held, {}, pairs(['data.corpus=["x.txt", "y.txt"]'])).data.corpus == ("x.txt", "y.txt")
    assert gather(held, {}, pairs(["data.corpus=none"])).data.corpus == ()
    assert "data.corpus = 3: Input should be a valid tuple" in refused(sets=pairs(["data.corpus=3"]))


@pytest.mark.parametrize(
    ("config", "options", "sets", "name", "text", "label"),
    [
        (None, {}, {}, "classification", "text", "label"),
        (None, {"label": "gold"}, {}, "classification", "text", "gold"),
        (None, {}, {"task": {"label": "gold"}}, "classification", "text", "gold"),
        (None, {"task": "regression", "label": "gold"}, {"task": {"text": "t"}}, "regression", "t", "gold"),
        (None, {"task": "regression"}, {"task": "classification"}, "classification", "text", "label"),
        ({"task": "regression"}, {"label": "gold"}, {}, "regression", "text", "gold"),
        ({"task": {"name": "regression", "text": "t"}}, {"task": "classification"}, {}, "classification", "t", "label"),
        ({"task": {"text": "t"}}, {"label": "gold"}, {}, "classification", "t", "gold"),
        (None, {"task": resolve(Task, {"name": "regression", "text": "t"})}, {}, "regression", "t", "label"),
        (None, {"task": resolve(Task, {"name": "regression", "text": "t"}), "label": "g"}, {}, "regression", "t", "g"),
    ],
)
def test_a_task_is_put_together_from_all_places(
    config: Any, options: Any, sets: Any, name: str, text: str, label: str
) -> None:
    task = gather(config, {"out": "o", **options}, sets).task
    assert (task.name, task.text, task.label) == (name, text, label)


@pytest.mark.parametrize(
    ("sets", "name", "warmup"),
    [
        (["train.schedule.warmup=0.3"], "linear", 0.3),
        (["train.schedule=cosine"], "cosine", 0.2),
        (["train.schedule=cosine", "train.schedule.warmup=0.3"], "cosine", 0.3),
        (["train.schedule.name=constant"], "constant", 0.1),
        (["train.schedule.name=linear"], "linear", 0.2),
    ],
)
def test_a_part_can_be_named_or_only_changed(sets: list[str], name: str, warmup: float) -> None:
    """On its own, or on top of a file: what names another part drops the settings of the old one."""
    schedule = gather({"out": "o"}, {}, pairs(sets)).train.schedule
    assert (schedule.name, schedule.warmup) == (name, warmup if "warmup" in sets[-1] else 0.1)
    config = {"out": "o", "train": {"schedule": {"name": "linear", "warmup": 0.2}}}
    schedule = gather(config, {}, pairs(sets)).train.schedule
    assert schedule.name == name
    assert schedule.warmup == (0.1 if sets == ["train.schedule=cosine"] else warmup)


def test_files_are_options_at_the_top_and_data_in_the_file() -> None:
    asked = gather(
        {"data": {"train": "a.csv", "test": "c.csv"}}, {"out": "o", "train": "b.csv", "eval": Path("e.csv")}, {}
    )
    assert (asked.data.train, asked.data.eval, asked.data.test) == ("b.csv", "e.csv", "c.csv")
    assert gather(None, {"out": "o", "train": "b.csv"}, {"data": {"train": "s.csv"}}).data.train == "s.csv"


def test_paths_are_as_good_as_texts() -> None:
    asked = gather(None, {"out": Path("a") / "b", "model": Path("m")}, {})
    assert (asked.out, asked.model) == (str(Path("a") / "b"), "m")


def test_settings_survive_json_whole() -> None:
    sets = pairs(["train.schedule=cosine", "train.optimizer.beta2=0.95", "train.clip=none", "data.header=false"])
    asked = gather(CONFIG, {"pair": "second"}, sets)
    assert asked.train.schedule.name == "cosine"
    assert asked.train.optimizer.beta2 == 0.95
    again = gather(json.loads(asked.model_dump_json()), {}, {})
    assert again == asked


def test_how_files_are_read_is_told_apart_from_which() -> None:
    reading = gather(None, {"out": "o", "train": "x"}, pairs(["data.header=false", "data.delimiter=;"])).data.reading()
    assert reading.model_dump(exclude_defaults=True) == {"header": False, "delimiter": ";"}


def test_the_options_of_every_task_are_options() -> None:
    fields = {field for name in names(Task) for field in type(resolve(Task, name)).model_fields}
    assert set(task_options()) == fields >= {"text", "pair", "label"}
    assert all(field.description for field in task_options().values())
    assert all(field.description for field in Finetune.model_fields.values())


@pytest.mark.parametrize(
    ("options", "sets", "said"),
    [
        ({"out": "o", "txet": "x"}, {}, "There is no option 'txet'. Did you mean 'text'?"),
        ({"out": "o", "order": "a,b"}, {}, "order is an option of the task ordinal; the task here is classification."),
        ({"out": "o", "crf": True, "task": "entailment"}, {}, "crf is an option of the task tagging; the task here is"),
        ({"out": "o", "epochs": 3}, {}, "There is no option 'epochs'. Did you mean 'train.epochs'?"),
        ({"out": "o", "epochs": 3}, {}, "It is a setting: train.epochs in a run file and behind --set, nested in"),
        ({"out": "o", "modle": "x"}, {}, "There is no option 'modle'. Did you mean 'model'?"),
        ({"out": "o", "task": "clasification"}, {}, "There is no task 'clasification'. Did you mean 'classification'?"),
        ({"out": "o"}, {"task": {"txt": "x"}}, "There is no setting 'txt'. Did you mean 'text'?"),
        ({"out": "o"}, {"task": 3}, "A task is a name or a table with `name`; given: 3."),
        ({"out": "o"}, {"train": {"lrr": 1}}, "There is no setting 'lrr'. Did you mean 'lr'?"),
        ({"out": "o"}, {"train": {"lrr": 1}}, "(At train.lrr.)"),
        ({"out": "o"}, {"trian": {"lr": 1}}, "There is no setting 'trian'. Did you mean 'train'?"),
        ({"out": "o"}, {"data": {"evl_share": 1}}, "There is no setting 'evl_share'. Did you mean 'eval_share'?"),
        ({"out": "o"}, {"data": {"eval_share": 1.5}}, "data.eval_share = 1.5: Input should be less than 1."),
        ({"out": "o"}, {"train": {"schedule": {"name": "linear", "warm": 1}}}, "Did you mean 'warmup'?"),
        ({"out": "o"}, {"train": {"lr": "fast"}}, "train.lr = 'fast': Input should be a valid number"),
        ({"out": "o", "seed": -1}, {}, "seed = -1: Input should be greater than or equal to 0."),
        ({"out": "o", "max_length": 2}, {}, "max_length = 2: Input should be greater than or equal to 3."),
        ({"out": "o", "weights": "none"}, {}, "weights = 'none': Input should be 'pretrained' or 'random'."),
    ],
)
def test_a_mistake_is_named_with_the_nearest(options: Any, sets: Any, said: str) -> None:
    assert said in refused(None, options, sets)


def test_the_file_with_the_mistake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('out = "o"\n[train]\nepoch = 3\n')
    assert (
        refused(file)
        == f"{file}: There is no setting 'epoch'. Did you mean 'epochs'? " + refused(file).partition("? ")[2]
    )
    file.write_text("out = \n")
    assert f"{file} is not a TOML file: " in refused(file)
    assert "line 1" in refused(file)
    assert refused(tmp_path / "absent.toml") == f"There is no file {str(tmp_path / 'absent.toml')!r}."
