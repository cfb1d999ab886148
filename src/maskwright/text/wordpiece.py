"""WordPiece: reading a vocabulary, building BERT's tokenizer around it, and learning one from text.

Wu et al. 2016 (arXiv:1609.08144, section 4.1); the cut into words is that of Devlin et al. 2019 (BERT).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from maskwright.base.errors import UserError

CONTINUATION = "##"
SPECIALS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def read_vocabulary(path: str | Path) -> list[str]:
    """The pieces of a vocab.txt, one a line, the id being the line. Raises UserError with the line of a mistake."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise UserError(f"The vocabulary {str(path)!r} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError as problem:
        raise UserError(f"{path} is not a vocabulary in UTF-8: {problem}.") from None
    lines = text.split("\n")  # not splitlines(): a piece may be a character that it takes for a line's end
    return check_vocabulary(lines[:-1] if lines[-1] == "" else lines, str(path))


def check_vocabulary(pieces: Sequence[str], source: str) -> list[str]:
    """`pieces` as a list. Raises UserError naming `source` and the line when it is empty, or a piece is or comes twice.

    Both mistakes shift the id of every later piece, so that a model would read other words than it was trained on.
    """
    if not pieces:
        raise UserError(f"{source}: the vocabulary is empty. Give one piece a line, the first line being id 0.")
    first: dict[str, int] = {}
    for line, piece in enumerate(pieces, start=1):
        if not piece:
            raise UserError(f"{source}, line {line}: an empty line; each line of a vocabulary is one piece. Remove it.")
        if piece in first:
            raise UserError(
                f"{source}, line {line}: the piece {piece!r} stands in line {first[piece]} already. "
                "Each piece may come once; remove one of them, or give it another name to keep the later ids."
            )
        first[piece] = line
    return list(pieces)


def looks_uncased(pieces: Iterable[str]) -> bool:
    """Whether lower-casing would change no piece, those in brackets (specials, [unused1]) and <angles> left aside."""
    plain = (p for p in pieces if p[0] + p[-1] not in ("[]", "<>"))
    return all(p == p.lower() for p in plain)


def build(
    pieces: Sequence[str],
    source: str,
    *,
    lowercase: bool,
    strip_accents: bool | None,
    chinese_characters: bool,
    specials: dict[str, str] = SPECIALS,
) -> Backend:
    """BERT's tokenizer around a checked vocabulary. Raises UserError when [UNK], [CLS] or [SEP] is not in it."""
    ids = {piece: i for i, piece in enumerate(pieces)}
    missing = [specials[role] for role in ("unk", "cls", "sep") if specials[role] not in ids]
    if missing:
        raise UserError(
            f"{source}: the vocabulary of {len(pieces)} pieces lacks {', '.join(missing)}, which every encoding needs. "
            "Add them, or name the ones it has in special_tokens_map.json."
        )
    backend = Backend(models.WordPiece(ids, unk_token=specials["unk"], continuing_subword_prefix=CONTINUATION))
    _set_word_rules(backend, lowercase, strip_accents, chinese_characters)
    cls, sep = specials["cls"], specials["sep"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, ids[cls]), (sep, ids[sep])],
    )
    backend.decoder = decoders.WordPiece(prefix=CONTINUATION)
    backend.add_special_tokens([piece for piece in specials.values() if piece in ids])
    return backend


def learn(
    sources: Iterable[str | os.PathLike[str]] | os.PathLike[str],
    *,
    size: int,
    lowercase: bool,
    strip_accents: bool | None,
    chinese_characters: bool,
    min_frequency: int,
    alphabet: int,
    progress: bool,
) -> list[str]:
    """The pieces of a vocabulary of at most `size`: specials, characters, then merges by frequency.

    The library numbers the characters in the order of a hash table with a random seed, and pairs that are equally
    frequent are merged in the order of those numbers: two runs on the same text give two vocabularies. So the text is
    read twice. The first reading collects the characters; sorted, they are given numbers before the second, and
    where they are more than `alphabet`, the most frequent are kept and ties are decided by code point.
    """
    if isinstance(sources, str):
        raise UserError(f"{sources[:40]!r} is one text. Give a list of texts, or a Path to learn from a file.")
    sources = [sources] if isinstance(sources, os.PathLike) else sources
    sources = list(sources) if iter(sources) is sources else sources  # type: ignore[comparison-overlap]
    first = next(iter(sources), None)
    if isinstance(first, str) and os.path.isfile(first):
        raise UserError(
            f"{first!r} is the name of a file, given as a text: a Path is a file to read, a str is a text to learn "
            f"from. Give Path({first!r})."
        )
    backend = Backend(models.WordPiece({SPECIALS["unk"]: 0}, unk_token=SPECIALS["unk"]))
    _set_word_rules(backend, lowercase, strip_accents, chinese_characters)
    specials = list(SPECIALS.values())

    def run(size: int, pieces: list[str], progress: bool) -> list[str]:
        characters = [piece for piece in pieces if len(piece) == 1]
        trainer = trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=min_frequency,
            special_tokens=specials + pieces,
            initial_alphabet=characters,
            limit_alphabet=len(characters) or sys.maxunicode + 1,
            continuing_subword_prefix=CONTINUATION,
            show_progress=progress,
        )
        backend.train_from_iterator(lines(sources), trainer)
        ids = backend.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    pieces = sorted(set(run(0, [], False)) - set(specials))
    if not pieces:
        raise UserError("There is no text to learn a vocabulary from: what was given is empty or only white space.")
    characters = {piece for piece in pieces if len(piece) == 1}
    if len(characters) > alphabet:
        kept = _most_frequent(backend.normalizer, sources, characters, alphabet)
        pieces = [piece for piece in pieces if piece.removeprefix(CONTINUATION) in kept]
    if size < len(specials) + len(pieces):
        raise UserError(
            f"A vocabulary of {size} pieces is too small: {len(specials)} special pieces and {len(pieces)} for single "
            f"characters need {len(specials) + len(pieces)}. Ask for more pieces or for a smaller alphabet."
        )
    return run(size, pieces, progress)


def _set_word_rules(backend: Backend, lowercase: bool, strip_accents: bool | None, chinese_characters: bool) -> None:
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese_characters,
        strip_accents=strip_accents,  # None: as `lowercase` says, which is what BERT did
        lowercase=lowercase,
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()


def lines(sources: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Texts as they are, files line by line. Raises UserError with file and line where a file is not UTF-8."""
    for source in sources:
        if isinstance(source, str):
            yield source
            continue
        try:
            with open(source, "rb") as file:  # bytes, so that a wrong one is found in its own line
                for line, raw in enumerate(file, start=1):
                    yield _decode(raw, source, line)
        except OSError as problem:
            raise UserError(f"{os.fspath(source)!r} cannot be read: {problem.strerror}.") from None


def _decode(raw: bytes, source: os.PathLike[str], line: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        raise UserError(
            f"{os.fspath(source)}, line {line}: not text in UTF-8 ({problem.reason} at byte {problem.start}). "
            "Convert the file to UTF-8 first."
        ) from None


def _most_frequent(
    normalizer: normalizers.Normalizer, sources: Iterable[str | os.PathLike[str]], characters: set[str], count: int
) -> set[str]:
    """The `count` characters that come most often in the normalised text; of equal ones the lower code point."""
    seen: Counter[str] = Counter()
    for line in lines(sources):
        seen.update(normalizer.normalize_str(line))
    return set(sorted(characters, key=lambda c: (-seen[c], c))[:count])
