"""`MaskedLM`: loading from folders of every family, saving, and what stands at a mask."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny import tiny as tiny_config

import maskwright
from maskwright.base.errors import UserError
from maskwright.base.files import write_folder, write_json
from maskwright.models import families, family, random_network, save_network
from maskwright.nn import Batch
from maskwright.tasks import MaskedLM, _filling
from maskwright.text.golden import golden
from maskwright.text.tokenizer import Tokenizer

TEXTS = ["the [MASK] was dull", "a charming [MASK] and a lovely [MASK]!", "[MASK]", "the long story of the [MASK] book"]
WITH_WORDS = [name for name in families() if "masked-lm" in family(name).HEADS]


@pytest.fixture
def model(masked: Path) -> MaskedLM:
    loaded = MaskedLM.load(masked, "cpu")
    loaded.precision = "fp32"
    return loaded


def test_the_root_has_it() -> None:
    assert maskwright.MaskedLM is MaskedLM


@pytest.mark.parametrize("name", WITH_WORDS)
def test_every_family_with_the_head_fills_and_scores(name: str, tiny: Path, tmp_path: Path) -> None:
    kind, tokenizer = family(name), Tokenizer.from_folder(tiny)
    config = tiny_config(kind).model_copy(update={"vocabulary": tokenizer.size, "initial_std": 0.3})
    torch.manual_seed(0)
    network = random_network(kind, config, "masked-lm").eval()
    save_network(tmp_path, network, kind, config, {})
    tokenizer.save(tmp_path)
    loaded = MaskedLM.load(tmp_path, "cpu")
    loaded.precision = "fp32"
    ids = tokenizer.encode(["the film was [MASK]"]).ids.astype(np.int64)
    with torch.no_grad():
        scores = network(Batch.packed(torch.from_numpy(ids), [len(ids)]))
    wanted = scores[int(np.flatnonzero(ids == tokenizer.mask_id)[0])].softmax(-1)
    ((found,),) = (filled.masks for filled in loaded.fill("the film was [MASK]", top=3))
    assert [c.piece for c in found] == tokenizer.tokens(wanted.topk(3).indices)
    np.testing.assert_allclose([c.probability for c in found], wanted.topk(3).values, atol=1e-5)
    alone = loaded.score("the film was dull")[0].values
    together = loaded.score(["a lovely book", "the film was dull", "song"])[1].values
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_family_without_the_head_is_refused(tiny: Path, tmp_path: Path) -> None:
    kind = family("elmo")
    config = tiny_config(kind)
    save_network(tmp_path, random_network(kind, config, "bare"), kind, config, {})
    Tokenizer.from_folder(tiny).save(tmp_path)
    with pytest.raises(UserError, match="is of a family that has no scores of pieces at a masked place"):
        MaskedLM.load(tmp_path)


def test_both_heads_of_bert_are_enough(make_tiny: Any, tmp_path: Path) -> None:
    """A folder of transformers' BertForPreTraining holds the weights, and others that are not needed."""
    assert len(MaskedLM.load(make_tiny(tmp_path, "pretraining")).fill("a [MASK]")[0].masks[0]) == 5


def test_without_weights_of_the_head_it_is_refused(tiny: Path, minilm: Path) -> None:
    with pytest.raises(UserError, match=r"minilm holds no weights .* maskwright pretrain TEXT --model minilm\."):
        MaskedLM.load("minilm")
    with pytest.raises(UserError, match=r"\(a masked-LM head\), so it fills no mask and scores no text"):
        MaskedLM.load(tiny)


def test_probabilities_are_those_of_transformers(model: MaskedLM, masked: Path) -> None:
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(masked).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked)
    for filled in model.fill(TEXTS, top=4):
        given = tokenizer(filled.text.replace("[MASK]", tokenizer.mask_token), return_tensors="pt")
        with torch.no_grad():
            likely = theirs(**given).logits[given["input_ids"] == tokenizer.mask_token_id].softmax(-1)
        assert len(filled.masks) == len(likely) == filled.text.count("[MASK]")
        for mask, wanted in zip(filled.masks, likely, strict=True):
            assert [c.piece for c in mask] == tokenizer.convert_ids_to_tokens(wanted.topk(4).indices)
            np.testing.assert_allclose([c.probability for c in mask], wanted.topk(4).values, rtol=1e-4)


def test_answers_of_the_piece_before(model: MaskedLM) -> None:
    """A model that was trained to say the next piece is asked one place further left."""
    (at,) = model.fill("the film was [MASK]", top=1)
    ids = model.tokenizer.encode([f"the film was {model.mask}"]).ids.astype(np.int64)
    place = int(np.flatnonzero(ids == model.tokenizer.mask_id)[0])
    with torch.no_grad():
        wanted = model.network(Batch.packed(torch.from_numpy(ids), [len(ids)]))[place - 1].softmax(-1)
    model.answers = "before"
    (before,) = model.fill("the film was [MASK]", top=1)
    assert before.masks[0][0].probability == pytest.approx(float(wanted.max()), rel=1e-5)
    assert at.masks[0][0].probability != pytest.approx(float(wanted.max()), rel=1e-3)


def test_each_mask_is_filled_by_itself(masked_bert: Path) -> None:
    filled = MaskedLM.load(masked_bert).fill("a charming [MASK] the lovely [MASK] book", top=2)[0]
    first, second = (mask[0] for mask in filled.masks)
    assert first.text == f"a charming {first.piece} the lovely [MASK] book".replace(" ##", "")
    assert second.text == f"a charming [MASK] the lovely {second.piece} book".replace(" ##", "")


