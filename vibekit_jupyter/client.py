"""VibeKit: the asyncio client of the seeds. It knows no notebook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal

from vibekit_jupyter.config import Settings
from vibekit_jupyter.events import CommandResult, Event, Result
from vibekit_jupyter.sessions.session import Session

__all__ = ["VibeKit"]


class VibeKit:
    """Coding agents at work in sandbox sessions.

    Parameters
    ----------
    agent
        ``{"type": "codex" | "claude", "model": {"api_key", "base_url", "name"}, "mode":
        "code" | "ask"}``. Without it every operation raises ``AgentNotInitializedError``;
        ``{"type": "auto"}`` is codex, or claude where only Anthropic is configured.
    environment
        ``{"e2b": {"api_key", "domain", "api_url", "sandbox_url", "template"}}`` or
        ``{"local": {}}``; without it ``E2B_API_KEY`` decides.
    session_id
        The session to begin with; not checked before it is used.
    notebook, user, project
        What new sessions are filed under.
    """

    def __init__(
        self,
        agent: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        *,
        notebook: str = "",
        user: str | None = None,
        project: str = "",
    ) -> None:
        raise NotImplementedError

    @property
    def settings(self) -> Settings:
        """What is set; environment variables come on top when it is used."""
        raise NotImplementedError

    def configure(self, settings: Settings) -> None:
        """Use other settings from the next operation on."""
        raise NotImplementedError

    async def get_session(self) -> str | None:
        """Return the current session's id, or None when there is none (seed: getSession)."""
        raise NotImplementedError

    async def set_session(self, session_id: str, *, check: bool = False) -> None:
        """Make a session the current one, by id or by exact name (seed: setSession).

        No request is sent, the next operation uses it; with ``check`` it is connected now.
        """
        raise NotImplementedError

    async def generate_code(
        self,
        prompt: str,
        *,
        agent: str | None = None,
        model: str | None = None,
        mode: Literal["code", "ask"] | None = None,
        session: str | None = None,
        fresh: bool = False,
        on_event: Callable[[Event], None] | None = None,
        on_update: Callable[[str], None] | None = None,
        on_error: Callable[[str], None] | None = None,
    ) -> Result:
        """Run the agent on a prompt (seed: generateCode).

        ``on_event`` is called with every event, the last one is ``RunFinished``, also when
        the run fails (then the error is raised, with ``error.result``) or is cancelled (then
        ``CancelledError`` is raised).
        """
        raise NotImplementedError

    def stream(self, prompt: str, **options: Any) -> AsyncIterator[Event]:
        """Run the agent on a prompt, as events."""
        raise NotImplementedError

    async def execute_command(
        self,
        command: str,
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        on_stdout: Callable[[str], None] | None = None,
        on_stderr: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """Run a command in the current session's sandbox; ``CommandError`` if it fails."""
        raise NotImplementedError

    # The verbs of %vibekit_session. ``session`` is an id, a name or a unique prefix of one;
    # None is the current session.

    async def find(self, text: str) -> Session:
        """Look a session up: exact id, exact name, unique prefix; then ask the service once."""
        raise NotImplementedError

    async def show(self, session: str | None = None) -> Session | None:
        """Return the session with its state asked from the service; None without a current one."""
        raise NotImplementedError

    async def new(
        self,
        name: str | None = None,
        *,
        project: str | None = None,
        internet: bool = False,
        timeout: float | None = None,
    ) -> Session:
        """Create a session and make it the current one."""
        raise NotImplementedError

    async def kill(self, session: str | None = None, *, force: bool = False) -> Session:
        """End a session's sandbox. Its conversation stays readable."""
        raise NotImplementedError

    async def list(
        self, *, project: str | None = None, all_users: bool = False, state: str | None = None
    ) -> Sequence[Session]:
        """Return the sessions, the last used first, as registry and service know them."""
        raise NotImplementedError

    def known_sessions(self) -> Sequence[Session]:
        """Return the sessions of the registry without a request (for completion)."""
        raise NotImplementedError

    def configuration(self) -> Sequence[tuple[str, str, str]]:
        """Return what is used and why, as rows (what, value, reason). No keys; no request."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connections, and end what was started for this client alone."""
        raise NotImplementedError
