"""Terminal IPython: plain text, one client for magics and ``await``, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.local_server import stop_local_server
from tests.support.model_server import Disturbed, ModelServer, Reply, Stall
from vibekit_jupyter.demo_model.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"]
HELLO = "print('hello from the sandbox')"


def script(request: Request) -> Reply:
    if request.prompt.startswith("stall"):
        return Disturbed(Answer("Thinking about it, for a long time."), Stall(after=3, seconds=60))
    return Answer("Answered.")


@pytest.fixture
def environment(vibekit_home: Path) -> Iterator[dict[str, str]]:
    yield {
        **os.environ,
        "IPYTHONDIR": str(vibekit_home.parent / "ipython"),
        "TERM": "dumb",
        "VIBEKIT_ALLOW_UNCONFINED": "1",
    }
    stop_local_server(vibekit_home)


def test_a_script_of_cells_runs(environment: dict[str, str], tmp_path: Path) -> None:
    source = tmp_path / "cells.ipy"
    source.write_text(
        "%load_ext vibekit_jupyter\n"
        f"%vibekit {HELLO}\n"
        f"get_ipython().run_cell_magic('vibekit', '', {HELLO!r})\n"
        "from vibekit_jupyter import get_client\n"
        "print(await get_client().get_session() == get_client().sync.get_session())\n"
        "%vibekit_session\n"
    )
    run = subprocess.run(
        [*IPYTHON, str(source)], env=environment, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("$ python3") == 2
    assert "True\n" in run.stdout
    assert "running" in run.stdout
    assert "\x1b" not in run.stdout
    assert "Out[" not in run.stdout


def test_ctrl_c_stops_the_run_and_leaves_the_session_usable(environment: dict[str, str]) -> None:
    with ModelServer(script) as server:
        environment |= {"OPENAI_BASE_URL": server.openai_url, "OPENAI_API_KEY": "sk-test"}
        terminal = pexpect.spawn(
            IPYTHON[0], [*IPYTHON[1:], "--simple-prompt"], env=environment, encoding="utf-8",
            timeout=30, cwd=Path.cwd(),
        )  # fmt: skip
        try:
            terminal.expect(r"In \[1\]: ")
            terminal.sendline("%load_ext vibekit_jupyter")
            terminal.expect(r"In \[2\]: ")
            terminal.sendline("%vibekit stall")
            server.wait_for_requests(1, timeout=30)
            terminal.sendintr()
            terminal.expect("RunInterruptedError: Interrupted", timeout=2)
            server.wait_for_hangup()
            terminal.expect(r"In \[3\]: ")
            terminal.sendline("%vibekit hello")
            terminal.expect("Answered")
            terminal.expect(r"In \[4\]: ")
            terminal.sendline(
                "r = await __import__('vibekit_jupyter').get_client().generate_code('x')"
            )
            terminal.expect(r"In \[5\]: ")
            terminal.sendline("print(r.text, r.status)")
            terminal.expect("Answered. done")
            terminal.sendline("exit")
            terminal.expect(pexpect.EOF)
        finally:
            terminal.close(force=True)
