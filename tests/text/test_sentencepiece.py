"""tokenizer.json of other families: Unigram (XLM-R, CamemBERT, DeBERTa-v2) and byte-level BPE (RoBERTa, ModernBERT)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import processors
from vocabularies import ANGLES, BRACKETS, byte_level, camembert, deberta_v2, frame, prose, xlm_roberta

from maskwright.base.errors import UserError
from maskwright.text.golden import GOLDEN_TEXTS
from maskwright.text.tokenizer import Tokenizer


def roberta() -> Backend:
    made = byte_level(ANGLES)
    sep, cls = (("</s>", made.token_to_id("</s>")), ("<s>", made.token_to_id("<s>")))
    made.post_processor = processors.RobertaProcessing(sep, cls, add_prefix_space=False)
    return made


def modernbert() -> Backend:
    return frame(byte_level(BRACKETS), BRACKETS, "CLS $A SEP $B SEP")


FAMILIES: dict[str, tuple[Callable[[], Backend], dict[str, str], str | None]] = {
    "xlm-roberta": (xlm_roberta, ANGLES, "XLMRobertaTokenizer"),
    "camembert": (camembert, ANGLES, "CamembertTokenizer"),
    "deberta-v2": (deberta_v2, BRACKETS, "DebertaV2Tokenizer"),
    "roberta": (roberta, ANGLES, "RobertaTokenizer"),
    "modernbert": (modernbert, BRACKETS, None),
}


@pytest.fixture(scope="module", params=list(FAMILIES))
def folder(request: Any, tmp_path_factory: Any) -> Path:
    make, names, kind = FAMILIES[request.param]
    made: Path = tmp_path_factory.mktemp(request.param)
    make().save(str(made / "tokenizer.json"))
    config = {f"{role}_token": name for role, name in names.items()} | ({"tokenizer_class": kind} if kind else {})
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    (made / "config.json").write_text(json.dumps({"model_type": request.param}))
    return made


def rows(encoded: Any) -> list[list[int]]:
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]


def check(ours: Tokenizer, judge: Any) -> None:
    texts = [*prose()[:200], *GOLDEN_TEXTS, "a <mask> and [MASK] in a text", " led by a space and ended by one "]
    assert ours.vocabulary == judge.get_vocab()
    assert rows(ours.encode(texts)) == judge(texts)["input_ids"]
    pairs, want = ours.encode(texts, texts[::-1]), judge(texts, texts[::-1], return_token_type_ids=True)
    assert rows(pairs) == want["input_ids"]
    assert pairs.segments.tolist() == [kind for row in want["token_type_ids"] for kind in row]
    cut = judge(texts, truncation=True, max_length=12)["input_ids"]
    assert rows(ours.encode(texts, max_length=12)) == cut
    assert (ours.cls_id, ours.sep_id, ours.pad_id, ours.unk_id, ours.mask_id) == (
        judge.cls_token_id,
        judge.sep_token_id,
        judge.pad_token_id,
        judge.unk_token_id,
        judge.mask_token_id,
    )


def test_read_saved_and_read_again_as_by_transformers(folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    ours = Tokenizer.from_folder(folder)
    check(ours, transformers.AutoTokenizer.from_pretrained(folder))
    ours.save(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert Tokenizer.from_folder(tmp_path).fingerprint() == ours.fingerprint()
    check(ours, transformers.AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.parametrize("family", ["xlm-roberta", "roberta"])
def test_special_pieces_are_found_without_a_config(family: str, tmp_path: Path) -> None:
    FAMILIES[family][0]().save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.from_folder(tmp_path)
    assert ours.tokens([ours.cls_id, ours.sep_id, ours.pad_id, ours.unk_id, ours.mask_id]) == [
        "<s>", "</s>", "<pad>", "<unk>", "<mask>",
    ]  # fmt: skip
    assert ours.tokens(ours.encode(["", ""], ["", ""]).ids)[:4] == ["<s>", "</s>", "</s>", "</s>"]


@pytest.mark.parametrize("name", ["sentencepiece.bpe.model", "spm.model", "spiece.model", "vocab.json"])
def test_pieces_in_a_file_that_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x0a\x0e")
    with pytest.raises(UserError) as caught:
        Tokenizer.from_folder(tmp_path)
    message = str(caught.value)
    assert f"Its pieces are in {name}, which is not read: make the missing tokenizer.json with transformers" in message
    assert f"AutoTokenizer.from_pretrained('{tmp_path}').save_pretrained('{tmp_path}')" in message
