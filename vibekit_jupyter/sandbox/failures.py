"""Everything the E2B SDK raises, and it raises more than its own errors, as ours."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    SandboxAuthenticationError,
    SandboxError,
    SandboxLimitError,
    SandboxUnreachableError,
    SessionNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.settings.config import Service

__all__ = ["file_errors", "sandbox_errors"]


@contextlib.contextmanager
def sandbox_errors(service: Service, session_id: str | None = None) -> Iterator[None]:
    """Raise what the SDK raises as the ``SandboxError`` or ``SessionError`` that it means."""
    import e2b
    import httpx

    name = service.title
    # Older SDKs (2.45) do not tell these from their neighbours.
    not_running = getattr(e2b, "SandboxNotRunningException", e2b.SandboxNotFoundException)
    busy = getattr(e2b, "ServiceBusyException", e2b.TimeoutException)
    try:
        yield
    except e2b.CommandExitException:
        raise  # a result, not a failure of the service
    except (e2b.SandboxNotFoundException, not_running) as error:
        raise _gone(session_id) from error
    except e2b.AuthenticationException as error:
        raise SandboxAuthenticationError(
            f"The sandbox service ({name}) refused the key.",
            hint="Check E2B_API_KEY, or give the key with %vibekit_config key --e2b.",
            session_id=session_id,
        ) from error
    except (e2b.RateLimitException, e2b.NotEnoughSpaceException) as error:
        raise SandboxLimitError(
            f"The sandbox service ({name}) has reached a limit: {error}", session_id=session_id
        ) from error
    except (e2b.NotFoundException, e2b.InvalidArgumentException) as error:
        raise SandboxError(
            f"The sandbox service ({name}) refused: {error}", session_id=session_id
        ) from error
    except (e2b.TimeoutException, busy, httpx.TransportError, OSError) as error:
        raise _unanswered(error, service, session_id) from error
    except e2b.SandboxException as error:
        if str(error).startswith("400:") and session_id is not None:
            raise SessionNotFoundError(
                f"{session_id[:80]!r} is not the id of a session of {name}.",
                hint="%vibekit_session list shows the sessions that there are.",
                session_id=session_id,
            ) from error
        raise SandboxError(
            f"The sandbox service ({name}) failed: {error}", session_id=session_id
        ) from error
    except (json.JSONDecodeError, KeyError) as error:
        raise SandboxError(
            f"The sandbox service ({name}) answered something that is not E2B's protocol.",
            hint="Check E2B_API_URL and E2B_SANDBOX_URL.",
            session_id=session_id,
        ) from error
    except Exception as error:
        # An SDK's transport (2.50) passes its own error on where there is no connection.
        if type(error) is not Exception and not isinstance(error.__cause__, OSError):
            raise
        # The SDK's word for a command's stream that ended before the command did.
        raise _unanswered(error, service, session_id) from error


def _gone(session_id: str | None) -> SessionNotFoundError:
    return SessionNotFoundError(
        f"The session {session_id} is gone: its sandbox was killed or expired.",
        hint="Start a new one with %vibekit_session new.",
        session_id=session_id,
    )


def _unanswered(
    error: Exception, service: Service, session_id: str | None
) -> SessionNotFoundError | SandboxUnreachableError:
    import httpx

    if "sandbox was not found" in str(error):  # an older SDK's word for "not running"
        return _gone(session_id)
    silent = isinstance(error, httpx.TimeoutException) or "request_timeout" in str(error)
    how = f"did not answer within {service.request_timeout:g} s" if silent else "does not answer"
    return SandboxUnreachableError(
        f"The sandbox service ({service.title}) {how}.",
        hint="The session may well be alive: try again in a moment.",
        session_id=session_id,
    )


@contextlib.contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Raise the service's answers about a path as Python's own errors."""
    import e2b

    try:
        yield
    except SandboxError as error:
        cause = error.__cause__
        if isinstance(cause, e2b.NotFoundException):
            raise FileNotFoundError(f"{path}: there is no such file or folder") from cause
        if isinstance(cause, e2b.InvalidArgumentException):
            raise OSError(f"{path}: {cause}") from cause
        if isinstance(cause, e2b.NotEnoughSpaceException):
            raise OSError(f"{path}: the sandbox's disk is full") from cause
        # The SDK has no class for it: its words begin with HTTP's code, or with Connect's.
        if str(cause).lower().startswith(("403:", "code.permission_denied:")):
            raise PermissionError(f"{path}: the sandbox does not permit that") from cause
        raise
