"""Models by their id, against a small hub on loopback: as a user's process does it, with its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_hub import Hub, serve
from tiny import tiny

from maskwright.models import _hub, bert, load_network, random_network, save_network

SHOW = """
import sys
from maskwright.models import show
for name in sys.argv[1:]:
    print(show(name).total)
"""

LOAD = """
import sys
from maskwright.base.errors import UserError
from maskwright.models import load_network
for name in sys.argv[1:]:
    try:
        loaded = load_network(name, "bare")
        print(float(loaded.network.encoder.embeddings.word.weight.detach().double().sum()))
    except UserError as problem:
        print("error:", problem)
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as found:
        yield found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny BERT's folder."""
    config = tiny(bert)
    save_network(tmp_path / "model", random_network(bert, config, "bare"), bert, config, {})
    return tmp_path / "model"


def load(name: str, cache: Path, url: str, **more: str) -> str:
    (said,) = load_each([name], cache, url, **more)
    return said


def load_each(names: list[str], cache: Path, url: str, code: str = LOAD, **more: str) -> list[str]:
    """What a process of its own says of each: the sum of the word vectors, or the error."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING_FACE"))}
    env |= {
        "HF_ENDPOINT": url,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **more,
    }
    env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, env=env, check=True)
    return done.stdout.strip().splitlines()[-len(names) :]


def total(folder: Path) -> float:
    return float(load_network(folder, "bare").network.encoder.embeddings.word.weight.detach().double().sum())


def test_an_id_is_fetched_once_and_then_read_from_the_cache(hub: Hub, model: Path, tmp_path: Path) -> None:
    hub.add("owner/name", model)
    cache = tmp_path / "cache"
    assert float(load("owner/name", cache, hub.url)) == total(model)
    assert any("resolve" in asked and asked.startswith("GET") for asked in hub.asked)
    hub.asked.clear()
    assert float(load("owner/name", cache, hub.url)) == total(model)
    assert not any(asked.startswith("GET") and "/resolve/" in asked for asked in hub.asked)
    hub.asked.clear()
    assert float(load("owner/name", cache, hub.url, HF_HUB_OFFLINE="1")) == total(model)
    assert not hub.asked


def test_an_id_without_an_owner_is_fetched_too(hub: Hub, model: Path, tmp_path: Path) -> None:
    """As the oldest models are called, also where only sizes are asked for."""
    hub.add("first-of-all", model)
    (count,) = load_each(["first-of-all"], tmp_path / "cache", hub.url, SHOW)
    assert int(count) == sum(p.numel() for p in load_network(model, "bare").network.parameters())


def test_a_revision_is_a_branch_or_a_commit(hub: Hub, model: Path, tmp_path: Path) -> None:
    first = hub.add("owner/name", model)
    old = total(model)
    save_network(model, random_network(bert, tiny(bert), "bare"), bert, tiny(bert), {})
    hub.models["owner/name"].branches["next"] = first
    hub.models["owner/name"].commit({p.name: p.read_bytes() for p in model.iterdir()}, "next")
    names = [f"owner/name@{revision}" for revision in (first, "next", "gone")]
    one, two, said = load_each(names, tmp_path / "cache", hub.url)
    assert float(one) == old
    assert float(two) == total(model) != old
    assert said == f"error: {hub.url} has no revision 'gone' of 'owner/name'."


def test_only_what_loading_reads_is_fetched(hub: Hub, model: Path, tmp_path: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(b"evil")
    (model / "onnx").mkdir()
    (model / "onnx" / "config.json").write_text("{}")
    hub.add("owner/name", model)
    load("owner/name", tmp_path / "cache", hub.url)
    fetched = {asked.rpartition("/")[2] for asked in hub.asked if "/resolve/" in asked}
    assert fetched == {"config.json", "model.safetensors"}


def test_what_the_hub_refuses_is_said_in_one_sentence(hub: Hub, model: Path, tmp_path: Path) -> None:
    hub.add("owner/closed", model, token="secret")
    hub.add("owner/gated", model, token="secret", gated=True)
    names = ["owner/nowhere", "owner/closed", "owner/gated"]
    nowhere, closed, gated = load_each(names, tmp_path / "a", hub.url)
    start = "error: There is no model folder"
    assert nowhere.startswith(f"{start} 'owner/nowhere', and {hub.url} knows no model of the name 'owner/nowhere'")
    assert closed.startswith(f"{start} 'owner/closed', and")
    assert "accepted its licence" in gated
    for said in load_each(names[1:], tmp_path / "b", hub.url, HF_TOKEN="secret"):
        assert float(said) == total(model)


def test_a_hub_that_is_not_there_is_said(model: Path, tmp_path: Path) -> None:
    said = load("owner/name", tmp_path, "http://127.0.0.1:9")
    assert said.startswith("error: There is no model folder 'owner/name', and http://127.0.0.1:9 cannot be reached")
    said = load("owner/name", tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert said.startswith("error: There is no model folder 'owner/name', and HF_HUB_OFFLINE is set; owner/name is not")


def push(folder: Path, name: str, tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`maskwright push` in a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING_FACE"))}
    env |= {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", **more}
    env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    command = "import sys; from maskwright.cli.main import main; sys.exit(main(['push', *sys.argv[1:]]))"
    args = [sys.executable, "-c", command, str(folder), name]
    return subprocess.run(args, capture_output=True, text=True, env=env, check=False)


def test_what_keeps_a_model_from_being_pushed_is_said(model: Path, tmp_path: Path) -> None:
    for more, why in (
        ({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "mine"}, "http://127.0.0.1:9 cannot be reached"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ):
        done = push(model, "me/mine", tmp_path, **more)
        said = " ".join(done.stderr.split())
        assert done.returncode == 2, done.stderr
        assert said.startswith(f"error: {model} was not sent: {why}")


def test_a_push_without_a_token_says_how_to_get_one(hub: Hub, model: Path, tmp_path: Path) -> None:
    done = push(model, "me/mine", tmp_path, HF_ENDPOINT=hub.url)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2, done.stderr
    assert said.startswith(f"error: {model} was not sent: {hub.url} does not let you do that with 'me/mine'. Log in")
    assert "HF_TOKEN" in said


def test_a_run_is_pushed_and_comes_back(hub: Hub, model: Path, tmp_path: Path) -> None:
    """From a run's folder its model goes, with the card."""
    (model / "README.md").write_text("# A card\n")
    model.rename(tmp_path / "run-model")
    (tmp_path / "run").mkdir()
    model = (tmp_path / "run-model").rename(tmp_path / "run" / "model")
    (tmp_path / "run" / "config.json").write_text("{}")
    done = push(tmp_path / "run", "me/mine", tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(f"{hub.url}/me/mine/commit/")
    held = hub.models["me/mine"]
    files = held.commits[held.branches["main"]]
    assert files["README.md"] == b"# A card\n"
    assert files["model.safetensors"] == (model / "model.safetensors").read_bytes()
    assert json.loads(files["config.json"])["model_type"] == "bert"
    assert float(load("me/mine", tmp_path / "other", hub.url)) == total(model)
    again = push(tmp_path / "run", "me/mine", tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="mine")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("name", ["bert-base", "owner/name", "owner/name@v1.0", "o.w-n_er/na.me@refs/pr/1"])
def test_ids(name: str) -> None:
    assert _hub.is_id(name)


@pytest.mark.parametrize("name", ["", "a/b/c", "./model", "../model", "/abs/model", "a b", "owner/", "owner/name@"])
def test_paths_are_no_ids(name: str) -> None:
    assert not _hub.is_id(name)
