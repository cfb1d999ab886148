"""All settings of a fine-tuning run: what a run file, options and keyword arguments may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from maskwright.base.choice import Choice, Part, dump, find, names, resolve
from maskwright.base.config import Config, elsewhere, merge, parse, read_toml
from maskwright.base.errors import UserError, unknown
from maskwright.data.read import Source
from maskwright.data.settings import Data as _Data
from maskwright.nn.positions import Positions
from maskwright.tasks import Task
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head
from maskwright.training.settings import Train

SEEDS = 3  #: the least that have a spread which means something
SMALL = 10_000  #: training rows up to which several seeds are the default


class Data(_Data):
    """The files, and how they are read."""

    train: str | None = Field(
        None, description="training rows: a CSV, TSV, JSONL or Parquet file, or a folder with one folder for each class"
    )
    eval: str | None = Field(
        None, description="rows that choose the checkpoint; reported on when there are no test rows"
    )
    test: str | None = Field(None, description="rows that are only reported on; the eval rows when not given")
    eval_share: float = Field(
        0.1, gt=0, lt=1, description="share of the training rows split off to choose the checkpoint and calibrate"
    )
    test_share: float = Field(0.1, ge=0, lt=1, description="share split off when neither eval nor test is given")
    group: str | None = Field(
        None,
        coerce_numbers_to_str=True,  # columns of files without a header are called 1, 2, ...
        description="column whose rows of one value (a person, a document) all go to one side of that split",
    )
    eval_chooses: bool = Field(
        False, description="without test rows: let the eval rows choose the checkpoint and be reported on, uncalibrated"
    )

    corpus: tuple[str, ...] = Field(
        (), description="text files that the encoder was trained on, in which the rows are looked for"
    )

    @field_validator("corpus", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        """`data.corpus=wiki.txt` is one file; a comma may stand in its name, so several are a list."""
        if isinstance(value, str | Path):
            value = () if value == "none" else (value,)
        if not isinstance(value, list | tuple):
            return value
        return tuple(str(file) if isinstance(file, Path) else file for file in value)

    def reading(self) -> _Data:
        """Only how files are read."""
        return _Data(**{name: getattr(self, name) for name in _Data.model_fields})


class Finetune(Config):
    """A run: `maskwright finetune run.toml` with any of these changed by options."""

    task: Choice[Task] = Field("classification", description="what to learn")
    model: str = Field("minilm", description="the encoder to start from: a folder, an id on the hub, or minilm")
    out: str = Field("runs/finetune", description="the run's folder")
    data: Data = Field(Data(), description="files and how they are read")
    train: Train = Field(Train(), description="how to train")
    weights: Literal["pretrained", "random"] = Field("pretrained", description="start from the encoder's weights?")
    network: dict[str, Any] = Field(
        {}, description="fields of the encoder's config to be otherwise, such as network.classifier_pooling=mean"
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="all rates of the network; none: as the encoder has them"
    )
    max_length: int | None = Field(None, ge=3, description="most pieces of a text; all positions by default")
    positions: Choice[Positions] | None = Field(
        None, description="make a longer table of positions where max_length asks for it: interpolate, tile or extend"
    )
    normalise: bool | None = Field(
        None, description="make user names, links and emoji of tweets even, for BERTweet; by default as its files say"
    )
    long: Choice[Long] = Field(Head(), description="how a longer text is read, by a task with one answer a text")
    seed: int = Field(0, ge=0, description="fixes splits, order, new weights and dropout")
    seeds: int | None = Field(
        None, ge=1, description=f"runs, from `seed` on; by default 3 for up to {SMALL:,} training rows, else 1"
    )
    baselines: bool = Field(True, description="judge a constant answer and a linear model of counted words beside it")

    def numbers(self, rows: int) -> list[int]:
        """The seeds of this run on so many training rows."""
        count = self.seeds or (SEEDS if rows <= SMALL else 1)
        return list(range(self.seed, self.seed + count))


#: Options that name files stand at the top on the command line and under `data` in a run file.
FILES = ("train", "eval", "test")
_OF_DATA = (*FILES, "corpus")


def gather(
    config: str | Path | Mapping[str, Any] | None, options: Mapping[str, Any], sets: Mapping[str, Any]
) -> Finetune:
    """One `Finetune` from a run file, options (which win over it) and `--set` tables (which win over both).

    An option may be a field of `Finetune`, one of `FILES`, `corpus`, or a setting of the chosen task (text, pair, label
    ...).
    """
    source = "finetune" if config is None or isinstance(config, Mapping) else str(config)
    table = dict(config) if isinstance(config, Mapping) else {} if config is None else read_toml(config)
    given = {n: str(v) if isinstance(v, Path) else v for n, v in options.items() if v is not None}
    own = {name: given.pop(name) for name in list(given) if name not in (*Finetune.model_fields, *_OF_DATA)}
    task: dict[str, Any] = {"name": Finetune.model_fields["task"].default}
    for layer in (table.get("task"), given.get("task"), own, sets.get("task")):
        task = merge(task, _named(layer))
    allowed = [*Finetune.model_fields, *_OF_DATA[1:], *(known := find(Task, str(task["name"])).model_fields)]
    for name in own:
        if name not in known:
            owners = [other for other in names(Task) if name in find(Task, other).model_fields]
            if owners:
                raise UserError(f"{name} is an option of the task {_or(owners)}; the task here is {task['name']}.")
            path = elsewhere(Finetune, name, allowed)
            how = f" It is a setting: {path} in a run file and behind --set, nested in `settings` in Python."
            raise UserError(unknown("option", name, allowed, path) + (how if path else ""))
    files = {name: given.pop(name) for name in _OF_DATA if name in given}
    table = merge(merge(merge(merge(_parts(Finetune), table), given), {"data": files}), sets)
    return parse(Finetune, {**table, "task": task}, source)


def _or(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def gather_rows(
    config: str | Path | Mapping[str, Any] | None,
    options: Mapping[str, Any],
    sets: Mapping[str, Any],
    given: Mapping[str, Source | None],
) -> tuple[Finetune, dict[str, Source | None]]:
    """As `gather`, with the rows of each of FILES: those `given` (a path stands among the settings too), else those
    that the settings name."""
    paths = {name: str(source) for name, source in given.items() if isinstance(source, str | Path)}
    asked = gather(config, {**options, **paths}, sets)
    sources = {
        name: source if source is not None and name not in paths else getattr(asked.data, name)
        for name, source in given.items()
    }
    return asked, sources


def _parts(kind: type[Config]) -> dict[str, Any]:
    """The parts that hold unless others are named, so that `train.schedule.warmup=0.2` alone is enough."""
    out: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if isinstance(field.default, Part):
            out[name] = {"name": field.default.name}
        elif isinstance(field.default, Config):
            out[name] = _parts(type(field.default))
    return out


def _named(task: Any) -> Mapping[str, Any]:
    """A task's name, or a task, as the table that says the same; what is left open stays open."""
    if isinstance(task, str):
        return {"name": task}
    if task is None or isinstance(task, Mapping):
        return task or {}
    return dump(resolve(Task, task))


def task_options() -> dict[str, Any]:
    """The settings of all tasks at hand by name, as pydantic fields: options of the command line."""
    return {name: field for task in names(Task) for name, field in find(Task, task).model_fields.items()}
