"""BERTweet's tokenizer: normalisation by hand-written values, everything else as transformers' class in Python."""

from __future__ import annotations

import json
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.text import tweets
from maskwright.text.golden import GOLDEN_TEXTS, check_golden, golden
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.tweets import normalise

TWEETS = [
    "@anna_b sooo happy for you!!! 😀😀 can't wait to see the pics… https://t.co/AbC123xyz",
    "RT @news24: Breaking — the storm hits at 5 p.m. today, stay inside! #storm #staysafe http://t.co/x1",
    "I’m not saying it’s bad, I'm saying it isn't good :-) @bob you're right, they'll lose",
    "No way!! The lads won 3-1 😭😭😭 best night of my life #coyb ❤️ www.club.example/news",
    "Coffee at 9 a.m. then work... we cannot do this all week, ain't no sleep till Friday 👍🏽",
    "why do people do that?? I don't get it & I never will &amp; that's ok &lt;3",
    "crème brûlée in Paris 🇫🇷 with @marie, c'est la vie! 我爱你 #food #paris2024",
    "He'd have said so, wouldn't he? She'd've known. call 555-123-4567 now",
]
ODD = [
    *GOLDEN_TEXTS,
    "hello\nthere\n\nyou",
    "a <mask> b<mask>c <s>x</s> <unk> <pad>",
    "&lt;s&gt; and &lt;mask&gt;x but <mask>",
    "@ @@ @@@ a@@ b@@c x</w>y </w> </w",
    "a\x1cb\x1fc\x85d\u2028e\rf\u3000g",
    "\U0010ffff 𝔘𝔫𝔦 ﷽",
    "🤷🏽‍♀️ 👩‍👩‍👧 🇩🇪🇫🇷 ❤️‍🔥 </3 ",
    "cannot can't ain't don't I'm we've 5 p.m. 6 a.m",
    " ",
]
for extra in ("nltk", "emoji"):
    pytest.importorskip(extra, reason="the extra `tweets` is not installed")


def learn(texts: list[str], merges: int) -> tuple[list[tuple[str, str, int]], Counter[str]]:
    """Codes and a vocabulary as fastBPE learns them: the most frequent pair first (Sennrich et al. 2016, figure 1)."""
    words = Counter(word for text in texts for word in text.split())
    parts = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    codes = []
    for _ in range(merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(parts[word], parts[word][1:], strict=False):
                pairs[pair] += count
        (left, right), count = max(pairs.items(), key=lambda item: (item[1], item[0]))
        codes.append((left, right, count))
        for word, old in parts.items():
            new: list[str] = []
            for part in old:
                if new and (new[-1], part) == (left, right):
                    new[-1] = left + right
                else:
                    new.append(part)
            parts[word] = new
    vocabulary: Counter[str] = Counter()
    for word, count in words.items():
        for part in parts[word]:
            vocabulary[part.removesuffix("</w>") if part.endswith("</w>") else part + "@@"] += count
    return codes, vocabulary


@pytest.fixture(scope="module")
def write() -> Callable[..., Path]:
    """A writer of BERTweet's folder over a vocabulary in which every seventh piece is left out."""
    codes, vocabulary = learn([normalise(text) for text in TWEETS] + TWEETS, 220)
    pieces = [line for place, line in enumerate(vocabulary.most_common()) if place % 7 != 5]

    def write(folder: Path, **config: Any) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / "vocab.txt").write_text("".join(f"{p} {n}\n" for p, n in pieces), encoding="utf-8")
        (folder / "bpe.codes").write_text("".join(f"{a} {b} {n}\n" for a, b, n in codes), encoding="utf-8")
        config = {"tokenizer_class": "BertweetTokenizer"} | config
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "config.json").write_text('{"model_type": "roberta"}')
        return folder

    return write


@pytest.fixture(scope="module", params=[False, True], ids=["as it stands", "normalised"])
def judged(request: Any, write: Callable[..., Path], tmp_path_factory: Any) -> tuple[Tokenizer, Any]:
    """Ours, and transformers' reading of the same folder."""
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    folder = write(tmp_path_factory.mktemp("tweets"), normalization=request.param)
    judge = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(judge).__name__ == "BertweetTokenizer"
    return Tokenizer.from_folder(folder), judge


