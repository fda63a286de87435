"""Where the files of this machine are, for what goes into a sandbox and comes out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pytest reads the fixtures' annotations

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the notebook is in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
