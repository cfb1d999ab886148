"""Phrases from a file and collocations as units: which of several matches is taken, and what stands for itself."""

from __future__ import annotations

import json
from pathlib import Path

import masks
import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from maskwright.base.errors import UserError
from maskwright.pretraining.collocations import Collocations
from maskwright.pretraining.masking import Draw, Pieces
from maskwright.pretraining.masking._lexicon import LexiconMasking
from maskwright.pretraining.masking.phrase import Phrase
from maskwright.pretraining.masking.pmi import Pmi
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

WORDS = "the united states air force by way out of here unhappily".split()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    letters = sorted({c for word in WORDS for c in word})
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS[:-1],
        "un",
        "##happily",
        *(f"##{c}" for c in letters),
    ]
    return Tokenizer.from_vocabulary(pieces)


def cut(masking: LexiconMasking, tokenizer: Tokenizer, text: str, epoch: int = 0) -> list[str]:
    """The units of a text, as texts."""
    ids = tokenizer.encode([text]).ids.astype(np.int64)
    pieces = Pieces(ids, np.array([0, len(ids)]), np.zeros(1, np.int64))
    units = masking.units(pieces, vocabulary_of(tokenizer), Draw(0, epoch))
    assert (np.diff(units[units >= 0]) >= 0).all()
    return [tokenizer.decode(ids[units == k]).strip() for k in range(units.max() + 1)]


def phrases(folder: Path, tokenizer: Tokenizer, *lines: str) -> Phrase:
    (folder / "phrases.txt").write_text("\n".join(lines) + "\n")
    return Phrase(file=str(folder / "phrases.txt")).prepare(tokenizer)  # type: ignore[return-value]


def pmi(folder: Path, tokenizer: Tokenizer, *lines: str) -> Pmi:
    rows = [tokenizer.encode([line]).ids[1:-1].astype(np.int64) for line in lines]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    zeros = np.zeros(len(rows))
    made = Collocations(np.concatenate(rows), offsets, zeros, zeros, tokenizer.fingerprint())
    made.save(folder / "some.npz")
    return Pmi(file=str(folder / "some.npz")).prepare(tokenizer)  # type: ignore[return-value]


