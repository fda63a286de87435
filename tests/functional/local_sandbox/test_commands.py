"""Commands, at every level."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.functional.local_sandbox.conftest import MakeSandbox


def test_a_command_gives_its_output_and_exit_code(make_at_level: MakeSandbox) -> None:
    from e2b import CommandExitException

    sandbox = make_at_level(envs={"COLOUR": "blue"})
    done = sandbox.commands.run("echo $COLOUR; echo late >&2", envs={"X": "1"})
    assert (done.stdout, done.stderr, done.exit_code) == ("blue\n", "late\n", 0)
    with pytest.raises(CommandExitException) as raised:
        sandbox.commands.run("exit 3")
    assert raised.value.exit_code == 3


def test_a_command_opens_its_streams_by_name(make_at_level: MakeSandbox) -> None:
    done = make_at_level().commands.run("echo out >/dev/stdout; echo late >/dev/stderr")
    assert (done.stdout, done.stderr) == ("out\n", "late\n")


def test_a_command_finds_the_tools_it_needs(make_at_level: MakeSandbox) -> None:
    shown = make_at_level().commands.run("command -v python python3 bash git sudo").stdout
    assert len(shown.split()) == 5


def test_a_command_inherits_nothing_of_the_server(make_at_level: MakeSandbox) -> None:
    shown = make_at_level().commands.run("env").stdout
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert names <= {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "PWD", "SHLVL", "_", "TMPDIR"),
        "VIBEKIT_COMMAND",
    }


def test_input_reaches_a_command_in_order_and_ends(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    command = sandbox.commands.run("cat", background=True, stdin=True)
    lines = [f"line {number}\n" for number in range(200)]
    for line in lines:
        command.send_stdin(line)
    command.close_stdin()
    assert command.wait().stdout == "".join(lines)


def test_a_megabyte_of_input_comes_through(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    command = sandbox.commands.run("sha256sum", background=True, stdin=True)
    data = b"\x00{}'\n" * 400_000
    command.send_stdin(data)
    command.close_stdin()
    assert command.wait().stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_a_killed_command_leaves_no_process(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    command = sandbox.commands.run(
        "trap '' TERM; sleep 1234.5 & (setsid sleep 1234.6 &) ; (nohup sleep 1234.7 &) ; wait",
        background=True,
    )
    wait_for(lambda: count(sandbox, "^sleep 1234[.]") == 3)
    assert command.kill()
    wait_for(lambda: count(sandbox, "^sleep 1234[.]") == 0)


def test_a_command_over_its_time_is_killed_on_the_server(make_at_level: MakeSandbox) -> None:
    from e2b import TimeoutException

    sandbox = make_at_level()
    with pytest.raises(TimeoutException):
        sandbox.commands.run("sleep 4321.5 & setsid sleep 4321.6", timeout=1)
    wait_for(lambda: count(sandbox, "^sleep 4321[.]") == 0)


def test_a_child_in_the_background_does_not_hold_its_command(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    begun = time.monotonic()
    mark = f"60.{os.getpid()}"
    done = sandbox.commands.run(f"sleep {mark} & echo started")
    assert done.stdout == "started\n"
    assert time.monotonic() - begun < 10
    assert count(sandbox, f"^sleep {mark}") == 1


def test_a_client_that_leaves_does_not_kill_its_command(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    command = sandbox.commands.run("sleep 2; echo done > left.txt", background=True, timeout=0)
    command.disconnect()
    wait_for(lambda: sandbox.files.exists("left.txt"))


def test_a_terminal_has_a_size_that_can_change(make_at_level: MakeSandbox) -> None:
    from e2b.sandbox.commands.command_handle import PtySize

    sandbox = make_at_level()
    shown = bytearray()
    terminal = sandbox.pty.create(PtySize(cols=80, rows=24))
    sandbox.pty.resize(terminal.pid, PtySize(cols=132, rows=50))
    sandbox.pty.send_stdin(terminal.pid, b"stty size\nexit\n")
    terminal.wait(on_pty=shown.extend)
    assert b"50 132" in shown


@pytest.mark.parametrize(
    "text",
    [
        'it\'s "quoted" `whoami` $(id) ${HOME} !$ \\ %s {x} {{y}}',
        "line one\nline two\n\n",
        "-n --flag",
        "emoji 🎈 umlaut ü zero-width \u200b",
        "x" * 100_000,
    ],
)
def test_bytes_come_through_as_they_are(make_at_level: MakeSandbox, text: str) -> None:
    sandbox = make_at_level()
    sandbox.files.write("given.txt", text)
    assert sandbox.files.read("given.txt") == text
    assert sandbox.commands.run("cat given.txt").stdout == text


def test_output_that_is_no_text_does_no_harm(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    code = "import sys; sys.stdout.buffer.write(b'a\\x00b\\xff\\xfe' + 'ü'.encode() * 20000)"
    shown = sandbox.commands.run(f'python3 -c "{code}"').stdout
    assert shown.startswith("a\x00b\ufffd\ufffd")
    assert shown.endswith("ü" * 20_000)


def test_a_slow_reader_slows_the_command_and_not_the_server(make: MakeSandbox) -> None:
    sandbox = make()
    command = sandbox.commands.run("yes | head -c 30000000; echo; echo end", background=True)
    taken = 0
    for stdout, _stderr, _pty in command:
        taken += len(stdout or "")
        if taken < 3_000_000:
            assert sandbox.commands.run("echo quick").stdout == "quick\n"
            taken = 3_000_000
    assert command.wait().stdout.endswith("end\n")


def test_a_missing_folder_and_a_missing_program_are_said(make_at_level: MakeSandbox) -> None:
    from e2b import InvalidArgumentException

    with pytest.raises(InvalidArgumentException, match="cwd '/nowhere' does not exist"):
        make_at_level().commands.run("true", cwd="/nowhere")


def test_root_is_a_user_with_a_home_of_its_own(make_at_level: MakeSandbox) -> None:
    from e2b import AuthenticationException

    sandbox = make_at_level()
    sandbox.files.write("note", "r", user="root")
    assert sandbox.commands.run("cat ~/note; echo $USER", user="root").stdout == "rroot\n"
    with pytest.raises(AuthenticationException):
        sandbox.commands.run("true", user="mallory")


def count(sandbox: object, pattern: str) -> int:
    """Return how many processes of the sandbox match."""
    run = sandbox.commands.run  # type: ignore[attr-defined]  # any SDK's sandbox
    return int(run(f"pgrep -fc '{pattern}' || true").stdout)


def test_where_memory_ends_a_sandbox_goes_before_the_notebook(make_at_level: MakeSandbox) -> None:
    own = Path("/proc/self/oom_score_adj")
    assert int(make_at_level().commands.run(f"cat {own}").stdout) > int(own.read_text())
