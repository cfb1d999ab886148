"""What a run has before its first step: a tokenizer, the pieces of the text, and a network, the same at each call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_folder, write_json
from maskwright.data.corpus import Corpus
from maskwright.nn.dropout import noise
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.fitting import TRAIN as FITTING
from maskwright.pretraining.fitting import fit_head
from maskwright.pretraining.held_out import HeldOut
from maskwright.pretraining.judging import Text
from maskwright.pretraining.new_words import domain_words
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.reading import beside, corpus_of, learn, pieces_of, tokenizer_of
from maskwright.pretraining.settings import Pretrain
from maskwright.pretraining.start import Start, fresh, further
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.runs.notes import Notes
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.parallel import ALONE, World
from maskwright.training.state import load_weights, save_weights

UNKNOWN = 0.01  #: share of unknown pieces from which on it is said
FIT_TOKENS = 8192  #: pieces of a step in which a head is fitted


@dataclass
class Material:
    """`folder` receives the tokenizer, and a head that was fitted."""

    asked: Pretrain
    folder: Path
    notes: Notes
    quiet: bool
    world: World = ALONE

    def tokenizer(self, corpus: Corpus) -> Tokenizer:
        """The one that was named, or the model's, more words in it where that was asked for; or one that is learnt."""
        self.world.first(lambda: self._keep_tokenizer(corpus))
        return Tokenizer.from_folder(self._kept)

    def _keep_tokenizer(self, corpus: Corpus) -> None:
        self._once(self._kept, lambda: self._make_tokenizer(corpus))

    def _once(self, place: Path, make: Callable[[], tuple[list[str], Callable[[], None]]]) -> None:
        """Make what stands at `place`, unless it was made before a kill, and tell what there was to say of it: then as
        now. make: what to say, and how to write it."""
        said = place.with_suffix(".notes.json")
        if not place.exists():
            notes, write = make()
            write_json(said, notes)
            write()
        self.notes.tell(read_json(said) if said.exists() else [])

    def _make_tokenizer(self, corpus: Corpus) -> tuple[list[str], Callable[[], None]]:
        asked, notes = self.asked, list[str]()
        named = asked.tokenizer or asked.model
        found = tokenizer_of(named) if named else self._learnt(corpus, notes)
        if asked.extend_vocabulary:
            found = self._extended(corpus, found, notes)
        vocabulary_of(found)  # that there is a [MASK] is asked before hours are spent
        return notes, lambda: write_folder(self._kept, lambda into: found.save(into))  # whole or not at all

    def _learnt(self, corpus: Corpus, notes: list[str]) -> Tokenizer:
        asked, bar = self.asked, not self.quiet and sys.stderr.isatty()
        found = learn(corpus, asked.vocabulary, asked.cased, beside(corpus, self.folder), bar)
        if found.size < asked.vocabulary:
            notes.append(
                f"The text gives a vocabulary of {found.size:,} pieces, not {asked.vocabulary:,}: no other pair of "
                "pieces comes twice."
            )
        return found

    def _extended(self, corpus: Corpus, tokenizer: Tokenizer, notes: list[str]) -> Tokenizer:
        documents = (document.sentences for document in corpus.documents("train"))
        words = domain_words(documents, tokenizer, self.asked.extend_vocabulary)
        some, saved = ", ".join(word.word for word in words[:5]), sum(word.saved for word in words)
        fewer = "" if len(words) == self.asked.extend_vocabulary else ", all that are cut and come often enough"
        notes.append(
            f"{len(words):,} words become pieces{fewer} ({some} ...): the text has {saved:,} pieces fewer with them."
        )
        return tokenizer.extended([word.word for word in words])

    def start(self, tokenizer: Tokenizer) -> Start:
        """The network, with the weights that it begins with; a fitted head among them once there is one."""
        runtime.set_seed(self.asked.seed)
        noise.seed(self.asked.seed)
        start = further(self.asked, tokenizer) if self.asked.model else fresh(self.asked, tokenizer)
        if self._fitted.exists():
            load_weights(self._fitted, start.network)
        return start

    def again(self) -> Start:
        return self.start(Tokenizer.from_folder(self._kept))

    def pieces(self, corpus: Corpus, tokenizer: Tokenizer) -> tuple[Encoded, Text]:
        """Of the training text, and of what is held out. Raises UserError for text without words."""
        train = self._pieces(corpus, "train", tokenizer, self.folder, "training")
        return train, self._held(corpus, tokenizer, self.folder, self.asked.text)

    def corpus(self, text: str, place: Path, renew: bool) -> Corpus:
        """A corpus, or one that is made of text in a folder `place`; see `reading.corpus_of`."""
        return self.world.first(lambda: corpus_of(text, place / "corpus", self.notes.say, self.quiet, renew))

    def known(self, tokenizer: Tokenizer, renew: bool) -> Text | None:
        """Held-out pieces of the corpus that is to be remembered, where one was named."""
        name, place = self.asked.remember, self.folder / "remembered"
        return self._held(self.corpus(name, place, renew), tokenizer, place, name) if name else None

    def _held(self, corpus: Corpus, tokenizer: Tokenizer, out: Path, given: str) -> Text:
        pieces = self._pieces(corpus, "held-out", tokenizer, out, "held-out")
        return Text(pieces, Path(given).resolve().name, corpus.facts["splits"]["held-out"]["documents"])

    def _pieces(self, corpus: Corpus, split: str, tokenizer: Tokenizer, out: Path, name: str) -> Encoded:
        kept = self.world.first(lambda: beside(corpus, out))

        def written() -> None:
            pieces_of(corpus, split, tokenizer, kept)

        self.world.first(written)
        found = pieces_of(corpus, split, tokenizer, kept)
        if not len(found.ids):
            raise UserError(f"The {name} text of {corpus.folder} holds no words. Build the corpus from more text.")
        share = found.unknown / len(found.ids)
        if share > UNKNOWN:
            self.notes.tell([f"{share:.1%} of the {name} pieces are unknown to the vocabulary."])
        return found

    def fit(self, start: Start, train: Encoded, questions: HeldOut) -> None:
        """A masked-LM head for an encoder that has none, kept for the training and for what goes on with it."""
        fitted = self.world.first(self._fitted.exists)
        notes = [] if fitted else [self._fit(start, train, questions)]
        kept = notes, lambda: save_weights(self._fitted, start.network)
        self.world.first(lambda: self._once(self._fitted, lambda: kept))

    def _fit(self, start: Start, train: Encoded, questions: HeldOut) -> str:
        asked, specials = self.asked, (start.tokenizer.cls_id, start.tokenizer.sep_id)
        phases = [Phase(length=asked.phases[0].length, batch_tokens=FIT_TOKENS)]
        vocabulary = vocabulary_of(start.tokenizer)
        course = Course(train, Mlm(), vocabulary, specials, asked.head_steps, phases, asked.seed, unit="steps")
        machine = {name: getattr(asked.train, name) for name in ("device", "precision", "threads")}
        settings = FITTING.model_copy(update=machine)
        place = self.folder / "fitting"
        fitted = fit_head(
            start.network, start.kind, start.config, course, questions, place, settings,
            quiet=self.quiet, world=self.world,
        )  # fmt: skip
        return fitted.note

    @property
    def _kept(self) -> Path:
        return self.folder / "tokenizer"

    @property
    def _fitted(self) -> Path:
        return self.folder / "fitted.safetensors"
