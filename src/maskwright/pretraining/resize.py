"""An encoder for another vocabulary: its rows for pieces, in the word vectors and in the scores of words.

Shapes: V pieces before and W after; E the width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.models import empty_network
from maskwright.models._family import name_of
from maskwright.pretraining.encoded import plain
from maskwright.text.forms import Form, forms
from maskwright.text.tokenizer import Tokenizer


class Resized(NamedTuple):
    """The network, its size, and what was done in a sentence."""

    network: Any
    config: Any
    note: str


@dataclass(frozen=True, eq=False)
class Sources:
    """From which old pieces each of the W new ones starts. ids: all end to end; offsets (W + 1,): where those of each
    begin. One: its vector, to the bit; several: their mean; none: the mean of all pieces (Hewitt 2021)."""

    ids: np.ndarray
    offsets: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(W,)"""
        return np.diff(self.offsets)

    def rows(self, old: Tensor, pieces: np.ndarray) -> Tensor:
        """(W, ...) from (V, ...). pieces: the ids that the old tokenizer has pieces for."""
        counts = torch.from_numpy(self.counts).to(old.device)
        ids = torch.from_numpy(self.ids).to(old.device)
        owner = torch.repeat_interleave(torch.arange(len(counts), device=old.device), counts)
        shape = (-1, *[1] * (old.dim() - 1))
        new = old.new_zeros((len(counts), *old.shape[1:])).index_add_(0, owner, old[ids])
        new /= counts.clamp(min=1).view(shape)
        one = counts[owner] == 1
        new[owner[one]] = old[ids[one]]
        new[counts == 0] = old[torch.from_numpy(pieces).to(old.device)].mean(0)
        return new


@torch.no_grad()
def extend_vectors(network: nn.Module, kind: Any, config: Any, old: Tokenizer, new: Tokenizer) -> Resized:
    """The network for a tokenizer with the old one's pieces under the same ids, and more (`Tokenizer.extended`).

    A new piece starts from the mean of what the old tokenizer cuts it into: its word vector and its bias among the
    scores, so that at first its score is the mean of theirs. All other weights stay as they are, to the bit. Rows that
    the old tokenizer has no piece for (published tables are filled up to round numbers) are used before more are made.

    Raises UserError where an old piece has another id, or the network is of another vocabulary.
    """
    _check_fits(config, old)
    moved = sorted(i for piece, i in old.vocabulary.items() if new.vocabulary.get(piece) != i)
    if moved:
        raise UserError(
            f"The new vocabulary has the piece {old.tokens(moved[:1])[0]!r} under another id, or not at all, so it is "
            "no extension of the old one. Exchange the vocabulary instead."
        )
    rows = max(config.vocabulary, new.size)
    added = sorted(set(new.vocabulary.values()) - set(old.vocabulary.values()))
    known = forms(new)
    parts = _parts([known.get(i) for i in added], old)
    sources: list[np.ndarray] = [np.array([i]) for i in range(config.vocabulary)] + [_NONE] * (rows - config.vocabulary)
    for i, part in zip(added, parts, strict=True):
        sources[i] = part
    note = (
        f"{counted(len(added), 'piece')} more in the vocabulary, {new.size:,} now. Each starts from the mean of the "
        f"pieces that it was cut into{_lost(parts)}."
    )
    return _resized(network, kind, config, config.model_copy(update={"vocabulary": rows}), sources, old, note)


@torch.no_grad()
def swap_vectors(network: nn.Module, kind: Any, config: Any, old: Tokenizer, new: Tokenizer) -> Resized:
    """The network for another tokenizer. Of its pieces

    - special ones take the vectors of those with the same role ([CLS] that of <s>), or of the same name;
    - those that stand for the same text in the same place of a word keep its vector, whatever marks the two
      vocabularies write ("##ing" and "ing", "Ġthe" and "the"); a sign counts as the same in any place;
    - others start from the mean of the pieces that the old tokenizer cuts their text into, as if it began a word where
      the old one is a WordPiece;
    - those with no text, or of which the old tokenizer knows nothing, start from the mean of all vectors.

    The note tells how many of each. Raises UserError where the network is of another vocabulary, or its positions
    follow an id for padding that cannot move.
    """
    _check_fits(config, old)
    sources: list[np.ndarray] = [_NONE] * new.size
    special = _specials(old, new)
    for i, before in special.items():
        sources[i] = np.array([before])
    there: dict[tuple[str, bool], int] = {}
    for i, form in forms(old).items():
        for begins in (True, False) if form.begins is None else (form.begins,):
            there.setdefault((form.text, begins), i)
    same, others = 0, {}
    for i, form in forms(new).items():
        places = (True, False) if form.begins is None else (form.begins,)
        found = next((there[form.text, place] for place in places if (form.text, place) in there), None)
        if i in special:
            continue
        if found is None:
            others[i] = form
        else:
            sources[i], same = np.array([found]), same + 1
    parts = _parts(list(others.values()), old)
    for i, part in zip(others, parts, strict=True):
        sources[i] = part
    averaged = sum(len(part) > 0 for part in parts)
    note = (
        f"The vocabulary was exchanged, {len(old.vocabulary):,} pieces for {len(new.vocabulary):,}: "
        f"{counted(len(special), 'special piece')} took the vectors of those with the same role, "
        f"{counted(same, 'piece')} stand for the same text and kept theirs, {averaged:,} start from the mean of the "
        "pieces that their text was cut into, "
        f"{len(new.vocabulary) - len(special) - same - averaged:,} from the mean of all."
    )
    return _resized(network, kind, config, _renumbered(network, kind, config, new), sources, old, note)


