"""How a Connect request is answered: unary, as a stream of events, or from a stream of input."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from vibekit_jupyter.local_sandbox.connect import (
    LARGEST_MESSAGE,
    EnvelopeReader,
    decode_unary,
    encode_end,
    encode_envelope,
    encode_json,
)
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.sandbox import USERS
from vibekit_jupyter.local_sandbox.shapes import number

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["EventStream", "answer", "cut_off", "in_time", "messages", "unary", "user_of"]

STREAM_TYPE = "application/connect+json"
DEFAULT_PING_SECONDS = 90.0
BODY_SECONDS = 60.0


async def unary(request: web.Request, most: int = LARGEST_MESSAGE) -> dict[str, Any]:
    """Return the message of a unary request of ``most`` bytes."""
    body = bytearray()
    async with in_time():
        async for data in request.content.iter_any():
            body += data
            if len(body) > most:
                raise ProtocolError(
                    "invalid_argument", f"the request is larger than {most:,} bytes"
                )
    return decode_unary(bytes(body))


def answer(message: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer in JSON."""
    body = encode_json(message)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


@contextlib.asynccontextmanager
async def in_time(seconds: float = BODY_SECONDS) -> AsyncIterator[None]:
    """Wait for what a client sends, and not for ever."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ProtocolError(
            "invalid_argument", f"nothing more of the request came within {seconds:g} seconds"
        ) from error


async def first_message(request: web.Request) -> dict[str, Any]:
    """Return the one message of a request whose answer is a stream."""
    async with in_time():
        async for message in messages(request):
            return message
    raise ProtocolError("invalid_argument", "the request holds no message")


async def messages(request: web.Request) -> AsyncIterator[dict[str, Any]]:
    """Yield the messages of a request as they come."""
    reader = EnvelopeReader()
    async for data in request.content.iter_any():
        for _flags, message in reader.feed(data):
            yield message
    if reader.pending:
        raise ProtocolError("invalid_argument", "the request ends within a message")


def user_of(request: web.Request) -> str:
    """Return the sandbox's user that a request speaks for.

    Raises
    ------
    ProtocolError
        ``unauthenticated``: there is no such user.
    """
    scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return USERS[0]
    try:
        user = base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ProtocolError("unauthenticated", "the Authorization header is malformed") from error
    return known_user(user)


def known_user(user: str) -> str:
    """Return ``user``, the default where it is empty; refuse any other."""
    if user and user not in USERS:
        raise ProtocolError("unauthenticated", f"invalid username: '{user[:40]}'")
    return user or USERS[0]


def cut_off(sandbox: Sandbox) -> ProtocolError:
    """Return the error that ends a stream whose sandbox was killed or paused.

    Its first words are those by which the SDKs recognise it.
    """
    how = (
        "it was paused"
        if sandbox.record.state == "paused"
        else "the sandbox was killed or reached its end of life"
    )
    return ProtocolError(
        "unavailable", f"The sandbox was not found: {how} while the request was in flight"
    )


class EventStream:
    """The answer to a streaming request: events, pings in silence, one end.

    Use it as a context: what is raised inside becomes the stream's last frame.

    Attributes
    ----------
    message
        The request.
    keepalive
        What is sent in silence.
    """

    message: dict[str, Any]

    def __init__(self, request: web.Request, keepalive: dict[str, Any]) -> None:
        self._request = request
        self.keepalive = keepalive
        self._response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
        self._written = asyncio.get_running_loop().time()
        self._silence = number(
            request.headers.get("Keepalive-Ping-Interval"),
            "Keepalive-Ping-Interval",
            DEFAULT_PING_SECONDS,
        )
        self._pinger: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # Clients of HTTP/1.1 stop sending when an answer begins: the request is read first.
        self.message = await first_message(self._request)
        await self._response.prepare(self._request)
        self._pinger = asyncio.create_task(self._ping())
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if self._pinger is not None:
            self._pinger.cancel()
        if error is None or isinstance(error, ProtocolError):
            with contextlib.suppress(ConnectionError):
                await self._response.write(encode_end(error))
                await self._response.write_eof()
            return True
        return isinstance(error, ConnectionError)

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def send(self, message: dict[str, Any]) -> None:
        """Send one event, waiting while the client reads slowly."""
        self._written = asyncio.get_running_loop().time()
        await self._response.write(encode_envelope(message))

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(max(0.1, self._written + self._silence - loop.time()))
                if loop.time() - self._written >= self._silence:
                    await self.send(self.keepalive)
