"""Runs in a real kernel against a scripted model server: prompts, interrupts, failures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.model_server import (
    Cut,
    Disturbed,
    HttpError,
    ModelServer,
    Reply,
    Stall,
)
from tests.support.versions import needs_ipython_8
from tests.support.waiting import wait_for
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "31.4159265"
STALLED = Disturbed(Answer("Thinking about it, for a long time."), Stall(after=3, seconds=60))
ASK = "from vibekit_jupyter import get_client; client = get_client()\n"


def script(request: Request) -> Reply:
    """Answer by the prompt's first word."""
    match request.prompt.split()[0]:
        case "stall":
            return STALLED
        case "sleep":
            command = f"echo started; sleep {MARK}; sleep {MARK}"
            return Answer(tool_calls=(ToolCall("run_command", {"command": command}),))
        case "refuse":
            return HttpError.unauthorized()
        case "cut":
            return Disturbed(Answer("An answer that breaks off."), Cut(after=3))
        case _:
            return Answer("Answered.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home", server.environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        assert kernel.run(ASK).status == "ok"
        assert kernel.run("%%vibekit\nhello").status == "ok"
        yield kernel


def stop(kernel: Kernel, message: str) -> Cell:
    """Interrupt a cell that is running; it must end within a second."""
    pressed = time.monotonic()
    kernel.interrupt()
    cell = kernel.end(message)
    assert time.monotonic() - pressed < 1
    return cell


def sleepers() -> list[str]:
    """The commands of this module's that run anywhere on this machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if MARK in arguments:
            found.append(" ".join(arguments))
    return found


def wait_until_nothing_sleeps() -> None:
    wait_for(lambda: not sleepers(), 1, sleepers)


def wait_for_hangup(server: ModelServer, before: int) -> None:
    """Wait until one answer more was not waited for; it must happen within a second."""
    wait_for(lambda: server.hangups > before, 1)
    assert server.hangups == before + 1


PROMPTS = [
    'it\'s "quoted" `ticks` $(id) ${HOME} $HOME !ls %time ?',
    "{braces} {{double}} {x.__class__} %s {0}",
    ">>> print(1)\n... 2\nIn [1]: x",
    "  leading and trailing blanks   \n\n   \n\tend\t",
    "newlines\n\n\n",
    "emoji 🎉👩‍👩‍👧 and \u202eright to left\u202c",
    "<script>alert(1)</script> & \\n \\\\ \\",
    "%%vibekit\n%vibekit_session kill",
    "é\u2028\u2029\x0b\x0c\x1c\x85 separators",
    "megabyte " + "{'k': \"v\"} $(x) 🎉\n" * 50_000 + "end",
]


@pytest.mark.parametrize("agent", ["codex", "claude"])
@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt[:12].strip())
def test_a_prompt_reaches_the_model_byte_for_byte(
    kernel: Kernel, server: ModelServer, agent: str, prompt: str
) -> None:
    cell = kernel.run(f"%%vibekit --agent {agent} --fresh\n{prompt}")
    assert cell.status == "ok", cell.error
    assert server.requests[-1].prompt == prompt
    assert server.requests[-1].vendor == {"codex": "openai", "claude": "anthropic"}[agent]


@pytest.mark.parametrize("outer", ["%%time", "%%capture captured"])
def test_a_prompt_inside_another_magic_arrives_as_typed(
    kernel: Kernel, server: ModelServer, outer: str
) -> None:
    for prompt in (">>> one\n   \n  two", "one\n"):
        assert kernel.run(f"{outer}\n%%vibekit --fresh\n{prompt}").status == "ok"
        assert server.requests[-1].prompt == prompt


def test_options_reach_the_model(kernel: Kernel, server: ModelServer) -> None:
    kernel.run("%%vibekit --agent claude --model my-model --mode ask --fresh\nhello there")
    request = server.requests[-1]
    assert request.model == "my-model"
    assert "write_file" not in request.tools
    assert len(request.messages) == 1
    kernel.run("%%vibekit --agent claude\nand again")
    assert "hello there" in [text for each in server.requests[-1].messages for text in each.texts]


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        ("%%vibekit\nstall", "RunInterruptedError"),
        ("%%vibekit --agent claude\nstall", "RunInterruptedError"),
        ("%vibekit stall", "RunInterruptedError"),
        pytest.param("%%time\n%%vibekit\nstall", "RunInterruptedError", marks=needs_ipython_8),
        ("get_ipython().run_cell_magic('vibekit', '', 'stall')", "RunInterruptedError"),
        ("await client.generate_code('stall')", "CancelledError"),
        ("client.sync.generate_code('stall')", "KeyboardInterrupt"),
        ("for _ in client.sync.stream('stall'): pass", "KeyboardInterrupt"),
        ("async for _ in client.stream('stall'): pass", "CancelledError"),
    ],
)
def test_an_interrupt_stops_the_model_within_a_second(
    kernel: Kernel, server: ModelServer, code: str, ename: str
) -> None:
    requests, hangups = len(server.requests), server.hangups
    message = kernel.begin(code, stop_on_error=False)
    server.wait_for_requests(requests + 1)
    cell = stop(kernel, message)
    assert (cell.status, cell.ename) == ("error", ename)
    assert cell.error is not None
    assert len(cell.error) == 1
    wait_for_hangup(server, hangups)
    assert kernel.run("%%vibekit\nhello").status == "ok"


@pytest.mark.parametrize("code", ["%%vibekit\nsleep", "%vibekit sleep"])
def test_an_interrupt_ends_the_command_and_leaves_the_session_usable(
    kernel: Kernel, code: str
) -> None:
    kernel.run("%%vibekit --fresh\nhello")
    message = kernel.begin(code, stop_on_error=False)
    # The row of the command has its words, too, and is there before the command is.
    wait_for(lambda: bool(sleepers()), 10)
    assert stop(kernel, message).ename == "RunInterruptedError"
    wait_until_nothing_sleeps()
    assert kernel.run("print((await client.execute_command('echo alive')).stdout)").status == "ok"
    assert kernel.run("%%vibekit\nhello").status == "ok"


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        (f"await client.execute_command('sleep {MARK}')", "CancelledError"),
        (f"client.sync.execute_command('sleep {MARK}')", "KeyboardInterrupt"),
    ],
)
def test_an_interrupt_ends_a_persons_own_command(kernel: Kernel, code: str, ename: str) -> None:
    message = kernel.begin(code, stop_on_error=False)
    wait_for(sleepers)
    assert stop(kernel, message).ename == ename
    wait_until_nothing_sleeps()


@pytest.mark.parametrize("code", ["%%vibekit\nstall", "%vibekit stall"])
@pytest.mark.parametrize("pause", [0.12, 0.4])
def test_impatient_interrupts_leave_the_kernel_usable(
    kernel: Kernel, server: ModelServer, code: str, pause: float
) -> None:
    requests, hangups = len(server.requests), server.hangups
    message = kernel.begin(code, stop_on_error=False)
    server.wait_for_requests(requests + 1)
    for _ in range(3):
        kernel.interrupt()
        time.sleep(pause)
    assert kernel.end(message).status == "error"
    wait_for_hangup(server, hangups)
    assert kernel.run("print('usable')").stdout == "usable\n"
    assert kernel.run("%%vibekit\nhello").status == "ok"


def test_an_interrupt_ends_run_all(kernel: Kernel, server: ModelServer) -> None:
    requests, hangups = len(server.requests), server.hangups
    first, *rest = [kernel.begin(f"%%vibekit\n{word}") for word in ("stall", "hello", "hello")]
    server.wait_for_requests(requests + 1)
    assert stop(kernel, first).status == "error"
    assert [kernel.end(message).status for message in rest] == ["aborted", "aborted"]
    assert len(server.requests) == requests + 1
    wait_for_hangup(server, hangups)


def test_an_interrupt_spares_a_persons_own_tasks(kernel: Kernel, server: ModelServer) -> None:
    kernel.run("import asyncio; mine = asyncio.create_task(asyncio.sleep(30, 'survived'))")
    requests, hangups = len(server.requests), server.hangups
    message = kernel.begin("%%vibekit\nstall", stop_on_error=False)
    server.wait_for_requests(requests + 1)
    stop(kernel, message)
    wait_for_hangup(server, hangups)
    assert kernel.run("print(mine.done()); mine.cancel()").stdout == "False\n"


def test_cancelling_a_task_cancels_its_run(kernel: Kernel, server: ModelServer) -> None:
    requests, hangups = len(server.requests), server.hangups
    kernel.run("import asyncio; task = asyncio.create_task(client.generate_code('stall'))")
    server.wait_for_requests(requests + 1)
    cell = kernel.run(
        "task.cancel()\ntry: await task\nexcept asyncio.CancelledError: print('cancelled')"
    )
    assert cell.stdout == "cancelled\n"
    wait_for_hangup(server, hangups)


@pytest.mark.parametrize(
    ("word", "ename"), [("refuse", "ModelAuthenticationError"), ("cut", "ModelStreamError")]
)
@pytest.mark.parametrize("form", ["%%vibekit --fresh\n{}", "%vibekit --fresh {}"])
def test_a_failed_run_raises_one_line(kernel: Kernel, word: str, ename: str, form: str) -> None:
    cell = kernel.run(form.format(word), stop_on_error=False)
    assert (cell.status, cell.ename) == ("error", ename)
    assert cell.error is not None
    assert len(cell.error) == 1
    assert "sk-test" not in cell.text + cell.stderr
    assert kernel.run("%%vibekit --fresh\nhello").status == "ok"


def test_a_callback_that_would_wait_for_itself_is_told_so(kernel: Kernel) -> None:
    cell = kernel.run(
        "await client.generate_code('hello', on_event=lambda _: client.sync.get_session())",
        stop_on_error=False,
    )
    assert cell.status == "error"
    assert "callback" in cell.text + cell.stderr


def test_no_error_is_logged_later(kernel: Kernel) -> None:
    for code in ("%%vibekit --fresh\ncut", "await client.generate_code('refuse', fresh=True)"):
        kernel.run(code, stop_on_error=False)
    cell = kernel.run("import gc; gc.collect()")
    assert (cell.stdout, cell.stderr) == ("", "")


def test_what_a_callback_prints_lands_in_its_cell(kernel: Kernel) -> None:
    cell = kernel.run("await client.generate_code('hello', on_event=lambda e: print(e.type))")
    assert "run_finished" in cell.stdout


FAIL = """
def fail(message):
    if "html" in str(message.get("content", {}).get("data", {})):
        raise RuntimeError("no drawing today")
    return message
get_ipython().display_pub.register_hook(fail)
"""


@pytest.mark.parametrize(
    "cell",
    ["%%vibekit\nstall", "if True:\n    get_ipython().run_cell_magic('vibekit', '', 'stall')"],
    ids=["awaited", "blocking"],
)
def test_a_run_ends_with_a_drawing_that_fails(kernel: Kernel, cell: str) -> None:
    assert kernel.run(FAIL).status == "ok"
    try:
        drawn = kernel.run(cell, stop_on_error=False)
    finally:
        kernel.run("get_ipython().display_pub.unregister_hook(fail)")
    assert drawn.status == "error"
    assert "no drawing today" in drawn.text
    # A session in which a run goes on takes no other.
    assert kernel.run("%%vibekit\nGo on").status == "ok"
