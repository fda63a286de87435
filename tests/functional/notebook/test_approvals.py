"""A cell asks before a tool changes something: by a line where no page can show buttons."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pexpect  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.kernel import Kernel
from tests.support.local_server import stop_local_server
from tests.support.model_server import ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = "%load_ext vibekit_jupyter"
HIDDEN = "touch a.txt # \u202egnp.\u200bx"


def script(request: Request) -> Reply:
    """Run the command that the prompt names, once."""
    if request.messages[-1].tool_results:
        return Answer("Done.")
    return Answer("I need it.", tool_calls=(ToolCall("run_command", {"command": request.prompt}),))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("approvals") / "home"
    with ModelServer(script) as server:
        environment = {
            "OPENAI_BASE_URL": server.openai_url,
            "OPENAI_API_KEY": "sk-any",
            "VIBEKIT_ALLOW_UNCONFINED": "1",
        }
        with Kernel(home, environment) as kernel:
            kernel.run(LOAD)
            yield kernel


def test_headless_it_is_refused_with_a_sentence_and_not_waited_for(kernel: Kernel) -> None:
    cell = kernel.run("%%vibekit --approve\ntouch a.txt")
    assert cell.status == "ok"
    assert "touch a.txt" in cell.text
    assert "(refused)" in cell.text
    assert "Nobody is here to answer" in cell.text
    assert "<button" not in str(cell.displays)


@pytest.mark.parametrize(
    ("typed", "words"),
    [("y", "(allowed by you)"), ("n", "(refused by you)"), ("a", "(allowed by you for this")],
)
def test_a_line_answers_in_plain_code(kernel: Kernel, typed: str, words: str) -> None:
    kernel.run("%vibekit_session new")
    message = kernel.begin("if True:\n    %vibekit --approve touch a.txt", asks=True)
    assert "Allow it?" in kernel.asked(typed)
    cell = kernel.end(message)
    assert cell.status == "ok", cell.error
    assert words in cell.text
    assert "I need it." in cell.text
    assert words in kernel.run("%vibekit last").text
    assert words in kernel.run("%vibekit_session history").text


def test_where_no_page_shows_the_card_a_line_is_asked_for(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new")
    message = kernel.begin("%%vibekit --approve\ntouch a.txt", asks=True)
    assert "Allow it?" in kernel.asked("y")
    cell = kernel.end(message)
    assert "(allowed by you)" in cell.text
    assert "widget-view" not in str(cell.displays)


def test_an_empty_line_allows_nothing_and_stop_stops(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new")
    message = kernel.begin("if True:\n    %vibekit --approve touch a.txt", asks=True)
    kernel.asked("")
    kernel.asked("s")
    cell = kernel.end(message)
    assert cell.ename == "RunInterruptedError"
    assert "stopped by you" in kernel.run("%vibekit last").text


@pytest.mark.parametrize("code", ["if True:\n    %vibekit --approve ls", "%%vibekit --approve\nls"])
def test_an_interrupt_ends_a_run_that_waits_for_an_answer(kernel: Kernel, code: str) -> None:
    kernel.run("%vibekit_session new")
    message = kernel.begin(code, asks=True)
    kernel.asked(None)
    began = time.monotonic()
    kernel.interrupt()
    cell = kernel.end(message)
    assert cell.ename == "RunInterruptedError"
    assert time.monotonic() - began < 3
    assert kernel.run("%%vibekit --approve never\nls").status == "ok"


def test_what_cannot_be_seen_is_spelled_out_before_it_is_allowed(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new")
    message = kernel.begin(f"if True:\n    %vibekit --approve {HIDDEN}", asks=True)
    kernel.asked("n")
    text = kernel.end(message).text
    assert "touch a.txt # \\u{202e}gnp.\\u{200b}x" in text
    assert "\u202e" not in text
    assert "\u200b" not in text


def test_a_recorded_run_shows_what_was_decided(kernel: Kernel) -> None:
    kernel.run("%vibekit_session new")
    kernel.run("%%vibekit --approve\ntouch recorded.txt")
    kernel.run("import os; os.environ['VIBEKIT_RERUN'] = 'only'")
    cell = kernel.run("%%vibekit\ntouch recorded.txt")
    kernel.run("del os.environ['VIBEKIT_RERUN']")
    assert "Shown from the record" in cell.text
    assert "(refused)" in cell.text


def test_a_terminal_asks_for_one_line(vibekit_home: Path) -> None:
    ipython = ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"]
    with ModelServer(script) as server:
        environment = {
            **os.environ,
            "IPYTHONDIR": str(vibekit_home.parent / "ipython"),
            "TERM": "dumb",
            "VIBEKIT_ALLOW_UNCONFINED": "1",
            "OPENAI_BASE_URL": server.openai_url,
            "OPENAI_API_KEY": "sk-any",
        }
        terminal = pexpect.spawn(
            sys.executable, [*ipython, "--simple-prompt"], env=environment, encoding="utf-8",
            timeout=30,
        )  # fmt: skip
        try:
            terminal.expect(r"In \[1\]: ")
            terminal.sendline(LOAD)
            terminal.expect(r"In \[2\]: ")
            terminal.sendline("%vibekit --approve risky rm -f a.txt")
            terminal.expect("codex asks: Run this command\\?")
            terminal.expect("commands that delete or take back")
            terminal.expect("Allow it\\?")
            terminal.sendline("y")
            terminal.expect("allowed by you")
            terminal.expect(r"In \[3\]: ")
            terminal.sendline("%vibekit --approve touch b.txt")
            terminal.expect("Allow it\\?")
            terminal.sendintr()
            terminal.expect("RunInterruptedError: Interrupted", timeout=3)
        finally:
            terminal.close(force=True)
            stop_local_server(vibekit_home)
