"""One request of an agent: held against the bounds, sent on, and its answer streamed back."""

from __future__ import annotations

import asyncio
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from vibekit_jupyter.agents.relay.answer import PassingAnswer, Without
from vibekit_jupyter.agents.relay.frames import PIECE
from vibekit_jupyter.agents.relay.protocols import (
    UnfitError,
    checked,
    error_body,
    models_body,
    route_of,
)
from vibekit_jupyter.agents.relay.upstream import CAUGHT, RefusalError, returned
from vibekit_jupyter.errors import ContextTooLongError, ModelRequestError, VibeKitError
from vibekit_jupyter.sandbox.bounded_answer import AnswerTooLongError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from vibekit_jupyter.agents.relay.protocols import Route
    from vibekit_jupyter.agents.relay.upstream import Upstream
    from vibekit_jupyter.agents.relay.verdict import Verdict

__all__ = ["MOST_BODY", "Asked", "Door", "Way", "exchange"]

MIB: Final = 1024**2
MOST_BODY: Final = 32 * MIB
# Reading a larger one would hold up the kernel's loop.
READ_AT_ONCE: Final = MIB
KEYS: Final = ("x-api-key", "x-goog-api-key")
JSON: Final = {"content-type": "application/json"}


@dataclass(eq=False)
class Asked:
    """What an agent asks.

    Attributes
    ----------
    body
        Its pieces so far, which ``whole`` says are all; None where they were too many.
    """

    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: list[bytes] | None = field(default_factory=list)
    length: int = 0
    whole: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.length += len(data)
        if self.length > MOST_BODY:
            self.refuse()
        elif self.body is not None:
            self.body.append(data)

    def refuse(self) -> None:
        """Hold nothing of a body that is too large."""
        self.body = None
        self.whole.set()


class Way(Protocol):
    """The way back to the agent."""

    async def head(
        self, number: int, status: int, headers: Mapping[str, str], length: int | None
    ) -> None:
        """Begin an answer; without a length it is streamed."""

    async def body(self, number: int, data: bytes) -> None:
        """Send a piece of it, when those before it were taken."""

    async def end(self, number: int, *, cut: bool = False) -> None:
        """End it; cut, so that nobody takes it for a whole one."""


@dataclass(frozen=True)
class Door:
    """Who may ask what, during one turn."""

    token: str
    models: tuple[str, ...]
    upstream: Upstream
    verdict: Verdict
    most_output: int | None
    places: asyncio.Semaphore

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries the turn's token."""
        given = [str(headers.get(name, "")) for name in KEYS]
        given.append(str(headers.get("authorization", "")).removeprefix("Bearer "))
        own = self.token.encode()
        # All of them, in the same time whatever they are.
        return sum(hmac.compare_digest(one.encode(errors="replace"), own) for one in given) > 0


async def exchange(door: Door, way: Way, asked: Asked) -> bool:
    """Serve one request; return whether it was one that may be asked."""
    vendor = door.upstream.model.agent
    if not door.knows(asked.headers):
        await _refuse(door, way, asked, 401, "The key is not the one of this turn.")
        return False
    path = asked.target.partition("?")[0]
    listed = "/v1beta/models" if vendor == "gemini" else "/v1/models"
    if asked.method == "GET" and path == listed:
        await _whole(way, asked, 200, models_body(vendor, door.models))
        return True
    route = route_of(asked.target, vendor)
    if route is None or asked.method != "POST":
        await _refuse(door, way, asked, 404, "The model relay does not serve that.")
        return False
    await asked.whole.wait()
    if asked.body is None:
        error = ContextTooLongError(
            f"The agent's request has more than {MOST_BODY // MIB} MiB.",
            hint="Start anew with --fresh.",
        )
        door.verdict.failed(error, {"tools": [{}]})
        await _refuse(door, way, asked, 413, error.message)
        return True
    body, asked.body = b"".join(asked.body), None
    async with door.places:
        try:
            if len(body) > READ_AT_ONCE:
                request, spelled = await asyncio.to_thread(_spelled, body, route, door)
            else:
                request, spelled = _spelled(body, route, door)
        except UnfitError as unfit:
            door.verdict.failed(
                ModelRequestError(f"The agent's request was not sent: {unfit}"), unfit.request
            )
            await _refuse(door, way, asked, 400, str(unfit))
            return True
        await _Forwarded(door, way, asked, route, request, spelled).run()
    return True