def test_neighbours_and_batches_change_nothing(model: MaskedLM, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(filled: Any) -> list[Any]:
        return [[(c.piece, pytest.approx(c.probability, rel=1e-4)) for c in mask] for mask in filled.masks]

    def said(filled: Any) -> list[Any]:
        return [[(c.piece, c.probability) for c in mask] for mask in filled.masks]

    alone = [model.fill(text)[0] for text in TEXTS]
    together = model.fill(TEXTS)
    monkeypatch.setattr(_filling, "TOKENS", 12)
    for found in (together, model.fill(TEXTS)):
        assert [filled.text for filled in found] == TEXTS
        assert [said(filled) for filled in found] == [told(filled) for filled in alone]


def test_rows_without_a_piece_are_no_candidates(masked_bert: Path, make_tiny: Any, tmp_path: Path) -> None:
    """An embedding may have rows of padding; their share of the probability stays theirs."""
    size = Tokenizer.from_folder(masked_bert).size
    padded = MaskedLM.load(make_tiny(tmp_path, "masked-lm", vocabulary=size + 9))
    assert padded.notes == [f"The embedding of {tmp_path} has 9 rows of padding."]
    with torch.no_grad():
        padded.network.masked_lm.bias[size:] = 3.0
    (mask,) = padded.fill("a [MASK]", top=size)[0].masks
    assert len({c.piece for c in mask}) == size
    assert sum(c.probability for c in mask) < 0.7


@pytest.mark.parametrize(
    ("texts", "top", "said"),
    [
        ("the film", 5, r"Text 1 \('the film'\) holds no mask\. Write \[MASK\] in the place of the word"),
        (["[MASK]", "the film"], 5, r"Text 2 \('the film'\) holds no mask"),
        ("[MASK]" + " film" * 80, 5, r"has 83 pieces, special ones counted; this model reads 64"),
        ("[MASK]", 0, r"top = 0: give a number from 1 to \d+, the pieces of the vocabulary"),
        ("[MASK]", 10**6, "top = 1000000"),
        ([7], 5, "7"),
    ],
)
def test_mistakes(texts: Any, top: int, said: str, masked_bert: Path) -> None:
    with pytest.raises(UserError, match=said):
        MaskedLM.load(masked_bert).fill(texts, top)


def test_a_tokenizers_own_mask_is_named(masked_roberta: Path) -> None:
    model = MaskedLM.load(masked_roberta)
    with pytest.raises(UserError, match=r"Write \[MASK\], or <mask>, in the place"):
        model.fill("the film")
    one, two = model.fill(["the <mask> was dull", "the [MASK] was dull"])
    assert [c.probability for c in one.masks[0]] == [c.probability for c in two.masks[0]]


@pytest.fixture
def saved(masked_bert: Path, tmp_path: Path) -> Path:
    """A folder as a pre-training leaves it."""

    def fill(into: Path) -> None:
        shutil.copytree(masked_bert, into, dirs_exist_ok=True)
        facts = {"format": 1, "max_length": 64, "precision": "auto", "provenance": {}, "answers": "at"}
        write_json(into / "maskwright.json", {**facts, "golden": golden(Tokenizer.from_folder(into))})

    write_folder(tmp_path / "saved", fill)
    return tmp_path / "saved"


def change(folder: Path, **facts: Any) -> None:
    described = json.loads((folder / "maskwright.json").read_text())
    found = {name: value for name, value in (described | facts).items() if value is not None}
    (folder / "maskwright.json").write_text(json.dumps(found))


def test_a_saved_folder_says_how_it_is_read(saved: Path) -> None:
    change(saved, answers="before", max_length=16, precision="fp32", provenance={"corpus": "novels"})
    model = MaskedLM.load(saved)
    assert (model.answers, model.max_length, model.precision) == ("before", 16, "fp32")
    assert model.provenance == {"corpus": "novels"}
    change(saved, answers=None)
    assert MaskedLM.load(saved).answers == "at"
    with pytest.raises(UserError, match="this model reads 16"):
        model.score("the film was dull " * 5)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"answers": "behind"}, r"answers = 'behind'\. Allowed: at, before"),
        ({"golden": None}, "lacks the key 'golden'"),
        ({"format": 99}, "has format 99"),
        ({"golden": {"texts": ["the film"], "ids": [[1, 2, 3]]}}, "The tokenizer is not the one that was stored"),
        ({"max_length": 65}, "max_length = 65, but the encoder has 64 positions"),
    ],
)
def test_a_changed_folder_is_refused(facts: dict[str, Any], said: str, saved: Path) -> None:
    change(saved, **facts)
    with pytest.raises(UserError, match=said):
        MaskedLM.load(saved)


def test_damaged_weights_are_refused(saved: Path) -> None:
    weights = saved / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="is damaged: its checksum"):
        MaskedLM.load(saved)


def test_a_vocabulary_of_another_model_is_refused(make_tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its embedding only 20 rows"):
        MaskedLM.load(make_tiny(tmp_path, "masked-lm", vocabulary=20))


def test_a_vocabulary_without_a_mask_is_refused(masked_bert: Path, tmp_path: Path) -> None:
    shutil.copytree(masked_bert, tmp_path / "bare")
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "hidden",
        *map(str, range(Tokenizer.from_folder(masked_bert).size - 5)),
    ]
    Tokenizer.from_vocabulary(pieces).save(tmp_path / "bare")
    with pytest.raises(UserError, match=r"has no '\[MASK\]', which is its piece for 'mask'"):
        MaskedLM.load(tmp_path / "bare")


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"settings": {}, "data": {}}))
    with pytest.raises(UserError, match="is a run that is not finished"):
        MaskedLM.load(tmp_path)


def test_as_a_model_for_a_task_it_is_none_yet(saved: Path) -> None:
    with pytest.raises(UserError, match="is an encoder without a task"):
        maskwright.load(saved)
