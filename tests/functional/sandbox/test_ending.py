"""A stop stops everything that a command has started, however it has detached itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.counting_proxy import counting_proxy
from tests.support.detached import WAYS
from tests.support.kernel import Kernel
from tests.support.sandbox_server import SandboxServer, sandbox_server
from tests.support.waiting import wait_for
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.ending import END_COMMAND, HIDDEN, Mark
from vibekit_jupyter.settings.choices import choose_e2b
from vibekit_jupyter.settings.config import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

# Each user sees their own processes alone.
# A mount of its own, and no remount: that would change the machine's.
MOUNTED = 'mount -t proc -o hidepid="$0" proc /proc && exec "$@"'
SHOWN, HIDEPID = (("unshare", "--mount", "sh", "-c", MOUNTED, hidden) for hidden in "02")
LAUNCHERS = {"bubblewrap": (), "landlock": ()} | (
    {"landlock, hidepid": HIDEPID} if os.geteuid() == 0 else {}  # root alone mounts it so
)


@pytest.fixture(scope="module", params=LAUNCHERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    folder = tmp_path_factory.mktemp("ending")
    level, launcher = request.param.partition(",")[0], LAUNCHERS[request.param]
    with sandbox_server(folder, "--confine", level, launcher=launcher) as server:
        yield server


@pytest.fixture
async def sandbox(server: SandboxServer) -> Sandbox:
    e2b = {"api_key": server.key, "api_url": server.url, "sandbox_url": server.url}
    service = choose_e2b(read_settings("codex", {"e2b": e2b}))
    assert service is not None
    return await Sandbox.create(service, timeout=300, metadata={})


def a_sleep() -> str:
    """A command that no other one is like."""
    return f"sleep {60 + uuid.uuid4().int % 10**9 / 10**10:.10f}"


async def is_running(sandbox: Sandbox, command: str) -> bool:
    argument = command.split()[1]
    look = f"grep -lz -- {argument[:-1]}[{argument[-1]}] /proc/[0-9]*/cmdline 2>/dev/null"
    found = await sandbox.run(
        f"for p in $({look}); do grep -q sleep ${{p%cmdline}}comm && echo $p; done"
    )
    return bool(found.stdout.strip())


async def started(sandbox: Sandbox, command: str) -> None:
    async with asyncio.timeout(30):
        while not await is_running(sandbox, command):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # a process tells nobody that it has begun


@pytest.mark.parametrize("way", WAYS)
async def test_an_interrupt_leaves_nothing(sandbox: Sandbox, way: str) -> None:
    sleep = a_sleep()
    running = asyncio.ensure_future(sandbox.run(WAYS[way].format(sleep=sleep)))
    await started(sandbox, sleep)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await is_running(sandbox, sleep)


@pytest.mark.parametrize("way", WAYS)
async def test_a_timeout_leaves_nothing(sandbox: Sandbox, way: str) -> None:
    sleep = a_sleep()
    other = a_sleep()
    bystander = asyncio.ensure_future(sandbox.run(other))
    await started(sandbox, other)
    result = await sandbox.run(WAYS[way].format(sleep=sleep), timeout=2)
    assert result.timed_out
    assert "could not be ended" not in result.stderr
    assert not await is_running(sandbox, sleep)
    assert await is_running(sandbox, other)  # another command is left alone
    bystander.cancel()
    await asyncio.wait([bystander])


async def test_the_lines_of_a_command_keep_their_numbers(sandbox: Sandbox) -> None:
    result = await sandbox.run("true\nno-such-command-here\n")
    assert "line 2: no-such-command-here" in result.stderr
    assert "line 1: ./none" in (await sandbox.run("./none")).stderr


async def test_a_sandbox_needs_no_tools_for_it(sandbox: Sandbox) -> None:
    sleep = a_sleep()
    await sandbox.run("printf 'PATH=/nowhere\\n' > ~/.bash_profile")
    running = asyncio.ensure_future(
        sandbox.run(f"PATH=/usr/bin:/bin; setsid env -i {sleep} & wait")
    )
    await sandbox.run("while ! /usr/bin/pgrep -f '[s]leep 6' > /dev/null; do :; done", timeout=20)
    running.cancel()
    await asyncio.wait([running])
    await sandbox.run("export PATH=/usr/bin:/bin; rm ~/.bash_profile")
    assert not await is_running(sandbox, sleep)


def test_what_a_killed_kernel_left_is_ended_by_the_next_one(tmp_path: Path) -> None:
    sleep = a_sleep()
    with Kernel(tmp_path / "home", {"JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run("%vibekit_session new cut")
        message = kernel.begin(
            f"%%vibekit\n```bash\necho be''gun; (setsid env -i {sleep} &) ; {sleep}\n```"
        )
        kernel.wait_for(message, "begun")
        kernel.kill()
        with Kernel(kernel.home, {"JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}) as other:
            other.run("%load_ext vibekit_jupyter")
            restored = other.run("%vibekit_session restore")
            assert "Its last run was cut off" in restored.text
            argument = sleep.split()[1]
            look = (
                "from vibekit_jupyter import get_client\n"
                "print(get_client().sync.execute_command("
                f"\"grep -lz -- '{argument[:-1]}[{argument[-1]}]' /proc/[0-9]*/cmdline; true\""
                ").stdout)"
            )
            assert other.run(look).stdout.strip() == ""
            history = other.run("%vibekit_session history").text
            assert "The kernel ended while the run went on." in history
            assert other.run("%vibekit_session kill").status == "ok"


COMMANDS = {
    "a command": (
        "from vibekit_jupyter import get_client\n"
        "get_client().sync.execute_command({command!r}, on_stdout=print)"
    ),
    "a set-up": (
        "from vibekit_jupyter import get_client\nget_client().sync.new('cut', setup={command!r})"
    ),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_a_killed_kernels_own_command_left_is_ended_by_the_next_one(
    kind: str, tmp_path: Path
) -> None:
    sleep = a_sleep()
    command = f"(setsid env -i {sleep} &); echo begun; {sleep}"
    with Kernel(tmp_path / "home", {"JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.begin(COMMANDS[kind].format(command=command))
        wait_for(lambda: len(processes(sleep)) == 2)
        kernel.kill()
        with Kernel(kernel.home, {"JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}) as other:
            other.run("%load_ext vibekit_jupyter")
            assert len(processes(sleep)) == 2
            assert other.run("%vibekit_session restore").status == "ok"
            assert processes(sleep) == []
            assert other.run("%vibekit_session kill").status == "ok"


def processes(command: str) -> list[str]:
    """Return the processes of a command, in whatever sandbox of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == command.replace(" ", "\0").encode() + b"\0":
                found.append(path.parent.name)
    return found


