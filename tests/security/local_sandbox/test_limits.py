"""Whoever holds more than a sandbox may is killed, however it holds it and however it hides."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.security.local_sandbox.conftest import CONFINED
from tests.security.local_sandbox.hogs import COUNTED, HOGS, WAYS
from tests.support.sandbox_server import SandboxServer, sandbox_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2b import Sandbox

pytestmark = pytest.mark.attack

SOURCE = Path(__file__).with_name("hogs.py")
PROCESSES = 200
LIMITS = ("memory_mib=256", "disk_mib=64", f"processes={PROCESSES}")
SECONDS = 90
# Under Landlock there is none of that.
NEED_NAMESPACES = {"memory_of_system_v", "semaphores_of_system_v"}
ATTEMPTS = sorted(
    (level, hog)
    for level in CONFINED
    for hog in HOGS
    if level == "bubblewrap" or hog not in NEED_NAMESPACES
)


@pytest.fixture(scope="module", params=CONFINED)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    """A server of each level whose sandboxes may hold little."""
    folder = tmp_path_factory.mktemp(f"limited-{request.param}")
    limits = [word for limit in LIMITS for word in ("--limit", limit)]
    with sandbox_server(folder, "--confine", request.param, *limits) as server:
        yield server


@pytest.fixture
def create(server: SandboxServer) -> Iterator[Callable[[], Sandbox]]:
    """Make sandboxes that are killed at the test's end."""
    from e2b import Sandbox

    made: list[Sandbox] = []

    def create() -> Sandbox:
        made.append(
            Sandbox.create(
                timeout=600, api_key=server.key, api_url=server.url, sandbox_url=server.url
            )
        )
        made[-1].files.write("hogs.py", SOURCE.read_text())
        return made[-1]

    yield create
    for sandbox in made:
        sandbox.kill()


@pytest.fixture
def sandbox(create: Callable[[], Sandbox]) -> Sandbox:
    return create()


def living(mark: str) -> list[int]:
    """Return the machine's processes that have a mark in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def start(sandbox: Sandbox, hog: str, way: str) -> str:
    """Let a hog begin in the background of a command that ends; return its mark."""
    mark = f"hog-{secrets.token_hex(6)}"
    sandbox.commands.run(f"(python3 ~/hogs.py {hog} {way} {mark} >err 2>&1 &)", timeout=30)
    return mark


def tasks(pids: list[int]) -> int:
    """Return how many threads some processes have."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found += len(os.listdir(f"/proc/{pid}/task"))
    return found


def wait_until_killed(mark: str) -> None:
    deadline = time.monotonic() + SECONDS
    while living(mark):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("server", "hog"), ATTEMPTS, indirect=["server"])
def test_who_holds_too_much_is_killed(create: Callable[[], Sandbox], hog: str) -> None:
    # Each way in a sandbox of its own, and all at once.
    begun = {way: create() for way in WAYS}
    marks = {way: start(sandbox, hog, way) for way, sandbox in begun.items()}
    deadline = time.monotonic() + SECONDS
    while marks:
        for way, mark in list(marks.items()):
            if not living(mark) or (hog in COUNTED and is_bounded(begun[way], mark)):
                del marks[way]
        assert time.monotonic() < deadline, f"{marks} hold what they should not"
        time.sleep(0.05)
    for sandbox in begun.values():
        # It did not end by itself, unless the kernel refused it the memory.
        errors = sandbox.files.read("err").replace("MemoryError", "")
        assert hog in COUNTED or "Error" not in errors


def is_bounded(sandbox: Sandbox, mark: str) -> bool:
    """Whether a hog has all that it can get, and that is no more than the limit."""
    return sandbox.files.exists("held") and tasks(living(mark)) <= PROCESSES


@pytest.mark.parametrize("hog", ["anonymous_shared_memory", "large_files"])
def test_the_error_of_a_command_names_the_limit(sandbox: Sandbox, hog: str) -> None:
    from e2b import CommandExitException

    with pytest.raises(CommandExitException) as raised:
        sandbox.commands.run(f"setsid -f python3 ~/hogs.py {hog} in_front mark; sleep 60")
    assert "limit" in (raised.value.error or "")
    assert raised.value.exit_code != 0


@pytest.mark.parametrize("server", ["bubblewrap"], indirect=True)
def test_what_outlives_its_processes_is_measured_with_them_and_removed(sandbox: Sandbox) -> None:
    from e2b import CommandExitException

    def segments() -> str:
        try:
            return sandbox.commands.run("tail -n +2 /proc/sysvipc/shm | wc -l").stdout
        except CommandExitException:  # it was there when all were ended
            return ""

    leave = "python3 -c 'import hogs; hogs.memory_of_system_v(0.3)'"
    sandbox.commands.run(leave)
    assert segments() == "1\n"
    sandbox.commands.run(leave)
    deadline = time.monotonic() + SECONDS
    while segments() != "0\n":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("server", ["bubblewrap"], indirect=True)
