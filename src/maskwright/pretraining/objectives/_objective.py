"""The contract of an objective of pre-training: the sequences it reads, what it asks of them, and its loss.

Shapes: N pieces of B sequences, M of them scored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.choice import Choice, Part
from maskwright.base.errors import UserError
from maskwright.models._family import name_of
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.precision import precision
from maskwright.pretraining.formats import Format
from maskwright.pretraining.formats.doc_sentences import DocSentences
from maskwright.pretraining.masking import Draw, Masking, Pieces, Vocabulary
from maskwright.pretraining.masking.token import Token
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.objective import Objective

_LOTS = 3  # stream of random numbers


@dataclass(frozen=True)
class Asked:
    """A batch and what is asked of it. chosen: the M scored pieces; labels (M,) int64: what stands there; order (B,)
    int64: of pairs, whether the second text follows the first; lots (M,) in [0, 1): for an objective that draws
    something at each scored piece."""

    batch: Batch
    chosen: Chosen
    labels: Tensor
    order: Tensor | None = None
    lots: Tensor | None = None

    def to(self, device: torch.device | str) -> Asked:
        def there(tensor: Tensor | None) -> Any:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        chosen = Chosen(there(self.chosen.tokens), self.chosen.counts)
        rest = map(there, (self.labels, self.order, self.lots))
        return Asked(self.batch.to(device), chosen, *rest)


class PretrainingObjective(Part):
    """Settings, the questions and the loss."""

    head: ClassVar[str]  #: the network that it trains, a name in the family's HEADS
    answering: ClassVar[str] = ""  #: who answers the questions of held-out text, where that is not the model
    adds: ClassVar[str] = ""  #: the figure of its own questions, of which the built module's `told` has sum and count
    learns: ClassVar[str] = ""  #: what an encoder learns by it, in words; one's own goes by its name

    format: Choice[Format] = Field(DocSentences(), description="how sequences are cut out of documents")

    @property
    def copies(self) -> int | None:
        """How many passes differ, after which sequences and masks come again (`Masking.copies`); None: all do."""
        return None

    @abstractmethod
    def ask(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float) -> Asked:
        """The questions on some sequences. progress: the share of the training that is behind."""

    @abstractmethod
    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        """The module whose forward takes `Asked`. network: the `head` of the family `kind` in the size `config`. The
        module may hold parts of its own, which are trained and not saved with the model."""

    def questions(self) -> PretrainingObjective:
        """What held-out text is asked, the same for all who are compared: 15 % of the pieces, [MASK] in the place of
        all, so that nobody trained with other replacements is favoured by seeing them."""
        from maskwright.pretraining.objectives.mlm import Mlm  # a file of this folder, which imports this one

        return Mlm(masking=Token(masked=1.0, random=0.0))

    def speaks(self, built: Any) -> Any:
        """The network that names masked words (`models._heads.Speaking`), or None; built: what `build` gave."""
        return built.network

    def answers(self, built: Any) -> Objective:
        """Who answers them."""
        from maskwright.pretraining.objectives.mlm import MaskedWords

        return MaskedWords(self.speaks(built))

    @property
    def learnt(self) -> str:
        """What an encoder learns by it, in words."""
        return self.learns or self.name

    def told(self) -> str:
        """The same with its settings, for the card of a model."""
        return self.learnt

    def beside(
        self, built: Any, held: Any, device: torch.device | str, format: Literal["fp32", "bf16"]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Figures of held-out text that its questions do not ask for, by name: of each of S sequences a sum and a
        count. held: `held_out.HeldOut`, every sequence by itself, asked as `asks_beside` says."""
        if not self.adds:
            return {}
        sums, counts = each(built, held, device, format, built.told)
        return {self.adds: (sums, counts)}

    def asks_beside(self) -> PretrainingObjective:
        """Whose questions `beside` is asked, of sequences in its format."""
        return self if self.adds else self.questions()

    def explained(self, figures: Mapping[str, Any]) -> list[str]:
        """What a person should know of the figures, one sentence each, for the verdict."""
        return []

    def outside(self, kind: Any) -> str:
        """In a sentence, what the transformers library does not have of the trained model; "" where it has all."""
        return ""

    def prepared(self, tokenizer: Tokenizer) -> PretrainingObjective:
        """This objective with maskings that are ready for a tokenizer (`Masking.prepare`)."""
        return self

    @property
    def spoken(self) -> Literal["at", "before", "none"]:
        """Where the saved network's scores of a masked piece are: at it, or at the piece before it; or nowhere, since
        it names no masked pieces."""
        return "at"

    @property
    def kept(self) -> Literal["at", "before", "none"]:
        """The same of the model that is kept, where that is not the network which answered."""
        return self.spoken

    @property
    def files(self) -> list[str]:
        """What it reads beside the corpus."""
        return []

    @property
    def anew(self) -> str:
        """What is trained beside the model and kept by none, in words: it starts from random weights even where the
        model does not."""
        return ""

    @property
    def notes(self) -> list[str]:
        """What a person should know of it once it is prepared, one sentence each."""
        return []

    def head_of(self, kind: Any) -> str:
        """The network that it trains in a family. Raises UserError where the family has none."""
        if self.head not in kind.HEADS:
            raise UserError(
                f"The objective {self.name!r} trains the network {self.head!r}, which the family "
                f"{name_of(kind)!r} does not have. It has: {', '.join(kind.HEADS)}."
            )
        return self.head


