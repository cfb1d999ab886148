"""All settings of a pre-training: what a run file, options and keyword arguments may say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from maskwright.base.choice import Choice, Part, dump, find, resolve
from maskwright.base.command import is_word, sets
from maskwright.base.config import Config, elsewhere, merge, parse, read_toml
from maskwright.base.errors import UserError, unknown
from maskwright.nn.positions import Positions
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.course import Phase, shares_flaw
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.recipes import Recipe
from maskwright.training.settings import Steps


class Train(Steps):
    """What `[train]`, or `--set train.NAME=VALUE`, may say. Lengths and batches stand in `phases`."""

    evaluations: int = Field(10, ge=1, description="times that the held-out text is judged, at equal distances")


class Pretrain(Config):
    """A run: `maskwright pretrain run.toml` or `maskwright pretrain TEXT` with any of these changed by options."""

    text: str = Field(description="a corpus that `maskwright corpus build` made, or text to make one of")
    out: str = Field("runs/pretrain", description="the run's folder")
    budget: str = Field("20m", description='what it may take: 20m, 2h, "1000 steps" or "5M tokens"')
    recipe: Choice[Recipe] = Field("modern", description="all that is not said otherwise: modern, bert-2018 ...")
    family: str = Field("modernbert", description="the network; `maskwright show` lists them")
    size: str = Field("4x256", description="layers x width, or a size of the family: tiny, mini, small ...")
    network: dict[str, Any] = Field({}, description="fields of the family's Config, such as network.heads=8")
    dropout: float | None = Field(0.0, ge=0, lt=1, description="all rates of the network; none: as the family has them")
    tokenizer: str | None = Field(None, description="a folder or model whose pieces are used; by default one is learnt")
    vocabulary: int = Field(8192, ge=1, description="pieces of the tokenizer that is learnt")
    cased: bool = Field(False, description="whether the tokenizer that is learnt keeps case and accents")
    model: str | None = Field(None, description="go on with this encoder: a folder, an id on the hub, or minilm")
    extend_vocabulary: int = Field(0, ge=0, description="with --model: words of the text that become pieces")
    positions: Choice[Positions] | None = Field(
        None, description="with --model: a longer table where a phase needs it: interpolate, tile or extend"
    )
    head_steps: int = Field(200, ge=1, description="with a --model without a masked-LM head: steps to fit one")
    objective: Choice[PretrainingObjective] = Field("mlm", description="what is learnt")
    phases: list[Phase] = Field([Phase()], min_length=1, description="lengths and batches, one after another")
    train: Train = Field(Train(), description="how to train")
    judge_sequences: int | None = Field(1000, ge=1, description="held-out sequences that are judged; none: all")
    remember: str | None = Field(
        None, description="with --model: a corpus like what it knew, whose held-out text says what was forgotten"
    )
    pairs: str | None = Field(None, description="minimal pairs (BLiMP's files) to judge on the way and in the end")
    pairs_limit: int | None = Field(
        100, ge=1, description="most pairs of a paradigm: all are judged in the end, ten on the way; none: no limit"
    )
    seed: int = Field(0, ge=0, description="fixes masks, order, new weights and dropout")

    @field_validator("budget")
    @classmethod
    def _is_budget(cls, value: str) -> str:
        Budget.read(value)
        return value

    @field_validator("phases")
    @classmethod
    def _whole(cls, phases: list[Phase]) -> list[Phase]:
        if flaw := shares_flaw(phases):
            raise ValueError(flaw)
        return phases

    @model_validator(mode="after")
    def _of_a_model(self) -> Pretrain:
        for name in ("extend_vocabulary", "positions", "remember"):
            if getattr(self, name) and self.model is None:
                raise ValueError(f"{name} is of a model that is gone on with; give --model, or leave it away")
        return self


#: Options beside the fields: each changes what stands deeper.
SHORT = {
    "masking": "which pieces are asked for: token, whole-word, span, n-gram, phrase, pmi",
    "length": "most pieces of a sequence, in place of the recipe's phases",
    "batch_tokens": "pieces of a step, in place of the recipe's",
    "lr": "peak learning rate",
}


def gather(
    config: str | Path | Mapping[str, Any] | None, options: Mapping[str, Any], sets: Mapping[str, Any]
) -> Pretrain:
    """One `Pretrain` from the recipe, a run file, options and `--set` tables, later ones winning.

    An option may be a field of `Pretrain` or one of `SHORT`. `masking` is short for `objective.masking`, which holds
    where a layer has both. Where another masking is named, what all maskings have (rate, masked, random,
    copies) stays as it was: as the recipe has it, or the objective where that is another than the recipe's.
    """
    source = "pretrain" if config is None or isinstance(config, Mapping) else str(config)
    table = dict(config) if isinstance(config, Mapping) else {} if config is None else read_toml(config)
    given = {n: str(v) if isinstance(v, Path) else v for n, v in options.items() if v is not None}
    allowed = [*Pretrain.model_fields, *SHORT]
    for name in [*given, *table, *sets]:
        if name not in allowed:
            path = elsewhere(Pretrain, name, allowed)
            how = f" It is a setting: {path} in a run file and behind --set, nested in `settings` in Python."
            raise UserError(unknown("option", name, allowed, path) + (how if path else ""))
    said, maskings = dict[str, Any](), list[dict[str, Any]]()
    for layer in (table, given, sets):
        told, own = _told(layer)
        said, maskings = merge(said, told), [*maskings, *own]
    recipe = resolve(Recipe, said.get("recipe") or Pretrain.model_fields["recipe"].default)
    budget = Budget.read(str(said.get("budget") or Pretrain.model_fields["budget"].default))
    goes_on = bool(said.get("model"))
    if goes_on:
        _refuse_new(said)
    if said.get("tokenizer"):
        _refuse_learnt(said)
    whole = merge(_defaults(), recipe.settings(budget, goes_on))
    whole = merge(whole, {n: v for n, v in said.items() if n not in SHORT})
    for masking in maskings:
        whole = _with_masking(whole, masking)
    changes = {name: said[name] for name in ("length", "batch_tokens") if name in said}
    whole["phases"] = _phases(whole["phases"], changes)
    if "lr" in said:
        whole["train"] = merge(whole["train"], {"lr": said["lr"]})
    return parse(Pretrain, {**whole, "recipe": recipe}, source)


def command(asked: Pretrain) -> str:
    """The command line that repeats a run."""
    settings = asked.model_dump(mode="json")
    first = {"recipe": settings["recipe"]["name"], "budget": asked.budget}
    first |= {"model": asked.model} if asked.model else {}
    usual = gather({"text": asked.text, **first}, {}, {}).model_dump(mode="json")
    for one in (settings, usual):  # what is not said of another masking stays as the recipe has it
        if masking := one["objective"].get("masking"):
            masking["copies"] = masking["copies"] or "none"
    words = ["maskwright", "pretrain", asked.text]
    plain = {n: v for n, v in settings.items() if n not in ("text", *first) and is_word(v)}
    for name, value in [*first.items(), *((n, v) for n, v in plain.items() if v != usual[n])]:
        words += [f"--{name.replace('_', '-')}", str(value)]
    rest = {name: value for name, value in settings.items() if name not in {"text", *first, *plain}}
    return shlex.join([*words, *sets(rest, usual)])


def _defaults() -> dict[str, Any]:
    return {"train": {"optimizer": {"name": "adamw"}, "schedule": {"name": "linear"}}, "objective": {"name": "mlm"}}


def _told(layer: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A layer without what it says of the masking, and that, both spellings of it; parts as tables."""
    rest, objective = dict(layer), dict[str, Any]()
    if "objective" in rest:
        objective = rest["objective"] = _table(PretrainingObjective, rest["objective"])
    return rest, [_table(Masking, said.pop("masking")) for said in (rest, objective) if "masking" in said]


