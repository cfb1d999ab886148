"""What a run's model card says of its use is so: its command and its Python answer, of every task."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.choice import names
from maskwright.cli.main import main
from maskwright.tasks import Task

Rows = dict[str, list[Any]]


def pairs(reviews: Rows) -> Rows:
    return {"text": reviews["text"], "other": reviews["other"], "label": reviews["label"]}


def ordered(reviews: Rows) -> Rows:
    return {"text": reviews["text"], "label": [i % 3 for i in range(80)]}


def entailed(reviews: Rows) -> Rows:
    label = ["entailment", "neutral", "contradiction"]
    return {"premise": reviews["text"], "hypothesis": reviews["other"], "label": [label[i % 3] for i in range(80)]}


def tags(reviews: Rows) -> Rows:
    return {"text": reviews["text"], "label": [[{"start": 0, "end": 3, "label": "x"}]] * 80}


def questions(reviews: Rows) -> Rows:
    answers = [[text.split()[1]] for text in reviews["text"]]
    return {"question": ["what was it"] * 80, "context": reviews["text"], "answers": answers}


def riddles(reviews: Rows) -> Rows:
    return {"question": reviews["text"], "choices": [["a film", "a play"]] * 80, "label": ["A", "B"] * 40}


#: rows of each task, the settings beside its name, and what an answer has
MADE: dict[str, tuple[Callable[[Rows], Rows], dict[str, Any], str]] = {
    "classification": (pairs, {"pair": "other"}, "label"),
    "multi-label": (pairs, {}, "labels"),
    "regression": (lambda reviews: {"text": reviews["text"], "label": reviews["score"]}, {}, "score"),
    "ordinal": (ordered, {}, "label"),
    "entailment": (entailed, {}, "label"),
    "tagging": (tags, {}, "spans"),
    "answer": (questions, {}, "answer"),
    "choice": (riddles, {}, "choice"),
}


def test_all_tasks_are_here() -> None:
    assert set(MADE) == set(names(Task))


@pytest.mark.parametrize("task", MADE)
def test_the_command_and_the_python_of_a_card_answer(
    task: str,
    tune: Callable[..., Any],
    reviews: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    undrawn: None,
) -> None:
    make, options, has = MADE[task]
    run = tune(task={"name": task, **options}, train=make(reviews), settings={"train": {"epochs": 1}})
    use = (run.folder / "README.md").read_text().partition("## How to use it\n")[2].partition("\n## ")[0]
    (command,) = re.findall(r"^```sh\nmaskwright (.*?)\n```", use, re.MULTILINE | re.DOTALL)
    python, *_ = re.findall(r"^```python\n(.*?)^```", use, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:  # how typer ends a command
        main(shlex.split(command))
    assert not left.value.code
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert has in told
    there: dict[str, Any] = {}
    exec(python, there)
    (said,) = eval(capsys.readouterr().out)
    assert said.keys() == told.keys()
    assert said[has] == (pytest.approx(told[has]) if has == "score" else told[has])
