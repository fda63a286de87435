"""What both vendors' connections share: the way to the service, and every way it can fail."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from vibekit_jupyter.agents.conversation import AssistantMessage, Message
from vibekit_jupyter.config import AGENTS, VENDORS, Model
from vibekit_jupyter.errors import (
    ContextTooLongError,
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelRequestError,
    ModelStreamError,
    ModelUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    Post = Callable[[dict[str, Any], httpx2.Timeout], Awaitable[Any]]

__all__ = ["CallIds", "Service", "http_client"]

CONNECT_TIMEOUT = 10.0
DRAIN_TIMEOUT = 0.2
# Vendors and compatible servers have no common code for it, so their words have to do.
TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size|limit)|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
# An error inside a stream has a code where a response has a status.
STATUS_OF_CODE = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def http_client(model: Model) -> httpx2.AsyncClient | None:
    """Return a client that goes around proxies for a local service; None is the SDK's own."""
    return httpx2.AsyncClient(trust_env=False) if model.is_local else None


class Service:
    """One model service, as an SDK's client reaches it.

    Parameters
    ----------
    model
        Where it is.
    post
        Sends a request body with a timeout, and returns the stream of its answer. Its events
        are the JSON objects of the wire: the SDKs' classes are wrong for an event that their
        version does not know, and several times slower to make.
    sdk_error
        The root of the SDK's errors. Both SDKs let some of their HTTP library's through.
    """

    def __init__(self, model: Model, post: Post, sdk_error: type[Exception]) -> None:
        self.model = model
        self._post = post
        self._caught = (sdk_error, httpx2.HTTPError)
        self._refused: set[str] = set()

    @contextlib.asynccontextmanager
    async def answer(
        self, required: Mapping[str, Any], optional: Mapping[str, Any], *, silence: float
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """Send a request, and give the events of its answer.

        ``optional`` parameters make an answer better or cheaper. Compatible servers know
        fewer of them than the vendors; one that a server refuses by name is not sent again.
        """
        with self._failures(silence=silence):
            stream = await self._open(required, optional, silence)
        with self._failures(silence=silence, streaming=True):
            async with stream:
                events = aiter(stream)
                yield events
                await self._drain(events)

    async def _open(
        self, required: Mapping[str, Any], optional: Mapping[str, Any], silence: float
    ) -> Any:
        timeout = httpx2.Timeout(silence, connect=min(silence, CONNECT_TIMEOUT))
        while True:
            wanted = {name: optional[name] for name in optional if name not in self._refused}
            try:
                async with asyncio.timeout(silence):
                    return await self._post({**required, **wanted, "stream": True}, timeout)
            except self._caught as error:
                said = str(error) if _status(error) in (400, 422) else ""
                refused = {name for name in wanted if re.search(rf"\b{name}\b", said)}
                if not refused:
                    raise
                self._refused |= refused

    async def _drain(self, events: AsyncIterator[Any]) -> None:
        """Read what follows an answer's end, so that the connection can be used again."""
        with contextlib.suppress(*self._caught, TimeoutError, ValueError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                async for _ in events:
                    pass

    @contextlib.contextmanager
    def _failures(self, *, silence: float, streaming: bool = False) -> Iterator[None]:
        """Raise what the SDK raises as the ``ModelError`` that it means."""
        try:
            yield
        except (*self._caught, TimeoutError) as error:
            failure = self._failure(error, silence, streaming=streaming)
            # A server may repeat the key in its refusal, and a cause is shown in a traceback.
            raise failure from (None if self.model.api_key in str(error) else error)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # Nobody has checked what the server sent: it breaks where it is used.
            raise self._no_answer() from error

    def stream_error(self, code: str | None, message: str | None) -> ModelError:
        """Return the error that a stream ended in, by the vendor's code and words."""
        status = STATUS_OF_CODE.get(code or "")
        if status is not None:
            return self._refusal(status, code, message)
        return ModelStreamError(
            f"The model's answer ended in an error: {self._quote(message)}.",
            hint="Run the cell again.",
        )

    def broken_off(self, *, began: bool = True) -> ModelStreamError:
        """Return the error of a stream that ended before its answer did, or had none."""
        if not began:
            return self._no_answer()
        return ModelStreamError(
            "The model's answer broke off: the connection was cut.", hint="Run the cell again."
        )

    def _no_answer(self) -> ModelStreamError:
        return ModelStreamError(
            f"The model service at {self._host} sent something that is not an answer.",
            hint="Check that its base URL is right, then run the cell again.",
        )

    def _failure(self, error: Exception, silence: float, *, streaming: bool) -> ModelError:
        code, message = _said(error)
        status = _status(error)
        if status is not None and status != 200:
            return self._refusal(status, code, message, _retry_after(error))
        if _is_timeout(error):
            return ModelUnavailableError(
                f"The model service at {self._host} was silent for {silence:g} s.",
                hint="Run the cell again, or choose another model.",
            )
        if message is not None:
            return self.stream_error(code, message)
        if streaming:
            return self.broken_off()
        return ModelUnavailableError(
            f"The model service at {self._host} cannot be reached.",
            hint="Check the network and the base URL (%vibekit_config shows it).",
        )

    def _refusal(  # noqa: PLR0911  (a table: one row for each kind of refusal)
        self, status: int, code: str | None, message: str | None, retry_after: str = ""
    ) -> ModelError:
        said = self._quote(message)
        vendor = VENDORS[self.model.agent]
        other = next(agent for agent in AGENTS if agent != self.model.agent)
        if status in (401, 403):
            return ModelAuthenticationError(
                f"The model service refused the key ({status}).",
                hint=f"Set {vendor.key_variables[0]}, or choose another agent with "
                f"--agent {other}.",
            )
        if status == 404:
            return ModelNotFoundError(
                f"The model service at {self._host} does not know {self.model.name!r} (404).",
                hint="Choose another model with --model, or check the base URL: it ends in /v1 "
                "for codex and not for claude.",
            )
        if status == 402 or code in ("insufficient_quota", "billing_error"):
            return ModelRateLimitError(
                f"The account at {vendor.title} has no credit left ({status}): {said}.",
                hint=f"Add credit there, or choose another agent with --agent {other}.",
            )
        if status == 429:
            wait = f"in {retry_after} s" if retry_after else "a little later"
            return ModelRateLimitError(
                f"The model service asks to wait (429): {said}.", hint=f"Run the cell again {wait}."
            )
        if status == 413 or (
            status < 500 and (code == "context_length_exceeded" or TOO_LONG.search(message or ""))
        ):
            return ContextTooLongError(
                f"The conversation does not fit into {self.model.name}'s context.",
                hint="Start anew with --fresh, or choose a model with a larger context.",
            )
        if status >= 500 or status == 408:
            return ModelUnavailableError(
                f"The model service at {self._host} failed ({status}): {said}.",
                hint="Run the cell again a little later.",
            )
        return ModelRequestError(
            f"The model service refused the request ({status}): {said}.",
            hint="Choose another model with --model, or check the base URL.",
        )

    @property
    def _host(self) -> str:
        return urlsplit(self.model.base_url).netloc.rpartition("@")[2]

    def _quote(self, message: str | None) -> str:
        """Return a server's words as the end of a sentence: one short line without the key."""
        words = " ".join((message or "it did not say why").split())
        words = words.replace(self.model.api_key, "[key]")
        return (words if len(words) <= 300 else words[:299] + "…").rstrip(".")


class CallIds:
    """The ids of tool calls, made such that both vendors take them.

    Both want one for each call of the conversation, Anthropic of ``[a-zA-Z0-9_-]`` and OpenAI
    of at most 64 characters. Theirs are; a compatible server's may not be.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._taken = {
            call.call_id
            for message in messages
            if isinstance(message, AssistantMessage)
            for call in message.tool_calls
        }

    def take(self, given: object) -> str:
        """Return an id for a call that the server named so, the same where it can be."""
        base = re.sub(r"[^a-zA-Z0-9_-]", "_", str(given or "call"))[:64]
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base[:56]}_{number}"
        self._taken.add(name)
        return name


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _is_timeout(error: BaseException) -> bool:
    # The SDKs' own timeouts have the HTTP library's as their cause.
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return not isinstance(error, httpx2.ConnectTimeout)
    return error.__cause__ is not None and _is_timeout(error.__cause__)


def _retry_after(error: Exception) -> str:
    given = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
    return given if re.fullmatch(r"\d{1,6}", given) else ""


def _said(error: Exception) -> tuple[str | None, str | None]:
    """Return a server's code and words: ``{"error": {...}}``, or what is in it, or text."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return None, inner if isinstance(inner, str) else None
    code = inner.get("code") or inner.get("type")
    message = inner.get("message")
    return str(code) if code else None, str(message) if message else None
