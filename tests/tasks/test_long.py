"""Ways to read long texts: what each sees, how chunks become one vector, saved and loaded."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny as tiny_config

from maskwright.base.choice import names, resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.models import families, family, random_network
from maskwright.nn import Batch
from maskwright.tasks import Model, Task, _stream, load
from maskwright.tasks._given import Given
from maskwright.tasks._objective import ExampleFeed, TaskObjective
from maskwright.tasks.long import Long
from maskwright.tasks.long.chunk_attention import Attention
from maskwright.tasks.long.chunk_max import Max
from maskwright.tasks.long.chunk_mean import Mean
from maskwright.tasks.long.hierarchical import Hierarchy
from maskwright.training.settings import Train

WORDS = "the film was wonderful and the story was terrible but the song was lovely".split()
LONG = " ".join(WORDS * 2)
TEXTS = [LONG, "a dull play", "", " ".join(WORDS)]
JOINED = ["chunk-mean", "chunk-max", "chunk-attention", "hierarchical"]
Build = Callable[..., Model]


@pytest.fixture
def make(tiny: Path) -> Build:
    def go(long: Any, task: Any = "classification", **options: Any) -> Model:
        torch.manual_seed(3)
        labels = Labels(("bad", "good"))
        made = Model.build(tiny, resolve(Task, task), labels, long=long, precision="fp32", **options)
        made.network.eval()
        return made

    return go


def test_all_ways_have_names() -> None:
    assert names(Long) == sorted(["head", "tail", "head-tail", "native", *JOINED])
    assert "long" not in names(Task)


@pytest.mark.parametrize("long", names(Long))
def test_a_short_text_is_read_alike_by_all(make: Build, long: str) -> None:
    """But for weights that are new: attention over one chunk is that chunk, a transformer over it is not."""
    plain, other = make("head"), make(long)
    short = [text for text in TEXTS if text != LONG]
    inputs = other.encode(short)
    assert inputs.ids.tolist() == plain.encode(short).ids.tolist()
    if long != "hierarchical":
        np.testing.assert_allclose(other.scores(inputs), plain.scores(plain.encode(short)), atol=1e-5)


def test_what_each_way_sees(make: Build) -> None:
    tokenizer = make("head").tokenizer
    ids = tokenizer.encode([LONG]).ids.tolist()
    cls, body, sep = ids[:1], ids[1:-1], ids[-1:]

    def seen(long: Any) -> list[list[int]]:
        found = make(long, max_length=12).encode([LONG])
        rows = found.encodings if hasattr(found, "encodings") else found
        return [rows.ids[slice(*rows.offsets[i : i + 2])].tolist() for i in range(len(rows.lengths))]

    assert seen("head") == [cls + body[:10] + sep]
    assert seen("tail") == [cls + body[-10:] + sep]
    assert seen("head-tail") == [cls + body[:2] + body[-8:] + sep]
    assert seen({"name": "head-tail", "share": 0.5}) == [cls + body[:5] + body[-5:] + sep]
    for long in JOINED:
        *others, last = seen(long)
        assert others == [cls + body[i : i + 10] + sep for i in range(0, len(body) - 10, 10)]
        assert last == cls + body[-10:] + sep, "as long as the others: it begins where the one before has not ended"
    shared = seen({"name": "chunk-mean", "overlap": 3})
    assert all(one[-4:-1] == two[1:4] for one, two in itertools.pairwise(shared[:-1]))


def test_of_a_pair_the_second_text_is_long(make: Build) -> None:
    task = {"name": "classification", "pair": "b"}
    tokenizer = make("head").tokenizer
    first = tokenizer.encode(["a play"]).ids.tolist()
    for long in ("chunk-mean", "head-tail"):
        found = make(long, task, max_length=12).encode(["a play"], [LONG])
        rows = found.encodings if hasattr(found, "encodings") else found
        for i in range(len(rows.lengths)):
            assert rows.ids[rows.offsets[i] :][: len(first)].tolist() == first
        assert max(rows.lengths) == 12


def test_head_and_tail_of_a_long_first_text(make: Build) -> None:
    model = make({"name": "head-tail", "share": 0.5}, {"name": "classification", "pair": "b"}, max_length=16)
    second = "a play"
    whole = model.tokenizer.encode([LONG], [second]).ids.tolist()
    found = model.encode([LONG], [second]).ids.tolist()
    behind = len(model.tokenizer.encode([second]).ids) - 1  # with the last piece of the template
    room = 16 - behind - 2  # beside [CLS], and [SEP] behind the first text
    text, head = whole[1 : len(whole) - behind - 1], round(0.5 * room)
    assert found == [whole[0], *text[:head], *text[-(room - head) :], *whole[-behind - 1 :]]


def test_a_long_first_text_is_cut_as_far_as_it_takes(make: Build) -> None:
    """Where the second one is short, all of the room is used."""
    model = make("chunk-mean", {"name": "classification", "pair": "other"}, max_length=16)
    whole = len(make("head", {"name": "classification", "pair": "other"}).tokenizer.encode([LONG], ["a play"]).ids)
    found = model.encode([LONG], ["a play"])
    assert found.counts.tolist() == [1]
    assert found.lengths.tolist() == [16]
    assert found.cut.tolist() == [whole - 16]


def test_what_was_never_seen_is_counted(make: Build) -> None:
    whole = make("head").tokenizer.encode(TEXTS).lengths
    for long in ("head", "tail", "head-tail"):
        found = make(long, max_length=12).encode(TEXTS)
        assert found.cut.tolist() == np.maximum(whole - 12, 0).tolist()
    found = make("chunk-mean", max_length=12).encode(TEXTS)
    assert (found.pieces_cut, found.windowed) == (0, 2)
    assert found.full_lengths.tolist() == make("head").tokenizer.encode(TEXTS).lengths.tolist()


def vectors() -> tuple[torch.Tensor, Batch, list[torch.Tensor]]:
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    return x, Batch.packed(torch.zeros(6, dtype=torch.int64), (3, 1, 2)), list(x.split((3, 1, 2)))


def test_vectors_are_joined_text_by_text() -> None:
    x, texts, parts = vectors()
    torch.testing.assert_close(Mean()(x, texts), torch.stack([part.mean(0) for part in parts]))
    torch.testing.assert_close(Max()(x, texts), torch.stack([part.amax(0) for part in parts]))
    attention = Attention(8)
    torch.testing.assert_close(attention(x, texts), Mean()(x, texts))  # before anything is learnt
    torch.nn.init.normal_(attention.context.weight)
    by_hand = [
        (torch.softmax(attention.context(torch.tanh(attention.dense(part)))[:, 0], 0)[:, None] * part).sum(0)
        for part in parts
    ]
    torch.testing.assert_close(attention(x, texts), torch.stack(by_hand))


def test_a_transformer_over_chunks_knows_their_order_and_no_other_text() -> None:
    x, texts, parts = vectors()
    torch.manual_seed(0)
    hierarchy = Hierarchy(8, 2, 2, 0.0).eval()
    found = hierarchy(x, texts)
    for i, part in enumerate(parts):
        alone = Batch.packed(torch.zeros(len(part), dtype=torch.int64), (len(part),))
        torch.testing.assert_close(hierarchy(part, alone)[0], found[i], atol=1e-5, rtol=1e-5)
    turned = torch.cat([parts[0].flip(0), *parts[1:]])
    assert (hierarchy(turned, texts)[0] - found[0]).abs().max() > 1e-3


@pytest.mark.parametrize("long", names(Long))
def test_saved_and_loaded_it_answers_alike(make: Build, long: str, tmp_path: Path) -> None:
    made = stirred(make(long, max_length=None if long == "native" else 12))
    made.save(tmp_path / "model")
    assert (tmp_path / "model" / "maskwright.safetensors").exists() == (long in ("chunk-attention", "hierarchical"))
    again = load(tmp_path / "model")
    assert (again.long, again.max_length) == (made.long, made.max_length)
    assert again.predict(TEXTS) == made.predict(TEXTS)
    assert [len(made.predict(TEXTS)), made.predict(TEXTS[2])[0]["label"]] == [4, again.predict("")[0]["label"]]
    if long == "hierarchical":
        (tmp_path / "model" / "maskwright.safetensors").unlink()
        with pytest.raises(UserError):
            load(tmp_path / "model")


@pytest.mark.parametrize("long", JOINED)
def test_a_long_text_is_answered_some_chunks_at_a_time(make: Build, long: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it says is what all of its chunks at once say."""
    made = stirred(make(long, max_length=12))
    inputs = made.encode([" ".join(WORDS * 30), *TEXTS])
    with torch.inference_mode():
        at_once = Given.of(inputs, np.arange(len(inputs)), made.task.marks).scores(made.network).numpy()
    sizes = computed(made)
    monkeypatch.setattr(_stream, "TOKENS", 50)
    np.testing.assert_allclose(made.outputs(inputs), at_once, atol=1e-5)
    assert max(sizes) <= 50 < inputs.lengths.max()
    assert sum(sizes) == len(inputs.ids)
    assert made.outputs(inputs.select([])).shape == (0, 2)


