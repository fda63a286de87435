"""A server that answers every request with the same bytes, whatever they are.

::

    with RawServer(endless(b"data: ", b"x" * 65536)) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="any")
"""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["EVENTS", "RawServer", "bomb", "endless", "response"]

EVENTS = "text/event-stream"
Answers = Callable[[], Iterator[bytes]]


def response(
    body: bytes, kind: str = "application/json", *, status: int = 200, encoding: str = ""
) -> Answers:
    """Return a whole answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Encoding: {encoding}\r\n" if encoding else ""
    return lambda: iter([head.encode() + b"Connection: close\r\n\r\n", body])


def bomb(megabytes: int, kind: str = "application/json", *, status: int = 200) -> Answers:
    """Return a small answer that is large once it is decompressed."""
    return response(gzip.compress(bytes(megabytes << 20), 9), kind, status=status, encoding="gzip")


def endless(
    first: bytes, piece: bytes, kind: str = "application/json", *, status: int = 200
) -> Answers:
    """Return an answer that goes on for as long as it is read, up to 600 MiB."""

    def answer() -> Iterator[bytes]:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
        yield head.encode() + first
        for _ in range((600 << 20) // len(piece)):
            yield piece

    return answer


class RawServer:
    """A server in threads of its own, on a free port of ``host``.

    Attributes
    ----------
    url
        Where it is.
    sent
        How many bytes of answers went out.
    requests
        The heads of the requests.
    """

    def __init__(self, answer: Answers, host: str = "127.0.0.1") -> None:
        self.sent = 0
        self.requests: list[str] = []
        self._answer = answer
        self._socket = socket.create_server((host, 0))
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, name="raw-server")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with connection, contextlib.suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(65536) or b"\r\n\r\n"
            head, _, body = asked.partition(b"\r\n\r\n")
            self.requests.append(head.decode("latin-1"))
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            while length and len(body) < int(length[1]):
                body += connection.recv(65536)
            for piece in self._answer():
                connection.sendall(piece)
                self.sent += len(piece)