def test_a_command_that_another_live_kernel_runs_is_left_alone(tmp_path: Path) -> None:
    sleep = a_sleep()
    with Kernel(tmp_path / "home") as kernel, Kernel(tmp_path / "home") as other:
        for one in (kernel, other):
            one.run("%load_ext vibekit_jupyter\nfrom vibekit_jupyter import get_client")
        kernel.run("%vibekit_session new shared")
        kernel.begin(f"get_client().sync.execute_command('{sleep}')")
        wait_for(lambda: processes(sleep))
        assert other.run("%vibekit_session restore shared").status == "ok"
        assert processes(sleep)
        kernel.interrupt()
        wait_for(lambda: not processes(sleep))
        assert other.run("%vibekit_session kill").status == "ok"


async def test_a_home_that_was_removed_is_made_anew_and_it_is_said(sandbox: Sandbox) -> None:
    await sandbox.run("cd / && rm -rf ~")
    after = await sandbox.run("pwd")
    assert after.exit_code == 0
    assert (await sandbox.run("echo kept > a.txt && cat a.txt")).stdout == "kept\n"


async def test_a_number_that_a_server_made_up_ends_nobody_else(sandbox: Sandbox) -> None:
    """Some servers number commands themselves, and another process may have that number."""
    sleep = a_sleep()
    # The process that leads a session of its own has the number that the session has.
    other = await sandbox.run(f"setsid {sleep} > /dev/null 2>&1 & echo $!")
    await started(sandbox, sleep)
    asked = Mark.of_command().asked(int(other.stdout))
    await sandbox.run(END_COMMAND, envs=asked, timeout=10)
    assert await is_running(sandbox, sleep)


@pytest.fixture
async def unseen(server: SandboxServer) -> AsyncIterator[Sandbox]:
    """A sandbox where each command has process numbers of its own: no look finds another's."""

    def sees_nobody(asked: str, body: bytes) -> bytes:
        if not asked.endswith("/process.Process/Start"):
            return body
        start = json.loads(body[5:])
        if "VIBEKIT_END" not in start["process"]["envs"]:
            return body
        start["process"]["envs"]["VIBEKIT_SOURCE"] = "exit 0"
        spelled = json.dumps(start).encode()
        return bytes([0]) + len(spelled).to_bytes(4, "big") + spelled

    with counting_proxy(server.url) as proxy:
        proxy.rewrite = sees_nobody
        e2b = {"api_key": server.key, "api_url": proxy.url, "sandbox_url": proxy.url}
        service = choose_e2b(read_settings("codex", {"e2b": e2b}))
        assert service is not None
        yield await Sandbox.create(service, timeout=300, metadata={})


UNSEEN = [way for way in WAYS if way not in {"forked twice", "by nohup", "by python"}]


@pytest.mark.parametrize("way", UNSEEN)
async def test_a_command_that_no_look_finds_is_ended_within_a_second(
    unseen: Sandbox, way: str
) -> None:
    sleep = a_sleep()
    running = asyncio.ensure_future(unseen.run(WAYS[way].format(sleep=sleep)))
    await started(unseen, sleep)
    began = time.monotonic()
    running.cancel()
    await asyncio.wait([running])
    assert time.monotonic() - began < 1
    assert not await is_running(unseen, sleep)


async def test_an_interrupt_before_a_command_has_begun_is_one_too(unseen: Sandbox) -> None:
    for _ in range(10):
        sleep = a_sleep()
        running = asyncio.ensure_future(unseen.run(sleep))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert not await is_running(unseen, sleep)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone hides other users' processes")
def test_hidden_processes_are_not_taken_for_none() -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    asked = dict(Mark.of_command().asked())
    for launcher, told in ((SHOWN, ""), (HIDEPID, HIDDEN)):
        look = [*launcher, *nobody, "/bin/bash", "--norc", "-c", END_COMMAND]
        found = subprocess.run(look, env=asked, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == told
