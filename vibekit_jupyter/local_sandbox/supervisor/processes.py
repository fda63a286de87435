"""Spawns, signals and reaps the processes of one sandbox."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import termios
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor.files import OperationError
from vibekit_jupyter.local_sandbox.supervisor.paths import HOMES
from vibekit_jupyter.local_sandbox.supervisor.proc import (
    Process,
    descendants_of,
    environment_of,
    is_running,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vibekit_jupyter.local_sandbox.supervisor.groups import Group
    from vibekit_jupyter.local_sandbox.supervisor.paths import View

__all__ = ["Processes", "send_each", "step_back"]

MARK = "VIBEKIT_COMMAND"
MOST_REAPED = 100
# What runs in a sandbox stands back where somebody's notebook wants the processor.
NICENESS = 10


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
    group
        Its control group, where it has one.
    ahead
        True where this process runs before others: commands do not inherit its place, and so
        have to step back by themselves.

    Attributes
    ----------
    alive
        Whether anything lives that a command of the sandbox started, be it as a daemon.
    """

    def __init__(
        self,
        view: View,
        environment: dict[str, str],
        *,
        group: Group | None,
        whole: bool,
        ahead: bool,
    ) -> None:
        self.view = view
        self.environment = environment
        self.group = group
        self.whole = whole
        self.ahead = ahead
        self.alive = False
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
                preexec_fn=self._first_step(terminal=len(descriptors) == 1),  # noqa: PLW1509  the other thread only waits
            )
        except BlockingIOError as error:
            raise OperationError(
                "resource_exhausted", "the sandbox's limit on processes is reached"
            ) from error
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise OperationError("invalid_argument", f"{argv[0]}: {error.strerror}") from error
        except (OSError, ValueError) as error:
            raise OperationError("invalid_argument", f"cannot start {argv[0]}: {error}") from error
        self.alive = True
        self.commands[process.pid] = process
        self._marks[process.pid] = f"{MARK}={mark}".encode()
        return process.pid

    def _first_step(self, *, terminal: bool) -> Callable[[], None] | None:
        """Return what only the child itself can do before it becomes the command."""
        if terminal:
            return _take_terminal_and_step_back if self.ahead else _take_terminal
        return step_back if self.ahead else None

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
                self.alive = False  # orphans are children, too
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
            marked = [other for other in self.descendants() if mark in environment_of(other)]
            if not marked:
                return
            send_each(marked, signal.SIGKILL)

    @staticmethod
    def descendants() -> list[Process]:
        """Return all processes below this one, living or stopped."""
        return descendants_of(os.getpid())

    def stop_all(self) -> None:
        """Stop every process (pause): at one moment, where the kernel does that."""
        if self.group is not None and self.group.stop_all():
            return
        self._everyone(signal.SIGSTOP, lambda: [p for p in self.descendants() if is_running(p)])

    def continue_all(self) -> None:
        """Let every process go on (resume)."""
        if self.group is not None:
            self.group.continue_all()
        if self.whole:
            _send_all(signal.SIGCONT)
        else:
            send_each(self.descendants(), signal.SIGCONT)

    def kill_all(self) -> None:
        """Kill every process."""
        self._everyone(signal.SIGKILL, self.descendants)

    def _everyone(self, number: int, left: Callable[[], list[Process]]) -> None:
        # Processes may fork while they are signalled one by one: again until none is left.
        for _round in range(50):
            if self.whole:
                _send_all(number)
                return
            found = left()
            if not found:
                return
            send_each(found, number)


def step_back() -> None:
    """Let other programs of this machine, and their threads, have the processor first."""
    # Whoever stands further back already may not come forward.
    nice = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, 0, nice)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # it becomes the session's own


def _take_terminal_and_step_back() -> None:
    _take_terminal()
    step_back()


def _send_all(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, number)


def send_each(processes: Iterable[Process], number: int) -> None:
    """Send a signal to processes that may have ended meanwhile."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)
