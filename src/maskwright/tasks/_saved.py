"""What a model folder says of its task, its labels and its head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maskwright.base.choice import find, resolve
from maskwright.base.choice import names as choices
from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.data.labels import Labels
from maskwright.models import count_outputs, describe, locate
from maskwright.runs import RunFolder
from maskwright.tasks._task import Task
from maskwright.tasks.long import Long

FORMAT = 1  #: of maskwright.json
NEEDED = ("task", "labels", "max_length", "long", "precision", "golden", "provenance")  #: keys of maskwright.json
NAMED = 6  #: labels in a sentence
#: networks of Hugging Face that have a task here; its config says which one where there are several, else it is stated
ARCHITECTURES = {
    "ForSequenceClassification": None,
    "ForTokenClassification": "token_classification",
    "ForQuestionAnswering": "question_answering",
    "ForMultipleChoice": "multiple_choice",
}

Head = tuple[str, tuple[Any, ...] | None]  #: the task, and its labels in the order of the outputs where it has some


class Trained(NamedTuple):
    """What a folder was trained for here, which its config.json does not say whole."""

    task: Task
    labels: Labels | None
    long: Long


def saved_facts(model: str | Path) -> dict[str, Any]:
    """maskwright.json, or the same facts from the config.json of others. Raises UserError for a folder without a task,
    and for a file of a newer format or without a key."""
    folder = locate(model)
    described = folder / "maskwright.json"
    if not _has_a_task(described):
        return _from_hugging_face(folder, str(model))
    return read_facts(described, NEEDED)


def read_facts(described: Path, needed: Sequence[str]) -> dict[str, Any]:
    """A maskwright.json that has the keys `needed`. Raises UserError where it lacks one, and for a newer format."""
    facts = read_json(described)
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise UserError(f"{described} does not say its format, a whole number: it was changed. Save the model again.")
    if facts["format"] > FORMAT:
        raise UserError(
            f"{described} has format {facts['format']}, this version reads up to {FORMAT}. Update maskwright."
        )
    if "keep" in facts:  # what the first versions called it
        facts.setdefault("long", facts.pop("keep"))
    missing = [key for key in needed if key not in facts]
    if missing:
        raise UserError(
            f"{described} lacks the key {missing[0]!r}: it was changed after it was saved. Put the key back, take an "
            "older copy, or save the model again."
        )
    return facts


def _has_a_task(described: Path) -> bool:
    """Whether there is a maskwright.json, and of a model that was fine-tuned, not of one that was pre-trained."""
    return described.exists() and "answers" not in read_facts(described, ())


def trained(folder: Path) -> Trained | None:
    """What the maskwright.json of a fine-tuned model says; None where there is none, and where it cannot be read, as of
    a newer version or with a part of one's own that is not here: config.json says enough to start from."""
    described = folder / "maskwright.json"
    try:
        if not _has_a_task(described):
            return None
        facts = read_facts(described, NEEDED)
        labels = None if facts["labels"] is None else Labels(tuple(facts["labels"]))
        return Trained(resolve(Task, facts["task"]), labels, resolve(Long, facts["long"]))
    except UserError:
        return None


def _from_hugging_face(folder: Path, said: str) -> dict[str, Any]:
    if RunFolder(folder).is_run:
        raise UserError(
            f"{folder} is a run that is not finished: it holds no proved model. Go on with it: maskwright finetune ... "
            f"--out {folder} --resume"
        )
    config = read_json(folder / "config.json")
    architecture = (config.get("architectures") or [""])[0]
    if not architecture.endswith(tuple(ARCHITECTURES)):
        raise UserError(
            f"{said} is an encoder without a task (its architecture is {architecture or 'not stated'!r}), so it has no "
            f"answers yet. Fine-tune it: maskwright finetune --model {said} --train FILE --out runs/mine, and then ask "
            "runs/mine/model."
        )
    task, labels = _head(config, architecture)
    missing = [] if labels is None else [i for i, name in enumerate(labels) if name is None]
    if missing:
        raise UserError(
            f"{folder / 'config.json'} has {len(labels or ())} labels (id2label), but none with the number "
            f"{missing[0]}. Number them from 0 without a gap."
        )
    return {
        "format": FORMAT,
        "task": task,
        "labels": labels,
        "max_length": None,
        "long": "head",
        "precision": "auto",
        "golden": None,
        "provenance": {"base": str(folder)},
    }


def heads(model: str | Path, task: Task, labels: Labels | None) -> tuple[Head, Head]:
    """What a head of the folder would be for, as its files say, and what one for this task and these labels is for.
    Only where the two are equal does an output mean in the one what it means in the other."""
    folder, now = locate(model), _head_of(task, labels)
    config, known, found = read_json(folder / "config.json"), describe(model).heads, trained(folder)
    if found is not None and found.task.head in known and _describes(config, found):
        return _head_of(found.task, found.labels), now
    was = _head(config, (config.get("architectures") or [""])[0])
    if not {"bare", task.head} & set(known):  # it says that it is another network, whose layers may be called alike
        was = known[0], was[1]
    return was, now


def _describes(config: Mapping[str, Any], found: Trained) -> bool:
    """Not so where others have saved another head into the folder since, and left our file beside it."""
    return all(config.get(key) == value for key, value in found.task.describe(found.labels).items())


def _head_of(task: Task, labels: Labels | None) -> Head:
    """The head of a task, whose outputs may have other names than its labels, as those of an order have."""
    named, outputs = _head({"problem_type": task.problem, **task.describe(labels)})
    return named, outputs if labels is None else labels.names


def _head(config: Mapping[str, Any], architecture: str = "") -> Head:
    """The head that a Hugging Face config describes; a label without a name in a list of names is None."""
    names = config.get("id2label") or {}
    count = count_outputs(config)
    known = {find(Task, name).problem: name for name in choices(Task)}
    usual = "regression" if count == 1 else "classification"
    stated = next((problem for ending, problem in ARCHITECTURES.items() if architecture.endswith(ending)), None)
    task = known.get(stated or config.get("problem_type") or "", usual)
    labels = tuple(names.get(str(i)) if names else f"LABEL_{i}" for i in range(count))
    return task, labels if find(Task, task).labelled else None


def head_note(model: str | Path, was: Head, now: Head) -> str:
    """One sentence on a head that the folder has: whether it was kept, and for which labels."""
    if was == now:
        return f"The head of {model} is for {_for(was)} too and was kept."
    same = was[1] is not None and now[1] is not None and sorted(map(str, was[1])) == sorted(map(str, now[1]))
    if was[0] != now[0]:
        return f"The head of {model} is for {_whole(was)}; a new one was started for {_whole(now)}."
    order = " in another order" if same else ""
    return f"The head of {model} is for the labels {_few(was[1])}; a new one was started for {_few(now[1])}{order}."


def _for(head: Head) -> str:
    if head[1] is None:
        return "a score" if head[0] == "regression" else f"the task {head[0]}"
    return f"the labels {_few(head[1])}"


def _whole(head: Head) -> str:
    return f"{head[0]} of {_for(head)}" if head[1] is not None or head[0] == "regression" else _for(head)


def _few(labels: Sequence[Any] | None) -> str:
    named = ", ".join(map(str, (labels or ())[:NAMED]))
    more = len(labels or ()) - NAMED
    return f"{named} and {more:,} more" if more > 0 else named
