"""The one stream of predictions: examples in, answers out, in order and in constant memory.

Examples are taken in windows. A window is encoded while the one before it is computed, sorted by length, and cut into
batches of a budget of tokens; its answers come out in the order of the input. Neither windows nor batches change an
answer by more than rounding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.ragged import blocks
from maskwright.data import batching
from maskwright.nn.precision import precision
from maskwright.tasks._given import Given, Inputs, arranged, as_tokens, portioned
from maskwright.tasks._task import Example, Examples
from maskwright.text.groups import Grouped

if TYPE_CHECKING:
    from maskwright.tasks._model import Model

WINDOW = 4096  #: examples that are sorted by length together
CHARACTERS = 2**22  #: a window of long texts ends sooner: about a million pieces
TOKENS = 8192  #: tokens at once
DECODED = 256  #: answers that exist at once; with many classes each is large

Item = TypeVar("Item")
Answer = dict[str, Any]
Window = list[tuple[Item, Example | UserError]]
Encoded = tuple[Examples, Inputs]


def stream(
    model: Model,
    items: Iterable[Item],
    example: Callable[[Item], Example],
    *,
    skip: int = 0,
    window: int | None = None,
) -> Iterator[tuple[Item, Answer | UserError]]:
    """Each item with its answer, in order. An item of which `example` raises a UserError comes with that error.

    skip: so many items at the front come without an answer and do not come out. The others get the answers that they
    get without it, to the bit: windows stay where they are, and only those that hold nothing but such items are not
    computed.
    """
    windows, rest = _behind(_windows(items, example, window or WINDOW, model.task.characters), skip)
    yield from islice(_answered(model, windows), rest, None)


def scores(model: Model, encodings: Inputs) -> np.ndarray:
    """What the task keeps of the head's outputs for B encoded examples, in their order: (B, classes) fp32, or (B,) of
    one array a text where parts of it are scored."""
    return model.task.condensed(outputs(model, encodings), encodings)


def outputs(model: Model, encodings: Inputs) -> np.ndarray:
    """The head's outputs for B encoded examples, in their order: (B, classes) fp32, or (B,) of one array a text, a row
    for each token that was asked, and the rows that the head puts behind all."""
    if isinstance(encodings, Grouped):
        if encodings.joined:
            return _joined(model, encodings)
        return blocks(outputs(model, encodings.encodings), encodings.counts)
    portions = portioned(encodings)
    rows, parts = np.argsort(portions.lengths, kind="stable"), []
    behind: np.ndarray | None = None  # the same in all batches
    with _computing(model) as device:
        for some in batching.by_tokens(rows, portions.lengths, TOKENS):
            given = Given.of(portions, some, model.task.marks).to(device)
            found = given.scores(model.network).float().cpu().numpy()
            own = len(found) if given.asked is None else len(given.asked)
            parts.append(found[:own])
            behind = found[own:]
    return arranged(parts, encodings, rows, model.task.classes(model.labels), behind)


def _joined(model: Model, texts: Grouped) -> np.ndarray:
    """(B, classes) of texts in chunks. These are computed some at a time whatever text they are of, so that a long one
    does not have to be computed whole, and their vectors are joined afterwards."""
    chunks, classes = texts.encodings, model.task.classes(model.labels)
    if not len(texts):
        return np.zeros((0, classes), np.float32)
    rows, found, out = np.argsort(chunks.lengths, kind="stable"), [], []
    with _computing(model) as device:
        for some in batching.by_tokens(rows, chunks.lengths, TOKENS):
            found.append(model.network.vectors(Given.of(chunks, some, model.task.marks).batch.to(device)))
        vectors, places = torch.cat(found), torch.from_numpy(np.argsort(rows)).to(device)
        for some in batching.by_tokens(np.arange(len(texts)), texts.counts, TOKENS):
            own = places[texts.sequences[some[0]] : texts.sequences[some[-1] + 1]]
            scores = model.network.judged(vectors[own], as_tokens(texts.counts[some]).to(device))
            out.append(scores.float().cpu().numpy())
    return np.concatenate(out)


@contextmanager
def _computing(model: Model) -> Iterator[torch.device]:
    """Within it the network evaluates, on its device and in its precision; behind it, it is as it was."""
    device, was_training = next(model.network.parameters()).device, model.network.training
    model.network.eval()
    try:
        with torch.inference_mode(), precision(runtime.resolve_precision(model.precision, device), device):
            yield device
    finally:
        model.network.train(was_training)


def _windows(
    items: Iterable[Item], example: Callable[[Item], Example], size: int, count: Callable[[Example], int]
) -> Iterator[Window[Item]]:
    """Of `size` items, or fewer of many characters, which `count` tells."""
    some: Window[Item] = []
    characters = 0
    for item in items:
        try:
            found: Example | UserError = example(item)
        except UserError as problem:
            found = problem
        else:
            characters += count(found)
        some.append((item, found))
        if len(some) >= size or characters >= CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some


def _behind(windows: Iterator[Window[Item]], skip: int) -> tuple[Iterator[Window[Item]], int]:
    """The windows that hold more than the first `skip` items, and how many of these items they still hold."""
    for some in windows if skip else ():
        if skip < len(some):
            return chain([some], windows), skip
        skip -= len(some)
    return windows, 0


def _answered(model: Model, windows: Iterator[Window[Item]]) -> Iterator[tuple[Item, Answer | UserError]]:
    for some, (examples, encodings) in _encoded(model, windows):
        answers = _answers(model, examples, encodings)
        for item, found in some:
            yield item, found if isinstance(found, UserError) else next(answers)
        runtime.release_memory()


def _encoded(model: Model, windows: Iterator[Window[Item]]) -> Iterator[tuple[Window[Item], Encoded]]:
    """Each window with its encodings, which are made one window ahead: the tokenizer runs beside the network."""
    with ThreadPoolExecutor(1, "encode") as beside:
        waiting: deque[tuple[Window[Item], Future[Encoded]]] = deque()
        for some in windows:
            waiting.append((some, beside.submit(_encode, model, some)))
            if len(waiting) > 1:
                before, encodings = waiting.popleft()
                yield before, encodings.result()
        for before, encodings in waiting:
            yield before, encodings.result()


def _encode(model: Model, some: Window[Any]) -> Encoded:
    examples = model.task.gather([found for _, found in some if not isinstance(found, UserError)])
    return examples, model.inputs(examples)


def _answers(model: Model, examples: Examples, encodings: Inputs) -> Iterator[Answer | UserError]:
    """The answers of one window; a text that was cut says by how many pieces."""
    found, cut = scores(model, encodings), encodings.cut
    for start in range(0, len(found), DECODED):
        rows = np.arange(start, min(start + DECODED, len(found)))
        answers = model.decode(found[rows], examples.select(rows))
        for row, answer in zip(rows, answers, strict=True):
            pieces = cut[row]
            if not np.isfinite(found[row]).all():
                yield UserError("the model gives no finite number for this text; its weights may be damaged.")
            else:
                yield {**answer, "pieces_cut": int(pieces)} if pieces else answer
