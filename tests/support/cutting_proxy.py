"""A proxy that passes bytes on until it cuts a connection in the middle, as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CuttingProxy", "cutting_proxy"]

Direction = Literal["up", "down"]


class CuttingProxy:
    """What passes to a server and back.

    Attributes
    ----------
    url
        Where it is.
    cuts
        How many connections were cut.
    posted
        The paths of the POST requests that began.
    """

    def __init__(self, target: str) -> None:
        there = urlsplit(target)
        self._target = (there.hostname or "", there.port or 80)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.cuts = 0
        self.posted: list[str] = []
        self._left: dict[Direction, int] = {}
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def cut(self, direction: Direction, after: int) -> None:
        """Cut the connection in which so many more bytes have passed, and no other one."""
        with self._lock:
            self._left = {direction: after}

    def accept(self) -> None:
        """Pass connections on until the proxy is closed."""
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, sink, direction in ((near, far, "up"), (far, near, "down")):
                    self._begin(source, sink, direction)

    def _begin(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        thread = threading.Thread(target=self._pump, args=(source, sink, direction))
        self._threads.append(thread)
        thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if direction == "up" and data.startswith(b"POST "):
                    self.posted.append(data.split(b" ")[1].decode())
                if self._is_cut(direction, len(data)):
                    for each in (source, sink):
                        each.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _is_cut(self, direction: Direction, count: int) -> bool:
        with self._lock:
            if direction not in self._left:
                return False
            self._left[direction] -= count
            if self._left[direction] > 0:
                return False
            self._left = {}
            self.cuts += 1
            return True

    def close(self) -> None:
        """End all connections."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()


@contextlib.contextmanager
def cutting_proxy(target: str) -> Iterator[CuttingProxy]:
    """Run a proxy before ``target`` on a loopback port of its own."""
    proxy = CuttingProxy(target)
    accepting = threading.Thread(target=proxy.accept)
    accepting.start()
    try:
        yield proxy
    finally:
        proxy.close()
        accepting.join(10)