def _spelled(body: bytes, route: Route, door: Door) -> tuple[dict[str, Any], bytes]:
    request = checked(body, route, door.models, door.most_output)
    try:
        return request, json.dumps(request, separators=(",", ":")).encode()
    except RecursionError:
        raise UnfitError("The request is nested too deeply.") from None


@dataclass
class _Forwarded:
    """A request on its way to the service, and the answer on its way back."""

    door: Door
    way: Way
    asked: Asked
    route: Route
    request: dict[str, Any]
    body: bytes
    begun: bool = False
    passing: PassingAnswer = field(init=False)

    def __post_init__(self) -> None:
        said = self.route.streams
        streams = bool(self.request.get("stream")) if said is None else said
        self.passing = PassingAnswer(self.route.protocol, streams=streams)

    async def run(self) -> None:
        if not self.route.counts:
            try:
                self.door.verdict.admit()
            except VibeKitError as error:
                # Whatever it was that happened, no agent tries again what is refused so.
                await _refuse(self.door, self.way, self.asked, 400, error.message)
                return
        upstream = self.door.upstream
        try:
            async with upstream.answer(self.route, self.body, self.asked.headers) as response:
                await self._stream(response)
        except RefusalError as refusal:
            await self._refused(refusal)
        except CAUGHT as error:
            failed = upstream.failure(error, streaming=self.begun)
            if self.passing.usage.total:
                self.door.verdict.took(self.passing.usage)
            silent = isinstance(error, TimeoutError) or "Timeout" in type(error).__name__
            self._failed(failed, for_good=silent or isinstance(error, AnswerTooLongError))
            await self._cut(502, failed.message)
        except asyncio.CancelledError:
            # Whoever hangs up shortly before the end pays for what was said.
            if self.begun and not self.route.counts:
                self.door.verdict.took(self.passing.estimated(len(self.body)))
            raise

    async def _stream(self, response: httpx2.Response) -> None:
        number, without = self.asked.number, Without(self.door.upstream.model.secrets)
        await self.way.head(number, 200, returned(response), None)
        self.begun = True
        async for data in response.aiter_raw():
            self.door.verdict.heard()
            self.passing.feed(data)
            await self._send(without.feed(data))
        await self._send(without.end())
        self.passing.finish()
        if not self.route.counts and not self._account():
            await self.way.end(number, cut=not self.passing.ended)
            return
        await self.way.end(number)

    async def _send(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            await self.way.body(self.asked.number, data[at : at + PIECE])

    def _account(self) -> bool:
        """Take down what came; return whether it was a whole answer."""
        passing, verdict, upstream = self.passing, self.door.verdict, self.door.upstream
        if passing.error is not None:
            verdict.failed(upstream.stream_error(passing.error), self.request)
        elif not passing.ended:
            verdict.failed(upstream.broken_off(began=passing.has_begun), self.request)
        else:
            verdict.answered(passing.usage, self.request)
            return True
        if passing.usage.total:
            verdict.took(passing.usage)
        return False

    async def _refused(self, refusal: RefusalError) -> None:
        upstream = self.door.upstream
        failed = upstream.failure(refusal)
        self._failed(failed, for_good=refusal.is_final)
        message, code = refusal.words()
        status = refusal.status_code if refusal.status_code >= 400 else 502
        if refusal.is_final:
            status = 400
        vendor = upstream.model.agent
        words = upstream.without_secrets(message) or failed.message
        kept = {k: v for k, v in returned(refusal.response).items() if k == "retry-after"}
        await _whole(
            self.way, self.asked, status, error_body(vendor, status, words, code), {**JSON, **kept}
        )

    def _failed(self, error: Any, *, for_good: bool) -> None:
        if not self.route.counts:
            self.door.verdict.failed(error, self.request, for_good=for_good)

    async def _cut(self, status: int, message: str) -> None:
        if self.begun:
            await self.way.end(self.asked.number, cut=True)
        else:
            await _refuse(self.door, self.way, self.asked, status, message)


async def _refuse(door: Door, way: Way, asked: Asked, status: int, message: str) -> None:
    await _whole(way, asked, status, error_body(door.upstream.model.agent, status, message))


async def _whole(
    way: Way, asked: Asked, status: int, body: bytes, headers: Mapping[str, str] = JSON
) -> None:
    await way.head(asked.number, status, headers, len(body))
    for at in range(0, len(body), PIECE):
        await way.body(asked.number, body[at : at + PIECE])
    await way.end(asked.number)
