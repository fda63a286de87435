"""An agent that runs in the sandbox is asked, seen, stopped and shown again in a real kernel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.kernel import Kernel
from tests.support.model_server import ModelServer
from tests.support.turns_in_cells import marked_below, server_of, slow_work
from tests.support.waiting import wait_for
from vibekit_jupyter.demo_model.wire import Answer, ToolCall

if TYPE_CHECKING:
    from pathlib import Path

WRITE = "%%vibekit --agent demo-acp\nWrite primes.py that prints the first ten primes, and run it"


def test_a_cell_shows_the_run_and_shows_it_again(kernel: Kernel) -> None:
    cell = kernel.run(WRITE)
    assert cell.status == "ok"
    assert "demo-acp" in cell.text
    assert "2 3 5 7 11 13 17 19 23 29" in cell.text
    assert "primes.py" in cell.text
    last = kernel.run("%vibekit last --full")
    assert "2 3 5 7 11 13 17 19 23 29" in last.text
    kernel.run("%env VIBEKIT_RERUN=never")
    assert "2 3 5 7 11 13 17 19 23 29" in kernel.run(WRITE).text
    kernel.run("%env VIBEKIT_RERUN=")
    assert kernel.run("%vibekit_session history").text.count("Write primes.py") == 1


def test_a_command_is_kept_and_taken_back(kernel: Kernel) -> None:
    shown = kernel.run('%vibekit_config --agent-command "no-such-agent --acp"')
    assert "own" in shown.text
    cell = kernel.run("%%vibekit\nsay hello", stop_on_error=False)
    assert cell.ename == "AgentError"
    assert "no-such-agent is not installed in this sandbox" in cell.text
    assert "own" not in kernel.run("%vibekit_config --agent-command ''").text.split()
    assert kernel.run("%%vibekit\nsay hello").status == "ok"


def test_what_a_killed_kernel_was_told_is_in_the_record(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (
        ModelServer(slow_work, strict=False) as server,
        Kernel(home, {**server.environment, "JPY_SESSION_NAME": "/a/n.ipynb"}) as kernel,
    ):
        kernel.run("%load_ext vibekit_jupyter")
        turn = "%%vibekit --agent demo-acp --session kept\nTurn 1: work"
        kernel.run("%vibekit_session new kept")
        kernel.wait_for(kernel.begin(turn), "so it is")
        kernel.kill()
        kernel.restart()
        kernel.run("%load_ext vibekit_jupyter")
        shown = kernel.run("%vibekit last --full").text
        assert "I begin with Turn 1" in shown
        assert "its end is not recorded" in shown
        again = kernel.run("%%vibekit --agent demo-acp --session kept\nWhich turns were there?")
        assert "I know of them." in again.text
        assert "Turn 1: work" in server.requests[-1].body.decode()
        wait_for(lambda: not marked_below(server_of(home)))


def test_the_stop_button_ends_it(tmp_path: Path) -> None:
    sleep = Answer(tool_calls=(ToolCall("run_command", {"command": "echo on; sleep 4711"}),))
    with (
        ModelServer([sleep, Answer("Done.")]) as server,
        Kernel(tmp_path / "home", server.environment) as kernel,
    ):
        kernel.run("%load_ext vibekit_jupyter")
        message = kernel.begin("%%vibekit --agent demo-acp\nWait", stop_on_error=False)
        kernel.wait_for(message, "sleep 4711")
        began = time.monotonic()
        kernel.interrupt()
        cell = kernel.end(message)
        assert time.monotonic() - began < 15
        assert cell.status == "error"
        left = kernel.run("%%vibekit_run --lang bash\npgrep -fc 'sleep [4]711' || echo none left")
        assert "none left" in left.text
        assert "Done." in kernel.run("%%vibekit --agent demo-acp\nGo on").text
