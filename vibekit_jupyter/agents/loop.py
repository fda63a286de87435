"""The agent at work: a prompt, the model's answers, the tool calls in them, until it is done."""

from __future__ import annotations

import asyncio
import contextlib
import math
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vibekit_jupyter.agents.approvals import Gate
from vibekit_jupyter.agents.calls import run_calls
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.compaction import compact
from vibekit_jupyter.agents.conversation import (
    NOTHING_SAID,
    AssistantMessage,
    Conversation,
    ToolResult,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.agents.instructions import instructions
from vibekit_jupyter.agents.tools import Toolbox
from vibekit_jupyter.agents.vendor import Answer, Request, Vendor
from vibekit_jupyter.errors import (
    ContextTooLongError,
    ModelRequestError,
    RunInterruptedError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.events import Event, Notice, StepFinished, TextDelta
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from vibekit_jupyter.agents.approvals import Approver
    from vibekit_jupyter.agents.mcp.tools import McpTools
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.settings.mcp import McpServer
    from vibekit_jupyter.settings.vendors import Approve, Mode

__all__ = ["Limits", "Meter", "run_agent"]

COMPACTED = Notice("The conversation was long: a summary took the place of what was said before.")
UNSEEN = Notice("The model service does not take pictures: the run goes on without them.")

WITHOUT_WORDS = {
    "length": "[cut off before a word was said]",
    "refusal": "[the model declined]",
}


@dataclass(frozen=True)
class Limits:
    """Bounds of a run.

    Attributes
    ----------
    max_steps
        Answers of the model.
    max_tokens
        Tokens of all answers, in and out; None is no bound.
    max_output_tokens
        Tokens of one answer; None leaves it to the vendor.
    compact_at
        The conversation's size in tokens at which a summary takes its place; None waits until
        the model refuses it.
    silence
        Seconds without a byte after which the model service counts as failed.
    """

    max_steps: int = 50
    max_tokens: int | None = None
    max_output_tokens: int | None = None
    compact_at: int | None = 150_000
    silence: float = 600.0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the bounds that are set."""
        return cls(
            settings.max_steps,
            settings.max_tokens,
            settings.max_output_tokens,
            silence=settings.silence,
        )


class Meter(Protocol):
    """What counts the answers of a run, and ends it where the next one would be too many."""

    def before(self, tokens: int) -> None:
        """Raise ``RunLimitError`` where a call of so many tokens, as far as known, is too much."""

    def after(self, usage: Usage) -> None:
        """Take down what an answer took."""


async def run_agent(
    vendor: Vendor,
    conversation: Conversation,
    prompt: str,
    *,
    sandbox: Sandbox,
    mode: Mode = "code",
    limits: Limits | None = None,
    effort: str | None = None,
    changes: Changes | None = None,
    before_tools: asyncio.Future[None] | None = None,
    meter: Meter | None = None,
    run: int | None = None,
    place: str = "",
    data: str = "",
    approver: Approver | None = None,
    approve: Approve = "never",
    servers: Sequence[McpServer] = (),
    redact: Callable[[str], str] = str,
) -> AsyncGenerator[Event, None]:
    """Run a prompt to its end, and yield what happens as it happens.

    However it ends, the conversation is one that both vendors accept next time. Iterate it
    under ``contextlib.aclosing``: closing it ends what runs. What the tools write is taken down
    in ``changes``; the first one waits for ``before_tools``; commands bear the number ``run``.
    ``meter`` is asked before each call of the model, and told what it took.
    ``place`` is what the model is told of the sandbox at hand (``surroundings``), ``data`` what it
    is told of the variables that came with the prompt. ``approver`` is asked before tools change
    something, as ``approve`` has it. The tools of ``servers`` are offered, too; ``redact`` takes
    secrets out of what they say.

    Raises
    ------
    ModelError
        The model service refused or failed.
    SandboxError, SessionNotFoundError
        The sandbox service failed, or the sandbox is gone.
    RunLimitError
        A bound was reached; the next prompt can go on.
    RunInterruptedError
        The person who was asked stopped it.
    """
    async with _opened(servers if mode == "code" else (), redact) as mcp:
        for note in mcp.notes if mcp else ():
            yield Notice(note)
        work = _Work(
            vendor,
            conversation,
            Toolbox(sandbox, mode, changes or Changes(), run=run, mcp=mcp),
            instructions(mode, place),
            limits or Limits(),
            effort,
            before_tools,
            meter,
            approver,
            approve,
        )
        conversation.append(UserMessage(prompt, data))
        try:
            async with aclosing(work.steps()) as events:
                async for event in events:
                    yield event
        except BaseException as error:
            work.close(error)
            raise


def _opened(
    servers: Sequence[McpServer], redact: Callable[[str], str]
) -> AbstractAsyncContextManager[McpTools | None]:
    if not servers:
        return contextlib.nullcontext()
    from vibekit_jupyter.agents.mcp.tools import opened  # few runs have servers

    return opened(servers, redact)


@dataclass
class _Work:
    """What the steps of one run share."""

    vendor: Vendor
    conversation: Conversation
    toolbox: Toolbox
    instructions: str
    limits: Limits
    effort: str | None
    before_tools: asyncio.Future[None] | None
    meter: Meter | None
    approver: Approver | None
    approve: Approve
    spent: Usage = field(default_factory=Usage)
    words: list[str] = field(default_factory=list)
    answered: bool = False
    results: dict[str, ToolResult] = field(default_factory=dict)

    async def steps(self) -> AsyncGenerator[Event, None]:
        """Go on until the model is done, or a bound is reached."""
        for step in range(1, self.limits.max_steps + 1):
            before = self.spent
            async with aclosing(self._ask()) as items:
                async for item in items:
                    if isinstance(item, Answer):
                        answer = item
                    else:
                        yield item
            if answer.message.tool_calls and answer.stop in ("tools", "pause"):
                async with aclosing(self._run_calls(answer)) as events:
                    async for event in events:
                        yield event
            yield StepFinished(step, self.spent - before)
            if answer.stop == "refusal":
                self.conversation.close("the model declined", results={})
                yield Notice("The model declined to answer.")
            elif answer.stop == "done" and answer.message.says_nothing:
                yield Notice("The model ended its answer without a word.")
            if answer.stop in ("done", "refusal"):
                return
            self._check(answer)
        raise RunLimitError(
            f"The run stopped at its bound of {self.limits.max_steps} steps.",
            hint="Ask it to go on.",
        )

    def close(self, error: BaseException) -> None:
        """Leave the conversation as one that both vendors accept, whatever the turn met."""
        if isinstance(error, asyncio.CancelledError | GeneratorExit | RunInterruptedError):
            reason = "interrupted by the user"
        elif not self.answered and not self.words:
            # It failed before anything came of it, so it can be tried again as it was.
            self.conversation.withdraw()
            return
        elif isinstance(error, VibeKitError):
            reason = error.message.rstrip(".")
        else:
            reason = "the run failed"
        self.conversation.close(reason, text="".join(self.words), results=self.results)

    async def _ask(self) -> AsyncGenerator[Event | Answer, None]:
        """Stream one answer; a conversation that is too long for it is made short."""
        compacted = False
        if self.conversation.tokens > (self.limits.compact_at or math.inf):
            # A model that gives no summary may still have room for the conversation.
            with contextlib.suppress(ContextTooLongError):
                await self._compact()
                compacted = True
                yield COMPACTED
        while True:
            self._afford()
            try:
                async with aclosing(self.vendor.answer(self._request())) as stream:
                    async for item in stream:
                        if isinstance(item, TextDelta):
                            self.words.append(item.text)
                        elif isinstance(item, Answer):
                            self._add(item)
                        yield item
            except ModelRequestError as error:
                if self.conversation.without_pictures():
                    yield UNSEEN
                    continue
                too_long = isinstance(error, ContextTooLongError)
                if not too_long or compacted or len(self.conversation.messages) == 1:
                    raise
            else:
                return
            await self._compact()
            compacted = True
            yield COMPACTED

    def _request(self) -> Request:
        return Request(
            self.instructions,
            self.conversation.messages,
            self.toolbox.specs,
            effort=self.effort,
            max_output_tokens=self.limits.max_output_tokens,
            cache_key=self.conversation.id,
            silence=self.limits.silence,
        )

    def _add(self, answer: Answer) -> None:
        message = answer.message
        if message.says_nothing:  # it would be refused back
            message = AssistantMessage(WITHOUT_WORDS.get(answer.stop, NOTHING_SAID))
        self.conversation.append(message)
        self.conversation.tokens = answer.usage.total
        self.answered = True
        self.words.clear()
        self.results.clear()
        self._count(answer.usage)

    async def _compact(self) -> None:
        self._afford()
        self._count(await compact(self.vendor, self.conversation, silence=self.limits.silence))

    def _afford(self) -> None:
        if self.meter is not None:
            self.meter.before(self.conversation.tokens)

    def _count(self, usage: Usage) -> None:
        self.spent += usage
        if self.meter is not None:
            self.meter.after(usage)

    async def _run_calls(self, answer: Answer) -> AsyncGenerator[Event, None]:
        if self.before_tools is not None:
            await asyncio.shield(self.before_tools)
        calls = answer.message.tool_calls
        gate = None
        if self.approver is not None and self.approve != "never":
            gate = Gate(self.approver, self.approve, answer.message.text)
        async with aclosing(run_calls(self.toolbox, calls, self.results, gate)) as events:
            async for event in events:
                yield event
        results = tuple(self.results[call.call_id] for call in calls)
        self.conversation.append(ToolResults(results))

    def _check(self, answer: Answer) -> None:
        """Raise ``RunLimitError`` where a bound of tokens was reached."""
        if answer.stop == "length":
            raise RunLimitError(
                "The model's answer was cut off at its bound of output tokens.",
                hint="Ask it to go on.",
            )
        most = self.limits.max_tokens
        if most is not None and self.spent.total >= most:
            raise RunLimitError(
                f"The run stopped at its bound of {most} tokens.", hint="Ask it to go on."
            )
