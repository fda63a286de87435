"""Spawns, signals and reaps the processes of one sandbox."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor.files import OperationError
from vibekit_jupyter.local_sandbox.supervisor.paths import HOMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.local_sandbox.supervisor.paths import View

__all__ = ["Processes", "children_of"]

MARK = "VIBEKIT_COMMAND"
MOST_REAPED = 100


class Processes:
    """The commands of one sandbox and everything that descends from them.

    Parameters
    ----------
    view
        Where the sandbox's folders are.
    environment
        What every command of the sandbox finds in its environment.
    whole
        True where ``kill(-1)`` reaches exactly this sandbox: in a pid namespace, or in a
        Landlock domain that scopes signals.
    """

    def __init__(self, view: View, environment: dict[str, str], *, whole: bool) -> None:
        self.view = view
        self.environment = environment
        self.whole = whole
        self.commands: dict[int, subprocess.Popen[bytes]] = {}
        self._marks: dict[int, bytes] = {}

    def spawn(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Start a command in a session of its own; return its pid.

        ``descriptors`` are its stdin, stdout and stderr; one descriptor is its terminal.

        Raises
        ------
        OperationError
            The folder or the program is not there, or a limit is reached.
        """
        user = request.get("user", "user")
        argv = [str(part) for part in request["argv"]]
        if self.view.real and argv[0].endswith("/bash"):
            # A login shell would read the machine's own profile, and lose this PATH over it.
            argv = [argv[0], *(word for word in argv[1:3] if word != "-l"), *argv[3:]]
        folder = self.view.absolute(request.get("cwd") or HOMES[user], user)
        real_folder = self.view.to_real(folder)
        if not os.path.isdir(real_folder):
            raise OperationError("invalid_argument", f"cwd '{folder}' does not exist")
        mark = str(request["mark"])
        stdin, stdout, stderr = descriptors if len(descriptors) == 3 else descriptors * 3
        environment = {
            **self.environment,
            "HOME": self.view.home(user),
            "USER": user,
            "LOGNAME": user,
            "PWD": real_folder,
            **request.get("envs", {}),
            MARK: mark,
        }
        try:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=real_folder,
                env=environment,
                start_new_session=True,
                umask=0o022,
                # The terminal becomes the session's own: only the child itself can do that.
                preexec_fn=_take_terminal if len(descriptors) == 1 else None,  # noqa: PLW1509  the other thread only waits
            )
        except BlockingIOError as error:
            raise OperationError(
                "resource_exhausted", "the sandbox's limit on processes is reached"
            ) from error
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise OperationError("invalid_argument", f"{argv[0]}: {error.strerror}") from error
        except (OSError, ValueError) as error:
            raise OperationError("invalid_argument", f"cannot start {argv[0]}: {error}") from error
        self.commands[process.pid] = process
        self._marks[process.pid] = f"{MARK}={mark}".encode()
        return process.pid

    def reap(self) -> tuple[Sequence[tuple[int, int]], bool]:
        """Return ``(pid, status)`` of each command that ended, and whether more may have.

        The status is an exit code, or minus the signal that ended it. Orphans vanish silently;
        there is no end of them where a fork bomb bursts, so only so many are taken at once.
        """
        ended: list[tuple[int, int]] = []
        for _child in range(MOST_REAPED):
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended, False
            if pid == 0:
                return ended, False
            if command := self.commands.pop(pid, None):
                command.returncode = os.waitstatus_to_exitcode(status)
                del self._marks[pid]
                ended.append((pid, command.returncode))
        return ended, True

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a command: SIGKILL to all that descends from it, others to its group.

        Raises
        ------
        OperationError
            ``not_found``: no such command runs.
        """
        command = self.commands.get(pid)
        if command is None:
            raise OperationError("not_found", f"process with pid {pid} not found")
        if number == signal.SIGKILL:
            self._kill_marked(pid)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _kill_marked(self, pid: int) -> None:
        """Kill a command's group and every process that carries its mark, until none is left."""
        mark = self._marks[pid]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        for _round in range(20):
            marked = [other for other in self.descendants() if mark in _environment(other)]
            if not marked:
                return
            _send_each(marked, signal.SIGKILL)

    def descendants(self) -> list[int]:
        """Return the pids of all processes below this one, living or stopped."""
        children = _children()
        found, queue = [], [os.getpid()]
        while queue:
            below = children.get(queue.pop(), [])
            found += below
            queue += below
        return found

    def stop_all(self) -> None:
        """Stop every process (pause)."""
        self._everyone(signal.SIGSTOP, lambda: [p for p in self.descendants() if _running(p)])

    def continue_all(self) -> None:
        """Let every process go on (resume)."""
        if self.whole:
            _send_all(signal.SIGCONT)
        else:
            _send_each(self.descendants(), signal.SIGCONT)

    def kill_all(self) -> None:
        """Kill every process."""
        self._everyone(signal.SIGKILL, self.descendants)

    def _everyone(self, number: int, left: Callable[[], list[int]]) -> None:
        # Processes may fork while they are signalled one by one: again until none is left.
        for _round in range(50):
            if self.whole:
                _send_all(number)
                return
            pids = left()
            if not pids:
                return
            _send_each(pids, number)


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    return _children().get(pid, [])


def _children() -> dict[int, list[int]]:
    if sys.platform != "linux":
        return _children_by_ps()
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                state, parent = _state_and_parent(int(name))
                if state not in "ZX":
                    children.setdefault(parent, []).append(int(name))
    return children


def _children_by_ps() -> dict[int, list[int]]:
    shown = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=False
    )
    children: dict[int, list[int]] = {}
    for line in shown.stdout.splitlines():
        pid, parent, state = line.split()[:3]
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append(int(pid))
    return children


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _send_all(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, number)


def _send_each(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _state_and_parent(pid: int) -> tuple[str, int]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[1])


def _running(pid: int) -> bool:
    try:
        return _state_and_parent(pid)[0] not in "TtZX"
    except (OSError, IndexError):
        return False


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
