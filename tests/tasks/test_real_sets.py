"""The published pair sets, read as people have them and encoded with MiniLM's real vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.base.choice import resolve
from maskwright.data.read import read
from maskwright.data.settings import Data
from maskwright.data.splits import split
from maskwright.tasks import Task
from maskwright.text.tokenizer import Tokenizer

pytestmark = pytest.mark.realdata

MRPC = {"text": "#1 String", "pair": "#2 String", "label": "Quality"}
RTE = {"text": "sentence1", "pair": "sentence2"}
STSB = {"text": "1", "pair": "2", "label": "3"}
SETS: list[Any] = [
    ("mrpc/msr_paraphrase_train.txt", {"name": "classification", **MRPC}, {"reader": "tsv"}, 4076, ("0", "1")),
    ("mrpc/msr_paraphrase_test.txt", {"name": "classification", **MRPC}, {"reader": "tsv"}, 1725, ("0", "1")),
    ("rte/train.tsv", {"name": "classification", **RTE}, {}, 2490, ("entailment", "not_entailment")),
    ("rte/dev.tsv", {"name": "classification", **RTE}, {}, 277, ("entailment", "not_entailment")),
    ("stsb/stsb-en-train.csv", {"name": "regression", **STSB}, {}, 5749, None),
    ("stsb/stsb-en-dev.csv", {"name": "regression", **STSB}, {}, 1500, None),
    ("stsb/stsb-en-test.csv", {"name": "regression", **STSB}, {}, 1379, None),
]


@pytest.mark.parametrize(("name", "task", "reading", "rows", "labels"), SETS, ids=[s[0] for s in SETS])
def test_a_published_set_is_read_and_encoded_whole(
    data: Path, minilm: Path, name: str, task: dict[str, Any], reading: dict[str, Any], rows: int, labels: Any
) -> None:
    chosen: Task = resolve(Task, task)
    table = read(data / name, settings=Data(**reading), needs=chosen.columns())
    found = chosen.discover(table)
    examples = chosen.examples(table, found)
    assert len(examples) == rows
    assert (found and found.names) == labels
    assert examples.targets is not None
    assert examples.pairs is not None
    if labels is None:
        assert examples.targets.min() >= 0
        assert examples.targets.max() == 5
    else:
        assert np.bincount(examples.targets).min() > 0.3 * rows
    encodings = Tokenizer.from_folder(minilm).encode(examples.texts, examples.pairs, max_length=512)
    assert len(encodings) == rows
    assert encodings.truncated == 0
    assert encodings.unknown <= 5
    assert encodings.lengths.min() >= 5, "[CLS] A [SEP] B [SEP], and neither side is empty"
    ends = encodings.segments[encodings.offsets[1:] - 1]
    assert (ends == 1).all(), "each ends in its second text"


def test_unlabelled_rows_are_said_to_be_so(data: Path) -> None:
    from maskwright.base.errors import UserError

    with pytest.raises(UserError, match="There is no column 'label'"):
        read(data / "rte" / "test.tsv", needs=("sentence1", "sentence2", "label"))


def test_goemotions_has_names_for_its_ids_and_is_split_by_label(data: Path) -> None:
    folder = data / "goemotions"
    task = resolve(Task, {"name": "multi-label", "text": 1, "label": 2, "names": str(folder / "labels.txt")})
    table = read(folder / "dev.tsv", needs=task.columns())
    labels = task.discover(table)
    assert labels is not None
    assert (len(labels), labels[0], labels[27]) == (28, "admiration", "neutral")
    examples = task.examples(table, labels)
    marks = examples.targets
    assert marks is not None
    assert marks.shape == (5426, 28)
    assert int((marks.sum(1) > 1).sum()) == 878
    assert marks.sum(0)[[labels.names.index("grief"), 27]].tolist() == [13, 1766]
    fractions = (0.8, 0.1, 0.1)
    parts = split(task.strata(examples), len(table), fractions, 0)
    off = [marks[part].sum(0) - share * marks.sum(0) for part, share in zip(parts, fractions, strict=True)]
    assert [len(part) for part in parts] == [4341, 543, 542]
    assert np.abs(off).max() <= 2
