"""A tokenizer's folder in the Hugging Face layout: which files there are, which one decides, and writing them back.

tokenizer.json holds everything; vocab.txt only the pieces, and with bpe.codes beside it those of BERTweet's BPE.
tokenizer_config.json and special_tokens_map.json add the names of the special pieces and the three word rules. Where a
rule is stated in tokenizer_config.json, it wins over tokenizer.json, as it does in transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, models, normalizers
from tokenizers import Tokenizer as Backend

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json, write_text
from maskwright.text import tweets
from maskwright.text.extension import Extension
from maskwright.text.wordpiece import SPECIALS, build, looks_uncased, read_vocabulary

# Families outside BERT's that say nothing in their files use these names.
_OTHER_NAMES = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
# What only said where the old files lay, or repeats tokenizer.json.
_NOT_KEPT = (
    "name_or_path",
    "tokenizer_file",
    "special_tokens_map_file",
    "vocab_file",
    "merges_file",
    "added_tokens_decoder",
)


def read_folder(
    path: str | Path, normalise: bool | None = None
) -> tuple[Backend, dict[str, str], dict[str, Any], Extension | None]:
    """The tokenizer in a folder, the names of its special pieces by role, its tokenizer_config.json, and the extension
    that it needs. normalise: whether BERTweet's makes texts even; None: as its files say.

    Raises UserError when there is no such folder, neither tokenizer.json nor vocab.txt is in it, or a file is damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"There is no folder {str(path)!r} to read a tokenizer from.")
    config = {**_table(folder / "special_tokens_map.json"), **_table(folder / "tokenizer_config.json")}
    named = {role: _content(config[f"{role}_token"]) for role in SPECIALS if config.get(f"{role}_token")}
    if _is_of_tweets(folder, config):
        return _read_tweets(folder, named, config if normalise is None else {**config, "normalization": normalise})
    if normalise is not None:
        raise UserError(
            f"{folder} has a tokenizer whose normalisation is part of its rules; it cannot be switched on or off. Only "
            "that of BERTweet (vocab.txt and bpe.codes) can."
        )
    if (folder / "tokenizer.json").is_file():
        backend = parse(_read(folder / "tokenizer.json"), str(folder / "tokenizer.json"))
        _apply_word_rules(backend, config)
    elif (folder / "vocab.txt").is_file():
        backend = _from_vocabulary_file(folder, {**SPECIALS, **named}, config)
    else:
        held = ", ".join(sorted(f.name for f in folder.iterdir())) or "nothing"
        raise UserError(
            f"{folder} has no tokenizer: neither tokenizer.json nor vocab.txt. The folder holds: {held}."
            + _remedy(folder)
        )
    known = backend.get_vocab()
    defaults = {r: other if other in known else SPECIALS[r] for r, other in _OTHER_NAMES.items()}
    return backend, {**defaults, **named}, config, None


def parse(text: str, source: str) -> Backend:
    """A tokenizer from tokenizer.json's text, with the padding and truncation it may carry switched off."""
    try:
        backend = Backend.from_str(text)
    except Exception as problem:  # the library raises Exception itself
        raise UserError(
            f"{source} is damaged or not a tokenizer: {problem}. "
            "Get the file again; or remove it where a vocab.txt lies beside it."
        ) from None
    backend.no_padding()
    backend.no_truncation()
    return backend


def kept(config: dict[str, Any]) -> dict[str, Any]:
    """What of a tokenizer_config.json is written again."""
    return {key: value for key, value in config.items() if key not in _NOT_KEPT}


def write_tokenizer(path: str | Path, backend: Backend, specials: dict[str, str], config: dict[str, Any]) -> None:
    """The four files, each written whole; vocab.txt only for a WordPiece vocabulary, whose ids have no gaps."""
    folder = Path(path)
    known = backend.get_vocab()
    names = {f"{role}_token": name for role, name in specials.items() if name in known}
    rules = backend.normalizer
    bert = isinstance(rules, normalizers.BertNormalizer) and isinstance(backend.model, models.WordPiece)
    kind = {"tokenizer_class": "BertTokenizer" if bert else "PreTrainedTokenizerFast"}
    config = kind | kept(config) | names
    if isinstance(rules, normalizers.BertNormalizer):
        config["do_lower_case"] = rules.lowercase
        config["strip_accents"] = rules.strip_accents
        config["tokenize_chinese_chars"] = rules.handle_chinese_chars
    write_text(folder / "tokenizer.json", backend.to_str(pretty=True))
    pieces = backend.get_vocab(with_added_tokens=False)
    if isinstance(backend.model, models.WordPiece) and set(pieces.values()) == set(range(len(pieces))):
        write_text(folder / "vocab.txt", "".join(f"{piece}\n" for piece in sorted(pieces, key=pieces.__getitem__)))
    write_json(folder / "tokenizer_config.json", dict(sorted(config.items())))
    more = {k: config[k] for k in ("additional_special_tokens",) if config.get(k)}
    write_json(folder / "special_tokens_map.json", names | more)


