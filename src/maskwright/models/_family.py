"""What a family file states, and how its names and keys are walked: forwards to load, backwards to save.

A family is one file `models/<hf_model_type>.py` with

- `Config`: its sizes and numerics in our words; `build(config) -> Encoder`;
- `HEADS`: its published networks by our name, each a class with `architecture` (the Hugging Face name), a constructor
  `(config, encoder, classes)` and an attribute `encoder`;
- `NAMES`: our tensor name -> theirs, `*` standing for one dotted word; a tuple of theirs is stacked along dimension 0;
- `KEYS`: every key of the Hugging Face config: a field of `Config`, `Fixed(value)` or `Ignored(reason)`;
- `PRESETS`: published sizes by name;
- `PREFIX`, `COPIES`, `LEGACY`, `BUFFERS`: what checkpoints in the wild do with names (see `bert.py`).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError, unknown


@dataclass(frozen=True)
class Fixed:
    """A key that we read only with this value."""

    value: Any
    why: str


@dataclass(frozen=True)
class Ignored:
    """A key that changes no number that we compute."""

    why: str


Key = str | Fixed | Ignored

_BOOKKEEPING = Ignored("bookkeeping of the file")
_OUTPUTS = Ignored("what the reference returns, not what it computes")
#: Written into every config by the versions 2 to 4 of transformers, also for encoders.
_GENERATION_KEYS = """
    use_cache bos_token_id eos_token_id eos_token_ids sep_token_id decoder_start_token_id forced_bos_token_id
    forced_eos_token_id max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty
    temperature top_k top_p typical_p repetition_penalty length_penalty exponential_decay_length_penalty
    no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids suppress_tokens begin_suppress_tokens
    num_return_sequences remove_invalid_values return_dict_in_generate output_scores prefix task_specific_params
    cross_attention_hidden_size tokenizer_class
"""

#: Keys that any Hugging Face config may carry, beside a family's own.
COMMON_KEYS: dict[str, Key] = {
    **dict.fromkeys(
        ("architectures", "model_type", "transformers_version", "_name_or_path", "finetuning_task", "torchscript"),
        _BOOKKEEPING,
    ),
    **dict.fromkeys(("id2label", "label2id", "num_labels", "problem_type"), Ignored("read by the task")),
    **dict.fromkeys(("dtype", "torch_dtype", "use_bfloat16"), Ignored("weights are kept in fp32")),
    **dict.fromkeys(("output_attentions", "output_hidden_states", "output_past", "return_dict"), _OUTPUTS),
    **dict.fromkeys(_GENERATION_KEYS.split(), Ignored("settings of generation, which an encoder does not do")),
    "gradient_checkpointing": Ignored("a way to save memory, same result"),
    "chunk_size_feed_forward": Ignored("a way to save memory, same result"),
    **dict.fromkeys(("_attn_implementation", "_attn_implementation_autoset"), Ignored("a kernel, same result")),
    "tf_legacy_loss": Ignored("a loss of the reference in TensorFlow"),
    "is_encoder_decoder": Fixed(False, "this library holds encoders"),
    "is_decoder": Fixed(False, "this library holds encoders"),
    "add_cross_attention": Fixed(False, "this library holds encoders"),
    "pruned_heads": Fixed({}, "heads are pruned in the weights, not in the config"),
}


def families() -> list[str]:
    """The `model_type` of every family at hand: the files of this folder."""
    import maskwright.models as package

    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_")


def family(model_type: str) -> Any:
    """The family's module. Raises UserError that lists the families."""
    if model_type not in families():
        raise UserError(unknown("model family", model_type, families()))
    module: ModuleType = importlib.import_module(f"maskwright.models.{model_type.replace('-', '_')}")
    return module


def read_config(kind: Any, theirs: Mapping[str, Any], source: str) -> Config:
    """A family's `Config` from a Hugging Face config. Raises UserError for a key that the family does not know."""
    keys: dict[str, Key] = {**COMMON_KEYS, **kind.KEYS}
    name = theirs.get("model_type")
    ours: dict[str, Any] = {}
    for key, value in theirs.items():
        if key not in keys:
            raise UserError(
                f"{source}: the family {name!r} does not know this key. {unknown('config key', key, kind.KEYS)} "
                "Its effect on the numbers is unknown, so it is refused instead of skipped."
            )
        meaning = keys[key]
        if isinstance(meaning, str):
            ours[meaning] = value
        elif isinstance(meaning, Fixed) and value != meaning.value and value is not None:
            raise UserError(
                f"{source}: {key} = {value!r} is not supported for {name!r}, only {meaning.value!r}: {meaning.why}."
            )
    config: Config = parse(kind.Config, ours, source)
    return config


def write_config(kind: Any, config: Config) -> dict[str, Any]:
    """The Hugging Face config of a family's `Config`: mapped and fixed keys."""
    out: dict[str, Any] = {"model_type": kind.__name__.rpartition(".")[2].replace("_", "-")}
    for key, meaning in kind.KEYS.items():
        if isinstance(meaning, str):
            out[key] = getattr(config, meaning)
        elif isinstance(meaning, Fixed):
            out[key] = meaning.value
    return out


class Names:
    """A family's `NAMES`, both ways."""

    def __init__(self, table: Mapping[str, str | tuple[str, ...]]) -> None:
        self.rules = [(_pattern(ours), (t,) if isinstance(t, str) else t) for ours, t in table.items()]
        self.known = [_pattern(one) for _, theirs in self.rules for one in theirs]

    def theirs(self, ours: str) -> tuple[str, ...]:
        """Their names of one of our tensors; several when theirs are stacked into ours."""
        for pattern, theirs in self.rules:
            found = pattern.fullmatch(ours)
            if found:
                return tuple(_fill(name, found.groups()) for name in theirs)
        raise AssertionError(f"NAMES has no rule for the tensor {ours}")

    def knows(self, theirs: str) -> bool:
        """Whether some part of the family holds this tensor of theirs."""
        return any(p.fullmatch(theirs) for p in self.known)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile("([^.]+)".join(re.escape(part) for part in name.split("*")))


def _fill(name: str, words: Iterable[str]) -> str:
    words = iter(words)
    return "".join(next(words) if part == "*" else part for part in re.split(r"(\*)", name))
