"""Tagging: rows of every kind become words and tags, answers become characters again, and others' models are read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import maskwright
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.tagged import halves, words_in
from maskwright.tasks import Model, Task
from maskwright.tasks._given import Given
from maskwright.tasks._gold import Gold
from maskwright.tasks.tagging import Tagging

NAMES = ("O", "B-person", "I-person", "B-place", "I-place")


def task(**options: Any) -> Tagging:
    found = resolve(Task, {"name": "tagging", **options})
    assert isinstance(found, Tagging)
    return found


def gold(given: Any, labels: Any = None, **options: Any) -> tuple[list[Any], list[list[str]], tuple[str, ...]]:
    """The spans of each row, the tags that are learnt, and what was said."""
    made, table = task(**options), read(given)
    names = labels or made.discover(table)
    examples = made.settled_on(names).examples(table, names)
    tags = [[names[int(t)] for t in each.tags] for each in examples.targets]
    return [list(each.spans) for each in examples.targets], tags, examples.said


TEXT = "Ada Lovelace met Babbage in London."
SPANS = [(0, 12, "person"), (17, 24, "person"), (28, 34, "place")]
TAGS = ["B-person", "I-person", "O", "B-person", "O", "B-place", "O"]


@pytest.mark.parametrize(
    "label",
    [
        [{"start": s, "end": e, "label": name} for s, e, name in SPANS],
        [list(span) for span in reversed(SPANS)],
        str([list(span) for span in SPANS]).replace("'", '"'),
        TAGS,
        " ".join(TAGS),
        ["I-person", "I-person", "O", "I-person", "O", "I-place", "O"],
        ["B-person", "E-person", "O", "S-person", "O", "S-place", "O"],
        ["B-person", "L-person", "O", "U-person", "O", "U-place", "O"],
    ],
)
def test_however_a_row_says_it(label: Any) -> None:
    spans, tags, _ = gold({"text": [TEXT], "label": [label]})
    assert spans == [SPANS]
    assert tags == [TAGS]


def test_a_text_may_be_a_list_of_words() -> None:
    words = ["Ada", "Lovelace", "met", "Babbage"]
    spans, tags, said = gold({"tokens": [words], "ner": [["B-p", "I-p", "O", "B-p"]]}, text="tokens", label="ner")
    assert spans == [[(0, 12, "p"), (17, 24, "p")]]
    assert tags == [["B-p", "I-p", "O", "B-p"]]
    assert said == (
        "the tags are in IOB2, as their marks tell.",
        "the words are those of the rows. In a text that comes without them they are found anew, runs of letters and "
        "digits and signs one by one, which cuts 1 of these 1 text alike.",
    )


def test_ids_have_names() -> None:
    names = ("O", "B-p", "I-p")
    spans, _, _ = gold({"text": [["Ada", "met", "Bo"]], "label": [[1, 0, 1]]}, names=names)
    assert spans == [[(0, 3, "p"), (8, 10, "p")]]


def test_tags_that_are_no_spans_stay_as_they_are() -> None:
    made = task()
    table = read({"text": ["Ada met Babbage"], "label": [["PROPN", "VERB", "PROPN"]]})
    labels = made.discover(table)
    assert labels.names == ("PROPN", "VERB")
    settled = made.settled_on(labels, table)
    assert (settled.kind, settled.main, made.main) == ("words", "accuracy", "f1")
    scores = np.array([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0]], np.float32)
    held = np.empty(1, object)
    held[0] = scores
    examples = settled.examples(table, labels)
    (answer,) = settled.decode(held, labels, None, examples)
    assert [(w["text"], w["label"]) for w in answer["words"]] == [
        ("Ada", "PROPN"),
        ("met", "VERB"),
        ("Babbage", "VERB"),
    ]
    figures = settled.metrics(held, examples.targets)
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["whole_texts"] == 0
    assert settled.truths(examples.targets, labels) == [["PROPN", "VERB", "PROPN"]]


def test_a_span_inside_of_a_word_is_told_and_stays_what_it_is() -> None:
    spans, tags, said = gold({"text": ["antiLondoner mood"], "label": [[[4, 10, "place"]]]})
    assert spans == [[(4, 10, "place")]]
    assert tags == [["B-place", "O"]]
    assert said == (
        "1 text with a span that begins or ends inside of a word (first at the data given row 1); the network learns "
        "whole words, so such a span cannot be found exactly.",
    )


def test_spans_that_break_their_scheme_are_counted() -> None:
    _, _, said = gold({"text": ["a b c d"], "label": [["I-x", "O", "B-x", "O"]]})
    assert said[1] == (
        "1 span is not written as IOB2 has it (first at the data given row 1, word 1); they are read as conlleval "
        "reads them."
    )


@given(
    st.lists(
        st.sampled_from(["a", "e\u0301", "👍", "👍🏽", "👩\u200d💻", "🇩🇪", "☀\ufe0f", "京", ",", " "]), max_size=12
    )
)
def test_no_word_ends_inside_of_a_character(signs: list[str]) -> None:
    """So that no answer is a span that would be refused as a label."""
    text = "".join(signs)
    words = words_in(text, "signs").tolist()
    assert not any(halves(text, end) for word in words for end in word)
    assert "".join(text[a:b] for a, b in words) == "".join(text.split())


def test_white_space_at_the_ends_of_a_span_is_cut_off() -> None:
    spans, _, said = gold({"text": ["in London today"], "label": [[[2, 10, "place"]]]})
    assert spans == [[(3, 9, "place")]]
    assert said == ("1 span began or ended with white space, which was cut off.",)


def test_how_words_end_is_learnt_from_the_training_rows() -> None:
    """Tags of words between spaces: the model finds these words again; else runs of letters and signs."""
    table = read({"text": ["U.S. won"], "label": [["B-place", "O"]]})
    made = task()
    settled = made.settled_on(made.discover(table), table)
    assert settled.split == "spaces"
    assert settled.gather([settled.example({"text": "the U.S. won"})]).words[0].tolist() == [[0, 3], [4, 8], [9, 12]]
    other = task(split="signs").examples(table, made.discover(table))
    assert other.words[0].tolist() == [[0, 4], [5, 8]], "the tags of a row say how many words it has"
    given = read({"text": [["U.S.", "won"]], "label": [["B-place", "O"]]})
    assert made.settled_on(made.discover(given), given).split == "signs"


def test_what_the_labels_are_can_be_stated() -> None:
    table = read({"text": ["a b"], "label": [["I-x", "O"]]})
    made = task(kind="words")
    labels = made.discover(table)
    assert labels.names == ("I-x", "O")
    settled = made.settled_on(labels, table)
    assert settled.kind == "words"
    assert settled.truths(settled.examples(table, labels).targets, labels) == [["I-x", "O"]]


def test_labels_with_inner_marks_alone_have_spans_too() -> None:
    labels = Labels(("O", "I-LOC", "I-PER"))
    spans, tags, _ = gold({"text": ["Ada Bo met"], "label": [[[0, 3, "PER"], [4, 6, "PER"]]]}, labels)
    assert (len(spans[0]), tags) == (2, [["I-PER", "I-PER", "O"]])
    made = task(kind="spans")
    held = np.empty(1, object)
    held[0] = np.array([[0, 0, 2], [2, 0, 0], [0, 2, 0]], np.float32)
    examples = made.gather([made.example({"text": "Ada met London"})])
    (answer,) = made.decode(held, labels, None, examples)
    assert [(s["text"], s["label"]) for s in answer["spans"]] == [("Ada", "PER"), ("London", "LOC")]
    with pytest.raises(UserError, match="the model has no tag 'S-PER', which IOBES needs"):
        gold({"text": ["Ada"], "label": [[[0, 3, "PER"]]]}, Labels(("B-LOC", "E-PER", "I-LOC", "O")))


@pytest.mark.parametrize(
    ("text", "label", "said"),
    [
        (TEXT, [[0, 99, "x"]], "row 1: the span from 0 to 99 does not lie in a text of 35 characters"),
        ("Rene\u0301 sang", [[0, 4, "x"]], "row 1: the span from 0 to 4 cuts a character in two"),
        ("a \U0001f469\u200d\U0001f4bb", [[2, 4, "x"]], "row 1: the span from 2 to 4 cuts a character in two"),
        (TEXT, [[0, 4, "x"], [2, 5, "x"]], "the spans 'Ada' and 'a L' overlap"),
        (TEXT, [[3, 4, "x"]], "the span from 3 to 4 holds nothing but white space."),
        (TEXT, [[0, 3, "x"], [4, 12, "x"], "y"], "'y' stands among spans and is none"),
        (TEXT, [[0, 3, "x"], [4, 12]], "[4, 12] stands among spans and is none"),
        (["Ada", "met"], [[0.0, 3.0, "x"], [4.0, 7.0, "x"]], "the span from 0.0 to 3.0 is not counted in whole"),
        (TEXT, [{"start": "0", "end": "3", "label": "x"}], "the span from '0' to '3' is not counted in whole"),
        (TEXT, [[True, 3, "x"]], "the span from True to 3 is not counted in whole"),
        (TEXT, [{"start": None, "end": 3, "label": "x"}], "the span from None to 3 is not counted in whole"),
        (
            ["a", "b", "c"],
            ["B-x", "B_x", "O"],
            "1 tags have the mark of a span (B-person) and 1 have none: 'B_x' (1 word)",
        ),
        (["a", "b"], ["B", "O"], "the tags B, O seem to mark spans, but none says of what."),
        (["a", "b", "c"], ["B_x", "I_x", "O"], "the tags B_x, I_x, O seem to mark spans"),
        (TEXT, " ", "there is no label."),
        (["a", "b"], ["O", None], "the tag of word 2 is missing."),
        (TEXT, [{"start": 0, "end": 3}], "a span lacks 'label'"),
        (TEXT, ["O"] * 3, "there are 3 tags, but the text has 6 words between spaces"),
        (["Ada", "met"], ["O"], "there are 2 words and 1 tags; each word needs one."),
        (TEXT, 3, "the label is 3; give a list with a tag for each word, or of spans"),
        (TEXT, "[1, 2", "begins like a list in JSON and is none"),
        (7, ["O"], "7 stands where a text, or a list of words, is needed."),
        (TEXT, None, "there is no label."),
        (TEXT, [], "none of 1 row has a span in the column 'label'"),
        (TEXT, ["O"] * 7, "none of 1 row has a span"),
    ],
)
def test_what_does_not_hold_together(text: Any, label: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        gold({"text": [text], "label": [label]}, kind="spans" if label == ["O"] * 7 else "auto")
    assert said in str(caught.value)


def test_marks_alone_are_learnt_where_that_is_said() -> None:
    """As Chinese words are marked: B, I, E and S, and no O; or because somebody says so."""
    words = {"text": [["a", "b", "c"]], "label": [["B", "E", "S"]]}
    assert task().discover(read(words)).names == ("B", "E", "S")
    assert task(kind="words").discover(read({**words, "label": [["B", "I", "O"]]})).names == ("B", "I", "O")


@pytest.mark.parametrize("options", [{"text": "*"}, {"text": "{a} {b}"}, {"label": "{a}"}, {"crf_rate": 3.0}])
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"one column as it stands|crf_rate is of what task.crf = true learns"):
        resolve(Task, {"name": "tagging", **options})


def test_what_the_labels_do_not_know_is_named() -> None:
    with pytest.raises(UserError, match=r"row 1: .*'plase'.*place"):
        gold({"text": [TEXT], "label": [[[28, 34, "plase"]]]}, Labels(NAMES))
    with pytest.raises(UserError, match=r"row 1, word 1: .*tag.*'NOUN'"):
        gold({"text": ["a b"], "label": [["NOUN", "VERB"]]}, Labels(("PROPN", "VERB")))
    with pytest.raises(UserError, match=r"row 1, word 1: the tag 'PER' is neither O nor a mark and a label"):
        gold({"text": ["a b"], "label": [["PER", "O"]]}, Labels(NAMES))
    with pytest.raises(UserError, match="spans were given, but the labels are tags of words: PROPN, VERB"):
        gold({"text": [TEXT], "label": [[[0, 3, "x"]]]}, Labels(("PROPN", "VERB")))


# Models


@pytest.fixture
def model(tiny: Path) -> Callable[..., Model]:
    def make(**options: Any) -> Model:
        torch.manual_seed(5)
        made = Model.build(tiny, task(**options.pop("task", {})), Labels(NAMES), **{"precision": "fp32", **options})
        with torch.no_grad():
            made.network.classifier.out.weight.mul_(8)
        made.network.eval()
        return made

    return make


def test_answers_are_spans_with_their_characters(model: Callable[..., Model], reviews: dict[str, list[Any]]) -> None:
    made = model()
    texts = ["", "  ", *reviews["text"][:20]]
    answers = made.predict(texts)
    assert [list(answer) for answer in answers] == [["spans"]] * len(texts)
    assert answers[0] == answers[1] == {"spans": []}
    found = [(text, span) for text, answer in zip(texts, answers, strict=True) for span in answer["spans"]]
    assert found
    for text, span in found:
        assert span["text"] == text[span["start"] : span["end"]]
        assert span["label"] in ("person", "place")
        assert 0 < span["probability"] <= 1
    assert made.predict(texts[5]) == [answers[5]]


def test_words_may_be_given(model: Callable[..., Model]) -> None:
    made = model()
    answers = made.predict([["the film", "was dull", "and long"] * 4])[0]["spans"]
    assert answers
    assert all(span["start"] % 27 in (0, 9, 18) and span["end"] % 27 in (8, 17, 26) for span in answers), "whole words"
    whole = made.task.gather([made._example((1, {"text": "the film", "words": [[0, 8]]}))])
    assert [words.tolist() for words in whole.words] == [[[0, 8]]]
    for words in (["the", "film"], "2", None):  # a column of the same name that says something else
        other = made.task.gather([made._example((1, {"text": "the film", "words": words}))])
        assert [each.tolist() for each in other.words] == [[[0, 3], [4, 8]]]
    with pytest.raises(UserError, match=r"Row 1: .* do not lie in a text of 8 characters"):
        list(made.stream([{"text": "the film", "words": [[5, 3]]}]))
    with pytest.raises(UserError, match=r"Row 1: .* word 2 has no character"):
        list(made.stream([{"text": "the film", "words": [[0, 3], [3, 3]]}]))
    with pytest.raises(UserError, match="word 1 has no character"):
        made.predict([["", "film"]])
    with pytest.raises(UserError, match="single texts"):
        made.predict("a", "b")


def test_long_texts_lose_nothing(model: Callable[..., Model], reviews: dict[str, list[Any]]) -> None:
    """Every word has a row of scores; those of a window are what the window says when it is a text of its own."""
    made = model(max_length=12, task={"overlap": 4})
    text = " ".join(reviews["text"][:6])
    examples = made.task.gather([made._example((i, each)) for i, each in enumerate(["a film", text, "", "a play"])])
    inputs = made.inputs(examples)
    assert inputs.windowed == 1
    scores = made.scores(inputs)
    assert [each.shape for each in scores] == [(2, len(NAMES)), (len(text.split()), len(NAMES)), (0, 5), (2, 5)]
    windows = inputs.encodings
    first = int(inputs.sequences[1])
    asked = int(np.searchsorted(inputs.asked, windows.offsets[first + 1])) - int(inputs.asks[1])
    bounds = windows.spans[windows.offsets[first] : windows.offsets[first + 1]]
    alone = text[: int(bounds[:, 1].max())]
    (short,) = made.scores(made.inputs(made.task.gather([made._example((1, alone))])))
    assert 0 < asked < len(short)
    assert np.abs(short[:asked] - scores[1][:asked]).max() <= 1e-5


def test_a_chain_begins_and_ends_where_its_text_does(
    model: Callable[..., Model], reviews: dict[str, list[Any]]
) -> None:
    """Of the windows of a long text only the first has its beginning, and only the last its end."""
    made = model(max_length=12, task={"overlap": 4, "crf": True})
    texts = ["a film", " ".join(reviews["text"][:6]), "", "a play"]
    inputs = made.inputs(made.task.gather([made._example((i, each)) for i, each in enumerate(texts)]))
    portions = inputs.by_window
    some = np.flatnonzero(portions.counts > 0)
    asked = Given.of(portions, some, made.task.marks)
    long = len(some) - 2
    assert long > 2
    wanted = [[True, True], [True, False], *[[False, False]] * (long - 2), [False, True], [True, True]]
    assert asked.edges.tolist() == wanted


def test_a_long_text_is_computed_some_windows_at_a_time(
    model: Callable[..., Model], reviews: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskwright.tasks import _stream

    made = model(max_length=12, task={"overlap": 4})
    examples = made.task.gather([made._example((1, " ".join(reviews["text"])))])
    whole, sizes = made.scores(made.inputs(examples)), []
    network = made.network.forward
    monkeypatch.setattr(made.network, "forward", lambda b, *more: sizes.append(len(b.ids)) or network(b, *more))
    monkeypatch.setattr(_stream, "TOKENS", 40)
    again = made.scores(made.inputs(examples))
    assert max(sizes) <= 40
    assert len(sizes) > 10
    assert np.abs(again[0] - whole[0]).max() <= 1e-5


def test_what_a_chain_learnt_is_computed_once_and_stands_behind_each_text(
    model: Callable[..., Model], reviews: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not behind each word, where the moves of a hundred tags would be a hundred times what the words say."""
    from maskwright.tasks import _stream

    made, count = model(max_length=12, task={"overlap": 4, "crf": True}), len(NAMES)
    moves = np.random.default_rng(0).normal(size=(count + 2, count)).astype(np.float32)
    with torch.no_grad():
        for weight, own in zip(made.network.behind.parameters(), (moves[:-2], moves[-2], moves[-1]), strict=True):
            weight.copy_(torch.from_numpy(own))
    plain = Model(**{**vars(made), "task": task(overlap=4)})
    texts = [" ".join(reviews["text"][:8]), "a film", "", "a play"]
    examples = made.task.gather([made._example((i, text)) for i, text in enumerate(texts)])
    inputs, shapes, network = made.inputs(examples), [], made.network.forward

    def seen(batch: Any, chosen: Any) -> Any:
        out = network(batch, chosen)
        shapes.append((len(chosen.tokens), tuple(out.shape)))
        return out

    monkeypatch.setattr(made.network, "forward", seen)
    monkeypatch.setattr(_stream, "TOKENS", 40)
    scores = made.scores(inputs)
    assert len(shapes) > 2
    assert all(shape == (tokens + count + 2, count) for tokens, shape in shapes)
    made.network.behind = None
    for one, own, words in zip(scores, plain.scores(inputs), examples.words, strict=True):
        assert one.shape == (len(words) + count + 2, count)
        np.testing.assert_allclose(one[: len(words)], own, atol=1e-5)
        np.testing.assert_array_equal(one[len(words) :], moves)