def _is_of_tweets(folder: Path, config: dict[str, Any]) -> bool:
    """Whether vocab.txt and bpe.codes decide. A tokenizer.json beside them does, unless the class is stated that reads
    the two: transformers has that class in Python alone and ignores the tokenizer.json, which has no normalisation."""
    if not all((folder / name).is_file() for name in (tweets.VOCABULARY, tweets.CODES)):
        return False
    stated = config.get("tokenizer_class") or _table(folder / "config.json").get("tokenizer_class")
    return stated in tweets.CLASSES or not (folder / "tokenizer.json").is_file()


def _read_tweets(
    folder: Path, named: dict[str, str], config: dict[str, Any]
) -> tuple[Backend, dict[str, str], dict[str, Any], Extension]:
    named |= {role: _content(config[f"{role}_token"]) for role in ("bos", "eos") if config.get(f"{role}_token")}
    stored = _stored_tokens(folder, config, set(named.values()))
    backend, extension = tweets.read(folder, named, stored, bool(config.get("normalization")))
    return backend, {role: extension.names[role] for role in SPECIALS}, config, extension


def _remedy(folder: Path) -> str:
    """What to do where the pieces lie in a file that is not read: sentencepiece's, or that of a byte-level BPE."""
    there = sorted(file.name for file in [*folder.glob("*.model"), *folder.glob("vocab.json")])
    if not there:
        return ""
    return (
        f" Its pieces are in {there[0]}, which is not read: make the missing tokenizer.json with transformers, "
        f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})."
    )


def _from_vocabulary_file(folder: Path, specials: dict[str, str], config: dict[str, Any]) -> Backend:
    source = folder / "vocab.txt"
    pieces = read_vocabulary(source)
    lowercase = config.get("do_lower_case")
    chinese = config.get("tokenize_chinese_chars")
    backend = build(
        pieces,
        str(source),
        lowercase=looks_uncased(pieces) if lowercase is None else lowercase,
        strip_accents=config.get("strip_accents"),
        chinese_characters=True if chinese is None else chinese,
        specials=specials,
    )
    more = config.get("additional_special_tokens") or []
    backend.add_special_tokens([_content(token) for token in more if _content(token) in pieces])
    _add_tokens(folder, backend, config, {_content(token) for token in more})
    return backend


def _add_tokens(folder: Path, backend: Backend, config: dict[str, Any], special: set[str]) -> None:
    """Pieces that were added after the vocabulary, at the ids they were stored with."""
    for i, token in sorted(_stored_tokens(folder, config, special).items()):
        (backend.add_special_tokens if token.special else backend.add_tokens)([token])
        found = backend.token_to_id(token.content)
        if found != i:
            raise UserError(
                f"{folder}: the added piece {token.content!r} is stored with the id {i} but falls on {found} after the "
                f"{backend.get_vocab_size(with_added_tokens=False)} pieces of vocab.txt. "
                "The files are not of one model."
            )


def _stored_tokens(folder: Path, config: dict[str, Any], special: set[str]) -> dict[int, AddedToken]:
    """The added pieces by id, as either file has them."""
    stored = {int(i): _added(token) for i, token in (config.get("added_tokens_decoder") or {}).items()}
    for content, i in _table(folder / "added_tokens.json").items():
        stored.setdefault(i, AddedToken(content, normalized=content not in special, special=content in special))
    return stored


def _added(stored: str | dict[str, Any]) -> AddedToken:
    if isinstance(stored, str):
        return AddedToken(stored, special=True, normalized=False)
    keys = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return AddedToken(stored["content"], **{key: stored[key] for key in keys if key in stored})


def _apply_word_rules(backend: Backend, config: dict[str, Any]) -> None:
    rules = backend.normalizer
    if not isinstance(rules, normalizers.BertNormalizer):
        return
    lowercase, chinese = config.get("do_lower_case"), config.get("tokenize_chinese_chars")
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=rules.clean_text,
        handle_chinese_chars=rules.handle_chinese_chars if chinese is None else chinese,
        strip_accents=config.get("strip_accents", rules.strip_accents),
        lowercase=rules.lowercase if lowercase is None else lowercase,
    )


def _content(token: str | dict[str, Any]) -> str:
    """A special piece's text; the files write it as a text or as a table with `content`."""
    return token if isinstance(token, str) else str(token["content"])


def _table(path: Path) -> dict[str, Any]:
    """The table in a JSON file, or an empty one when there is no such file."""
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON table and holds {json.dumps(value)[:60]}.")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"{path} is damaged or not a tokenizer: {problem}.") from None
