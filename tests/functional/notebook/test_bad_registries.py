"""A registry or home that cannot be used: the extension loads and says so; the first use raises."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from vibekit_jupyter.sessions.schema import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def newer(path: Path) -> None:
    open_database(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()


def damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)


def is_a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("spoil", [newer, damaged, is_a_folder])
def test_the_extension_loads_and_says_what_is_wrong(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    spoil(home / "sessions.sqlite")
    with Kernel(home, {"JPY_SESSION_NAME": "/n/report.ipynb"}) as kernel:
        loaded = kernel.run("%load_ext vibekit_jupyter")
        assert loaded.status == "ok", loaded.text
        assert "registry of sessions" in loaded.text
        used = kernel.run("%vibekit_session new")
        assert used.error is not None
        assert len(used.error) == 1
        assert "registry of sessions" in used.error[0]


def test_an_empty_registry_is_one_to_begin_with(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "sessions.sqlite").touch()
    with Kernel(home, {"JPY_SESSION_NAME": "/n/report.ipynb"}) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").text.strip() == ""
        assert kernel.run("%vibekit_session new").status == "ok"


@pytest.mark.parametrize(
    "environment",
    [
        {"VIBEKIT_HOME": "/dev/null/home"},
        {"VIBEKIT_HOME": "/dev/null"},
        {"VIBEKIT_HOME": "/proc/home"},
        {"VIBEKIT_HOME": "~nobody-of-that-name/x"},
    ],
    ids=lambda environment: environment["VIBEKIT_HOME"],
)
def test_a_home_that_cannot_be_used_is_named_with_its_variable(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with Kernel(tmp_path / "home", {**environment, "JPY_SESSION_NAME": "/n/r.ipynb"}) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        for line in ("%vibekit_session new", "%vibekit_session list", "%%vibekit\nprint(1)"):
            cell = kernel.run(line, stop_on_error=False)
            assert cell.error is not None, line
            assert len(cell.error) == 1, cell.error
            assert "VIBEKIT_HOME" in cell.error[0]


def test_a_registry_that_is_removed_under_a_kernel_is_begun_anew(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new first")
    for file in kernel.home.glob("sessions.sqlite*"):
        file.unlink()
    assert kernel.run("%%vibekit\nprint('after')").status == "ok"
    assert "print('after')" in kernel.run("%vibekit_session history").text