def test_saved_and_loaded_it_answers_alike(
    model: Callable[..., Model], reviews: dict[str, list[Any]], tmp_path: Path
) -> None:
    made = model(task={"learnt": "IOB2"})
    made.save(tmp_path / "model")
    again = maskwright.load(tmp_path / "model")
    again.precision = "fp32"
    assert again.task == made.task
    assert again.predict(reviews["text"]) == made.predict(reviews["text"])
    with pytest.raises(UserError, match="labels of words and no classes"):
        maskwright.tasks.check_top(again, 2)


def test_they_load_what_we_save(model: Callable[..., Model], reviews: dict[str, list[Any]], tmp_path: Path) -> None:
    made = model()
    made.save(tmp_path / "model")
    network = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert network.config.id2label == dict(enumerate(NAMES))
    for text in reviews["text"][:5]:
        words = text.split()
        given = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            logits = network(**given).logits[0].numpy()
        firsts = [given.word_ids().index(i) for i in range(len(words))]
        (mine,) = made.scores(made.inputs(made.task.gather([made._example((1, text))])))
        assert np.abs(mine - logits[firsts]).max() <= 1e-5


def test_a_folder_of_theirs_is_a_tagger(tiny: Path, tmp_path: Path, reviews: dict[str, list[Any]]) -> None:
    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(tiny)
    config.id2label = {0: "O", 1: "B-PER", 2: "I-PER"}
    config.label2id = {name: i for i, name in config.id2label.items()}
    theirs = transformers.AutoModelForTokenClassification.from_config(config).eval()
    theirs.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (tiny / name).exists():
            (tmp_path / name).write_bytes((tiny / name).read_bytes())
    made = maskwright.load(tmp_path)
    assert (made.task.name, made.task.kind) == ("tagging", "spans")
    assert made.labels == Labels(("O", "B-PER", "I-PER"))
    assert "spans" in made.predict(reviews["text"][0])[0]


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_temperature_of_chains_is_that_of_their_likelihood(scale: float) -> None:
    """Tags drawn from chains of which the model is so many times as sure as it should be."""
    random, names = np.random.default_rng(0), ("ADJ", "NOUN", "VERB")
    follow, ends = 2 * random.normal(size=(3, 3)), random.normal(size=(2, 3))
    paths = np.array(list(product(range(3), repeat=3)))
    held, true = np.empty(600, object), np.empty(600, object)
    for i in range(len(held)):
        own = random.normal(size=(3, 3))
        whole = own[range(3), paths].sum(1) + follow[paths[:, :-1], paths[:, 1:]].sum(1)
        whole += ends[0][paths[:, 0]] + ends[1][paths[:, -1]]
        p = np.exp(whole - whole.max())
        path = paths[random.choice(len(paths), p=p / p.sum())]
        held[i] = scale * np.concatenate([own, follow, ends])
        true[i] = Gold(np.array([[0, 1], [2, 3], [4, 5]]), path, names)
    found = task(kind="words", crf=True).calibrate(held, true, "eval")
    assert found is not None
    assert found.temperature == pytest.approx(scale, rel=0.15)
