"""One MCP server, asked over streamable HTTP: a JSON-RPC message is a POST, and so is its answer.

Every answer is counted before it is held, and has a time to be there. Redirects are not followed:
the person named one place.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import httpx2

from vibekit_jupyter._version import __version__
from vibekit_jupyter.sandbox.bounded_answer import (
    MIB,
    AnswerTooLongError,
    Meter,
    refuse_encoding,
)
from vibekit_jupyter.settings.config import is_loopback
from vibekit_jupyter.settings.network import certificate_fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vibekit_jupyter.settings.mcp import McpServer

__all__ = ["Connection", "McpFaultError", "McpRefusalError"]

PROTOCOL: Final = "2025-06-18"
MOST: Final = 24 * MIB  # of an answer: a picture of 16 MB
MOST_REASON: Final = 300
OPENING: Final = 10.0  # seconds
CALLING: Final = 120.0
CONNECTING: Final = 5.0


class McpFaultError(Exception):
    """A server cannot be used; the message is the end of a sentence about it."""


class _SessionEndedError(McpFaultError):
    """A server does not know our session any more: it began anew, say."""


class McpRefusalError(Exception):
    """A server answered with an error; the message is its own words."""


class Connection:
    """A conversation with one server.

    Parameters
    ----------
    server
        Which one.
    """

    def __init__(self, server: McpServer) -> None:
        self.server = server
        # What is on this machine is reached without a proxy.
        self._http = httpx2.AsyncClient(
            trust_env=not is_loopback(server.url),
            follow_redirects=False,
            timeout=httpx2.Timeout(CALLING, connect=CONNECTING),
        )
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Begin the conversation.

        Raises
        ------
        McpFaultError
            The server cannot be used.
        """
        self._session = {}
        client = {"name": "vibekit-jupyter", "version": __version__}
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client}
        result = await self._ask("initialize", hello, OPENING)
        version = result.get("protocolVersion")
        if not isinstance(version, str) or not isinstance(result.get("capabilities"), dict):
            raise McpFaultError("does not speak MCP")
        self._session["MCP-Protocol-Version"] = _as_header(version)
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, OPENING)

    async def tools(self, most: int) -> list[Mapping[str, Any]]:
        """Return the tools that it has, the first ``most`` of them.

        Raises
        ------
        McpFaultError
            The server cannot be used.
        """
        found: list[Mapping[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(most):  # pages
            result = await self._ask("tools/list", cursor, OPENING)
            listed = result.get("tools")
            if not isinstance(listed, list):
                raise McpFaultError("does not list its tools")
            found += [tool for tool in listed if isinstance(tool, dict)]
            following = result.get("nextCursor")
            if len(found) >= most or not isinstance(following, str) or not following:
                break
            cursor = {"cursor": following}
        return found[:most]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a tool, and return its result.

        Raises
        ------
        McpFaultError
            The server cannot be used.
        McpRefusalError
            It answered with an error.
        """
        return await self._ask("tools/call", {"name": tool, "arguments": dict(arguments)}, CALLING)

    async def aclose(self) -> None:
        """End the conversation; a server that is not there any more is not waited for."""
        with contextlib.suppress(httpx2.HTTPError, TimeoutError):
            if "Mcp-Session-Id" in self._session:
                async with asyncio.timeout(1):
                    await self._http.request("DELETE", self.server.url, headers=self._headers())
        await self._http.aclose()

    async def _ask(self, method: str, params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        asked_in = self._session
        try:
            return await self._asked(method, params, seconds)
        except _SessionEndedError:
            async with self._opening:
                if self._session is asked_in:  # several may be told so at a time
                    await self.open()
            return await self._asked(method, params, seconds)

    async def _asked(
        self, method: str, params: Mapping[str, Any], seconds: float
    ) -> dict[str, Any]:
        number = next(self._ids)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        answer = await self._post(message, seconds)
        if answer is None:
            raise McpFaultError("gave no answer")
        if isinstance(error := answer.get("error"), dict):
            raise McpRefusalError(str(error.get("message") or "an error")[:MOST_REASON])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise McpFaultError("gave an answer that is none")
        return result

    async def _post(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """Send a message, and return the answer to it; None where there is none."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(
                    "POST", self.server.url, content=_bytes(message), headers=self._headers()
                ) as response,
            ):
                return await self._answer(response, message.get("id"))
        except TimeoutError as error:
            raise McpFaultError(f"did not answer within {seconds:.0f} s") from error
        except AnswerTooLongError as error:
            raise McpFaultError(str(error)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            fault = certificate_fault(error)
            why = f"certificate {fault[0]}" if fault else type(error).__name__
            raise McpFaultError(f"cannot be reached ({why})") from error

    async def _answer(self, response: httpx2.Response, number: Any) -> dict[str, Any] | None:
        status = response.status_code
        if 300 <= status < 400:
            raise McpFaultError(f"leads elsewhere (HTTP {status}), which is not followed")
        if status in (401, 403):
            raise McpFaultError(f"does not take the key, or wants one (HTTP {status})")
        if status == 404 and "mcp-session-id" in response.request.headers:
            raise _SessionEndedError("forgot the session that was begun with it (HTTP 404)")
        if status >= 400:
            raise McpFaultError(f"answered HTTP {status}")
        refuse_encoding(response.headers.get("content-encoding"))
        if session := response.headers.get("mcp-session-id"):
            self._session["Mcp-Session-Id"] = _as_header(session)
        if number is None:
            return None
        if response.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
            data = b"".join([piece async for piece in _bounded(response)])
            return _message(data, number)
        async for data in _events(response):
            if (found := _message(data, number)) is not None:
                return found
        return None

    def _headers(self) -> dict[str, str]:
        return {
            **dict(self.server.headers),
            **self._session,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
        }


def _bytes(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode()


def _as_header(value: str) -> str:
    """Return a value that can be sent back as a header."""
    if len(value) > 500 or not all("!" <= char <= "~" for char in value):
        raise McpFaultError("names its session in a way that cannot be sent back")
    return value


def _message(data: bytes, number: Any) -> dict[str, Any] | None:
    """Return the answer to a message, None where it is another one."""
    try:
        message = json.loads(data)
    except (RecursionError, ValueError) as error:
        raise McpFaultError("answered something that is not JSON") from error
    is_answer = isinstance(message, dict) and ("result" in message or "error" in message)
    return message if is_answer and message.get("id") in (number, str(number)) else None


async def _bounded(response: httpx2.Response) -> AsyncIterator[bytes]:
    meter = Meter(MOST, MOST)
    async for piece in response.aiter_bytes():
        meter.take(piece)
        yield piece


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    begun: list[bytes] = []  # joined once: a line may come in a thousand pieces
    async for piece in _bounded(response):
        first, *others = piece.split(b"\n")
        begun.append(first)
        for other in others:
            yield b"".join(begun).removesuffix(b"\r")
            begun = [other]
    yield b"".join(begun)


async def _events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the data of server-sent events."""
    data: list[bytes] = []
    async for line in _lines(response):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)
