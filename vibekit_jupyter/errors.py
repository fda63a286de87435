"""Everything that can go wrong, as one tree.

::

    VibeKitError
    ├── AgentNotInitializedError      credentials missing or wrong in form
    ├── ConfigurationError            an option, a name or a value that cannot be used
    ├── DataError                     data that cannot be sent, or be taken back
    ├── RegistryError                 sessions.sqlite cannot be read or written
    ├── AuditError                    a run cannot be written down where the site wants that
    ├── SessionError
    │   ├── SessionNotFoundError      killed, expired, or never there
    │   ├── SessionElsewhereError     it belongs to another service
    │   ├── SessionNameError          the name is taken, or matches several sessions
    │   ├── SessionBusyError          a run is going on in it
    │   └── SessionOwnerError         it belongs to somebody else, or to nobody here
    ├── SandboxError                  the sandbox service refused or failed
    │   ├── SandboxAuthenticationError
    │   ├── SandboxUnreachableError   no answer; says nothing about the session
    │   ├── SandboxLimitError         disk, rate or number of sandboxes
    │   ├── UnconfinedError           what a model wrote would run unconfined
    │   └── CommandError              a command that failed; it *is* the command's result
    ├── CodeError                     a person's own code failed in the sandbox
    ├── ModelError                    the model service refused or failed
    │   ├── ModelAuthenticationError  401, 403
    │   ├── ModelNotFoundError        404
    │   ├── ModelRequestError         400 and its kin: the request itself is wrong
    │   ├── ContextTooLongError       the conversation does not fit any more
    │   ├── ModelRateLimitError       429
    │   ├── ModelUnavailableError     5xx, no connection, silence
    │   └── ModelStreamError          the answer broke off
    ├── AgentError                    the program in the sandbox that is the agent failed
    │   └── AgentInstallError         such a program cannot be installed here
    ├── FilesError                    files that cannot be brought in or out
    ├── RunLimitError                 a bound on steps, tokens or costs was reached
    └── RunInterruptedError           the person stopped it

Each message is one plain sentence that says what happened, then what to do next. What is
known about the session stands in ``session_id``; what a run had done before it failed stands
in ``result``. The page that tells of a class, its causes and what helps is its ``docs_url``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vibekit_jupyter.results import CommandResult, Result

__all__ = [
    "AgentError",
    "AgentInstallError",
    "AgentNotInitializedError",
    "AuditError",
    "CodeError",
    "CommandError",
    "ConfigurationError",
    "ContextTooLongError",
    "DataError",
    "FilesError",
    "ModelAuthenticationError",
    "ModelError",
    "ModelNotFoundError",
    "ModelRateLimitError",
    "ModelRequestError",
    "ModelStreamError",
    "ModelUnavailableError",
    "RegistryError",
    "RunInterruptedError",
    "RunLimitError",
    "SandboxAuthenticationError",
    "SandboxError",
    "SandboxLimitError",
    "SandboxUnreachableError",
    "SessionBusyError",
    "SessionElsewhereError",
    "SessionError",
    "SessionNameError",
    "SessionNotFoundError",
    "SessionOwnerError",
    "UnconfinedError",
    "VibeKitError",
]


PAGE: Final = "https://vibekit-jupyter.readthedocs.io/en/latest/reference/errors.html"


class VibeKitError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        What happened, in one plain sentence.
    hint
        What to do next, in one plain sentence.
    session_id
        The session it happened in, where there is one.
    result
        What the run had done until then, where it was a run.

    Attributes
    ----------
    docs_url : str
        The page on this class of errors, of a class and of an error.
    """

    docs_url: ClassVar[str] = f"{PAGE}#{__name__}.VibeKitError"

    def __init_subclass__(cls) -> None:
        if cls.__module__ == __name__:  # one of somebody else's has its parent's page
            cls.docs_url = f"{PAGE}#{__name__}.{cls.__name__}"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        session_id: str | None = None,
        result: Result | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.session_id = session_id
        self.result = result

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows of it, whose protocol this is: one."""
        return [f"{type(self).__name__}: {printable(str(self))}"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, so that an error survives a process pool."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    cls: type[VibeKitError], args: tuple[Any, ...], state: Mapping[str, Any]
) -> VibeKitError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class AgentNotInitializedError(VibeKitError):
    """Credentials are missing or wrong in form (seed: "Agent not initialized").

    Parameters
    ----------
    reason
        What is missing, in a few words; the message begins with "Agent not initialized".
    hint
        How to give it.
    """

    def __init__(self, reason: str, *, hint: str = "", session_id: str | None = None) -> None:
        super().__init__(f"Agent not initialized: {reason}", hint=hint, session_id=session_id)


class ConfigurationError(VibeKitError, ValueError):
    """An option, a name or a value that cannot be used.

    Attributes
    ----------
    entry
        Which entry of a table it is, by its keys; empty where that is not told.
    """

    entry: tuple[str, ...] = ()


class DataError(VibeKitError):
    """Data that cannot be sent to a sandbox, or be taken back from one."""


class RegistryError(VibeKitError):
    """The registry of sessions cannot be read or written."""


class AuditError(VibeKitError):
    """A run cannot be written down, and whoever runs the site wants none without that."""


class SessionError(VibeKitError):
    """Something about a session."""


class SessionNotFoundError(SessionError):
    """There is no such session, or its sandbox is gone."""


class SessionElsewhereError(SessionError):
    """The session belongs to another sandbox service than the one in use."""


class SessionNameError(SessionError):
    """A name that is taken, or that matches several sessions."""


class SessionBusyError(SessionError):
    """A run is going on in the session."""


class SessionOwnerError(SessionError):
    """The session belongs to somebody else, or to nobody here; ``force`` acts on it still."""


class SandboxError(VibeKitError):
    """The sandbox service refused or failed."""


class SandboxAuthenticationError(SandboxError):
    """The sandbox service refused the key."""


class SandboxUnreachableError(SandboxError):
    """The sandbox service did not answer; the session may well be alive."""


class SandboxLimitError(SandboxError):
    """A limit of the sandbox service was reached: disk, rate, number of sandboxes."""


class UnconfinedError(SandboxError):
    """What a model wrote would run unconfined on this machine."""


class CommandError(SandboxError):
    """A command that failed. It is the command's result, too.

    Attributes
    ----------
    exit_code : int
        The command's exit code; -1 where a signal or a timeout ended it.
    stdout, stderr : str
        What the command printed.
    """

    def __init__(self, command: CommandResult, *, session_id: str | None = None) -> None:
        first_line = command.command.strip().splitlines()[0] if command.command.strip() else ""
        super().__init__(
            f"The command {first_line[:80]!r} {command.outcome}.",
            hint="Its output is in this error's stdout and stderr.",
            session_id=session_id,
        )
        self.command = command

    @property
    def exit_code(self) -> int:
        """The command's exit code."""
        return self.command.exit_code

    @property
    def stdout(self) -> str:
        """What the command wrote to its standard output."""
        return self.command.stdout

    @property
    def stderr(self) -> str:
        """What the command wrote to its standard error."""
        return self.command.stderr


