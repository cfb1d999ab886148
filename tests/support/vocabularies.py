"""Small tokenizers of other kinds than WordPiece: Unigram (XLM-R, CamemBERT, DeBERTa-v2) and byte-level BPE (RoBERTa).

They are made as transformers' classes of these families make theirs, from this project's own pages.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from maskwright.text.tokenizer import Tokenizer

ROOT = Path(__file__).parents[2]
ANGLES = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
BRACKETS = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
LINES = ["the dog doesn't see New-York, or does it", "unhappily the dogs (two) see it all again 京都 and 東京です"] * 4


def framed(backend: Backend, folder: Path) -> Tokenizer:
    """With RoBERTa's special pieces around a text, read from the folder."""
    backend.add_special_tokens([AddedToken(ANGLES["mask"], lstrip=True)])
    frame = [(name, backend.token_to_id(name)) for name in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=frame)
    backend.save(str(folder / "tokenizer.json"))
    return Tokenizer.from_folder(folder)


def prose() -> list[str]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))[:4]]
    return [line for page in pages for line in page.read_text(encoding="utf-8").split("\n") if line]


def unigram(names: dict[str, str], more: tuple[str, ...] = ()) -> Backend:
    backend = Backend(models.Unigram())
    scheme = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), scheme])
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    kept = [*names.values(), *more]
    trainer = trainers.UnigramTrainer(vocab_size=600, special_tokens=kept, unk_token=names["unk"], show_progress=False)
    backend.train_from_iterator(prose(), trainer)
    # Scores of few digits: of many, the library reads the last bit from JSON otherwise than Python does, by whose
    # reading transformers goes, and where two cuts are equally good that bit decides.
    made = json.loads(backend.to_str())
    made["model"]["vocab"] = [[piece, round(score, 4)] for piece, score in made["model"]["vocab"]]
    return Backend.from_str(json.dumps(made))


def byte_level(names: dict[str, str]) -> Backend:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    kept = [name for role, name in names.items() if role != "mask"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=kept, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(prose(), trainer)
    backend.add_special_tokens([AddedToken(names["mask"], lstrip=True, normalized=False)])
    return backend


def frame(backend: Backend, names: dict[str, str], pair: str) -> Backend:
    cls, sep = names["cls"], names["sep"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=pair.replace("CLS", cls).replace("SEP", sep),
        special_tokens=[(name, backend.token_to_id(name)) for name in (cls, sep)],
    )
    return backend


def xlm_roberta() -> Backend:
    return frame(unigram(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP")


def camembert() -> Backend:
    made = unigram(ANGLES, ("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"))
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    return frame(made, ANGLES, "CLS $A SEP SEP $B SEP")


def deberta_v2() -> Backend:
    made = unigram(BRACKETS)
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    gaps = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
    made.normalizer = normalizers.Sequence([gaps, normalizers.NFC(), normalizers.Strip(left=False, right=True)])
    return frame(made, BRACKETS, "CLS $A SEP $B:1 SEP:1")
