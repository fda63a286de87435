"""A reverse proxy that writes down what passes, holds answers up, and takes routes away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import ClientSession, ClientTimeout, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CountingProxy", "Gate", "counting_proxy"]

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te"}


class Gate:
    """Where the answer to a request waits until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    async def wait_reached(self) -> None:
        """Wait until an answer is held up."""
        assert await asyncio.to_thread(self.reached.wait, 30)

    def open(self) -> None:
        """Let it pass."""
        self.opened.set()

    async def hold(self) -> None:
        """Say that an answer is here, and hold it up."""
        self.reached.set()
        await asyncio.to_thread(self.opened.wait, 30)


class CountingProxy:
    """What passed, as ``METHOD /path``, in order.

    Attributes
    ----------
    missing
        Ends of ``METHOD /path`` that are no routes here.
    missing_below, missing_status
        The beginning of paths that are none either; the answer to what is missing.
    missing_methods
        Of these requests only, where it is not empty.
    missing_text
        The answer as text, as a router gives it by itself; None is the protocol's.
    limited
        How many requests to these ends of ``METHOD /path`` are refused, as beyond a limit (429).
    retry_after
        What is said of when to come again.
    labels_read_once
        A list's labels are read once, as most servers do, and not twice, as E2B's does.
    reword
        What is made of an answer's JSON before it is passed on.
    rewrite
        What is made of a request's body before it is passed on.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self.missing: tuple[str, ...] = ()
        self.missing_below = ""
        self.missing_status = 404
        self.missing_methods: tuple[str, ...] = ()
        self.missing_text: str | None = None
        self.limited: dict[str, int] = {}
        self.retry_after = ""
        self.labels_read_once = False
        self.reword: Callable[[str, Any], Any] | None = None
        self.rewrite: Callable[[str, bytes], bytes] = lambda _, body: body
        self._gates: dict[str, Gate] = {}

    def gate(self, end: str) -> Gate:
        """Hold the next answer up to a request that ends so."""
        self._gates[end] = Gate()
        return self._gates[end]

    def _path(self, request: web.Request) -> str:
        if not self.labels_read_once or "metadata" not in request.query:
            return request.path_qs
        labels = {name: quote(text) for name, text in parse_qsl(request.query["metadata"])}
        return f"{request.path}?{urlencode({**request.query, 'metadata': urlencode(labels)})}"

    async def pass_on(
        self, target: str, session: ClientSession, request: web.Request
    ) -> web.StreamResponse:
        """Send a request on and stream its answer back."""
        asked = f"{request.method} {request.path}"
        self.requests.append(asked)
        below = self.missing_below and request.path.startswith(self.missing_below)
        below = below and (not self.missing_methods or request.method in self.missing_methods)
        if below or asked.endswith(self.missing):
            status = self.missing_status
            if self.missing_text is not None:
                return web.Response(status=status, text=self.missing_text)
            return web.json_response({"code": status, "message": "no such route"}, status=status)
        for end in [end for end, left in self.limited.items() if left and asked.endswith(end)]:
            self.limited[end] -= 1
            more = {"Retry-After": self.retry_after} if self.retry_after else {}
            told = {"code": 429, "message": "At most 5 sandboxes a second."}
            return web.json_response(told, status=429, headers=more)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with session.request(
            request.method,
            f"{target}{self._path(request)}",
            headers=headers,
            data=self.rewrite(asked, await request.read()),
            auto_decompress=False,
        ) as answer:
            passed = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            for end in [end for end in self._gates if asked.endswith(end)]:
                await self._gates.pop(end).hold()
            if self.reword and answer.content_type == "application/json" and answer.status < 300:
                told = self.reword(asked, await answer.json())
                return web.json_response(told, status=answer.status)
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


@contextlib.contextmanager
def counting_proxy(target: str) -> Iterator[CountingProxy]:
    """Run a proxy before ``target`` on a loopback port of its own."""
    proxy = CountingProxy()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, ClientSession]:
        session = ClientSession(timeout=ClientTimeout(total=None))
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", partial(proxy.pass_on, target, session))
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner, session

    async def stop(runner: web.AppRunner, session: ClientSession) -> None:
        await runner.cleanup()
        await session.close()

    started = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(stop(*started), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