_NONE = np.zeros(0, np.int64)


def _check_fits(config: Any, old: Tokenizer) -> None:
    if old.size > config.vocabulary:
        raise UserError(
            f"The tokenizer has pieces up to the id {old.size - 1:,}, but the network has rows for "
            f"{config.vocabulary:,} pieces. Give the tokenizer that the network was trained with."
        )


def _specials(old: Tokenizer, new: Tokenizer) -> dict[int, int]:
    """The old id for each special piece of the new vocabulary that has one."""
    roles = [(new.role_ids.get(role), i) for role, i in old.role_ids.items()]
    by_name = {new.vocabulary[p]: i for p, i in old.vocabulary.items() if p in new.vocabulary and i in old.special_ids}
    return {i: before for i, before in by_name.items() if i in new.special_ids} | {
        i: before for i, before in roles if i is not None
    }


def _parts(wanted: list[Form | None], old: Tokenizer) -> list[np.ndarray]:
    """The old pieces of each form, without unknown ones; none where there is no form."""
    encoded = old.encode(["" if form is None else str(form) for form in wanted])
    ids, lengths, _ = plain(encoded, old)
    found = np.split(ids.astype(np.int64), np.cumsum(lengths)[:-1]) if len(wanted) else []
    return [part[part != encoded.unknown_id] for part in found]


def _lost(parts: list[np.ndarray]) -> str:
    lost = sum(len(part) == 0 for part in parts)
    return f"; {lost:,} that it did not know start from the mean of all vectors" if lost else ""


def _renumbered(network: Any, kind: Any, config: Any, new: Tokenizer) -> Any:
    """The size with the ids that it knows as the new vocabulary has them, and as many positions as before where these
    follow the id for padding."""
    changes: dict[str, Any] = {"vocabulary": new.size}
    for field, role in {"padding": "pad", "separator": "sep"}.items():
        if field in type(config).model_fields:
            changes[field] = new.role_ids.get(role, getattr(config, field))
    start, pad = _start(network), changes.get("padding")
    if start and pad != config.padding:
        moved = _start(empty_network(kind, config.model_copy(update=changes), _head(network, kind)))
        if moved == start:
            raise UserError(
                f"{name_of(kind)} counts positions from {start}, and its reference holds {config.padding} for the id "
                f"of padding, whatever the vocabulary says; in the new one it is {pad}. Give one that has it at "
                f"{config.padding}."
            )
        changes["positions"] = config.positions - start + moved
    return config.model_copy(update=changes)


def _head(network: nn.Module, kind: Any) -> str:
    """Our name of the network."""
    return next(name for name, made in kind.HEADS.items() if made is type(network))


def _start(network: Any) -> int:
    """The row of the first token's position."""
    embeddings = network.encoder.embeddings
    return int(getattr(getattr(embeddings, "table", embeddings), "start", 0))


def _resized(
    network: Any, kind: Any, config: Any, wanted: Any, sources: list[np.ndarray], old: Tokenizer, note: str
) -> Resized:
    """The network in the size `wanted`, each tensor that has a row for every piece filled from `sources`."""
    head = _head(network, kind)
    made = empty_network(kind, wanted, head)
    flat = Sources(np.concatenate([*sources, _NONE]), np.cumsum([0, *map(len, sources)]))
    pieces = np.array(sorted(old.vocabulary.values()))
    sides = dict(_sides(kind, config, head))
    before = network.state_dict()
    for name, tensor in made.state_dict().items():
        given = before[name]
        if name in sides:
            tensor.copy_(flat.rows(given.movedim(sides[name], 0), pieces).movedim(0, sides[name]))
        elif tensor.shape == given.shape:
            tensor.copy_(given)
        else:  # positions, behind rows that belong to none
            start, moved = _start(network), _start(made)
            tensor[:moved] = given[:1]
            tensor[moved:] = given[start:]
    return Resized(made.to(next(network.parameters()).device).train(network.training), wanted, note)


def _sides(kind: Any, config: Any, head: str) -> Iterator[tuple[str, int]]:
    """Tensors that have a row for every piece, and which of their dimensions that is: the one that grows with the
    vocabulary."""
    larger = config.model_copy(update={"vocabulary": config.vocabulary + 1})
    shapes = [_shapes(kind, size, head) for size in (config, larger)]
    for name, shape in shapes[0].items():
        grown = [d for d, (a, b) in enumerate(zip(shape, shapes[1][name], strict=True)) if a != b]
        if grown:
            yield name, grown[0]


def _shapes(kind: Any, config: Any, head: str) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in empty_network(kind, config, head).state_dict().items()}
