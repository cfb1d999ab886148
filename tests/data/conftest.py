from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.data.read import read


@pytest.fixture
def file(tmp_path) -> Callable[[str, str | bytes], Path]:
    """Writes a file and gives its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def fails() -> Callable[..., str]:
    """Reads what cannot be read and gives the message."""

    def message(path: Path, **options) -> str:
        with pytest.raises(UserError) as caught:
            read(path, **options)
        return str(caught.value)

    return message


@pytest.fixture
def locks_hold(tmp_path) -> None:
    """For tests with files that may not be read; root may read them all."""
    locked = tmp_path / ".locked"
    locked.touch(mode=0)
    if os.access(locked, os.R_OK):
        pytest.skip("this process may read everything")
