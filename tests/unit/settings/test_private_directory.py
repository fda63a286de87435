"""Where state is kept belongs to who keeps it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.home import private_directory

if TYPE_CHECKING:
    from pathlib import Path


def test_a_private_folder_is_made_with_its_parents_and_shut(tmp_path: Path) -> None:
    folder = private_directory(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert private_directory(folder).stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_owner_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = tmp_path / "theirs"
        folder.mkdir(mode=0o755)
        os.chown(folder, 12345, 12345)
    else:
        import pathlib

        folder = pathlib.Path("/usr")
    mode = folder.stat().st_mode
    with pytest.raises(ConfigurationError, match=r"belongs to another user .*VIBEKIT_HOME"):
        private_directory(folder)
    assert folder.stat().st_mode == mode