class CodeError(VibeKitError):
    """A person's own code failed in the sandbox: an error of its language, or an exit code.

    Attributes
    ----------
    name, value : str
        The error's class and its words, as the sandbox tells them; empty where it tells none.
    traceback : str
        The sandbox's traceback, as text.
    exit_code : int | None
        Of a process that ended; -1 where a signal ended it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        session_id: str | None = None,
        name: str = "",
        value: str = "",
        traceback: str = "",
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, session_id=session_id)
        self.name = name
        self.value = value
        self.traceback = traceback
        self.exit_code = exit_code

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows of it: the sandbox's, then ours."""
        shown = map(printable, self.traceback.splitlines())
        return [*shown, *super()._render_traceback_()]


class ModelError(VibeKitError):
    """The model service refused or failed."""


class ModelAuthenticationError(ModelError):
    """The model service refused the key (401, 403)."""


class ModelNotFoundError(ModelError):
    """The model service does not know the model, or the URL is not a model service (404)."""


class ModelRequestError(ModelError):
    """The model service refused the request itself (400, 413, 422)."""


class ContextTooLongError(ModelRequestError):
    """The conversation does not fit into the model's context any more."""


class ModelRateLimitError(ModelError):
    """The model service asks to wait, or the quota is used up (429)."""


class ModelUnavailableError(ModelError):
    """The model service failed (5xx), cannot be reached, or fell silent."""


class ModelStreamError(ModelError):
    """The model's answer broke off, or ended in an error."""


class AgentError(VibeKitError):
    """The program in the sandbox that is the agent failed."""


class AgentInstallError(AgentError):
    """An agent that runs in sandboxes cannot be installed, on this machine or in a sandbox."""


class FilesError(VibeKitError):
    """Files that cannot be brought into a sandbox, or out of it."""


class RunLimitError(VibeKitError):
    """A bound on the steps, tokens or costs of runs was reached; the session can go on."""


class RunInterruptedError(VibeKitError):
    """The person stopped the run; the session can go on."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what led to it, each once: such chains may go round in a circle."""
    known: set[int] = set()
    while error is not None and id(error) not in known:
        yield error
        known.add(id(error))
        error = error.__cause__ or error.__context__


def printable(text: str) -> str:
    """Return a text without what acts on a terminal, or cannot be seen."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def said(value: object) -> str:
    """Return a value as it is told in a sentence: short, in one line."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # of thousands of digits
        return "a number that is too long"
    return text if len(text) <= 60 else f"{text[:59]}…"