def rows(encoded: Any) -> list[list[int]]:
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("@somebody look", "@USER look"),
        ("see https://t.co/abc or www.example.org", "see HTTPURL or HTTPURL"),
        ("it’s late…", "it 's late ..."),
        ("so good 😀❤️", "so good :grinning_face: :red_heart:"),
        ("well done 👍🏽", "well done :thumbs_up: :medium_skin_tone:"),
        ("I can't and I ain't", "I can't and I ain't"),
        ("we don't, we cannot stay", "we do n't , we can not stay"),
        ("I'm sure they've said she'll go", "I 'm sure they 've said she 'll go"),
        ("at 5 p.m. or 6 a.m. then", "at 5 p.m. or 6 a.m. then"),
        ("Tom &amp; Anna &lt;3 #love :-)", "Tom & Anna <3 #love :-)"),
        ("wow!!!!!! \n\t  niiiice", "wow ! ! ! niiiice"),
        ("ééééé broken </3", "ééé broken < / 3"),
        ("I can't stop", "I can't stop"),
    ],
)
def test_normalised_by_hand(text: str, expected: str) -> None:
    assert normalise(text) == expected


# All that tweets are made of; "</3" and entities of the characters that newer NLTK treats otherwise stay aside, as
# the docstring of `normalise` says.
scraps = st.sampled_from(
    [
        *"ab13'@.-_>/:)&; \n\u200déا",
        *"👍🏽🇩🇪❤\ufe0f🏴…’",
        *("don't ", "cannot ", "ain't ", "p.m. "),
        *"... http:// www. &lt; @x #y".split(),
    ]
)


@settings(max_examples=300)
@given(st.lists(scraps, max_size=14).map("".join).filter(lambda text: "lt;/3" not in text))
def test_any_tweet_is_normalised_as_by_transformers(judged: tuple[Tokenizer, Any], text: str) -> None:
    assert normalise(text) == judged[1].normalizeTweet(text)


def test_texts_and_pairs_are_encoded_as_by_transformers(judged: tuple[Tokenizer, Any]) -> None:
    ours, judge = judged
    texts = TWEETS + ODD
    assert rows(ours.encode(texts)) == judge(texts)["input_ids"]
    pairs = ours.encode(texts, texts[::-1])
    assert rows(pairs) == judge(texts, texts[::-1])["input_ids"]
    assert not pairs.segments.any()
    assert ours.encode([TWEETS[6]]).unknown > 0


@given(st.lists(st.text(st.sampled_from("aehinostu@'.\n <>/sw"), max_size=30), min_size=1, max_size=5))
def test_any_text_is_encoded_as_by_transformers(judged: tuple[Tokenizer, Any], batch: list[str]) -> None:
    batch = [text.replace("</", "<") for text in batch]
    assert rows(judged[0].encode(batch)) == judged[1](batch)["input_ids"]


def test_white_space_is_that_of_python(judged: tuple[Tokenizer, Any]) -> None:
    ours, judge = judged
    texts = [f"to{chr(i)}the {chr(i)}" for i in (*range(0x250), *range(0x1680, 0x1690), *range(0x2000, 0x3001))]
    assert rows(ours.encode(texts)) == judge(texts)["input_ids"]


def test_vocabulary_specials_and_decoding_are_those_of_transformers(judged: tuple[Tokenizer, Any]) -> None:
    ours, judge = judged
    assert ours.vocabulary == judge.get_vocab()
    assert (ours.cls_id, ours.pad_id, ours.sep_id, ours.unk_id) == (0, 1, 2, 3)
    assert ours.mask_id == judge.mask_token_id == ours.size - 1
    for ids in rows(ours.encode(TWEETS + ODD)):
        assert ours.tokens(ids) == judge.convert_ids_to_tokens(ids)
        for skip in (True, False):
            assert ours.decode(ids, skip_specials=skip) == judge.decode(ids, skip_special_tokens=skip)


@pytest.mark.parametrize(("keep", "side"), [("head", "right"), ("tail", "left")])
def test_cuts_are_those_of_transformers(judged: tuple[Tokenizer, Any], keep: Any, side: str) -> None:
    ours, judge = judged
    judge.truncation_side = side
    one = ours.encode(TWEETS, max_length=9, keep=keep)
    assert rows(one) == judge(TWEETS, truncation=True, max_length=9)["input_ids"]
    two = ours.encode(TWEETS, TWEETS[::-1], max_length=12, keep=keep)  # an even room: see the module's docstring
    judge.truncation_side = side
    assert rows(two) == judge(TWEETS, TWEETS[::-1], truncation="longest_first", max_length=12)["input_ids"]
    judge.truncation_side = "right"


def test_spans_point_into_the_text_that_is_cut(write: Callable[..., Path], tmp_path: Path) -> None:
    plain = Tokenizer.from_folder(write(tmp_path))
    text = "I don't know 😀 @marie\n<mask> crème"
    found = plain.encode([text], details=True)
    joined = "".join(text[start:end] for start, end in found.spans.tolist())
    assert joined == "".join(text.split(" ")), "every character but the spaces between words, in order"
    assert found.words is not None
    assert len({word for word in found.words.tolist() if word >= 0}) == 7
    normalised = Tokenizer.from_folder(write(tmp_path, normalization=True))
    again = normalised.encode([text], details=True)
    cut = normalise("I don't know 😀 @marie") + "<mask>" + normalise("crème")
    assert [cut[start:end] for start, end in again.spans.tolist()].count("<mask>") == 1
    assert "".join(cut[start:end] for start, end in again.spans.tolist()) == cut.replace(" ", "")


