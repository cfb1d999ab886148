"""Reading and writing tokenizer folders: which file decides, and what a damaged one says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HARD = ["Crème BRÛLÉE", "我爱北京 x", "unhappiness 😀", "Anna played [MASK] in Paris"]


def write(folder: Path, pieces: list[str] | str, **config: Any) -> Path:
    text = pieces if isinstance(pieces, str) else "".join(f"{piece}\n" for piece in pieces)
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def pieces_of(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.tokens(tokenizer.encode([text]).ids)[1:-1]


def test_vocabulary_file_alone_equals_the_full_file(bert: Tokenizer, minilm: Path, tmp_path: Path) -> None:
    shutil.copy(minilm / "vocab.txt", tmp_path)
    old = Tokenizer.from_folder(tmp_path)
    assert old.lowercase
    assert old.encode(HARD).ids.tolist() == bert.encode(HARD).ids.tolist()
    assert old.fingerprint() == bert.fingerprint()
    assert Tokenizer.from_vocabulary(tmp_path / "vocab.txt").fingerprint() == bert.fingerprint()


def test_case_is_inferred_from_the_pieces(tmp_path: Path) -> None:
    cased = Tokenizer.from_folder(write(tmp_path, [*SPECIALS, "[unused1]", "Paris", "paris"]))
    assert not cased.lowercase
    assert pieces_of(cased, "Paris paris PARIS") == ["Paris", "paris", "[UNK]"]
    uncased = Tokenizer.from_folder(write(tmp_path, [*SPECIALS, "[unused1]", "paris"]))
    assert uncased.lowercase
    assert pieces_of(uncased, "PARIS") == ["paris"]


def test_stated_rules_win_over_inferred_and_over_the_full_file(cased: Tokenizer, tmp_path: Path) -> None:
    stated = Tokenizer.from_folder(write(tmp_path, [*SPECIALS, "paris"], do_lower_case=False))
    assert not stated.lowercase
    cased.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert (config["do_lower_case"], config["strip_accents"], config["tokenize_chinese_chars"]) == (False, None, True)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"do_lower_case": True}))
    assert Tokenizer.from_folder(tmp_path).lowercase
    (tmp_path / "tokenizer_config.json").unlink()
    assert not Tokenizer.from_folder(tmp_path).lowercase


def test_other_names_of_special_pieces(tmp_path: Path) -> None:
    names = {"pad_token": "<pad>", "unk_token": {"content": "<unk>"}, "cls_token": "<s>", "sep_token": "</s>"}
    write(tmp_path, ["<pad>", "<unk>", "<s>", "</s>", "a"])
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id) == (0, 1, 2, 3)
    assert tokenizer.encode(["a b"]).ids.tolist() == [2, 4, 1, 3]
    tokenizer.save(tmp_path / "again")
    again = Tokenizer.from_folder(tmp_path / "again")
    assert again.fingerprint() == tokenizer.fingerprint()
    assert again.cls_id == 2


def test_added_pieces_of_an_old_folder(tmp_path: Path) -> None:
    write(tmp_path, [*SPECIALS, "[unused1]", "a", "b"], additional_special_tokens=["[unused1]", "<e>"])
    (tmp_path / "added_tokens.json").write_text(json.dumps({"covid": 8, "<e>": 9}))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert tokenizer.size == 10
    assert pieces_of(tokenizer, "a covid <e> [unused1] b") == ["a", "covid", "<e>", "[unused1]", "b"]
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    tokenizer.save(tmp_path / "again")
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    text = "a covid <e> [unused1] bcovid"
    assert judge(text)["input_ids"] == tokenizer.encode([text]).ids.tolist()
    assert Tokenizer.from_folder(tmp_path / "again").fingerprint() == tokenizer.fingerprint()


def test_added_pieces_at_the_wrong_ids_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [*SPECIALS, "a"])
    (tmp_path / "added_tokens.json").write_text(json.dumps({"covid": 30522}))
    with pytest.raises(UserError, match=r"'covid' is stored with the id 30522 but falls on 6 after the 6 pieces"):
        Tokenizer.from_folder(tmp_path)


def test_saving_and_reading_keeps_everything(bert: Tokenizer, tmp_path: Path) -> None:
    bert.save(tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    again = Tokenizer.from_folder(tmp_path)
    assert again.fingerprint() == bert.fingerprint()
    assert again.vocabulary == bert.vocabulary
    written = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert (written["padding"], written["truncation"]) == (None, None)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 512
    first = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    again.save(tmp_path)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == first


def test_fingerprints_differ_where_the_rules_or_pieces_do() -> None:
    pieces = [*SPECIALS, "a", "b"]
    made = [
        Tokenizer.from_vocabulary(pieces),
        Tokenizer.from_vocabulary(pieces, lowercase=False),
        Tokenizer.from_vocabulary(pieces, strip_accents=False),
        Tokenizer.from_vocabulary(pieces, chinese_characters=False),
        Tokenizer.from_vocabulary([*SPECIALS, "b", "a"]),
    ]
    assert len({tokenizer.fingerprint() for tokenizer in made}) == 5
    assert Tokenizer.from_vocabulary(pieces).fingerprint() == made[0].fingerprint()
    assert len(made[0].fingerprint()) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"vocab.txt: the vocabulary is empty"),
        ("[UNK]\n[CLS]\n\n[SEP]\n", r"vocab.txt, line 3: an empty line"),
        ("[UNK]\n[CLS]\n[SEP]\n\n", r"vocab.txt, line 4: an empty line"),
        ("[UNK]\n[CLS]\n[SEP]\na\n[CLS]\n", r"vocab.txt, line 5: the piece '\[CLS\]' stands in line 2 already"),
        ("a\nb\n", r"vocab.txt: the vocabulary of 2 pieces lacks \[UNK\], \[CLS\], \[SEP\]"),
    ],
)
def test_damaged_vocabularies_name_the_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Tokenizer.from_folder(write(tmp_path, content))


def test_a_list_of_pieces_is_checked_as_well() -> None:
    with pytest.raises(UserError, match=r"the given vocabulary, line 6: the piece '\[UNK\]' stands in line 2 already"):
        Tokenizer.from_vocabulary([*SPECIALS, "[UNK]"])


def test_line_ends_and_odd_pieces_do_not_shift_ids(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*SPECIALS, "\u2028", "\x85", "a"]).encode())
    tokenizer = Tokenizer.from_vocabulary(tmp_path / "vocab.txt")
    assert tokenizer.pad_id == 0
    assert tokenizer.vocabulary["\u2028"] == 5
    assert tokenizer.vocabulary["a"] == 7


def test_vocabularies_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.txt' cannot be read: No such file"):
        Tokenizer.from_vocabulary(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match=r"latin.txt is not a vocabulary in UTF-8"):
        Tokenizer.from_vocabulary(tmp_path / "latin.txt")


def test_a_folder_without_a_tokenizer_lists_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither tokenizer.json nor vocab.txt. The folder holds: nothing"):
        Tokenizer.from_folder(tmp_path)
    (tmp_path / "spiece.model").touch()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"The folder holds: config.json, spiece.model"):
        Tokenizer.from_folder(tmp_path)
    with pytest.raises(UserError, match=r"There is no folder .*elsewhere"):
        Tokenizer.from_folder(tmp_path / "elsewhere")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_full_file_is_refused(uncased: Tokenizer, tmp_path: Path, keep: int) -> None:
    uncased.save(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"tokenizer.json is damaged or not a tokenizer: .*Get the file again"):
        Tokenizer.from_folder(tmp_path)


def test_damaged_side_files_are_refused(uncased: Tokenizer, tmp_path: Path) -> None:
    uncased.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"tokenizer_config.json must hold a JSON table and holds \[1\]"):
        Tokenizer.from_folder(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"tokenizer_config.json is not a JSON file"):
        Tokenizer.from_folder(tmp_path)