def test_shared_memory_that_its_owner_shut_is_measured_and_removed(sandbox: Sandbox) -> None:
    from e2b import CommandExitException

    # Where root runs the server, the folder is not the sandbox's to shut.
    shut = "(chmod 0 /dev/shm || true)"
    supervisor = sandbox.commands.run("echo $PPID").stdout
    for _attempt in range(2):
        with pytest.raises(CommandExitException) as raised:
            sandbox.commands.run(
                f"mkdir -p /dev/shm/a/b && head -c 200M /dev/zero > /dev/shm/a/b/c && {shut}"
                " && python3 -c 'held = bytes(100_000_000).replace(bytes(1), b\"x\"); input()'"
                " < <(sleep 60)",
                timeout=60,
            )
        assert "memory" in (raised.value.error or "")
        opened = "(chmod 1777 /dev/shm || true) && ls -A /dev/shm && echo $PPID"
        assert sandbox.commands.run(opened).stdout == supervisor


@pytest.mark.parametrize("server", ["bubblewrap"], indirect=True)
def test_empty_files_in_shared_memory_are_counted(sandbox: Sandbox) -> None:
    from e2b import CommandExitException

    with pytest.raises(CommandExitException) as raised:
        sandbox.commands.run(
            "cd /dev/shm && python3 -c 'import os, time\n"
            'for number in range(400_000): os.close(os.open(f"{number}", os.O_CREAT))\n'
            "time.sleep(60)'",
            timeout=60,
        )
    assert "limit" in (raised.value.error or "")


def test_what_processes_share_counts_once(sandbox: Sandbox) -> None:
    shared = (
        "import os, time; held = bytearray(b'x') * 150_000_000\n"
        "for _child in range(6):\n    if os.fork() == 0: break\n"
        "time.sleep(3)"
    )
    assert sandbox.commands.run(f'python3 -c "{shared}"').exit_code == 0


def test_a_folder_that_cannot_be_read_stays_so(sandbox: Sandbox) -> None:
    command = "mkdir -p shut/below && chmod 300 shut && sleep 1.5 && stat -c %a shut"
    assert sandbox.commands.run(command).stdout == "300\n"


def test_nothing_is_added_to_a_full_disk_though_nothing_runs(sandbox: Sandbox) -> None:
    from e2b import SandboxException

    def fill() -> None:
        for number in range(10):
            sandbox.files.write(f"{number}", bytes(20_000_000))

    with pytest.raises(SandboxException, match="limit"):
        fill()


def test_who_lets_nobody_see_what_it_holds_is_killed(sandbox: Sandbox) -> None:
    mark = f"hidden-{secrets.token_hex(6)}"
    # A program that cannot be read is closed to all eyes once it runs.
    hide = f"cp $(readlink -f $(which sleep)) {mark} && chmod 111 {mark} && (./{mark} 600 &)"
    sandbox.commands.run(f"{hide} >err 2>&1")
    wait_until_killed(mark)


def test_more_files_than_there_may_be_are_noticed_and_named(tmp_path: Path) -> None:
    from e2b import CommandExitException, Sandbox

    make = "for number in range(30_000): open(str(number), 'w').close()"
    with sandbox_server(tmp_path, "--limit", "files=20000") as server:
        sandbox = Sandbox.create(timeout=600, **server.where)
        with pytest.raises(CommandExitException) as raised:
            sandbox.commands.run(f'python3 -c "{make}"; sleep 60')
    assert "more than 20000 files" in (raised.value.error or "")


SPIN = "while True: pass"


def test_what_runs_in_sandboxes_leaves_most_of_a_processor_to_others(sandbox: Sandbox) -> None:
    mark = f"spin-{secrets.token_hex(6)}"
    pinned = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n{SPIN}"
    sandbox.files.write(mark, pinned)
    for _spinner in range(3):
        sandbox.commands.run(f"python3 ~/{mark}", background=True, timeout=0)
    deadline = time.monotonic() + SECONDS
    while len(living(mark)) < 3 or not all(stands_back(pid) for pid in living(mark)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    inside = living(mark)
    with subprocess.Popen([sys.executable, "-c", pinned], start_new_session=True) as notebook:
        try:
            before = sum(map(processor_seconds, inside))
            while processor_seconds(notebook.pid) < 3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            spent = sum(map(processor_seconds, inside)) - before
        finally:
            notebook.kill()
    # Each has a ninth of what the notebook has, where nothing else wants that processor.
    assert spent < 2


def processor_seconds(pid: int) -> float:
    """Return how long a process has had a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_runs_in_sessions_of_its_own_stands_back_like_the_rest(sandbox: Sandbox) -> None:
    mark = f"session-{secrets.token_hex(6)}"
    sandbox.commands.run(
        f"for i in 1 2 3; do setsid -f bash -c 'exec -a {mark} sleep 600'; done >err 2>&1"
    )
    deadline = time.monotonic() + SECONDS
    while not all(stands_back(pid) for pid in living(mark)) or len(living(mark)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stands_back(pid: int) -> bool:
    """Whether a process stands behind others, and its session too where sessions share time."""
    session = Path(f"/proc/{pid}/autogroup")
    divided = session.exists() and session.read_text()
    behind = not divided or int(divided.split()[-1]) >= 10
    return behind and os.getpriority(os.PRIO_PROCESS, pid) >= 10