class Masks(PretrainingObjective):
    """An objective that asks for masked pieces."""

    masking: Choice[Masking] = Field(Token(), description="which pieces are asked for, and what stands in their place")
    z: float = Field(0.0, ge=0, description="weight of (log sum exp)^2, which keeps scores from drifting")

    @property
    def copies(self) -> int | None:
        return self.masking.copies

    @property
    def files(self) -> list[str]:
        return self.masking.files

    @property
    def notes(self) -> list[str]:
        return self.masking.notes

    def told(self) -> str:
        return f"{self.learnt} (masked: {self.masking.told()})"

    def prepared(self, tokenizer: Tokenizer) -> Masks:
        return self.model_copy(update={"masking": self.masking.prepare(tokenizer)})

    def ask(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float) -> Asked:
        masked = self.masking.apply(pieces, vocabulary, draw, progress)
        counts = np.bincount(pieces.owner[masked.chosen], minlength=len(pieces))
        batch = packed(replace(pieces, ids=masked.ids))
        return Asked(
            batch,
            Chosen(torch.from_numpy(masked.chosen), tuple(counts.tolist())),
            torch.from_numpy(masked.labels),
            None if pieces.order is None else torch.from_numpy(pieces.order),
            torch.from_numpy(draw.of_pieces(pieces, _LOTS)[masked.chosen]),
        )


def packed(pieces: Pieces) -> Batch:
    """The same as tensors, with nothing hidden."""
    segments = None if pieces.segments is None else torch.from_numpy(pieces.segments)
    return Batch.packed(torch.from_numpy(pieces.ids), pieces.lengths.tolist(), segments)


def reading(batch: Batch, *groups: Tensor) -> tuple[Chosen, list[Tensor]]:
    """Several groups of pieces as one choice, none twice, so that one pass serves all; and where each group stands in
    it."""
    tokens, places = torch.unique(torch.cat(groups), return_inverse=True)
    counts = torch.bincount(batch.sequence[tokens], minlength=len(batch))
    return Chosen(tokens, tuple(counts.tolist())), list(places.split([len(group) for group in groups]))


@torch.inference_mode()
def each(
    built: Objective,
    held: Any,
    device: torch.device | str,
    format: Literal["fp32", "bf16"],
    told: Callable[[Asked], tuple[float, ...]],
) -> list[np.ndarray]:
    """What `told` says of each batch of held-out questions, float64, a column for each of its numbers. The network does
    not train meanwhile."""
    training = built.training
    built.to(device).eval()
    with precision(format, device):
        found = [told(one.to(device)) for one in held.asked]
    built.train(training)
    return [np.array(column, float) for column in zip(*found, strict=True)]


def facts(**sums: Any) -> dict[str, float]:
    """Sums over items, for the log."""
    return {name: float(value) for name, value in sums.items()}
