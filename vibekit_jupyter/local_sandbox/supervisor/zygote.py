"""The zygote: small, without threads, everything imported; it forks one supervisor per sandbox.

It knows no key and no secret: the server starts it with an empty environment. When the server
is gone, so is the zygote, and every sandbox with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import selectors
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor import rooms
from vibekit_jupyter.local_sandbox.supervisor.frames import Channel, Message
from vibekit_jupyter.local_sandbox.supervisor.groups import Group, leave_group, make_group
from vibekit_jupyter.local_sandbox.supervisor.landlock import restrict, spare_first_thread
from vibekit_jupyter.local_sandbox.supervisor.limits import (
    go_first,
    run_before_others,
    run_children_like_others,
    set_limits,
)
from vibekit_jupyter.local_sandbox.supervisor.loop import Supervisor
from vibekit_jupyter.local_sandbox.supervisor.proc import children_of
from vibekit_jupyter.local_sandbox.supervisor.processes import send_each, step_back
from vibekit_jupyter.local_sandbox.supervisor.seccomp import (
    Sockets,
    build_filter,
    install_filter,
    this_machine,
)
from vibekit_jupyter.local_sandbox.supervisor.share import (
    divided_by_session,
    step_sessions_back,
)
from vibekit_jupyter.local_sandbox.supervisor.worker import become_worker

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

__all__ = ["main"]

GRACE_SECONDS = 2.0


@dataclass
class Room:
    """What the zygote holds for one sandbox.

    Attributes
    ----------
    keeper
        bubblewrap, which made the namespaces and keeps them; ``None`` at the other levels.
    inside
        Pid of the first process in the namespaces, as seen from here: its end ends them all.
    supervisor
        Pid of the fork that is, or leads to, the supervisor.
    group
        Folder of its control group, where it has one.
    """

    keeper: subprocess.Popen[bytes] | None = None
    inside: int = 0
    supervisor: int = 0
    group: str = ""


class Zygote:
    """Makes and ends sandboxes as the server asks."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rooms: dict[str, Room] = {}
        self.workers: set[int] = set()
        self.groups_to_leave: set[str] = set()
        self.wake, self.ring = socket.socketpair()
        # Supervisors tell on it that something lives in their sandboxes.
        self.heard, self.told = socket.socketpair()

    def run(self) -> None:
        """Serve until the server is gone; then end every sandbox."""
        rooms.adopt_orphans()
        for end in (self.wake, self.ring, self.heard, self.told):
            end.settimeout(0)
        signal.set_wakeup_fd(self.ring.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the server's Ctrl-C is the server's matter
        selector = selectors.DefaultSelector()
        selector.register(self.channel, selectors.EVENT_READ, self._requests)
        selector.register(self.wake, selectors.EVENT_READ, self._reap)
        selector.register(self.heard, selectors.EVENT_READ, self._share)
        gc.collect()
        gc.freeze()  # the forks share these pages: nothing may touch them
        gc.disable()
        try:
            while True:
                for key, _mask in selector.select():
                    key.data()
        except (EOFError, ConnectionError):
            return
        finally:
            for name in list(self.rooms):
                self._end(name)
            for pid in self.workers:
                os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + GRACE_SECONDS
            while self.groups_to_leave and time.monotonic() < deadline:
                time.sleep(0.001)
                self._reap()

    def _requests(self) -> None:
        for message in self.channel.receive():
            if message.get("lost"):
                continue  # with the way to whoever asked: it is closed, and so it hears of it
            try:
                if message["op"] == "create":
                    self._create(message)
                elif message["op"] == "end":
                    self._end(message["sandbox"])
                elif message["op"] == "work":
                    self._work(message)
            except (OSError, ValueError) as error:  # no room for more processes or files, say
                self._refuse(message, str(error))

    def _refuse(self, message: Message, reason: str) -> None:
        """Tell whoever asked that it cannot be done, and leave nothing of it."""
        line, *others = message["fds"] or [-1]
        for descriptor in others:
            os.close(descriptor)
        if line >= 0:
            channel = Channel(socket.socket(fileno=line))
            with contextlib.suppress(OSError):
                channel.send({"event": "failed", "code": "resource_exhausted", "message": reason})
            channel.close()
        if message["op"] == "create":
            self._end(message["sandbox"])

    def _work(self, message: Message) -> None:
        pid = os.fork()
        if pid == 0:
            self._forget_all()
            become_worker(message)
        self.workers.add(pid)
        for descriptor in message["fds"]:
            os.close(descriptor)

    def _create(self, message: Message) -> None:
        (line,) = message["fds"]
        plan = message["plan"]
        room = self.rooms[message["sandbox"]] = Room()
        said, complaint = _furnish(room, plan) if plan["bubblewrap"] else (-1, -1)
        if plan["groups"]:
            with contextlib.suppress(OSError):  # what it holds is measured nevertheless
                room.group = make_group(plan["groups"], message["sandbox"], plan["limits"])
        try:
            room.supervisor = os.fork()
        except OSError:
            for descriptor in {said, complaint} - {-1}:
                os.close(descriptor)
            raise
        if room.supervisor == 0:
            plan["told"] = self.told.fileno() if divided_by_session() else -1
            _become_supervisor(line, plan, room, (said, complaint), self._forget_all)
        for descriptor in (line, said, complaint):
            if descriptor >= 0:
                os.close(descriptor)

    def _forget_all(self) -> None:
        """Close, in a fork, what belongs to the zygote alone."""
        signal.set_wakeup_fd(-1)
        for end in (self.channel, self.wake, self.ring, self.heard):
            end.close()

    def _end(self, name: str) -> None:
        room = self.rooms.pop(name, None)
        if room is None:
            return
        if room.keeper is None:
            _await_end(room)
        inside = _handle_of(room.inside)
        for pid in (room.inside, room.keeper.pid if room.keeper else 0, room.supervisor):
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if inside >= 0:
            # It ends after all others in there: nobody of this life is left in the sandbox's
            # folders when they are made ready for the next one, or removed.
            self._await_last(inside)
            os.close(inside)
        if room.group:
            self.groups_to_leave.add(room.group)
        self._reap()

    def _await_last(self, inside: int) -> None:
        """Wait for a first process to end, and take the ends of others that it waits for itself."""
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if inside in select.select([inside, self.wake.fileno()], [], [], left)[0]:
                return
            self._reap()

    def _share(self) -> None:
        """Let what runs in sandboxes stand back."""
        with contextlib.suppress(BlockingIOError):
            while self.heard.recv(4096):
                pass
        step_sessions_back(os.getpid())

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                pass
        while True:
            try:
                pid, _status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self.workers.discard(pid)
            for room in self.rooms.values():
                if room.supervisor == pid:
                    room.supervisor = 0
        self.groups_to_leave = {left for left in self.groups_to_leave if not leave_group(left)}
        # Without namespaces, whoever outlives its supervisor is handed to the zygote.
        if not any(room.keeper for room in self.rooms.values()):
            known = self.workers | {room.supervisor for room in self.rooms.values()}
            left = [found for found in children_of(os.getpid()) if found.pid not in known]
            send_each(left, signal.SIGKILL)


def _furnish(room: Room, plan: dict[str, Any]) -> tuple[int, int]:
    """Start bubblewrap; return where it says that all is ready, and where it complains."""
    allowed = b""
    with contextlib.suppress(OSError):  # no table for this machine: the supervisor says so
        allowed = seccomp_filter(plan)
    room.keeper, information, said, complaint = rooms.start_keeper(plan["bubblewrap"], allowed)
    with information:
        room.inside = rooms.read_child_pid(information)
    return said, complaint


def _await_end(room: Room) -> None:
    """Wait for a supervisor whose line is closed: it ends all its processes at one stroke.

    They would have to be found one by one, and may multiply meanwhile, once it is gone.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while room.supervisor and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(room.supervisor, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
                continue
        room.supervisor = 0


def _handle_of(pid: int) -> int:
    """Return a descriptor that tells of a process's end, or -1."""
    try:
        return os.pidfd_open(pid) if pid and sys.platform == "linux" else -1
    except OSError:
        return -1  # it has ended, or the kernel is too old


def _become_supervisor(
    line: int,
    plan: dict[str, Any],
    room: Room,
    bubblewrap: tuple[int, int],
    forget: Callable[[], None],
) -> None:
    """Turn this fork into the supervisor; never returns."""
    channel = Channel(socket.socket(fileno=line))
    with _told(channel):
        forget()
        gc.enable()
        os.setsid()
        go_first()
        group = Group(room.group) if room.group else None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if room.keeper is not None:
            said, complaint = bubblewrap
            if not (room.inside and os.read(said, 1)):
                words = os.read(complaint, 4096).decode("utf-8", "replace").strip()
                raise OSError(words or "bubblewrap failed without a word")
            os.close(said)
            os.close(complaint)
            rooms.join_namespaces(room.inside)
            if os.fork():
                os._exit(0)
            if plan["uid"]:
                rooms.become_nobody(plan["uid"])
        rooms.adopt_orphans()
        set_limits(plan["limits"], own_users=room.keeper is not None)
        os.chdir(plan["real"].get("/home/user", "/home/user"))
        # The kernel sets no bound to the processes of the machine's own uid 0.
        plan["counted"] = room.keeper is not None or os.getuid() != 0
        if not plan["counted"]:
            run_before_others()
        confine(plan)
        supervisor = Supervisor(channel, plan, group)
        supervisor.hear_of_exits()
        thread = threading.Thread(target=_supervise, args=(channel, supervisor, plan))
        thread.start()
        if room.keeper is None:  # no user namespace, in which its processes alone would count
            supervisor.headcount.keep(thread)
        thread.join()
    os._exit(0)


def _supervise(channel: Channel, supervisor: Supervisor, plan: dict[str, Any]) -> None:
    """Run the supervisor where its commands, which are this thread's, cannot end it."""
    with _told(channel):
        with contextlib.suppress(OSError):  # the kernel is too old for that
            spare_first_thread(shut_proc=plan["level"] == "bubblewrap")
        if plan["counted"]:
            step_back()  # and with this thread, all that it starts
        else:
            run_children_like_others()
        supervisor.run()


@contextlib.contextmanager
def _told(channel: Channel) -> Iterator[None]:
    """Tell the server whatever goes wrong, and end."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001  whatever it is, the server must hear it
        with contextlib.suppress(OSError):
            channel.send({"event": "failed", "message": str(error) or type(error).__name__})
        os._exit(1)


def confine(plan: dict[str, Any]) -> None:
    """Take from this process, for good, what its sandbox must not have."""
    if plan["level"] == "none":
        return
    rooms.drop_privileges()
    namespaces = plan["level"] == "bubblewrap"
    abi = 0 if namespaces else restrict(plan["paths"], plan["ports"])
    install_filter(seccomp_filter(plan, abi))
    plan["whole"] = namespaces or abi >= 6


def seccomp_filter(plan: dict[str, Any], landlock_abi: int = 99) -> bytes:
    """Return the filter of a sandbox's level, the same for each process in it."""
    namespaces = plan["level"] == "bubblewrap"
    sockets = Sockets(
        # Landlock does not ask who listens behind a socket in the file system.
        unix=namespaces,
        internet="all" if namespaces else "connect" if plan["ports"] else "none",
    )
    return build_filter(
        this_machine(), namespaces=namespaces, sockets=sockets, landlock_abi=landlock_abi
    )


def main() -> None:
    """Serve on the socket whose descriptor is the first argument."""
    Zygote(Channel(socket.socket(fileno=int(sys.argv[1])))).run()