def _table(contract: type[Part], given: Any) -> dict[str, Any]:
    """A part as a table. Raises UserError for what is no part."""
    if isinstance(given, str):
        return {"name": given}
    return dict(given) if isinstance(given, Mapping) else dump(resolve(contract, given))


def _with_masking(whole: dict[str, Any], masking: Mapping[str, Any]) -> dict[str, Any]:
    """The objective with what was said of its masking."""
    objective = _table(PretrainingObjective, whole["objective"])
    field = find(PretrainingObjective, objective["name"]).model_fields.get("masking")
    if field is None:
        raise UserError(
            f"The objective {objective['name']!r} masks nothing, so that masking has no place. Leave it away; of a "
            "mixture, name it in the part: objective.parts."
        )
    was = _table(Masking, objective.get("masking", {} if field.is_required() else field.default))
    if masking.get("name", was.get("name")) != was.get("name"):
        was = {name: value for name, value in was.items() if name in Masking.model_fields}
    objective["masking"] = merge(was, masking)
    return {**whole, "objective": objective}


def _refuse_new(said: Mapping[str, Any]) -> None:
    """Raises UserError for what describes a new network, where one is gone on with."""
    new = [name for name in ("family", "size", "network", "dropout", "vocabulary", "cased") if name in said]
    if new:
        raise UserError(
            f"{', '.join(new)}: a setting of a new network, but --model {said['model']} is gone on with, which has its "
            "own. Leave it away, or leave --model away."
        )


def _refuse_learnt(said: Mapping[str, Any]) -> None:
    """Raises UserError for what describes a tokenizer that is learnt, where one is named."""
    if learnt := [name for name in ("vocabulary", "cased") if name in said]:
        raise UserError(
            f"{', '.join(learnt)}: a setting of a tokenizer that is learnt, but --tokenizer {said['tokenizer']} names "
            "one, which has its own. Leave it away, or leave --tokenizer away."
        )


def _phases(phases: Any, changes: Mapping[str, int]) -> Any:
    """With one length there is one phase. What is no list of tables stays as it is, for `Pretrain` to refuse."""
    if not isinstance(phases, list) or not phases:
        return phases
    tables = [phase.model_dump() if isinstance(phase, Phase) else phase for phase in phases]
    if not all(isinstance(table, Mapping) for table in tables):
        return phases
    if "length" in changes:
        tables = [{**tables[0], "share": 1.0}]
    kept = ("batch_from", "ramp") if "batch_tokens" in changes else ()
    return [{**{n: v for n, v in table.items() if n not in kept}, **changes} for table in tables]
