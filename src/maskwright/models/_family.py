"""What a family file states, and how its names and keys are walked: forwards to load, backwards to save.

A family is one file `models/<hf_model_type>.py` with

- `Config`: its sizes and numerics in our words; `build(config) -> Encoder`;
- `HEADS`: its published networks by our name (`_heads.py`), each a class with `architecture` (the Hugging Face name), a
  constructor `(config, encoder, classes)` and an attribute `encoder`;
- `NAMES`: our tensor name -> theirs, `*` standing for one dotted word; a tuple of theirs is stacked along dimension 0;
- `KEYS`: every key of the Hugging Face config: a field of `Config`, `Fixed(value)`, `Ignored(reason)` or
  `Special(role)`; a dotted key stands in a dictionary of the config;
- `PRESETS`: published sizes by name; `CHANGES`: what it has otherwise than BERT;
- `PREFIX`: what the encoder's tensors are called under where there is more than the encoder; `COPIES`: their tensors
  that repeat another of theirs; `LEGACY`, `BUFFERS`: old parts of names, and tensors that hold nothing, beside those of
  every family; `HINTS`: what to do where tensors that begin so do not fit; `settle(theirs)` where older versions
  spelled keys of the config otherwise; `ABSENT`: what the reference takes for keys that a config lacks, where our
  defaults, which are those of the published base size, are others; `OTHERWISE`: what the reference does otherwise, a
  sentence behind "In transformers".

An arm of an experiment, which no other library has, is a file without `NAMES` and `KEYS`: its folders carry our names.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from types import ModuleType
from typing import Any

from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError, unknown


@dataclass(frozen=True)
class Fixed:
    """A key that we read only with this value, or null where the value is false or nothing."""

    value: Any
    why: str


@dataclass(frozen=True)
class Ignored:
    """A key that changes no number that we compute."""

    why: str


@dataclass(frozen=True)
class Special:
    """A key that changes no number of ours either, but others heed it: the id of one of the tokenizer's pieces."""

    role: str  #: as in `Tokenizer.role_ids`


Key = str | Fixed | Ignored | Special

#: Of configs that say how sequences begin and end; a value that is left out is that of the family's first vocabulary.
ENDS: dict[str, Key] = {"bos_token_id": Special("cls"), "eos_token_id": Special("sep")}


@dataclass(frozen=True)
class Changes:
    """What a family has otherwise than BERT, in few words, each with the function or class that does it:
    `"one segment; positions from 2 | build"`, or `"... | nn.rotary:Rotary"` for one outside of its file."""

    date: str  #: year and month of the paper's first version
    paper: str
    embedding: str = ""
    attention: str = ""
    block: str = ""  #: norms, feed-forward, residuals
    objective: str = ""
    sharing: str = ""
    parent: str = "bert"  #: the family that it was made from


@dataclass(frozen=True)
class Preset:
    """A size that was published."""

    config: Config
    source: str  #: where the size, and the number of parameters, were published
    published: str = ""  #: millions of parameters as the source writes them, such as "110"; "": it gives none
    head: str = "bare"  #: the network whose parameters that number is closest to
    without_words: bool = False  #: whether the source leaves the word vectors out
    note: str = ""  #: why arithmetic gives another number


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
    **dict.fromkeys(("_num_labels", "xla_device", "attn_implementation"), Ignored("left over from an old version")),
    "sentence_transformers": _BOOKKEEPING,
    "sbert_ce_default_activation_function": Ignored("how a cross-encoder's score is shown; the order stays"),
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


#: `model_type`s that people try and that are no bidirectional encoders of text
OTHERS = {
    "a decoder, whose tokens see nothing to their right": """
        gpt2 gpt_neo gpt_neox gptj opt llama mistral mixtral qwen2 qwen3 gemma gemma2 gemma3 gemma3_text phi phi3 falcon
        bloom mpt olmo olmo2 smollm3 starcoder2 codegen xglm modernbert-decoder""",
    "an encoder and a decoder": "t5 mt5 umt5 longt5 bart mbart pegasus m2m_100 marian led prophetnet",
    "a model of pictures": "vit deit beit swin swinv2 dinov2 dinov3_vit convnext convnextv2 resnet clip siglip siglip2",
    "a model of sound": "wav2vec2 hubert whisper wavlm",
}


def family(model_type: str) -> Any:
    """The family's module. Raises UserError that lists the families."""
    if model_type not in families():
        what = next((what for what, names in OTHERS.items() if model_type in names.split()), None)
        if what is not None:
            raise UserError(
                f"{model_type!r} is {what}; maskwright holds bidirectional encoders of text: {', '.join(families())}."
            )
        raise UserError(unknown("model family", model_type, families()))
    module: ModuleType = importlib.import_module(f"maskwright.models.{model_type.replace('-', '_')}")
    return module


def read_config(kind: Any, theirs: Mapping[str, Any], source: str) -> Config:
    """A family's `Config` from a Hugging Face config. Raises UserError for a key that the family does not know."""
    mine = keys_of(kind)
    keys: dict[str, Key] = {**COMMON_KEYS, **mine}
    name = theirs.get("model_type")
    theirs = {**getattr(kind, "ABSENT", {}), **theirs}
    theirs = kind.settle(theirs) if hasattr(kind, "settle") else theirs
    ours: dict[str, Any] = {}
    for key, value in _flat(theirs, keys):
        if key not in keys:
            raise UserError(
                f"{source}: the family {name!r} does not know this key. {unknown('config key', key, mine)} "
                "Its effect on the numbers is unknown, so it is refused instead of skipped."
            )
        meaning = keys[key]
        if isinstance(meaning, str):
            ours[meaning] = value
        elif isinstance(meaning, Fixed) and value != meaning.value and (value is not None or meaning.value):
            raise UserError(
                f"{source}: {key} = {value!r} is not supported for {name!r}, only {meaning.value!r}: {meaning.why}."
            )
    config: Config = parse(kind.Config, ours, source)
    return config


