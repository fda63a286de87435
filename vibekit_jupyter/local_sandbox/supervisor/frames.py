"""Messages over a unix socket: a length, a JSON object, and file descriptors beside it."""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Channel", "FrameBuffer", "Message", "encode", "receive_some"]

Message = dict[str, Any]

LENGTH = struct.Struct(">I")
LARGEST_FRAME = 64 * 1024 * 1024
MOST_DESCRIPTORS = 8
CHUNK = 65_536
LOST = -1
CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def encode(message: Message, descriptors: int = 0) -> bytes:
    """Return one frame; ``descriptors`` says how many travel beside it.

    Raises
    ------
    ValueError
        The other side would not take so large a frame.
    """
    if descriptors:
        message = {**message, "fds": descriptors}
    body = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(body) > LARGEST_FRAME:
        raise ValueError(f"a frame of {len(body)} bytes is too large")
    return LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Collects bytes and descriptors as they come; gives whole messages with their own."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def feed(self, data: bytes, descriptors: Sequence[int] = ()) -> Iterator[Message]:
        """Add what arrived; yield each message that is complete now.

        A message's descriptors stand in its ``fds``, as a list; where this process had no room for
        them, ``lost`` says so.

        Raises
        ------
        ValueError
            The other side does not speak this language.
        """
        self._bytes += data
        self._descriptors.extend(descriptors)
        while len(self._bytes) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._bytes)
            if length > LARGEST_FRAME:
                raise ValueError(f"a frame of {length} bytes is too large")
            end = LENGTH.size + length
            if len(self._bytes) < end:
                return
            message = json.loads(bytes(self._bytes[LENGTH.size : end]))
            if not isinstance(message, dict):
                raise TypeError("a message must be an object")
            del self._bytes[:end]
            claimed = self._claim(message.pop("fds", 0))
            if claimed is None:
                message["lost"] = True
            yield {**message, "fds": claimed or []}

    def _claim(self, count: int) -> list[int] | None:
        """Take the next message's descriptors; ``None`` where some of them are lost."""
        claimed: list[int] = []
        while len(claimed) < count:
            if not self._descriptors:
                raise ValueError("a message without its descriptors")
            descriptor = self._descriptors.popleft()
            if descriptor == LOST:
                _close_all(claimed)
                return None
            claimed.append(descriptor)
        return claimed

    def close(self) -> None:
        """Close the descriptors that no message has claimed."""
        _close_all(self._descriptors)
        self._descriptors.clear()


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        if descriptor != LOST:
            os.close(descriptor)


def receive_some(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Read what has arrived on ``sock``: bytes (none at its end) and descriptors.

    ``LOST`` stands for those that this process has no room for.
    """
    room = array.array("i")
    data, ancillary, flags, _address = sock.recvmsg(
        CHUNK, socket.CMSG_SPACE(MOST_DESCRIPTORS * room.itemsize), CLOSE_ON_EXEC
    )
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            room.frombytes(payload[: len(payload) - len(payload) % room.itemsize])
    return data, [*room, *([LOST] if flags & socket.MSG_CTRUNC else [])]


class Channel:
    """A blocking end, for the supervisor and the zygote."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = FrameBuffer()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self.socket.fileno()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message; the descriptors stay the caller's to close."""
        data = memoryview(encode(message, len(descriptors)))
        while data:
            sent = (
                socket.send_fds(self.socket, [data], list(descriptors))
                if descriptors
                else self.socket.send(data)
            )
            data, descriptors = data[sent:], ()

    def receive(self) -> Iterator[Message]:
        """Yield the messages that have arrived, waiting for at least some bytes.

        Raises
        ------
        EOFError
            The other side is gone.
        """
        data, descriptors = receive_some(self.socket)
        if not data:
            raise EOFError
        yield from self._buffer.feed(data, descriptors)

    def close(self) -> None:
        """Close the socket and whatever descriptors nobody took."""
        self._buffer.close()
        with contextlib.suppress(OSError):
            self.socket.close()