@pytest.mark.parametrize("long", JOINED)
def test_a_long_text_is_learnt_some_chunks_at_a_time(make: Build, long: str) -> None:
    """With the gradients of all of its chunks at once."""
    made = stirred(make(long, max_length=12))
    inputs, sizes = made.encode([" ".join(WORDS * 30), LONG]), computed(made)

    def learnt(most: int) -> list[torch.Tensor]:
        feed = ExampleFeed(inputs, np.array([1, 0]), Train(micro_tokens=most), 0, made.task.marks)
        objective = TaskObjective(made.network, made.task)
        objective.zero_grad()
        sizes.clear()
        for piece in feed.pieces(np.array([0, 1])):
            objective(feed.fetch(piece, torch.device("cpu"))[0])[0].backward()
        return [p.grad.clone() for p in objective.parameters() if p.grad is not None]

    at_once = learnt(10_000)
    assert max(sizes) > 400
    in_parts = learnt(50)
    assert max(sizes) <= 50
    torch.testing.assert_close(in_parts, at_once, atol=1e-5, rtol=1e-4)


def test_only_texts_in_chunks_go_through_the_network_a_number_of_times(make: Build) -> None:
    """Which processes that share its weights must know."""
    plain, chunks = make("head"), make("chunk-max")
    assert TaskObjective(plain.network, plain.task).same_passes
    assert not TaskObjective(chunks.network, chunks.task).same_passes


