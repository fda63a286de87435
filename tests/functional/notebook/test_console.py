"""Jupyter's console, which shows no updates of an output: a run is seen there all the same."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pexpect  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.local_server import stop_local_server
from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONSOLE = ["-m", "jupyter_console", "--simple-prompt", "--no-confirm-exit"]


@pytest.fixture
def environment(vibekit_home: Path) -> Iterator[dict[str, str]]:
    root = vibekit_home.parent
    folders = {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config"}
    folders |= {"JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    with ModelServer([Answer("It is **done**."), Answer("Once more.")]) as server:
        yield {
            **os.environ,
            **server.environment,
            **{name: str(root / folder) for name, folder in folders.items()},
            "TERM": "dumb",
        }
    stop_local_server(vibekit_home)


def test_jupyter_console_shows_what_a_run_said(environment: dict[str, str]) -> None:
    console = pexpect.spawn(
        sys.executable, CONSOLE, env=environment, encoding="utf-8", timeout=60, dimensions=(50, 120)
    )
    try:
        console.expect(r"In \[1\]")
        console.sendline("%load_ext vibekit_jupyter")
        console.expect(r"In \[2\]")
        console.sendline("%vibekit say so")
        console.expect(r"It is \*\*done\*\*\.")
        console.expect(r"In \[3\]")
        console.sendline("get_ipython().run_cell_magic('vibekit', '', 'again');")
        console.expect(r"Once more\.")
    finally:
        console.close(force=True)
