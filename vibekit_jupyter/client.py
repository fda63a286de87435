"""VibeKit: the asyncio client of the seeds. It knows no notebook."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Literal

from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.events import Notice, RunFinished, RunStarted
from vibekit_jupyter.runs.agents import agent_of
from vibekit_jupyter.runs.approvals import Allowed, Asking
from vibekit_jupyter.runs.audit import Audit
from vibekit_jupyter.runs.left_behind import rest_of
from vibekit_jupyter.runs.records import RunRecords
from vibekit_jupyter.runs.redact import Redactor, secrets_of
from vibekit_jupyter.runs.run import Run
from vibekit_jupyter.runs.spending import Spending
from vibekit_jupyter.runs.turn_start import Ready
from vibekit_jupyter.runs.usage import UsageRecords
from vibekit_jupyter.sessions.configured import Configured
from vibekit_jupyter.sessions.ports import PortVerbs
from vibekit_jupyter.sessions.workspace import Workspace
from vibekit_jupyter.settings import choices, config, described
from vibekit_jupyter.settings.checks import (
    check_confined,
    check_demo,
    check_demo_model,
    check_mode,
    check_prompt,
    check_session_id,
)
from vibekit_jupyter.settings.home import current_user
from vibekit_jupyter.settings.mappings import asked, check_options, given
from vibekit_jupyter.settings.mcp import servers_of
from vibekit_jupyter.settings.optional_fields import fields
from vibekit_jupyter.settings.vendors import DEMO_MODEL, Approve
from vibekit_jupyter.workbench.code.interpreters import Interpreters
from vibekit_jupyter.workbench.code.runner import CodeRunner
from vibekit_jupyter.workbench.data.sending import Sender
from vibekit_jupyter.workbench.data.verbs import DataVerbs
from vibekit_jupyter.workbench.files.verbs import FileVerbs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from vibekit_jupyter.agents.approvals import Approver
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import Result
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.workbench.data.luggage import Luggage

__all__ = ["VibeKit"]

# Seconds that sandboxes have to pause while their kernel ends.
LEAVING = 3.0


class VibeKit(Configured, CodeRunner, RunRecords, UsageRecords, FileVerbs, DataVerbs, PortVerbs):
    """Coding agents at work in sandbox sessions.

    Parameters
    ----------
    agent
        ``{"type": "codex" | "claude" | ..., "model": {"api_key", "base_url", "name", "without",
        "headers", "key_file", "key_command"}, "mode": "code" | "ask", "effort", "max_steps",
        "max_tokens", "max_output_tokens", "max_cost", "silence", ...}``, as the settings' table has
        them. Where no layer of settings has a type, what needs an agent raises
        ``AgentNotInitializedError``; ``"auto"`` is codex, or claude where Anthropic alone is set.
    environment
        ``{"e2b": {"api_key", "domain", "api_url", "sandbox_url", "template",
        "request_timeout"}}`` or ``{"local": {}}``; without it ``E2B_API_KEY`` decides.
    session_id
        The session to begin with; not checked before it is used.
    notebook, user, project
        What new sessions are filed under.

    Raises
    ------
    ConfigurationError
        A key of these mappings is not known, or a name cannot be one.
    """

    def __init__(
        self,
        agent: Mapping[str, Any] | str | None = None,
        environment: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        *,
        notebook: str = "",
        user: str | None = None,
        project: str = "",
    ) -> None:
        self._workspace = Workspace(
            given(agent, environment),
            notebook=notebook,
            user=config.label("a user's name", user or current_user()),
            project=config.label("a project's name", project),
            rest_of=lambda sandbox, turn: rest_of(self._redactor, sandbox, turn),
        )
        self._pulled = {}
        if session_id is not None:
            check_session_id(session_id)
        self._workspace.book.current = session_id
        self._interpreters = Interpreters(self._workspace.book.registry)
        self._sender = Sender()
        self._allowed = Allowed()

    def __repr__(self) -> str:
        return f"<VibeKit: {self.layers.resolve().settings.agent}, session {self.current_session}>"

    def configuration(self) -> Sequence[tuple[str, str, str]]:
        """Return what is used and why, as rows (what, value, reason). No keys; no request."""
        return [*described.describe(self.layers.resolve()), *self._budget_rows()]

    async def get_session(self) -> str | None:
        """Return the current session's id, or None when there is none (seed: getSession).

        Raises
        ------
        AgentNotInitializedError
            Credentials are missing or wrong in form.
        """
        self._workspace.check_initialized()
        return self._workspace.book.current

    async def set_session(self, session_id: str, *, check: bool = False) -> None:
        """Make a session the current one, by id or by exact name (seed: setSession).

        No request is sent; the next operation uses it.

        Parameters
        ----------
        check
            Ask the service for it now, though a connection is kept.

        Raises
        ------
        AgentNotInitializedError, ConfigurationError
            Credentials are missing or wrong in form; it is no text, or empty.
        SessionNotFoundError
            With ``check``: it is gone. The current session stays as it was.
        """
        service_id = self._workspace.check_initialized()
        check_session_id(session_id)
        book = self._workspace.book
        spoken = book.speak()
        session_id = book.resolve(session_id, service_id)
        if check:
            await self._workspace.connect(session_id, anew=True)
        book.set_current(session_id, service_id, spoken)

    async def generate_code(
        self,
        /,
        prompt: str,
        *,
        agent: str | None = None,
        model: str | None = None,
        mode: Literal["code", "ask"] | None = None,
        session: str | None = None,
        fresh: bool = False,
        effort: str | None = None,
        max_steps: int | None = None,
        max_tokens: int | None = None,
        max_output_tokens: int | None = None,
        max_cost: float | None = None,
        approve: Approve | None = None,
        without: str | Sequence[str] | None = None,
        cell: str = "",
        sent: str = "",
        approver: Approver | None = None,
        inputs: Mapping[str, object] | None = None,
        outputs: Sequence[str] = (),
        schema_only: bool = False,
        on_event: Callable[[Event], None] | None = None,
        on_update: Callable[[str], None] | None = None,
        on_error: Callable[[str], None] | None = None,
        **more: Any,
    ) -> Result:
        """Run the agent on a prompt (seed: generateCode).

        The session is created on first use. The run stays in the session it started in.

        Parameters
        ----------
        prompt
            What to do, taken byte for byte.
        agent, model, mode
            Instead of what is set, for this run.
        session
            Run in this session (id, name or unique prefix); the current one stays current.
        fresh
            Leave out what was said.
        effort
            How hard the model thinks: ``low``, ``medium``, ``high``, ``xhigh`` or ``max``.
        max_steps, max_tokens, max_output_tokens
            Stop after so many answers of the model, or tokens in and out, with a
            ``RunLimitError``; the next prompt can go on. How long one answer may be.
        max_cost
            Stop, as above, before a call would bring the run over so many dollars.
        approve
            Ask ``approver`` before a tool changes something: ``always``, ``never``, or where it is
            ``risky``. Without an approver there is nobody to ask, and it is refused.
        without
            Optional fields of requests that are left out for a model service that refuses them.
        cell, sent
            For the record: which cell asks, and what of the notebook is in the prompt.
        inputs, outputs
            Variables that go into the sandbox as files first, and names of those that the agent
            is to leave there: they are the result's ``outputs``. See ``send`` and ``fetch``.
        schema_only
            Tell the model of the inputs' columns and types alone, not of what stands in them.
        on_event
            Called with every event; the last one is ``RunFinished``, however the run ends.
        on_update, on_error
            As in VibeKit for TypeScript: called with each event as JSON, and the error's sentence.
        more
            Other settings of a run, as the settings' table calls them: ``agent_command``.

        Raises
        ------
        VibeKitError
            Whatever went wrong; what the run had done until then is in its ``result``.
        """

        def tell(event: Event) -> None:
            if on_event is not None:
                on_event(event)
            if on_update is not None:
                on_update(json.dumps(event.to_dict()))

        check_options("generate_code", more)
        wanted = {
            **more,
            "agent": agent or None,
            "model": model or None,
            "mode": mode or None,
            "effort": effort,
            "max_steps": max_steps,
            "max_tokens": max_tokens,
            "max_output_tokens": max_output_tokens,
            "max_cost": max_cost,
            "approve": approve,
        }
        try:
            settings = self.layers.resolve(asked(wanted)).checked()
            luggage = self._luggage(inputs, outputs, schema_only=schema_only, mode=settings.mode)
            with self.layers.keeping(settings):
                return await self._run(
                    prompt,
                    model=model,
                    session=session,
                    fresh=fresh,
                    cell=cell,
                    without=without,
                    sent=sent,
                    approver=approver,
                    tell=tell,
                    luggage=luggage,
                    settings=settings,
                )
        except VibeKitError as error:
            if on_error is not None:
                on_error(str(error))
            raise

    async def stream(self, prompt: str, **options: Any) -> AsyncIterator[Event]:
        """Run the agent on a prompt, as events; ``options`` are those of ``generate_code``.

        The error of a run is raised after its ``RunFinished``. Closing the iterator cancels it.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        run = asyncio.ensure_future(
            self.generate_code(prompt, on_event=events.put_nowait, **options)
        )
        run.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await run
        finally:
            run.cancel()
            await asyncio.wait([run])

    @property
    def _redactor(self) -> Redactor:
        return Redactor(secrets_of(self.layers.resolve().settings))

    async def leave(self) -> None:
        """Close, as a kernel's end does: what no other kernel uses is paused (``on_exit``)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await self._interpreters.aclose()
                settings = self.layers.resolve().settings
                if settings.on_exit == "pause" or not settings.policy.has("on_exit", "keep"):
                    await self._workspace.pause_used()
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, and end what was started for this client alone."""
        await self._interpreters.aclose()
        await self._workspace.aclose()

    async def _run(
        self,
        prompt: str,
        *,
        model: str | None,
        session: str | None,
        fresh: bool,
        cell: str,
        without: str | Sequence[str] | None,
        sent: str,
        approver: Approver | None,
        tell: Callable[[Event], None],
        luggage: Luggage | None,
        settings: Settings,
    ) -> Result:
        workspace = self._workspace
        check_prompt(prompt)
        name = choices.agent_to_ask(settings)
        check_mode(name, settings.mode)
        self._check_rerun(prompt, settings, agent=name, model=model, session=session)
        if without is not None:
            settings = choices.with_model(settings, name, without=fields(without))
        chosen = choices.choose_model(settings, name, unlock=False)
        e2b = choices.choose_e2b(settings, unlock=False)
        if chosen is None:
            check_demo(settings, e2b)
            own = settings.models.get(choices.vendor_of(settings, name))
            check_demo_model(model or (own.name if own and not settings.demo else None))
        session_id = workspace.book.current if session is None else (await self.find(session)).id
        service_id = e2b.id if e2b else config.local_service_id()
        known = session_id and workspace.book.known(service_id, session_id)
        started = RunStarted(
            agent=name,
            model=DEMO_MODEL if chosen is None else chosen.name,
            mode=settings.mode,
            prompt=prompt,
            session_id=session_id,
            session_name=known.name if known else None,
            demo=chosen is None,
            host="" if chosen is None else chosen.other_host,
            cell=cell,
            sent=sent,
        )

        async def ready_session() -> tuple[Sandbox, bool]:
            ready, created = (session_id, False) if session_id else await workspace.current_or_new()
            run.claim(service_id, ready)
            sandbox = await workspace.connect(ready)
            if chosen is not None:
                check_confined(sandbox.service, settings)
            return sandbox, created

        async def prepare() -> Ready:
            asked, (sandbox, created) = await asyncio.gather(
                agent_of(workspace, settings, name), ready_session()
            )
            return Ready(workspace.book.session_of(sandbox), sandbox, asked, created)

        # Before the redactor is made: it is to know their keys.
        servers = await asyncio.to_thread(servers_of, settings)
        book, redactor = workspace.book, Redactor(secrets_of(settings))
        spending = Spending.of(settings, book.registry, book.user, started)
        audit = Audit(
            settings.audit, redactor, book.user, book.notebook, chosen, started, service_id
        )

        def tell_with_switch(event: Event) -> None:
            ended = event.session_id if isinstance(event, RunFinished) and not session else None
            if ended and (sentence := workspace.book.switched_from(ended)):
                tell(Notice(sentence))
            tell(event)
            for note in settings.notes if isinstance(event, RunStarted) else ():
                tell(Notice(note))

        run = Run(
            started,
            workspace.book.registry,
            tell_with_switch,
            redactor,
            spending=spending,
            audit=audit,
            notebook=workspace.book.notebook,
            fresh=fresh,
            asking=Asking(approver, settings.approve, self._allowed),
            servers=servers,
        )
        return await run.go(
            prepare,
            explain=workspace.explain,
            limits=Limits.of(settings),
            effort=settings.effort,
            luggage=luggage,
        )
