"""The networks that stand on an encoder: one shape each, filled with a family's own parts.

`First.of("BertModel", pooler=make)` is a class with `architecture` (the Hugging Face name), an attribute for each part
and the constructor `(config, encoder, classes)`; `make(config, classes)` gives the part. Parts are applied one after
the other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.pooling.mean import Mean as _Mean

Make = Callable[[Any, int], nn.Module]
CLASSIFIER = "classifier"  #: the part that reads the vector of a text


class Head(nn.Module):
    """An encoder and parts on it."""

    architecture: ClassVar[str]
    pooled: ClassVar[bool] = False  #: whether its parts, but for the scores of words, read one vector of a text
    parts: ClassVar[Mapping[str, Make]] = {}

    def __init__(self, config: Any, encoder: nn.Module, classes: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        # Not a family's: what a way to read long texts puts before the classifier, and a task behind it.
        self.combine: nn.Module | None = None
        self.behind: nn.Module | None = None
        for name, make in self.parts.items():
            setattr(self, name, make(config, classes))

    @classmethod
    def of(cls, architecture: str, **parts: Make) -> type[Self]:
        return type(architecture, (cls,), {"architecture": architecture, "parts": parts, "__doc__": cls.__doc__})

    def through(self, x: Tensor, names: Iterable[str]) -> Tensor:
        """These parts, one after the other."""
        for name in names:
            x = getattr(self, name)(x)
        return x


class OneVector(Head):
    """(B, ...) from one vector of each sequence, which `pool` makes of its states.

    A text may stand in several sequences: `combine` makes one of their vectors, in front of the classifier. The two
    halves of `forward` are there alone too, for texts whose sequences are not computed at once.
    """

    pooled = True

    @abstractmethod
    def pool(self, batch: Batch) -> Tensor:
        """(B, H)."""

    def forward(self, batch: Batch, texts: Batch | None = None) -> Tensor:
        """texts: B texts as sequences whose tokens are the S sequences of `batch`."""
        return self.judged(self.vectors(batch), texts)

    def vectors(self, batch: Batch) -> Tensor:
        """(B, H): what the classifier reads of each sequence; of a head without one, what it gives."""
        return self.through(self.pool(batch), [name for name in self.parts if name != CLASSIFIER])

    def judged(self, vectors: Tensor, texts: Batch | None = None) -> Tensor:
        """(B, ...) of what `vectors` gave."""
        if texts is not None:
            assert self.combine is not None
            vectors = self.combine(vectors, texts)
        x = self.through(vectors, [CLASSIFIER] if CLASSIFIER in self.parts else [])
        return x if self.behind is None else self.behind(x)


class First(OneVector):
    """(B, ...) from the state of each sequence's first token; without parts that state itself, (B, H)."""

    def pool(self, batch: Batch) -> Tensor:
        states: Tensor = self.encoder(batch, batch.first)
        return states


class Last(OneVector):
    """(B, ...) from the state of each sequence's last token: where no token looks right, it alone has seen all."""

    def pool(self, batch: Batch) -> Tensor:
        states: Tensor = self.encoder(batch, batch.last)
        return states


class Mean(OneVector):
    """(B, ...) from the mean over each sequence's tokens."""

    def pool(self, batch: Batch) -> Tensor:
        return _Mean().pool(self.encoder(batch), batch)


class Tokens(Head):
    """(N, ...) from the state of every token, or (M, ...) of chosen ones."""

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        x = self.through(self.encoder(batch, chosen), self.parts)
        return x if self.behind is None else self.behind(x)


class Speaking(Head):
    """A network that scores words."""

    def before(self, batch: Batch, chosen: Chosen | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the product that gives the scores is of (`nn.heads.MaskedLanguageModel.before`)."""
        found: tuple[Tensor, Tensor, Tensor | None] = self.masked_lm.before(
            self.encoder(batch, chosen), self.encoder.embeddings.word.weight
        )
        return found


class Words(Speaking):
    """Scores over the vocabulary at the chosen positions (all of them by default): (M, V)."""

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        scores: Tensor = self.masked_lm(self.encoder(batch, chosen), self.encoder.embeddings.word.weight)
        return scores


class WordsAndOrder(Speaking):
    """Both objectives of a paper at once, words (N, V) and a pair's order (B, 2)."""

    pooled = True

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        states = self.encoder(batch)
        words: Tensor = self.masked_lm(states, self.encoder.embeddings.word.weight)
        pooled = self.pooler(states.index_select(0, batch.first.tokens))
        return words, self.next_sentence(pooled)


def renamed(heads: Mapping[str, type[Head]], old: str, new: str) -> dict[str, type[Head]]:
    """The heads of a family under the names of another that computes the same."""
    found = {}
    for name, head in heads.items():
        architecture = head.architecture.replace(old, new, 1)
        found[name] = type(architecture, (head,), {"architecture": architecture})
    return found
