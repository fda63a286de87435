"""The server's end of the way to a supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.supervisor.frames import (
    FrameBuffer,
    Message,
    encode,
    receive_some,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Line"]


class Line:
    """Requests, answers and events between the server and one supervisor.

    Parameters
    ----------
    sock
        A connected unix socket; the line owns it.
    on_event
        Called with each message that is no answer.
    on_end
        Called once when the supervisor is gone.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_event: Callable[[Message], None],
        on_end: Callable[[], None],
    ) -> None:
        self._socket = sock
        self._socket.settimeout(0)
        self._on_event = on_event
        self._on_end = on_end
        self._buffer = FrameBuffer()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._sending = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)
        self.open = True

    async def request(
        self, operation: str, *, descriptors: Sequence[int] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """Ask the supervisor; return its answer and the descriptors that came with it.

        Raises
        ------
        ProtocolError
            The supervisor refused, or is gone.
        """
        number = next(self._numbers)
        answered = self._loop.create_future()
        self._waiting[number] = answered
        try:
            await self._send({"id": number, "op": operation, **fields}, descriptors)
            reply: Message = await answered
        finally:
            self._waiting.pop(number, None)
        if failure := reply.get("error"):
            raise ProtocolError(failure["code"], failure["message"])
        if reply.get("lost"):
            raise ProtocolError("resource_exhausted", "The server has too many files open.")
        return reply["ok"], reply["fds"]

    async def _send(self, message: Message, descriptors: Sequence[int]) -> None:
        data = memoryview(encode(message, len(descriptors)))
        async with self._sending:
            while data:
                if not self.open:
                    raise _gone()
                try:
                    if descriptors:
                        sent = socket.send_fds(self._socket, [data], list(descriptors))
                    else:
                        sent = self._socket.send(data)
                except BlockingIOError:
                    await self._writable()
                except OSError as error:
                    raise _gone() from error
                else:
                    data, descriptors = data[sent:], ()

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(
            self._socket.fileno(), lambda: None if ready.done() else ready.set_result(None)
        )
        try:
            await ready
        finally:
            if self.open:
                self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        try:
            data, descriptors = receive_some(self._socket)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self.close()
            return
        try:
            for message in self._buffer.feed(data, descriptors):
                self._dispatch(message)
        except (ValueError, TypeError):
            self.close()  # it does not speak our language any more: it is not ours

    def _dispatch(self, message: Message) -> None:
        if "id" not in message:
            self._on_event(message)
            return
        answered = self._waiting.get(message["id"])
        if answered is not None and not answered.done():
            answered.set_result(message)
        else:  # nobody waits any more
            for descriptor in message["fds"]:
                os.close(descriptor)

    def close(self) -> None:
        """End the line: the supervisor ends with it, and its processes too."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._buffer.close()
        with contextlib.suppress(OSError):
            self._socket.close()
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(_gone())
        self._on_end()


def _gone() -> ProtocolError:
    return ProtocolError("unavailable", "The sandbox was not found")
