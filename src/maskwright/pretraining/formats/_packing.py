"""Whole sentences up to a length."""

from __future__ import annotations

import numpy as np


def cut_long(sentences: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Sentences of more than `room` pieces as several. sentences (S + 1,): where each begins. Returns the same with
    the cuts in it, and (S + 1,) where each of the old bounds stands in it."""
    lengths = np.diff(sentences)
    parts = np.maximum(1, -(-lengths // room))
    places = np.concatenate([[0], np.cumsum(parts)])
    number = np.arange(places[-1]) - np.repeat(places[:-1], parts)
    bounds = np.repeat(sentences[:-1], parts) + number * room
    return np.append(bounds, sentences[-1]), places


def pack(bounds: np.ndarray, ends: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Greedily as many whole sentences as fit into `room` pieces, never across an end of `ends`.

    bounds (S + 1,): where sentences begin, none longer than `room`; ends: indices into it that close a document, the
    last S. Returns the first and the last bound of each sequence, as indices.
    """
    first, last = [], []
    reach = np.searchsorted(bounds, bounds + room, side="right") - 1  # the furthest bound that fits
    at = 0
    reaches = reach.tolist()
    for end in ends.tolist():
        while at < end:
            to = min(reaches[at], end)
            first.append(at)
            last.append(to)
            at = to
    return np.array(first, np.int64), np.array(last, np.int64)
