"""A scripted model server for tests: the vendors' protocols, and everything that goes wrong.

::

    with ModelServer([Answer(tool_calls=(ToolCall("run_command", {"command": "ls"}),)),
                      Answer("Done.")]) as server:
        client = openai.OpenAI(base_url=server.openai_url, api_key="any")

A script is a list of replies, served in order, or a function from a
:class:`~vibekit_jupyter.demo_model.wire.Request` to a reply. A reply is

- an :class:`~vibekit_jupyter.demo_model.wire.Answer`;
- an answer that is disturbed: ``Disturbed(answer, Cut(after=3))``;
- an :class:`HttpError`, for instance ``HttpError.rate_limited(retry_after=1)``;
- :class:`Raw` bytes;
- :class:`Live` bytes, made while they are sent.

Every conversation is held against the vendors' rules (:mod:`tests.support.conversation_rules`);
one that breaks them gets status 400 and stands in :attr:`ModelServer.violations`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from aiohttp import web

from tests.support import chat_wire, gemini_wire
from tests.support.conversation_rules import violation
from tests.support.replies import (
    Cut,
    Disturbed,
    ErrorEvent,
    Fault,
    Garbage,
    HttpError,
    Live,
    Pace,
    Raw,
    Reply,
    Script,
    Stall,
    UnknownEvent,
)
from vibekit_jupyter.demo_model.wire import WIRES, Answer, Event, Request, Wire, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

__all__ = [
    "Cut",
    "Disturbed",
    "ErrorEvent",
    "Fault",
    "Garbage",
    "HttpError",
    "Live",
    "ModelServer",
    "Pace",
    "Raw",
    "Reply",
    "Script",
    "Stall",
    "UnknownEvent",
]

CHAT: Wire = chat_wire
GEMINI: Wire = gemini_wire
MOST_BYTES = 256 * 1024**2
DEADLINE = 60.0


class ModelServer:
    """A model server in a thread of its own, on a free port of 127.0.0.1.

    Parameters
    ----------
    script
        The replies, or the function that makes them; it runs in the server's thread.
    key
        The only key taken; by default every key is, but none is a 401 as with the vendors.
    models
        What ``GET /v1/models`` lists.
    strict
        Hold conversations against the rules: those of other people's agents know more than ours.

    Attributes
    ----------
    requests
        Every request for an answer, refused ones too, in order of arrival.
    violations
        The rules that conversations broke.
    hangups
        How many answers the client did not wait for.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        key: str | None = None,
        models: Sequence[str] = ("scripted-model",),
        strict: bool = True,
    ) -> None:
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.hangups = 0
        self._script = script
        self._served = 0
        self._key = key
        self._models = tuple(models)
        self._strict = strict
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-server")
        self._runner: web.AppRunner | None = None
        self._url = ""

    @property
    def openai_url(self) -> str:
        """The base URL for the OpenAI SDK."""
        return f"{self._url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL for the Anthropic SDK."""
        return self._url

    @property
    def google_url(self) -> str:
        """The base URL for Google's."""
        return self._url

    def url_for(self, agent: str) -> str:
        """The base URL for the SDK of an agent's vendor."""
        return self.openai_url if agent == "codex" else self.anthropic_url

    def agent(self, agent: str, key: str = "any", **options: object) -> dict[str, object]:
        """The ``agent`` of a client that speaks to it."""
        model = {"base_url": self.url_for(agent), "api_key": key}
        return {"type": agent, "model": model, **options}

    @property
    def environment(self) -> dict[str, str]:
        """What leads a kernel's agents to it, as if to a real model."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "sk-test-openai",
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "ANTHROPIC_API_KEY": "sk-test-anthropic",
            "GOOGLE_GEMINI_BASE_URL": self.google_url,
            "GEMINI_API_KEY": "sk-test-google",
            "VIBEKIT_ALLOW_UNCONFINED": "1",
        }

    @property
    def prompts(self) -> list[str]:
        """The last user text of every request."""
        return [request.prompt for request in self.requests]

    def wait_for_requests(self, count: int, timeout: float = DEADLINE) -> None:
        """Wait until that many requests for an answer have arrived."""
        self._wait(lambda: len(self.requests) >= count, f"{count} requests", timeout)

    def wait_for_hangup(self, timeout: float = DEADLINE) -> None:
        """Wait until a client has closed its connection before the answer's end."""
        self._wait(lambda: self.hangups > 0, "a hangup", timeout)

    def _wait(self, reached: Callable[[], bool], what: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(reached, timeout):
                raise TimeoutError(f"the model server waited {timeout:g} s for {what}")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(DEADLINE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
        if self._failure is not None and error is None:
            raise self._failure

    async def _start(self) -> None:
        app = web.Application(client_max_size=MOST_BYTES)
        for wire in (*WIRES.values(), CHAT, GEMINI):
            app.router.add_post(wire.PATH, self._answer)
        app.router.add_get("/v1/models", self._list_models)
        # A client that hangs up cancels its handler: that is how a hangup is noticed.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _list_models(self, request: web.Request) -> web.Response:
        headers = _lower(request)
        wire = wire_of(request.path, headers)
        return self._refusal(wire, headers) or web.json_response(wire.models(self._models))

    def _refusal(self, wire: Wire, headers: dict[str, str]) -> web.Response | None:
        given = wire.key(headers)
        if given and self._key in (None, given):
            return None
        return _error_response(wire, HttpError.unauthorized())

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        headers = _lower(http)
        wire = _wire_of(http.path, headers)
        try:
            request = wire.parse(await http.read(), headers)
            if wire is GEMINI:
                request = gemini_wire.of_path(request, http.path)
        except (ValueError, KeyError, TypeError) as problem:
            return _error_response(wire, HttpError(400, f"Unreadable request: {problem!r}"))
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if refusal := self._refusal(wire, headers):
            return refusal
        if self._strict and (broken := violation(request)):
            self.violations.append(broken)
            return _error_response(wire, HttpError(400, broken))
        try:
            reply = self._next(request)
        except Exception as problem:  # noqa: BLE001  (a test's script; raised again at the end)
            self._failure = self._failure or problem
            return _error_response(wire, HttpError(400, f"The script failed: {problem!r}"))
        try:
            return await _send(wire, http, request, reply)
        except (asyncio.CancelledError, ConnectionResetError) as gone:
            with self._changed:
                self.hangups += 1
                self._changed.notify_all()
            raise asyncio.CancelledError from gone

    def _next(self, request: Request) -> Reply:
        if callable(self._script):
            return self._script(request)
        if self._served >= len(self._script):
            raise AssertionError(
                f"request {self._served + 1} came, but the script has {len(self._script)} replies"
            )
        self._served += 1
        return self._script[self._served - 1]


def _wire_of(path: str, headers: dict[str, str]) -> Wire:
    if path.startswith("/v1beta/"):
        return GEMINI
    return CHAT if path == chat_wire.PATH else wire_of(path, headers)


def _lower(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _error_response(wire: Wire, error: HttpError) -> web.Response:
    code = error.code if wire is WIRES["openai"] else None
    return web.json_response(
        wire.error(error.status, error.message, code),
        status=error.status,
        headers=dict(error.headers),
    )


async def _send(
    wire: Wire, http: web.Request, request: Request, reply: Reply
) -> web.StreamResponse:
    if isinstance(reply, HttpError):
        return _error_response(wire, reply)
    if isinstance(reply, Raw):
        return web.Response(body=reply.body, status=reply.status, content_type=reply.content_type)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    if isinstance(reply, Live):
        await response.prepare(http)
        async for data in reply.body():
            await response.write(data)
        return response
    disturbed = reply if isinstance(reply, Disturbed) else Disturbed(reply)
    if not request.stream:
        return web.json_response(wire.document(disturbed.answer, request.model))
    await response.prepare(http)
    await _stream(wire, http, request, disturbed, response)
    return response


async def _stream(
    wire: Wire,
    http: web.Request,
    request: Request,
    disturbed: Disturbed,
    response: web.StreamResponse,
) -> None:
    pace = sum(fault.seconds for fault in disturbed.faults if isinstance(fault, Pace))
    for number, event in enumerate(wire.events(disturbed.answer, request.model)):
        for fault in disturbed.faults:
            if isinstance(fault, Pace) or fault.after != number:
                continue
            match fault:
                case Stall(seconds=seconds):
                    await asyncio.sleep(seconds)
                case Garbage(data=data):
                    await response.write(data)
                case UnknownEvent(data=unknown):
                    await response.write(Event(unknown).encode())
                case ErrorEvent():
                    await response.write(_error_event(wire, fault, number).encode())
                    return
                case Cut():
                    assert http.transport is not None
                    http.transport.abort()
                    return
        if pace:
            await asyncio.sleep(pace)
        await response.write(event.encode())


def _error_event(wire: Wire, fault: ErrorEvent, number: int) -> Event:
    if wire is WIRES["anthropic"]:
        return Event(wire.error(500, fault.message, fault.code or "overloaded_error"))
    error = {"code": fault.code or "server_error", "message": fault.message}
    if not fault.failed:
        return Event({"type": "error", **error, "param": None, "sequence_number": number})
    failed = {**wire.document(Answer(), "scripted"), "status": "failed", "error": error}
    return Event({"type": "response.failed", "response": failed, "sequence_number": number})
