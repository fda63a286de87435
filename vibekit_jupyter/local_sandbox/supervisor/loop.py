"""The supervisor: answers the server's requests, one after the other, inside the sandbox."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor.files import Files, OperationError
from vibekit_jupyter.local_sandbox.supervisor.headcount import Headcount
from vibekit_jupyter.local_sandbox.supervisor.meter import SLICE, Meter
from vibekit_jupyter.local_sandbox.supervisor.paths import HOMES, View
from vibekit_jupyter.local_sandbox.supervisor.processes import Processes, send_each
from vibekit_jupyter.local_sandbox.supervisor.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.local_sandbox.supervisor.frames import Channel, Message
    from vibekit_jupyter.local_sandbox.supervisor.groups import Group

__all__ = ["Supervisor"]

Answer = tuple[dict[str, Any], list[int]]
MOST_WATCHERS = 32
UNMEASURED = "killed: what the sandbox holds cannot be measured"
# What the kernel refused, in the protocol's words.
CODES = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "not_found",
    errno.EEXIST: "already_exists",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "permission_denied",
    errno.EISDIR: "invalid_argument",
    errno.ENAMETOOLONG: "invalid_argument",
    errno.ELOOP: "invalid_argument",
    errno.ENOSPC: "not_enough_space",
    errno.EDQUOT: "not_enough_space",
}


class Supervisor:
    """One sandbox, seen from inside.

    Parameters
    ----------
    channel
        The way to the server.
    plan
        What the server wants this sandbox to be: ``real`` (see :class:`View`), ``environment`` and
        ``whole`` (see :class:`Processes`), ``limits``, ``foreign`` and ``counted`` (see
        :class:`Meter`), ``level``; ``told`` is a descriptor on which to tell the zygote, with each
        look, that something lives here.
    group
        Its control group, where it has one.
    """

    def __init__(self, channel: Channel, plan: dict[str, Any], group: Group | None) -> None:
        self.channel = channel
        self.view = View(plan["real"])
        self.files = Files(self.view)
        self.processes = Processes(
            self.view,
            plan["environment"],
            group=group,
            whole=plan["whole"],
            ahead=not plan["counted"],
        )
        folders = [self.view.to_real(folder) for folder in (*HOMES.values(), "/tmp")]
        self.meter = Meter(
            plan["limits"],
            folders,
            plan["foreign"],
            counted=plan["counted"],
            own_memory=plan["level"] == "bubblewrap",
        )
        self.headcount = Headcount(self.processes, plan["limits"]["processes"])
        self.told = plan["told"]
        self.watchers: dict[int, Watcher] = {}
        self.selector = selectors.DefaultSelector()
        self.wake, self.ring = socket.socketpair()
        self.operations: dict[str, Callable[[Message], Answer | dict[str, Any]]] = {
            "spawn": self.spawn,
            "signal": self.signal,
            "stat": lambda m: {"entry": self.files.stat(m["path"], m["user"])},
            "list": lambda m: {"entries": self.files.list(m["path"], m["user"], m["depth"])},
            "make_dir": lambda m: {"entry": self.files.make_dir(m["path"], m["user"])},
            "move": lambda m: {"entry": self.files.move(m["source"], m["destination"], m["user"])},
            "remove": self.remove,
            "open": self.open,
            "connect": self.connect,
            "listen": self.listen,
            "watch": self.watch,
            "unwatch": self.unwatch,
            # Whatever waits to be told of a watcher goes ahead of any answer.
            "flush": lambda _m: {},
            "pause": self.pause,
            "resume": self.resume,
            "usage": lambda _m: self.meter.measure(self.processes.descendants()),
        }

    def hear_of_exits(self) -> None:
        """Be woken when a child ends. Python takes this from the first thread alone."""
        for end in (self.wake, self.ring):
            end.settimeout(0)
        signal.set_wakeup_fd(self.ring.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def run(self) -> None:
        """Serve until the server is gone or says ``end``; leave no process behind."""
        self.selector.register(self.channel, selectors.EVENT_READ, self._requests)
        self.selector.register(self.wake, selectors.EVENT_READ, self._reap)
        self.channel.send({"event": "ready", "pid": os.getpid()})
        try:
            while True:
                for key, _mask in self.selector.select(self._patience()):
                    self._take(key.data)
                self._take(self._hold_to_limits)
        except (EOFError, ConnectionError):
            return
        finally:
            self.processes.kill_all()

    @staticmethod
    def _take(step: Callable[[], None]) -> None:
        """Take one step; only that of a server that is gone is the last one."""
        try:
            step()
        except ConnectionError:
            raise
        except OSError:
            pass  # the fault of one step, not of the sandbox

    def _patience(self) -> float | None:
        """Return how long to wait for a request: for ever where nothing lives or changes."""
        quiet = not self.processes.alive and self.meter.settled
        return None if quiet else self.meter.patience()

    def _hold_to_limits(self) -> None:
        if self.processes.alive:
            self.meter.note_change()
        if self.headcount.exceeded:
            self.headcount.exceeded = False
            self._end_all(self.meter.over_processes)
        if self.meter.disk.measuring:
            self.meter.disk.measure(SLICE)
        if self._patience() is None or not self.meter.is_due():
            return
        if self.told >= 0:
            with contextlib.suppress(OSError):
                os.write(self.told, b"\0")
        try:
            exceeded, hidden = self.meter.exceeded(self.processes.descendants())
        except Exception:  # noqa: BLE001  the fault of one look, not of the sandbox
            exceeded, hidden = UNMEASURED, []
        send_each(hidden, signal.SIGKILL)
        if exceeded:
            self._end_all(exceeded)
        else:
            self._heed_the_kernel()

    def _heed_the_kernel(self) -> None:
        """End all where the kernel began to: of many that hold memory, it kills one."""
        group = self.processes.group
        if group is not None and group.ran_out_of_memory():
            self._end_all(self.meter.over_memory)

    def _end_all(self, reason: str) -> None:
        self.processes.kill_all()
        self.meter.forget_shared_memory()
        self.channel.send({"event": "limit", "message": reason})

    def _requests(self) -> None:
        try:
            for message in self.channel.receive():
                self._answer(message)
        except (TypeError, ValueError) as error:
            raise EOFError from error  # whoever does not speak our language is not our server

    def _answer(self, message: Message) -> None:
        reply: Message = {"id": message["id"]}
        descriptors: list[int] = []
        try:
            if message.get("lost"):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            answer = self.operations[message["op"]](message)
            reply["ok"], descriptors = answer if isinstance(answer, tuple) else (answer, [])
        except OperationError as error:
            reply["error"] = {"code": error.code, "message": str(error)}
        except OSError as error:
            reply["error"] = self._explain(error)
        except (KeyError, TypeError, ValueError) as error:
            reply["error"] = {"code": "invalid_argument", "message": str(error)}
        except Exception as error:  # noqa: BLE001  the fault of one request, not of the sandbox
            reply["error"] = _fault(error)
        finally:
            for descriptor in message["fds"]:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        try:
            # A new folder is watched before anything else is done in it.
            for number, watcher in list(self.watchers.items()):
                self._seen(number, watcher)
            self._send(reply, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _send(self, reply: Message, descriptors: list[int]) -> None:
        try:
            self.channel.send(reply, descriptors)
        except ConnectionError:
            raise  # the server is gone
        except (OSError, ValueError) as error:
            # It is too large, or too many files of this user are on their way through sockets.
            message = f"The answer cannot be told: {error}."
            untold = {"code": "resource_exhausted", "message": message}
            self.channel.send({"id": reply["id"], "error": untold})

    def _explain(self, error: OSError) -> dict[str, str]:
        name = self.view.to_seen(os.fsdecode(error.filename)) if error.filename else ""
        code = CODES.get(error.errno or 0, "internal")
        return {"code": code, "message": f"{error.strerror}: {name}" if name else str(error)}

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                pass
        ended, more = self.processes.reap()
        if any(status == -signal.SIGKILL for _pid, status in ended):
            self._heed_the_kernel()  # so that the reason is known before the end
        for pid, status in ended:
            self.channel.send({"event": "exit", "pid": pid, "status": status})
        if more:
            with contextlib.suppress(BlockingIOError):  # it rings already
                self.ring.send(b"\0")

    def spawn(self, message: Message) -> dict[str, Any]:
        """Start a command on the descriptors that came along."""
        if message["fds"] and (reason := self.meter.refusal()):
            raise OperationError("resource_exhausted", reason)
        return {"pid": self.processes.spawn(message, message["fds"])}

    def signal(self, message: Message) -> dict[str, Any]:
        """Signal a command."""
        self.processes.signal(message["pid"], message["signal"])
        return {}

    def pause(self, _message: Message) -> dict[str, Any]:
        """Stop every process."""
        self.processes.stop_all()
        return {}

    def resume(self, _message: Message) -> dict[str, Any]:
        """Let every process go on."""
        self.processes.continue_all()
        return {}

    def remove(self, message: Message) -> dict[str, Any]:
        """Remove a file or a folder."""
        self.files.remove(message["path"], message["user"])
        return {}

    def open(self, message: Message) -> Answer:
        """Open a file; its descriptor goes back to the server."""
        if message["mode"] == "write":
            if reason := self.meter.refusal(fresh=True):
                raise OperationError("not_enough_space", reason)
            self.meter.note_change()
            descriptor, entry = self.files.open_to_write(message["path"], message["user"])
        else:
            descriptor, entry = self.files.open_to_read(message["path"], message["user"])
        return {"entry": entry}, [descriptor]

    @staticmethod
    def connect(message: Message) -> Answer:
        """Connect to a port inside the sandbox; the socket goes to the server."""
        try:
            inside = socket.create_connection(("localhost", message["port"]), timeout=2.0)
        except OSError as error:
            raise OperationError(
                "unavailable", f"The sandbox is running but port is not open: {message['port']}"
            ) from error
        inside.settimeout(None)
        return {}, [inside.detach()]

    @staticmethod
    def listen(message: Message) -> Answer:
        """Listen on a port of the sandbox's own loopback; the socket goes to the server."""
        return {}, [socket.create_server(("127.0.0.1", message["port"])).detach()]

    def watch(self, message: Message) -> dict[str, Any]:
        """Begin to send ``watch`` events of a folder under the number given."""
        if len(self.watchers) >= MOST_WATCHERS:
            raise OperationError(
                "resource_exhausted", f"the sandbox's limit of {MOST_WATCHERS} watchers is reached"
            )
        watcher = Watcher(
            self.files,
            self.view.absolute(message["path"], message["user"]),
            recursive=message["recursive"],
            include_entry=message["include_entry"],
            descriptor=os.dup(message["fds"][0]) if message["fds"] else -1,
        )
        watcher.start()
        number = message["watch"]
        self.watchers[number] = watcher
        self.selector.register(
            watcher.descriptor, selectors.EVENT_READ, lambda: self._seen(number, watcher)
        )
        return {}

    def _seen(self, number: int, watcher: Watcher) -> None:
        try:
            if events := list(watcher.events()):
                self.channel.send({"event": "watch", "watch": number, "events": events})
        except ConnectionError:
            raise  # the server is gone
        except Exception:  # noqa: BLE001  the fault of one watcher, not of the sandbox
            self.unwatch({"watch": number})
            self.channel.send({"event": "watch", "watch": number, "events": None})

    def unwatch(self, message: Message) -> dict[str, Any]:
        """End a watcher."""
        if watcher := self.watchers.pop(message["watch"], None):
            self.selector.unregister(watcher.descriptor)
            watcher.close()
        return {}


def _fault(error: Exception) -> dict[str, str]:
    return {"code": "internal", "message": f"The sandbox failed at this: {type(error).__name__}."}
