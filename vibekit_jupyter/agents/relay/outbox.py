"""What the kernel says to the relay's end in the sandbox: in order and whole, whatever breaks off.

Each line has a number, and the other end takes the next one only. So what may be lost, with a
stream that was cut, is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.relay.frames import frame
from vibekit_jupyter.errors import SandboxError, SessionNotFoundError

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.process import InputStream, Process

__all__ = ["STOP", "Outbox"]

# A line of no number is taken at any time.
STOP: Final = "\n" + frame(0, "stop")
STREAM: Final = frame(0, "stream")
# Seconds between two signs of life, and while it is not known what was heard; the other end waits
# for relay.ALONE.
ALIVE: Final = 5.0
ASKING: Final = 1.0
# Seconds that nothing of a stream is heard until it counts as cut, that a stream may last, between
# two of them, and for its end.
STALLED: Final = 10.0
LASTS: Final = 600.0
PAUSE: Final = 30.0
CLOSING: Final = 0.5
# Bytes: written at once, and on their way.
MOST_WRITTEN: Final = 512 * 1024
MOST_UNHEARD: Final = 1024 * 1024
TRIES: Final = 3


class Outbox:
    """The one writer of a relay.

    A stream of input is one request that is kept open, and three times as fast as a request for
    each line; but not every service has it, and nobody says what of it has arrived. It is used
    once the other end has heard something through it.
    """

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._unheard: deque[str] = deque()
        self._size = 0
        self._number = self._heard = 0
        self._heard_at = self._asked_at = 0.0
        self._wake = asyncio.Event()
        self._stream: InputStream | None = None
        self._is_proved = False
        self._next_stream = self._stream_ends = 0.0

    def put(self, kind: str, *fields: Any, soon: bool = True) -> None:
        """Say something; where it is not for now, it goes with what is said next."""
        self._number += 1
        self._ready.append(frame(self._number, kind, *fields))
        if soon:
            self._wake.set()

    def heard(self, number: int) -> None:
        """Take note that all up to a number was heard."""
        while self._heard < min(number, self._number) and self._unheard:
            self._size -= len(self._unheard.popleft())
            self._heard += 1
            self._heard_at = _now()
        if self._ready:
            self._wake.set()

    def streams(self) -> None:
        """Take note that something was heard through the stream."""
        self._is_proved = self._stream is not None

    async def write(self, process: Process) -> None:
        """Write all that is said, until this is cancelled.

        Raises
        ------
        SandboxError, SessionNotFoundError
            The sandbox cannot be reached any more.
        """
        try:
            while True:
                await self._see_to_stream(process)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASKING if self._unheard else ALIVE):
                        await self._wake.wait()
                self._ask()
                self._wake.clear()
                if self._is_proved and self._unheard and _now() - self._heard_at > STALLED:
                    await self._send_again(process)
                while text := self._next():
                    await self._send(process, text)
        finally:
            await self._end_stream()

    def _ask(self) -> None:
        """Give a sign of life: the other end then says what it heard."""
        since = _now() - max(self._heard_at, self._asked_at)
        if since > (ASKING if self._unheard else ALIVE):
            self._asked_at = _now()
            self.put("alive")

    def _next(self) -> str:
        """Return what is to be written at once; empty where that is nothing, or it has to wait."""
        lines: list[str] = []
        size = 0
        if not self._unheard:
            self._heard_at = _now()
        while self._ready and size < MOST_WRITTEN and self._size < MOST_UNHEARD:
            line = self._ready.popleft()
            lines.append(line)
            self._unheard.append(line)
            size += len(line)
            self._size += len(line)
        return "".join(lines)

    async def _send(self, process: Process, text: str) -> None:
        try:
            if self._is_proved and self._stream is not None:
                await self._stream.send(text)
            else:
                await process.send(text)
        except SandboxError:
            await self._send_again(process)

    async def _send_again(self, process: Process) -> None:
        """Send whatever may be lost, by requests that are answered."""
        await self._end_stream()
        for left in reversed(range(TRIES)):
            # A line may have been broken off.
            text = "\n" + "".join(self._unheard)
            try:
                await process.send(text)
            except SandboxError:
                if not left:
                    raise
                await asyncio.sleep(ASKING / 4)
            else:
                self._heard_at = _now()
                return

    async def _see_to_stream(self, process: Process) -> None:
        if self._stream is not None and _now() > self._stream_ends:
            await self._end_stream()
        if self._stream is None and _now() >= self._next_stream:
            self._stream = await process.open_input(timeout=2 * LASTS)
            if self._stream is None:
                self._next_stream = math.inf
                return
            self._stream_ends = _now() + LASTS
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await self._stream.send(STREAM)

    async def _end_stream(self) -> None:
        stream, self._stream, self._is_proved = self._stream, None, False
        self._next_stream = max(self._next_stream, _now() + PAUSE)
        if stream is not None:
            with contextlib.suppress(SandboxError, SessionNotFoundError, TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await stream.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