def test_what_becomes_a_special_piece_by_normalisation_is_text(write: Callable[..., Path], tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(write(tmp_path, normalization=True))
    ids = tokenizer.encode(["&lt;mask&gt; <mask>"]).ids.tolist()
    assert ids.count(tokenizer.mask_id) == 1
    assert ids[-2] == tokenizer.mask_id


def test_saving_and_reading_keeps_everything(judged: tuple[Tokenizer, Any], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    ours, judge = judged
    ours.save(tmp_path / "ours")
    (tmp_path / "ours" / "config.json").write_text('{"model_type": "roberta"}')
    assert {file.name for file in (tmp_path / "ours").iterdir()} == {
        "vocab.txt", "bpe.codes", "tokenizer_config.json", "special_tokens_map.json", "config.json",
    }  # fmt: skip
    again = Tokenizer.from_folder(tmp_path / "ours")
    assert again.fingerprint() == ours.fingerprint()
    want = rows(ours.encode(TWEETS + ODD))
    assert rows(again.encode(TWEETS + ODD)) == want
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")(TWEETS + ODD)["input_ids"] == want
    first = {file.name: file.read_bytes() for file in (tmp_path / "ours").iterdir()}
    again.save(tmp_path / "ours")
    assert {file.name: file.read_bytes() for file in (tmp_path / "ours").iterdir()} == first
    judge.save_pretrained(tmp_path / "theirs")  # no counts in bpe.codes, which transformers itself misreads
    theirs = Tokenizer.from_folder(tmp_path / "theirs")
    assert theirs.fingerprint() == ours.fingerprint()
    theirs.save(tmp_path / "mended")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "mended")(TWEETS)["input_ids"] == want[: len(TWEETS)]


def test_the_shell_works_as_for_any_tokenizer(write: Callable[..., Path], tmp_path: Path) -> None:
    plain = Tokenizer.from_folder(write(tmp_path))
    normalised = Tokenizer.from_folder(write(tmp_path, normalization=True))
    assert plain.fingerprint() != normalised.fingerprint()
    check_golden(normalised, golden(normalised))
    with pytest.raises(UserError, match="is not the one that was stored"):
        check_golden(plain, golden(normalised))
    want = normalised.encode(TWEETS * 50, max_length=20).ids.tolist()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: normalised.encode(TWEETS * 50, max_length=20).ids.tolist(), range(8)))
    assert all(ids == want for ids in found)
    assert pickle.loads(pickle.dumps(normalised)).encode(TWEETS).ids.tolist() == normalised.encode(TWEETS).ids.tolist()
    assert not plain.lowercase
    with pytest.raises(UserError, match="only the cuts of a WordPiece"):
        plain.explain("hello")
    with pytest.raises(UserError, match="has no piece with the id"):
        plain.tokens([plain.size])
    assert len(plain.encode([])) == 0


def test_which_file_decides(write: Callable[..., Path], cased: Tokenizer, tmp_path: Path) -> None:
    want = Tokenizer.from_folder(write(tmp_path)).fingerprint()
    (tmp_path / "tokenizer.json").write_text(cased._backend.to_str(), encoding="utf-8")
    assert Tokenizer.from_folder(tmp_path).fingerprint() == want, "the class is stated"
    (tmp_path / "tokenizer_config.json").unlink()
    assert Tokenizer.from_folder(tmp_path).vocabulary == cased.vocabulary, "it is not"
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "tokenizer_class": "BertweetTokenizer"}')
    assert Tokenizer.from_folder(tmp_path).fingerprint() == want, "as the published models state it"


def test_normalisation_can_be_asked_for(write: Callable[..., Path], minilm: Path, tmp_path: Path) -> None:
    """What is asked wins over the file, and is saved."""
    write(tmp_path / "plain")
    on = Tokenizer.from_folder(tmp_path / "plain", normalise=True)
    assert on.fingerprint() == Tokenizer.from_folder(write(tmp_path / "even", normalization=True)).fingerprint()
    on.save(tmp_path / "saved")
    assert Tokenizer.from_folder(tmp_path / "saved").fingerprint() == on.fingerprint()
    assert on.fingerprint() != Tokenizer.from_folder(tmp_path / "saved", normalise=False).fingerprint()
    with pytest.raises(UserError, match="whose normalisation is part of its rules"):
        Tokenizer.from_folder(minilm, normalise=True)