def test_the_longest_phrase_first(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = phrases(tmp_path, tokenizer, "the united states", "air force", "states air", "united states air force")
    assert cut(masking, tokenizer, "the united states air force") == ["the", "united states air force"]
    assert cut(masking, tokenizer, "by states air force") == ["by", "states air", "force"]  # of equal ones the left
    assert cut(masking, tokenizer, "Air Force by air") == ["air force", "by", "air"]
    assert cut(masking, tokenizer, "unhappily out") == ["unhappily", "out"]


def test_a_loser_leaves_room_for_shorter_ones(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = phrases(tmp_path, tokenizer, "the united states air", "states air force by", "force by")
    assert cut(masking, tokenizer, "the united states air force by") == ["the united states air", "force by"]


def test_no_phrase_crosses_a_special_piece(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = phrases(tmp_path, tokenizer, "air force")
    assert cut(masking, tokenizer, "air [SEP] force") == ["air", "force"]
    pieces = masks.pack([tokenizer.encode(["air"]).ids[1:-1], tokenizer.encode(["force"]).ids[1:-1]])
    assert masking.units(pieces, vocabulary_of(tokenizer), Draw(0, 0)).tolist() == [0, 1]


def test_parts_of_words_are_no_phrase(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = phrases(tmp_path, tokenizer, "by un", "out of")
    assert cut(masking, tokenizer, "by unhappily") == ["by", "unhappily"]
    assert len(masking.lexicon) == 2


def test_phrases_as_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [tokenizer.encode([text]).ids[1:-1].tolist() for text in ("air force", "unhappily out of here", "by")]
    (tmp_path / "phrases.json").write_text(json.dumps(rows))
    masking = Phrase(file=str(tmp_path / "phrases.json")).prepare(tokenizer)
    assert cut(masking, tokenizer, "the air force unhappily out of here") == [
        "the", "air force", "unhappily out of here",
    ]  # fmt: skip


def test_phrases_that_cannot_be_written_are_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = phrases(tmp_path, tokenizer, "air ☃", "", "air force", "air force")
    assert (len(masking.lexicon), masking.lexicon.left_out) == (1, 1)
    assert cut(masking, tokenizer, "air ☃ air force") == ["air", "air force"]


def test_phrases_of_a_byte_level_vocabulary(tmp_path: Path) -> None:
    """A word behind a space has other pieces than at the beginning; a comma is no part of the word before it."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=names, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(["New York, in New York, is not York"] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    backend.save(str(tmp_path / "tokenizer.json"))
    made = Tokenizer.from_folder(tmp_path)
    masking = phrases(tmp_path, made, "New York")
    assert cut(masking, made, "New York, in New York") == ["New York", ",", "in", "New York"]


def test_a_collocation_inside_another_is_none(tokenizer: Tokenizer, tmp_path: Path) -> None:
    masking = pmi(tmp_path, tokenizer, "the united states", "air force", "the united states air force")
    assert cut(masking, tokenizer, "by the united states air force") == ["by", "the united states air force"]
    assert cut(masking, tokenizer, "the united states by air force") == ["the united states", "by", "air force"]


def test_of_overlapping_collocations_one_at_random(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """The paper's own example, and both come about as often."""
    masking = pmi(tmp_path, tokenizer, "by the way", "the way out")
    found = [tuple(cut(masking, tokenizer, "by the way out", epoch)) for epoch in range(200)]
    assert set(found) == {("by the way", "out"), ("by", "the way out")}
    assert 70 < found.count(("by the way", "out")) < 130


@pytest.mark.parametrize("name", ["phrase", "pmi"])
def test_units_are_chosen_whole(name: str, tmp_path: Path) -> None:
    masking, pieces = masks.ready(name, tmp_path), masks.pieces()
    units = masking.units(pieces, masks.vocabulary(), Draw(0, 0))  # type: ignore[attr-defined]
    sizes = np.bincount(units[units >= 0])
    words = pieces.words(masks.vocabulary())
    assert len(sizes) < words.max() * 0.95, "there are units of several words"
    masked = masking.apply(pieces, masks.vocabulary(), Draw(0, 0))
    found, counts = np.unique(units[masked.chosen], return_counts=True)
    assert (counts == sizes[found]).all()
    several = np.flatnonzero(units >= 0)
    spread = [len(set(words[several[units[several] == unit]].tolist())) for unit in found[:200]]
    assert max(spread) > 1


def test_mistakes_in_files(tokenizer: Tokenizer, tmp_path: Path) -> None:
    def said(masking: LexiconMasking) -> str:
        with pytest.raises(UserError) as caught:
            masking.prepare(tokenizer)
        return str(caught.value)

    path = str(tmp_path / "x.txt")
    assert f"{path!r} cannot be read: No such file" in said(Phrase(file=path))
    Path(path).write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in said(Phrase(file=path))
    Path(path).write_text("air\n\nforce\n")
    assert "holds no phrase of two or more words" in said(Phrase(file=path))
    Path(path).write_text("")
    assert "holds no phrase of two or more words" in said(Phrase(file=path))
    listed = str(tmp_path / "x.json")
    for wrong in ("[[1, 2], [3, 400]]", "[[1, 2], 7]", "[[1], []]", '["air force"]', "{}"):
        Path(listed).write_text(wrong)
        assert "is not a list of ids from 0 to" in said(Phrase(file=listed))
    Path(listed).write_text("[[1, 2")
    assert "is not a JSON file" in said(Phrase(file=listed))
    other = str(tmp_path / "x.npz")
    assert f"There is no file {other!r} of collocations" in said(Pmi(file=other))
    Path(other).write_bytes(b"no zip")
    assert "does not hold collocations, or is damaged" in said(Pmi(file=other))
    np.savez(other, ids=np.zeros(3))
    assert "does not hold collocations, or is damaged" in said(Pmi(file=other))
    ready = masks.ready("pmi", tmp_path)
    assert "were counted in pieces of another tokenizer" in said(Pmi(file=ready.file))  # type: ignore[attr-defined]


def test_unprepared_it_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="was not prepared"):
        Phrase(file="x").apply(masks.pieces(), masks.vocabulary(), Draw(0, 0))
