"""Models by their id on the Hugging Face hub: `owner/name`, or `owner/name@revision` for a branch, tag or commit.

huggingface-hub keeps the cache (HF_HOME), the endpoint (HF_ENDPOINT), the token (HF_TOKEN or a login) and the offline
mode (HF_HUB_OFFLINE=1) as people know them. It is imported only when an id is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError

#: What loading reads; nothing else is fetched, pickles least of all.
READ = (
    "*.json", "*.safetensors", "*vocab.txt", "*bpe.codes", "*merges.txt", "*.model",
)  # fmt: skip
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_ID = re.compile(r"(?P<name>[\w][\w.-]*(?:/[\w][\w.-]*)?)(?:@(?P<revision>[\w./-]+))?")


def is_id(model: str) -> bool:
    """Whether this could be an id: one name, or an owner and a name, with or without a revision."""
    return bool(_ID.fullmatch(model)) and ".." not in model


@cache
def download(model: str, pickles: bool = False) -> Path:
    """The folder of a snapshot in the hub's cache, fetched where it is not there yet; once in a process.

    pickles: fetch old weights too, which only `maskwright convert` opens. Raises UserError in one sentence for an id or
    a revision that the hub does not know, one that needs a licence or a token, and a hub that cannot be reached.
    """
    from huggingface_hub import snapshot_download

    found = _ID.fullmatch(model)
    assert found is not None
    name, revision = found["name"], found["revision"]
    with _explained(f"There is no model folder {name!r}, and ", name, revision, cached=True):
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=[*READ, *(PICKLES if pickles else ())],
            ignore_patterns=["onnx/*", "openvino/*"],
        )
    return Path(folder)


@cache
def download_data(name: str) -> Path:
    """The folder of a data set's Parquet files in the hub's cache; once in a process. Raises as `download` does."""
    from huggingface_hub import snapshot_download

    found = _ID.fullmatch(name)
    assert found is not None
    start = f"There is no folder {name!r}, and "
    with _explained(start, found["name"], found["revision"], cached=True, kind="data set"):
        folder = snapshot_download(
            found["name"], repo_type="dataset", revision=found["revision"], allow_patterns=["*.parquet", "*.json"]
        )
    return Path(folder)


def data_folder(data: str | Path) -> Path:
    """A folder as it is, or that of a data set on the hub (owner/name). Raises UserError for neither."""
    if Path(data).is_dir():
        return Path(data)
    if Path(data).exists() or not is_id(str(data)) or "/" not in str(data):
        raise UserError(f"There is no folder {str(data)!r}. Give one that holds the sets, or owner/name on the hub.")
    return download_data(str(data))


def push(folder: Path, model: str, private: bool, message: str) -> str:
    """Send a folder to the hub, making the repository where there is none. Returns the address of the commit."""
    from huggingface_hub import HfApi

    found = _ID.fullmatch(model)
    if found is None or "/" not in model:
        raise UserError(f"{model!r} is no id on the hub. Give owner/name, or owner/name@branch.")
    name, revision = found["name"], found["revision"]
    api = HfApi()
    with _explained(f"{folder} was not sent: ", name, revision):
        api.create_repo(name, private=private, exist_ok=True)
        if revision:
            api.create_branch(name, branch=revision, exist_ok=True)
        commit = api.upload_folder(repo_id=name, folder_path=folder, revision=revision, commit_message=message)
    return str(commit.commit_url)


@contextmanager
def _explained(
    start: str, name: str, revision: str | None, cached: bool = False, kind: str = "model"
) -> Iterator[None]:
    """Says what the hub answered in one sentence, which begins with what that means for the user."""
    from huggingface_hub import constants, errors

    where = constants.ENDPOINT
    at = f" at the revision {revision!r}" if revision else ""
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"{where} gives {name!r} only to people who accepted its licence: do so on its page, and set HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{where} has no revision {revision!r} of {name!r}.") from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{start}{where} knows no {kind} of the name {name!r} (if it is private: set HF_TOKEN)."
        ) from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, errors.RevisionResolutionError) as problem:
        offline = constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else f"{where} cannot be reached ({_short(problem)})"
        raise UserError(f"{start}{why}{f'; {name}{at} is not in the cache either' if cached else ''}.") from None
    except errors.HfHubHTTPError as problem:
        if problem.response is not None and problem.response.status_code in (401, 403):
            raise UserError(
                f"{start}{where} does not let you do that with {name!r}. Log in (hf auth login), or set HF_TOKEN to a "
                "token that may: one with write access to push."
            ) from None
        raise UserError(f"{where} refused {name!r}{at}: {_short(problem)}.") from None
    except errors.HFValidationError as problem:
        raise UserError(f"{start}{name!r}{at} is no id on the hub: {_short(problem)}.") from None
    except (OSError, errors.HTTPError) as problem:  # the latter: of the connection, before anybody answered
        raise UserError(f"{start}{where} cannot be reached ({_short(problem)}).") from None


def _short(problem: Any) -> str:
    return " ".join(str(problem.__cause__ or problem).split())[:200].rstrip(".")
