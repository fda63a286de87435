"""What both vendors' connections share: the way to the service and back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import httpx2

from vibekit_jupyter.agents.conversation import AssistantMessage
from vibekit_jupyter.agents.failures import Failures, status_of
from vibekit_jupyter.agents.progress import ToolCallProgress
from vibekit_jupyter.agents.spent import is_spent
from vibekit_jupyter.agents.wire_text import is_deep
from vibekit_jupyter.sandbox.bounded_answer import (
    MIB,
    MOST_VALUES,
    AnswerTooLongError,
    count_values,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
    )

    from vibekit_jupyter.agents.conversation import Message
    from vibekit_jupyter.agents.vendor import Request
    from vibekit_jupyter.settings.config import Model

    Fields = tuple[dict[str, Any], dict[str, Any]]
    Spell = Callable[[Request, Model, int], Fields]
    Post = Callable[[bytes, httpx2.Timeout], Awaitable[Any]]

__all__ = ["Service"]

CONNECT_TIMEOUT = 10.0
DRAIN_TIMEOUT = 0.2
# Bytes: a vendor tells the same words up to four times when they are whole.
MOST_KEPT = 80 * MIB
# How a service refuses thinking that it cannot read: it was sealed for another account.
# By which words a service refuses a field: by its name, by another one, or by what it is for.
WORDS = {
    "include": r"\binclude\b|encrypted.content",
    "store": r"\bstore\b",
    "prompt_cache_key": r"prompt.cach",
    "max_output_tokens": r"max.(output|completion).tokens",
    "reasoning": r"reasoning|thinking|\beffort",
    "cache_control": r"cache.control|prompt.cach",
    "thinking": r"thinking|reasoning",
    "output_config": r"output.config|\beffort",
}
SEALED = re.compile(r"encrypted.content|signature", re.IGNORECASE)


class Service:
    """One model service, as an SDK's client reaches it.

    Parameters
    ----------
    model
        Where it is.
    post
        Sends a request body with a timeout, and returns the stream of its answer. The body is
        the bytes of the wire, and the events are its JSON objects: the SDKs walk through a body
        that they are to spell themselves, and their classes are wrong for an event that their
        version does not know, and several times slower to make.
    sdk_error
        The root of the SDK's errors. Both SDKs let some of their HTTP library's through.

    Attributes
    ----------
    failures
        What to raise when the service fails.
    """

    def __init__(self, model: Model, post: Post, sdk_error: type[Exception]) -> None:
        self.model = model
        self.failures = Failures(model)
        self._post = post
        self._caught = (sdk_error, httpx2.HTTPError, AnswerTooLongError)
        self._refused = set(model.without)
        self._verbatim: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def answer(self, request: Request, spell: Spell) -> AsyncIterator[AsyncIterator[Any]]:
        """Send a request, and give the events of its answer.

        Parameters
        ----------
        spell
            Makes the body's fields of a request, those that a service must know and those that
            make an answer better or cheaper. Compatible services know fewer of these: one that
            a service refuses by its name is not sent again. The messages from a number on are
            sent verbatim, those before without what only this model can read.
        """
        with self._raising(silence=request.silence):
            stream = await self._open(request, spell)
        with self._raising(silence=request.silence, streaming=True):
            async with stream, contextlib.aclosing(_bounded(stream)) as events:
                yield events
                await self._drain(events)

    async def _open(self, request: Request, spell: Spell) -> Any:
        silence = request.silence
        timeout = httpx2.Timeout(silence, connect=min(silence, CONNECT_TIMEOUT))
        while True:
            verbatim = self._verbatim.get(request.cache_key, 0)
            required, optional = spell(request, self.model, verbatim)
            wanted = {name: optional[name] for name in optional if name not in self._refused}
            try:
                async with asyncio.timeout(silence):
                    return await self._post(
                        _spelled({**required, **wanted, "stream": True}), timeout
                    )
            except self._caught as error:
                said = str(error) if status_of(error) in (400, 422) else ""
                if is_spent(said):
                    raise
                if SEALED.search(said) and any(map(self._is_sealed, request.messages[verbatim:])):
                    self._verbatim[request.cache_key] = len(request.messages)
                    continue
                refused = {name for name in wanted if re.search(WORDS[name], said, re.IGNORECASE)}
                if not refused:
                    self.failures.sent = tuple(wanted)
                    raise
                self._refused |= refused

    def _is_sealed(self, message: Message) -> bool:
        return isinstance(message, AssistantMessage) and message.is_native_to(self.model)

    async def _drain(self, events: AsyncIterator[Any]) -> None:
        """Read what follows an answer's end, so that the connection can be used again."""
        with contextlib.suppress(*self._caught, RecursionError, TimeoutError, ValueError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                async for _ in events:
                    pass

    @contextlib.contextmanager
    def _raising(self, *, silence: float, streaming: bool = False) -> Iterator[None]:
        """Raise what the SDK raises as the ``ModelError`` that it means."""
        try:
            yield
        except (*self._caught, TimeoutError) as error:
            failure = self.failures.of(error, silence=silence, streaming=streaming)
            # A server may repeat the key in its refusal, and a cause is shown in a traceback.
            told = any(secret in str(error) for secret in self.model.secrets)
            raise failure from (None if told else error)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # Nobody has checked what the server sent: it breaks where it is used.
            raise self.failures.no_answer() from error


async def _bounded(events: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Yield an answer's events; those that are kept whole are bounded together, and not deep."""
    kept = values = 0
    progress = ToolCallProgress()
    async for event in events:
        progress.see(event)
        if not str(event["type"]).endswith("delta"):
            spelled = json.dumps(event).encode()
            kept += len(spelled)
            values += count_values(spelled)
            if kept > MOST_KEPT or values > MOST_VALUES:
                raise AnswerTooLongError("sent more than can be kept of one answer")
            if is_deep(event):
                raise ValueError("an event is nested too deeply")
        yield event


def _spelled(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