def test_phobert_has_the_same_files(write: Callable[..., Path], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    ours = Tokenizer.from_folder(write(tmp_path, tokenizer_class="PhobertTokenizer"))
    ours.save(tmp_path)
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert type(judge).__name__ == "PhobertTokenizer"
    assert rows(ours.encode(TWEETS + ODD)) == judge(TWEETS + ODD)["input_ids"]


def test_added_pieces_keep_their_ids(write: Callable[..., Path], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    mask = Tokenizer.from_folder(write(tmp_path)).mask_id
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<mask>": mask, "covid": mask + 1}))
    ours = Tokenizer.from_folder(tmp_path)
    texts = ["acovidb covid <mask>", *TWEETS]
    assert ours.vocabulary["covid"] == mask + 1 == ours.size - 1
    assert rows(ours.encode(texts)) == transformers.AutoTokenizer.from_pretrained(tmp_path)(texts)["input_ids"]
    ours.save(tmp_path / "again")
    assert Tokenizer.from_folder(tmp_path / "again").fingerprint() == ours.fingerprint()
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    assert rows(ours.encode(texts)) == judge(texts)["input_ids"]
    (tmp_path / "added_tokens.json").write_text(json.dumps({"covid": 5}))
    with pytest.raises(UserError, match=r"'covid' is stored with the id 5, which does not fit the \d+ lines"):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("vocab.txt", b"", r"vocab.txt: the vocabulary is empty"),
        ("vocab.txt", b"the 5\nand\n", r"vocab.txt, line 2: 'and' is not a piece and its count"),
        ("vocab.txt", b"the 5\nand many\n", r"vocab.txt, line 2: 'and many' is not a piece and its count"),
        ("vocab.txt", b"the 5\n\na 3\n", r"vocab.txt, line 2: '' is not a piece and its count"),
        ("vocab.txt", b"the 5\na 4\nthe 3\n", r"vocab.txt, line 3: the piece 'the' stands in line 1 already"),
        ("vocab.txt", b"the 5\n<pad> 4\n", r"vocab.txt, line 2: the piece '<pad>' has its id before the first line"),
        ("vocab.txt", b"the 5\ncaf\xe9 4\n", r"vocab.txt, line 2: not text in UTF-8"),
        ("bpe.codes", b"t h 5\nth\n", r"bpe.codes, line 2: 'th' is not a pair of pieces to merge"),
        ("bpe.codes", b"t h 5\nth e</w> 5 6\n", r"bpe.codes, line 2: 'th e</w> 5 6' is not a pair"),
        ("bpe.codes", b"t h 5\n\xff e 5\n", r"bpe.codes, line 2: not text in UTF-8"),
    ],
)
def test_damaged_files_name_the_line(
    write: Callable[..., Path], tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    (write(tmp_path) / file).write_bytes(content)
    with pytest.raises(UserError, match=message):
        Tokenizer.from_folder(tmp_path)


@pytest.fixture
def imported_anew() -> Iterator[None]:
    """The packages are imported within the test, and again after it."""
    tweets._tools.cache_clear()
    yield
    tweets._tools.cache_clear()


@pytest.mark.parametrize("name", ["nltk", "emoji"])
def test_a_missing_package_is_named(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported_anew: None, name: str
) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    tokenizer = Tokenizer.from_folder(write(tmp_path, normalization=True))
    with pytest.raises(UserError, match=rf"'{name}.*pip install 'maskwright\[tweets\]'"):
        tokenizer.encode(["a"])
    assert len(Tokenizer.from_folder(write(tmp_path)).encode(["no normalisation, no package"])) == 1


def test_a_tweet_that_nltk_gives_up_on_is_named(monkeypatch: pytest.MonkeyPatch, imported_anew: None) -> None:
    def slow(self: Any, text: str) -> list[str]:
        raise TimeoutError

    monkeypatch.setattr("nltk.tokenize.TweetTokenizer.tokenize", slow)
    with pytest.raises(UserError, match="NLTK takes too long over the tweet '1111"):
        normalise("1" * 100)


@pytest.mark.realdata
def test_real_tweets_are_encoded_as_by_transformers(judged: tuple[Tokenizer, Any], data: Path) -> None:
    ours, judge = judged
    files = sorted((data / "tweeteval").rglob("*_text.txt"))
    real = [line for file in files for line in file.read_text(encoding="utf-8").split("\n")[:30] if line][:300]
    assert len(real) == 300
    assert rows(ours.encode(real)) == judge(real)["input_ids"]
    assert rows(ours.encode(real[:100], real[100:200])) == judge(real[:100], real[100:200])["input_ids"]
    assert [normalise(text) for text in real] == [judge.normalizeTweet(text) for text in real]
