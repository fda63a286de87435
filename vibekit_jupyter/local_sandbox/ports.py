"""``PORT-ID.localhost``: what a sandbox serves on its ports, for whoever has its traffic token.

A name of its own per port keeps what runs there away from Jupyter's origin and from other
sandboxes. Cookies are renamed on their way, so that only those set by the same port of the same
sandbox ever come back to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from vibekit_jupyter.local_sandbox.connect import LARGEST_MESSAGE
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.shapes import same_secret

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox
    from vibekit_jupyter.local_sandbox.sandboxes import Sandboxes

    WebSocket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse

__all__ = ["preview_target", "renamed_cookie", "serve_preview"]

NAME = re.compile(r"(?P<port>[1-9][0-9]{0,4})-(?P<id>[a-z0-9]+)\.localhost\Z")
TOKEN_HEADER = "E2B-Traffic-Access-Token"
TOKEN_QUERY = "vibekit_traffic_token"
TOKEN_COOKIE = "vibekit-traffic"
# Within another site's page, as in a notebook's iframe, browsers send a cookie of this kind alone;
# partitioned, it is sent within that site's pages alone. Over HTTP some (Safari) take none that is
# Secure: for them there is the other one.
FRAMED_COOKIE = "vibekit-traffic-framed"
FRAMED = "Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
NOT_FORWARDED = HOP_BY_HOP | {
    "cookie",
    "host",
    "content-length",
    TOKEN_HEADER.lower(),
    "x-access-token",
    "x-api-key",
}
NOT_RETURNED = HOP_BY_HOP | {"set-cookie", "content-length"}


def preview_target(host: str) -> tuple[int, str] | None:
    """Return port and sandbox that a Host header names, or nothing."""
    found = NAME.match(host.rpartition(":")[0].lower() if ":" in host else host.lower())
    if found is None or int(found["port"]) > 65_535:
        return None
    return int(found["port"]), found["id"]


async def serve_preview(
    request: web.Request, sandboxes: Sandboxes, port: int, sandbox_id: str
) -> web.StreamResponse:
    """Answer a request for a port of a sandbox.

    Raises
    ------
    ProtocolError
        The token is missing, the sandbox is not there, or nobody listens on the port.
    """
    known = sandboxes.all.get(sandbox_id)
    if known is None:
        raise ProtocolError("unavailable", "The sandbox was not found")
    if _matches(request.query.get(TOKEN_QUERY), known):
        return _welcome(request, known)
    given = (
        request.headers.get(TOKEN_HEADER),
        request.cookies.get(TOKEN_COOKIE),
        request.cookies.get(FRAMED_COOKIE),
    )
    if not any(_matches(token, known) for token in given):
        raise ProtocolError("forbidden", "The traffic access token is missing or wrong.")
    prefix = f"vibekit-{port}-{sandbox_id}-"
    headers = _forwarded(request, prefix)
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if upgrade:
        _must_be_own_page(request)
    sandbox = await sandboxes.awake(sandbox_id)
    async with aiohttp.ClientSession(
        connector=_Inside(sandbox, port), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        try:
            if upgrade:
                return await _pass_websocket(request, session, headers)
            return await _pass_request(request, session, headers, prefix)
        except aiohttp.ClientError as error:
            raise ProtocolError(
                "unavailable", f"What listens on port {port} gave no proper answer: {error}"
            ) from error


async def _pass_request(
    request: web.Request, session: aiohttp.ClientSession, headers: dict[str, str], prefix: str
) -> web.StreamResponse:
    async with session.request(
        request.method,
        f"http://localhost{request.rel_url}",
        headers=headers,
        data=request.content if request.body_exists else None,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None),
    ) as answer:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in NOT_RETURNED:
                response.headers.add(name, value)
        for value in answer.headers.getall("Set-Cookie", []):
            response.headers.add("Set-Cookie", renamed_cookie(value, prefix))
        await response.prepare(request)
        try:
            async for data in answer.content.iter_any():
                await response.write(data)
        except aiohttp.ClientError as error:  # too late for another answer
            raise ConnectionResetError("the answer broke off") from error
        await response.write_eof()
        return response


def _matches(given: str | None, sandbox: Sandbox) -> bool:
    return same_secret(given, sandbox.record.traffic_token)


def _welcome(request: web.Request, sandbox: Sandbox) -> web.Response:
    """Turn a token in the URL into a cookie of this host name alone, and out of the URL."""
    query = {name: value for name, value in request.query.items() if name != TOKEN_QUERY}
    response = web.Response(
        status=303, headers={"Location": str(request.rel_url.with_query(query))}
    )
    token = sandbox.record.traffic_token
    for cookie in (
        f"{TOKEN_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax",
        f"{FRAMED_COOKIE}={token}; {FRAMED}",  # Python knows Partitioned from 3.14 on
    ):
        response.headers.add("Set-Cookie", cookie)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _forwarded(request: web.Request, prefix: str) -> dict[str, str]:
    headers = {
        name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED
    }
    headers["Host"] = request.headers.get("Host", "")
    cookies = {
        name.removeprefix(prefix): value
        for name, value in request.cookies.items()
        if name.startswith(prefix)
    }
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return headers


def renamed_cookie(text: str, prefix: str) -> str:
    """Return what sets a cookie under a name of its port's own, and for its host alone."""
    pair, *attributes = text.split(";")
    name, equals, value = pair.strip().partition("=")
    kept = [word for word in attributes if word.partition("=")[0].strip().lower() != "domain"]
    return ";".join([f"{prefix}{name}{equals}{value}", *kept])


def _must_be_own_page(request: web.Request) -> None:
    """Refuse the pages of other origins: browsers let them open websockets to anywhere."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise ProtocolError("forbidden", "A page of another origin may not connect.")


async def _pass_websocket(
    request: web.Request, session: aiohttp.ClientSession, headers: dict[str, str]
) -> web.StreamResponse:
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    async with session.ws_connect(
        f"http://localhost{request.rel_url}",
        headers={n: v for n, v in headers.items() if not n.lower().startswith("sec-websocket-")},
        protocols=[word.strip() for word in offered if word.strip()],
        max_msg_size=LARGEST_MESSAGE,
    ) as inner:
        outer = web.WebSocketResponse(
            protocols=[inner.protocol] if inner.protocol else [],
            max_msg_size=LARGEST_MESSAGE,
            compress=False,
        )
        await outer.prepare(request)
        await asyncio.gather(_pass_messages(inner, outer), _pass_messages(outer, inner))
        return outer


async def _pass_messages(source: WebSocket, target: WebSocket) -> None:
    """Pass on what comes, and then the end."""
    with contextlib.suppress(ConnectionError):  # the other side went first
        async for message in source:
            if message.type is aiohttp.WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await target.send_bytes(message.data)
    code = source.close_code or aiohttp.WSCloseCode.OK
    broken = code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE  # a code that is never sent
    await target.close(code=aiohttp.WSCloseCode.GOING_AWAY if broken else code)


class _Inside(aiohttp.BaseConnector):
    """Connections to one port of a sandbox, made by its supervisor in its own network."""

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        super().__init__(force_close=True)
        self._sandbox = sandbox
        self._port = port

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ARG002  aiohttp's signature
        _answer, (descriptor,) = await self._sandbox.request("connect", port=self._port)
        sock = socket.socket(fileno=descriptor)
        sock.settimeout(0)
        _transport, protocol = await self._loop.create_connection(self._factory, sock=sock)
        return protocol