@pytest.mark.parametrize("name", [name for name in families() if "classification" in family(name).HEADS])
def test_the_halves_of_every_head_are_the_whole(name: str) -> None:
    """What stands in front of the classifier, which chunks are joined at, and the rest."""
    kind = family(name)
    torch.manual_seed(0)
    network = random_network(kind, tiny_config(kind), "classification", 3).eval()
    batch = Batch.packed(torch.arange(5, 29), (12, 5, 7))
    with torch.inference_mode():
        vectors = network.vectors(batch)
        assert len(vectors) == 3
        torch.testing.assert_close(network.judged(vectors), network(batch))


def stirred(made: Model) -> Model:
    """New modules with weights far from zero."""
    if made.network.combine is not None:
        for parameter in made.network.combine.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def computed(made: Model) -> list[int]:
    """Filled with how many tokens go through the encoder each time."""
    sizes: list[int] = []
    made.network.encoder.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0].ids)))
    return sizes


def test_what_means_nothing_is_refused(make: Build) -> None:
    with pytest.raises(UserError, match="reads long texts in windows"):
        make("chunk-mean", {"name": "tagging"})
    with pytest.raises(UserError, match="A question and a choice are one sequence"):
        make("chunk-mean", {"name": "choice"})
    with pytest.raises(
        UserError, match=r"long.heads = 5 does not divide the 32 numbers of a vector. Allowed are 1, 2, 4"
    ):
        make({"name": "hierarchical", "heads": 5})
    with pytest.raises(UserError, match="long = native reads as many pieces"):
        make("native", max_length=12)
    assert make("native").max_length == 24
