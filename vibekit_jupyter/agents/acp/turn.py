"""One prompt to an agent in the sandbox: from its start to its end, whichever way that comes."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter._version import __version__
from vibekit_jupyter.agents.acp.connection import Connection
from vibekit_jupyter.agents.acp.failures import VERSION, AgentFailures, CallRefusedError
from vibekit_jupyter.agents.acp.fields import mapping_in, number_in, text_in
from vibekit_jupyter.agents.acp.level import check_level
from vibekit_jupyter.agents.acp.opening import open_session
from vibekit_jupyter.agents.acp.permissions import Permissions
from vibekit_jupyter.agents.acp.prompt import Prompt
from vibekit_jupyter.agents.acp.steps import Steps
from vibekit_jupyter.agents.acp.told import Told
from vibekit_jupyter.agents.acp.translator import Translator
from vibekit_jupyter.agents.conversation import UserMessage
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.news import News
from vibekit_jupyter.agents.places import HOME
from vibekit_jupyter.agents.relay import Relay
from vibekit_jupyter.agents.tool_specs import MOST_COMMAND_TIMEOUT
from vibekit_jupyter.agents.wire_text import count
from vibekit_jupyter.errors import (
    AgentError,
    RunLimitError,
    SandboxError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.events import Notice
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from vibekit_jupyter.agents.acp.launch import Launch
    from vibekit_jupyter.agents.acp.program import Program
    from vibekit_jupyter.agents.acp.prompt import Pictures
    from vibekit_jupyter.agents.approvals import Approver
    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.agents.conversation import Conversation
    from vibekit_jupyter.agents.loop import Meter
    from vibekit_jupyter.agents.memory import Memory
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.vendors import Approve

__all__ = ["run_acp_agent"]

# Seconds: to start, to say how it cancelled, to end by itself, between two looks at the turn, and
# for an agent to end its turn when its model is not to be had any more.
STARTING: Final = 60.0
STARTING_SLOWLY: Final = 180.0
ANSWERING: Final = 0.2
CANCELLING: Final = 0.4
ENDING: Final = 1.0
LOOK: Final = 0.5
GIVING_UP: Final = 15.0


async def run_acp_agent(
    program: Program,
    conversation: Conversation,
    prompt: str,
    *,
    memory: Memory,
    sandbox: Sandbox,
    changes: Changes,
    limits: Limits | None = None,
    before_tools: asyncio.Future[None] | None = None,
    meter: Meter | None = None,
    run: int | None = None,
    data: str = "",
    pictures: Pictures | None = None,
    approver: Approver | None = None,
    approve: Approve = "never",
    **_: Any,
) -> AsyncGenerator[Event, None]:
    """Have an agent do a prompt to its end, and yield what happens as it happens.

    It has the options of :func:`.run_agent` as far as a program of its own can have them. One
    process does one turn: it loads what it knows of the session, and is ended with the turn.

    Raises
    ------
    AgentError
        The agent failed.
    ModelError, RunLimitError
        The relay saw so, whatever the agent said of it.
    SandboxError, SessionNotFoundError
        The sandbox service failed, or the sandbox is gone.
    """
    conversation.append(UserMessage(prompt, data))
    told = Told(conversation, program.name, program.model.name)
    news, translator = News(), Translator(changes)
    turn = _Turn(
        program=program,
        conversation=conversation,
        prompt=UserMessage(prompt, data),
        sent=Prompt(program.model, pictures),
        sandbox=sandbox,
        memory=memory,
        limits=limits or Limits(),
        news=news,
        translator=translator,
        permissions=Permissions(approver, approve, news, translator),
        before_tools=before_tools,
        run=run,
    )
    work = asyncio.create_task(turn.go(meter))
    work.add_done_callback(lambda _: news.end())
    try:
        async with aclosing(news.events()) as events:
            async for event in events:
                told.see(event)
                yield event
        await work
        told.end()
    except BaseException as error:
        work.cancel()
        # What it still told belongs to what was done.
        await asyncio.wait([work])
        told.break_off(_reason(error))
        raise


@dataclass
class _Turn:
    """The agent at work on one prompt."""

    program: Program
    conversation: Conversation
    prompt: UserMessage
    sent: Prompt
    sandbox: Sandbox
    memory: Memory
    limits: Limits
    news: News
    translator: Translator
    permissions: Permissions
    before_tools: asyncio.Future[None] | None
    run: int | None
    is_live: bool = False
    is_swept: bool = False
    heard_at: float = 0.0
    replayed: int = 0
    last_replayed: str = ""

    def __post_init__(self) -> None:
        self.failures = AgentFailures(self.program.title)
        self.steps = Steps(self.news)

    async def go(self, meter: Meter | None) -> None:
        """Do the turn, and leave nothing of it running that is not meant to stay."""
        check_level(self.sandbox, self.program.title)
        try:
            await self._do(meter)
        except BaseException:
            if not self.is_swept:
                await asyncio.shield(self._sweep())
            raise
        finally:
            self._end_calls()

    async def _do(self, meter: Meter | None) -> None:
        relay = Relay(
            self.sandbox,
            self.program.model,
            self.limits,
            meter,
            run=self.run,
            on_answer=self.steps.count,
        )
        async with relay:
            launch = await self.program.launch(self.sandbox, relay.url, relay.token)
            await asyncio.gather(*map(self.sandbox.discard, launch.removed))
            for path, text in launch.files.items():
                await self.sandbox.write_file(path, text.encode())
            connection = await Connection.open(
                self.sandbox,
                launch.argv,
                title=self.program.title,
                run=self.run,
                folder=HOME,
                envs=launch.environment,
                heard=self._heard,
                answer=self.permissions.answer,
            )
            try:
                await self._converse(connection, launch, relay)
                await connection.close(ENDING)
            except BaseException:
                await asyncio.shield(self._end_all(connection))
                raise

    async def _converse(self, connection: Connection, launch: Launch, relay: Relay) -> None:
        within = STARTING_SLOWLY if self.program.starts_slowly else STARTING
        about = await self._called(connection, "initialize", _greeting(launch), within)
        if (version := number_in(about, "protocolVersion")) != VERSION:
            raise self.failures.other_version(version)
        able = mapping_in(about, "agentCapabilities")
        opened = await open_session(
            connection,
            self.program,
            self.memory,
            self.conversation.messages[:-1],
            folder=HOME,
            servers=self._servers(able),
            beside=launch.session,
            within=within,
            can_load=able.get("loadSession") is True,
            replayed=lambda: self.replayed,
            say=lambda text: self.news.put(Notice(text)),
        )
        for missing in await opened.settle(launch):
            self.news.put(missing)
        if self.before_tools is not None:
            await asyncio.shield(self.before_tools)
        self.is_live = True
        texts = (opened.record, self.prompt.data, self.prompt.text)
        blocks = await self.sent.blocks(texts, able)
        params = {"sessionId": opened.id, "prompt": blocks}
        asking = asyncio.ensure_future(connection.begin("session/prompt", params))
        try:
            result = await self._watched(asking, relay)
        except BaseException as error:
            await asyncio.shield(self._cancel(connection, opened.id, asking))
            if notice := self.sent.failed(error, self.memory, self.program.name):
                self.news.put(notice)
            raise
        if relay.requests == 0:
            self._count_told(result)
        self.memory.keep(self.program.name, opened.id, opened.prompts + 1)
        self._judge(text_in(result, "stopReason"))

    def _servers(self, able: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the MCP servers that the agent can use; of the others the person is told."""
        title, servers = self.program.title, self.program.servers
        untold = {"it needs a key, and no key goes into a sandbox": [*self.program.withheld]}
        if mapping_in(able, "mcpCapabilities").get("http") is not True:
            untold["it takes none over HTTP"] = [str(server["name"]) for server in servers]
            servers = ()
        for why, names in untold.items():
            if names:
                said = f"{title} is not told of the MCP server {', '.join(names)}: {why}."
                self.news.put(Notice(said))
        return servers

    async def _called(
        self, connection: Connection, method: str, params: dict[str, Any], within: float
    ) -> dict[str, Any]:
        try:
            return mapping_in(await connection.call(method, params, within=within))
        except CallRefusedError as error:
            raise self.failures.refused(method, error) from error

    async def _watched(self, asking: asyncio.Future[Any], relay: Relay) -> dict[str, Any]:
        """Wait for the end of the agent's turn, and see to it that there is one."""
        now = asyncio.get_running_loop().time
        self.heard_at, failed_at = now(), None
        stopped = asyncio.ensure_future(self.permissions.stopped())
        try:
            while not asking.done():
                await asyncio.wait(
                    [asking, stopped], timeout=LOOK, return_when=asyncio.FIRST_COMPLETED
                )
                if stopped.done():
                    stopped.result()
                if (failure := relay.failure()) is None:
                    failed_at = None
                elif relay.is_lost or now() - (failed_at := failed_at or now()) > GIVING_UP:
                    raise failure
                if self.permissions.are_open:
                    self.heard_at = now()
                if now() - max(self.heard_at, relay.heard_at) > self._patience:
                    raise failure or self.failures.quiet(self._patience)
        finally:
            stopped.cancel()
        try:
            result = mapping_in(asking.result())
        except CallRefusedError as error:
            raise relay.failure() or self.failures.refused("session/prompt", error) from error
        except AgentError as error:
            raise relay.failure() or error from error
        if (failure := relay.failure()) is not None:
            raise failure
        return result

    @property
    def _patience(self) -> float:
        """Seconds that it may be silent: while a tool works there may be nothing to say.

        Of a model that is silent the relay tells, before this is over.
        """
        silence = self.limits.silence + GIVING_UP
        return max(silence, MOST_COMMAND_TIMEOUT) if self.translator.is_working else silence

    async def _cancel(
        self, connection: Connection, session_id: str, asking: asyncio.Future[Any]
    ) -> None:
        """Have the agent stop; what it keeps of the turn is not known, so that it is told of it."""
        self.permissions.cancel()
        if not asking.done():
            with contextlib.suppress(VibeKitError):
                await connection.answered(ANSWERING)
                await connection.notify("session/cancel", {"sessionId": session_id})
                await asyncio.wait([asking], timeout=CANCELLING)
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled():
            asking.exception()

    async def _end_all(self, connection: Connection) -> None:
        # A service that does not answer is waited for once.
        await asyncio.gather(self._sweep(), connection.kill())

    async def _sweep(self) -> None:
        """End all that was started in this turn, however it has detached itself."""
        self.is_swept = True
        if self.run is not None:
            try:
                await self.sandbox.end_run(self.run)
            except (SandboxError, SessionNotFoundError):
                self.memory.left(self.run)

    def _end_calls(self) -> None:
        for event in self.translator.end():
            self.news.put(event)
        self.steps.end()

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method != "session/update":
            return
        self.heard_at = asyncio.get_running_loop().time()
        update = mapping_in(params, "update")
        if self.is_live:
            for event in self.translator.events(update):
                self.steps.tell(event)
            return
        # A load tells all that was said: a prompt may come in several pieces.
        kind = text_in(update, "sessionUpdate")
        if kind == "user_message_chunk" and self.last_replayed != kind:
            self.replayed += 1
        if kind in ("user_message_chunk", "agent_message_chunk", "tool_call"):
            self.last_replayed = kind

    def _count_told(self, result: dict[str, Any]) -> None:
        """Tell the step of an agent that asked no model through the kernel."""
        told = mapping_in(result, "usage")
        usage = Usage(
            count(told.get("inputTokens")),
            count(told.get("cachedReadTokens")),
            count(told.get("outputTokens")),
        )
        self.steps.count(usage)

    def _judge(self, reason: str) -> None:
        if reason in ("max_tokens", "max_turn_requests"):
            raise RunLimitError(
                f"{self.program.title} stopped at a bound of its own ({reason}).",
                hint="Ask it to go on.",
            )
        if reason == "refusal":
            self.news.put(Notice("The model declined to answer."))
        elif reason == "cancelled":
            self.news.put(Notice(f"{self.program.title} broke its turn off by itself."))
        elif reason != "end_turn":
            self.news.put(Notice(f"{self.program.title} did not say why it stopped."))


def _greeting(launch: Launch) -> dict[str, Any]:
    return {
        "protocolVersion": VERSION,
        "clientCapabilities": {
            "fs": {"readTextFile": False, "writeTextFile": False},
            "terminal": False,
            **launch.capabilities,
        },
        "clientInfo": {"name": "vibekit-jupyter", "version": __version__},
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "interrupted by the user"
    return error.message.rstrip(".") if isinstance(error, VibeKitError) else "the run failed"
