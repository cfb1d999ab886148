"""`MaskedLM` = tokenizer + network with scores over the vocabulary: it fills masks, scores texts and writes some.

Shapes: N pieces of B sequences, M of them asked for, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.files import check_sums
from maskwright.data.pairs import Pair
from maskwright.models import describe, load_network, locate
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.cross_entropy import word_scores
from maskwright.nn.precision import precision
from maskwright.runs import RunFolder
from maskwright.tasks import _filling, _generation, _likelihood, _minimal_pairs
from maskwright.tasks._checks import check_length, check_vocabulary, listed
from maskwright.tasks._saved import read_facts
from maskwright.text.encodings import Encodings
from maskwright.text.golden import check_golden
from maskwright.text.tokenizer import Tokenizer

HEAD = "masked-lm"
NEEDED = ("max_length", "precision", "golden", "provenance")  #: keys of maskwright.json, beside its format
ANSWERS = ("at", "before", "none")


@dataclass
class MaskedLM:
    """A network that says which pieces may stand at a place, and all that turns text into its input."""

    network: Any
    tokenizer: Tokenizer
    family: Any
    config: Any
    max_length: int  #: pieces of a text, special ones counted; a longer text is refused, never cut
    precision: runtime.Precision = "auto"
    #: "before": the scores of a masked piece are those of the piece before it
    answers: Literal["at", "before", "none"] = "at"
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  #: what was assumed while loading it, one sentence each

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> MaskedLM:
        """The masked-LM network of a folder in Hugging Face layout, ours or of others, in evaluation mode.

        device: auto (an accelerator where there is one), cpu or cuda. Raises UserError for a folder without the weights
        of that network and for a vocabulary without a mask; of a folder of ours also where the tokenizer no longer cuts
        the golden texts as it did when it was saved, or the weights are not those that were saved.
        """
        runtime.settle_memory()
        where, folder = runtime.device(device), locate(path)
        if RunFolder(folder).is_run:
            raise UserError(f"{folder} is a run that is not finished: it holds no model. Go on with it by --resume.")
        described, facts = folder / "maskwright.json", dict[str, Any]()
        if described.exists():
            facts = read_facts(described, NEEDED)
        if (folder / "checksums.json").exists():
            check_sums(folder, ".safetensors")
        if HEAD not in describe(folder).kind.HEADS:
            raise UserError(
                f"{path} is of a family that has no scores of pieces at a masked place, so it fills no mask and scores "
                "no text. Give a model of another family, for example a BERT or a ModernBERT."
            )
        loaded, tokenizer = load_network(folder, HEAD), Tokenizer.from_folder(folder)
        if loaded.new:
            raise UserError(
                f"{path} holds no weights that turn hidden states into scores of pieces (a masked-LM head), so it "
                f"fills no mask and scores no text. Pre-train it further: maskwright pretrain TEXT --model {path}."
            )
        note = check_vocabulary(tokenizer, loaded.config, str(path))
        assert tokenizer.mask_id >= 0  # it raises UserError where there is none
        if facts.get("golden"):
            check_golden(tokenizer, facts["golden"])
        answers = facts.get("answers", "at")
        if answers not in ANSWERS:
            raise UserError(f"{described}: answers = {answers!r}. Allowed: {', '.join(ANSWERS)}. Save the model again.")
        if answers == "none":
            raise UserError(
                f"{path} was trained to name the next word and never a masked one, so it fills no mask and scores no "
                "text. Give a model that was trained on masked words, or fine-tune this one as an encoder."
            )
        loaded.network.to(where).eval()
        return cls(
            loaded.network, tokenizer, loaded.family, loaded.config,
            check_length(facts.get("max_length"), loaded.limit, loaded.usual), facts.get("precision", "auto"),
            answers, facts.get("provenance", {"base": str(path)}), [note] if note else [],
        )  # fmt: skip

    def fill(self, texts: Sequence[str] | str, top: int = 5) -> list[_filling.Filled]:
        """The `top` likeliest pieces at each mask of each text. A mask is written as the tokenizer's own mask piece or
        as [MASK]; of several in one text each is filled by itself, while the others stay masked.

        Raises UserError for a text without a mask or longer than `max_length`.
        """
        return _filling.fill(self, listed(texts, "texts"), top)

    def score(self, texts: Sequence[str] | str, method: _likelihood.Method = "plain") -> list[_likelihood.Likelihood]:
        """The pseudo-log-likelihood of each text; see `stream`."""
        return list(self.stream(((f"Text {n}", text) for n, text in enumerate(listed(texts, "texts"), 1)), method))

    def stream(
        self, texts: Iterable[tuple[str, str]], method: _likelihood.Method = "plain"
    ) -> Iterator[_likelihood.Likelihood]:
        """The pseudo-log-likelihood of each text, in order, in constant memory however many come.

        texts: what a person calls it ("notes.txt line 7") and the text. method: "plain" masks one piece after the other
        (Salazar et al. 2020, equation 1), "within-word" with a piece all later ones of its word (Kauf and Ivanova 2023,
        section 3). Raises UserError at a text that is too long or has nothing to score, behind the answers of those
        before it.
        """
        return _likelihood.stream(self, texts, method)

    def judge(self, pairs: Iterable[Pair], method: _likelihood.Method = "plain") -> _minimal_pairs.Judged:
        """How often the good sentence of a minimal pair is likelier than the bad one; see `data.pairs.read_pairs`."""
        return _minimal_pairs.judge(self, pairs, method)

    def generate(self, prompt: str = "", **settings: Any) -> _generation.Generated:
        """A text that goes on from `prompt`; see `_generation.Generation` for the settings. Raises UserError where the
        prompt and the pieces behind it are longer than `max_length`."""
        return _generation.generate(self, prompt, settings)

    def whole(self, texts: Sequence[str], names: Sequence[str]) -> Encodings:
        """Texts as packed pieces with words and spans, nothing cut. Raises UserError, with the text's name, for one
        that is longer than `max_length`."""
        found = self.tokenizer.encode(texts, details=True)
        long = np.flatnonzero(found.lengths > self.max_length)
        if len(long):
            raise UserError(f"{names[long[0]]} {self.too_long(found.lengths[long[0]])}")
        return found

    def too_long(self, pieces: int) -> str:
        """The end of a sentence that begins with what is too long."""
        return (
            f"has {pieces:,} pieces, special ones counted; this model reads {self.max_length:,}. Give it in parts, or "
            "shorten it."
        )

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Within it: evaluation mode, no gradients, products in the model's precision."""
        device, training = self.device, self.network.training
        self.network.eval()
        try:
            with torch.inference_mode(), precision(runtime.resolve_precision(self.precision, device), device):
                yield
        finally:
            self.network.train(training)

    def scores(self, batch: Batch, places: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
        """The scores of all pieces at M masked places, some of them after the other: which ones, and (m, V) fp32.

        batch: on the host, masked as it is to be read. places (M,): where, in rising order, among the N pieces. All
        are computed in one pass, scores a portion at a time, so that memory does not grow with M times V.
        """
        read = torch.from_numpy(places - 1 if self.answers == "before" else places)
        counts = torch.bincount(batch.sequence[read], minlength=len(batch)).tolist()
        yield from word_scores(*self.network.before(batch.to(self.device), Chosen(read.to(self.device), tuple(counts))))

    @property
    def device(self) -> torch.device:
        found: torch.device = next(self.network.parameters()).device
        return found

    @cached_property
    def mask(self) -> str:
        """The piece that stands for a hidden one."""
        return self.tokenizer.tokens([self.tokenizer.mask_id])[0]

    @cached_property
    def pieces(self) -> np.ndarray:
        """(V,) bool: the id has a piece; rows of padding in the embedding have none."""
        return self._ids(self.tokenizer.vocabulary.values())

    @cached_property
    def ordinary(self) -> np.ndarray:
        """(V,) bool: the id has a piece that stands for text, which special ones do not."""
        return self.pieces & ~self._ids(self.tokenizer.special_ids)

    def _ids(self, which: Iterable[int]) -> np.ndarray:
        out = np.zeros(self.config.vocabulary, bool)
        out[list(which)] = True
        return out
