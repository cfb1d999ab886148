"""What docs/transformers.md says: which class of transformers loads a head that was saved here, and with which logits.

Heads that no task trains (masked words, next sentence) are held to it in tests/models/test_families.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import transformers
from encoders import save_encoder
from material import Asked, variants
from reference import ALONE, alone, theirs

from maskwright.base.choice import find, names, resolve
from maskwright.base.files import read_json
from maskwright.models import families, family
from maskwright.models._family import reference_heads
from maskwright.nn import Batch
from maskwright.tasks import Model, Task
from maskwright.tasks._given import Inputs
from maskwright.tasks.long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.groups import Grouped
from maskwright.text.windows import Windowed

VARIANTS = variants()
#: a task for each head, and the families that transformers has it of
TASKS = {find(Task, name).head: name for name in reversed(names(Task))}
CASES = [(name, head) for name in families() for head in reference_heads(family(name)) if head in TASKS]
TOLERANCE = 1e-5


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda name: save_encoder(name, tmp_path_factory.mktemp(name)))


def both(model: Model, inputs: Inputs, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Our logits and theirs, of the saved model and the same pieces: a row for each text, word, piece or choice that is
    asked; where texts are joined chunks, theirs are those of each text's first one."""
    model.save(folder)
    (architecture,) = read_json(folder / "config.json")["architectures"]
    network, report = getattr(transformers, architecture).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    reads = alone if read_json(folder / "config.json")["model_type"] in ALONE else theirs
    sequences = inputs if isinstance(inputs, Encodings) else inputs.encodings
    batch = Batch.from_encodings(sequences)
    found = reads(network.eval(), batch, model.task.head, model.config.padding or 0)[1][0].numpy()
    mine = model.outputs(inputs)
    if isinstance(inputs, Grouped) and inputs.joined:
        return mine, found[inputs.sequences[:-1]]
    if not isinstance(inputs, Encodings):  # behind a text's own rows may stand what was learnt of all tags
        mine = np.concatenate([one[:count] for one, count in zip(mine, inputs.counts, strict=True)])
    return mine[:, : found.shape[1]], found[inputs.asked] if isinstance(inputs, Windowed) else found


@pytest.mark.parametrize(("name", "head"), CASES)
def test_each_head_of_each_family_has_the_same_logits(
    name: str, head: str, encoder: Callable[[str], Path], tmp_path: Path
) -> None:
    asked = Asked(VARIANTS[TASKS[head]])
    model = asked.model(encoder(name), max_length=24)
    mine, found = both(model, model.inputs(asked.examples), tmp_path / "model")
    assert type(model.network).architecture == family(name).HEADS[head].architecture
    np.testing.assert_allclose(mine, found, atol=TOLERANCE, rtol=0)
    assert np.ptp(mine, axis=0).min() > 100 * TOLERANCE, "the logits are not all one"


@pytest.mark.parametrize("case", VARIANTS)
def test_each_task_has_the_same_logits(case: str, encoder: Callable[[str], Path], tmp_path: Path) -> None:
    """Also those of which transformers makes something else, which is what the folder says."""
    asked = Asked(VARIANTS[case])
    model = asked.model(encoder("bert"), max_length=24)
    mine, found = both(model, model.inputs(asked.examples), tmp_path / "model")
    np.testing.assert_allclose(mine, found, atol=TOLERANCE, rtol=0)
    assert read_json(tmp_path / "model" / "maskwright.json")["transformers"] == [*filter(None, [asked.task.otherwise])]


@pytest.mark.parametrize("long", names(Long))
def test_of_which_texts_the_logits_are_the_same(long: str, encoder: Callable[[str], Path], tmp_path: Path) -> None:
    asked = Asked(VARIANTS["classification"])
    model = asked.model(encoder("bert"), long=long, max_length=None if long == "native" else 16)
    inputs = model.inputs(asked.examples)
    mine, found = both(model, inputs, tmp_path / "model")
    short = inputs.counts == 1 if isinstance(inputs, Grouped) else np.ones(len(mine), bool)
    assert 0 < short.sum() < len(short) or not isinstance(inputs, Grouped)
    every = {"all": np.ones_like(short), "short": short, "none": np.zeros_like(short)}
    same = np.abs(mine - found).max(axis=1) <= TOLERANCE
    assert same.tolist() == every[model.long.alike].tolist()
    told = read_json(tmp_path / "model" / "maskwright.json")["transformers"]
    assert told == [*filter(None, [resolve(Long, long).otherwise])]
