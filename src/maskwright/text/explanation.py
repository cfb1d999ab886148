"""Why a text was cut as it was: WordPiece's greedy longest match, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer as Backend
from tokenizers import models

from maskwright.base.errors import UserError

Outcome = Literal["whole", "cut", "unknown", "too long", "added"]


@dataclass(frozen=True)
class Step:
    """One look-up: `missed` are the prefixes tried, the longest first, before `found` (None: not one was there)."""

    found: str | None
    missed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.found or 'nothing'} ({_listed(self.missed)})" if self.missed else f"{self.found} (at once)"


@dataclass(frozen=True)
class WordExplanation:
    """A word of a text and how it became pieces.

    word: as written; normalised: after case, accents and control characters; pieces and ids: what the encoder reads;
    span: first and one-past-last character (code points) in the text; steps: one per piece, and for an unknown word
    the last one found nothing; outcome: "whole" (the word is in the vocabulary), "cut", "unknown", "too long" (never
    looked up) or "added" (a special or added piece written in the text).
    """

    word: str
    normalised: str
    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    span: tuple[int, int]
    outcome: Outcome
    steps: tuple[Step, ...]
    limit: int  # the most characters a word may have (max_input_chars_per_word)

    @property
    def why(self) -> str:
        """The reason as one line."""
        match self.outcome:
            case "whole":
                return "in the vocabulary as it stands"
            case "added":
                return "a special or added piece, taken as it stands and never cut"
            case "too long":
                return (
                    f"too long: {len(self.normalised)} characters, and a word of more than {self.limit} "
                    "is unknown without a look-up"
                )
            case "unknown":
                return "unknown: " + self._way() + "; where one part is missing the whole word is lost"
            case _:
                return "longest first: " + self._way()

    def _way(self) -> str:
        return ", ".join(map(str, self.steps))


def explain(backend: Backend, text: str) -> list[WordExplanation]:
    """Each word of `text`, in order. Raises UserError when the vocabulary is not a WordPiece one."""
    model = backend.model
    if not isinstance(model, models.WordPiece):
        raise UserError(
            f"This vocabulary is of the kind {type(model).__name__}; "
            "only the cuts of a WordPiece vocabulary, longest match first, can be explained."
        )
    vocabulary = backend.get_vocab(with_added_tokens=False)
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    encoding = backend.encode(text, add_special_tokens=False)
    words: dict[int | None, list[int]] = {}
    for place, word in enumerate(encoding.word_ids):
        words.setdefault(word, []).append(place)
    return [
        _explain_word(
            backend,
            vocabulary,
            added,
            text,
            pieces=tuple(encoding.tokens[p] for p in places),
            ids=tuple(encoding.ids[p] for p in places),
            span=(min(encoding.offsets[p][0] for p in places), max(encoding.offsets[p][1] for p in places)),
        )
        for places in words.values()
    ]


def _explain_word(
    backend: Backend,
    vocabulary: Mapping[str, int],
    added: set[str],
    text: str,
    *,
    pieces: tuple[str, ...],
    ids: tuple[int, ...],
    span: tuple[int, int],
) -> WordExplanation:
    model, word = backend.model, text[span[0] : span[1]]
    limit, prefix = model.max_input_chars_per_word, model.continuing_subword_prefix
    normalised = backend.normalizer.normalize_str(word).strip() if backend.normalizer else word
    outcome: Outcome
    steps: tuple[Step, ...] = ()
    if pieces[0] in added and (pieces[0] != model.unk_token or word.strip() == model.unk_token):
        outcome, normalised = "added", pieces[0]
    elif len(normalised) > limit:
        outcome = "too long"
    else:
        steps = longest_match(normalised, vocabulary, prefix)
        outcome = "unknown" if steps[-1].found is None else "whole" if len(steps) == 1 else "cut"
    return WordExplanation(word, normalised, pieces, ids, span, outcome, steps, limit)


def longest_match(word: str, vocabulary: Mapping[str, int], prefix: str) -> tuple[Step, ...]:
    """WordPiece on one normalised word: from the left, always the longest piece that the vocabulary has."""
    steps: list[Step] = []
    start = 0
    while start < len(word):
        tried = [(prefix if start else "") + word[start:end] for end in range(len(word), start, -1)]
        place = next((i for i, piece in enumerate(tried) if piece in vocabulary), None)
        if place is None:
            return (*steps, Step(None, tuple(tried)))
        steps.append(Step(tried[place], tuple(tried[:place])))
        start = len(word) - place
    return tuple(steps)


def _listed(missed: tuple[str, ...]) -> str:
    shown = ", ".join(missed) if len(missed) <= 3 else f"{missed[0]}, {missed[1]}, …, {missed[-1]}"
    return f"not there: {shown}" + (f"; {len(missed)} tried" if len(missed) > 3 else "")