def write_config(kind: Any, config: Config) -> dict[str, Any]:
    """The Hugging Face config of a family's `Config`: mapped and fixed keys."""
    plain = config.model_dump(mode="json")
    out: dict[str, Any] = {"model_type": name_of(kind)}
    for key, meaning in keys_of(kind).items():
        if isinstance(meaning, Ignored | Special):
            continue
        *folders, last = key.split(".")
        place = out
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = plain[meaning] if isinstance(meaning, str) else meaning.value
    return out


def changed(kind: Any, table: Mapping[str, Any], network: Mapping[str, Any], dropout: float | None) -> Config:
    """A family's `Config` from a table of all its fields, with some of them otherwise: `network`, and as `dropout` all
    rates of it. Raises UserError for fields that do not fit."""
    rates = {name: dropout for name in kind.Config.model_fields if "dropout" in name and dropout is not None}
    return parse(kind.Config, {**table, **rates, **network}, f"network of the family {name_of(kind)!r}")


def special_ids(kind: Any, ids: Mapping[str, int]) -> dict[str, int]:
    """What the Hugging Face config says of the tokenizer's pieces. ids: of each role."""
    found = {key: meaning.role for key, meaning in keys_of(kind).items() if isinstance(meaning, Special)}
    return {key: ids[role] for key, role in found.items() if role in ids}


def name_of(kind: Any) -> str:
    """The `model_type` of a family."""
    name: str = kind.__name__.rpartition(".")[2].replace("_", "-")
    return name


def keys_of(kind: Any) -> dict[str, Key]:
    """A family's `KEYS`; of an arm, the fields of its `Config`."""
    keys: dict[str, Key] = getattr(kind, "KEYS", None) or {field: field for field in kind.Config.model_fields}
    return keys


def names_of(kind: Any, keep: Callable[[str], bool] = lambda part: True) -> Names:
    """A family's `NAMES`, or those of some of a network's parts; of an arm, each tensor's own."""
    if not hasattr(kind, "NAMES"):
        parts = {"encoder", *(part for head in kind.HEADS.values() for part in head.parts)}
        return Names({f"{part}.**": f"{part}.**" for part in sorted(parts) if keep(part)})
    return Names({ours: theirs for ours, theirs in kind.NAMES.items() if keep(ours.split(".")[0])})


def reference_heads(kind: Any) -> list[str]:
    """Our names of the networks of a family that the reference has too; none of an arm."""
    own = kind.HEADS if not hasattr(kind, "NAMES") else getattr(kind, "OWN_HEADS", ())
    return [head for head in kind.HEADS if head not in own]


def prefix_of(kind: Any) -> str:
    """What the encoder's tensors are called under, in the folder of a network that has more than the encoder."""
    prefix: str = getattr(kind, "PREFIX", "")
    return prefix


#: Names that TensorFlow gave, in the oldest folders of any family.
TENSORFLOW = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def legacy_of(kind: Any) -> dict[str, str]:
    """Old parts of tensors' names -> what they are called now, in the order in which they are replaced."""
    return {**TENSORFLOW, **getattr(kind, "LEGACY", {})}


def buffers_of(kind: Any) -> tuple[str, ...]:
    """Tensors that hold nothing; of every family the numbers 0, 1, 2, ..., which old versions stored."""
    return (f"{prefix_of(kind)}embeddings.position_ids", *getattr(kind, "BUFFERS", ()))


def _flat(theirs: Mapping[str, Any], keys: Mapping[str, Key], before: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values; those of a dictionary one by one where dotted keys are known in it."""
    for key, value in theirs.items():
        whole = before + key
        if any(known.startswith(f"{whole}.") for known in keys):
            yield from _flat(value or {}, keys, f"{whole}.")
        else:
            yield whole, value


class Names:
    """A family's `NAMES`, both ways. `*` stands for one dotted word, `**` for any number of them."""

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


def prefixed(names: Mapping[str, str | tuple[str, ...]], old: str, new: str) -> dict[str, str | tuple[str, ...]]:
    """The `NAMES` of a family whose tensors are called as another's, under a prefix of its own."""

    def one(theirs: str) -> str:
        return new + theirs.removeprefix(old) if theirs.startswith(old) else theirs

    return {ours: one(t) if isinstance(t, str) else tuple(map(one, t)) for ours, t in names.items()}


def without(keys: Mapping[str, Key], *starts: str) -> dict[str, Key]:
    """The `KEYS` of a family but for those that begin so."""
    return {key: meaning for key, meaning in keys.items() if not key.startswith(starts)}


_WILD = re.compile(r"\*\*|\*")


def _pattern(name: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in _WILD.split(name))
    wild = ("(.+)" if w == "**" else "([^.]+)" for w in _WILD.findall(name))
    return re.compile("".join(part for pair in zip_longest(parts, wild, fillvalue="") for part in pair))


def _fill(name: str, words: Iterable[str]) -> str:
    words = iter(words)
    return _WILD.sub(lambda _: next(words), name)
