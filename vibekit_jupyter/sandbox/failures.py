"""Everything the E2B SDK raises, and it raises more than its own errors, as ours."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    SandboxAuthenticationError,
    SandboxError,
    SandboxLimitError,
    SandboxUnreachableError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.sandbox.bounded_answer import too_long
from vibekit_jupyter.sandbox.bounded_transport import bounded, drop_pools
from vibekit_jupyter.sandbox.cancellation import cancellation_kept
from vibekit_jupyter.settings.network import certificate_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.settings.config import Service

__all__ = ["file_errors", "sandbox_errors"]

# What our own server says; E2B's says of both that the sandbox was not found.
PAUSED = re.compile(r"was not found: it (was|is) paused")
MOST_QUOTED = 300
BROKEN = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


@contextlib.contextmanager
def sandbox_errors(service: Service, session_id: str | None = None) -> Iterator[None]:
    """Raise what the SDK raises as the ``SandboxError`` or ``SessionError`` that it means."""
    import e2b
    import httpx

    name = service.title

    def words(error: Exception) -> str:
        return _quote(error, service)

    # Older SDKs (2.45) do not tell these from their neighbours.
    not_running = getattr(e2b, "SandboxNotRunningException", e2b.SandboxNotFoundException)
    busy = getattr(e2b, "ServiceBusyException", e2b.TimeoutException)
    try:
        with _protocol_errors(service, session_id), bounded(), cancellation_kept():
            yield
    except e2b.CommandExitException:
        raise  # a result, not a failure of the service
    except (e2b.SandboxNotFoundException, not_running) as error:
        raise _not_there(error, session_id) from error
    except e2b.AuthenticationException as error:
        raise SandboxAuthenticationError(
            f"The sandbox service ({name}) refused the key.",
            hint="Check E2B_API_KEY, or give the key with %vibekit_config key --e2b.",
            session_id=session_id,
        ) from error
    except (e2b.RateLimitException, e2b.NotEnoughSpaceException) as error:
        raise SandboxLimitError(
            f"The sandbox service ({name}) has reached a limit: {words(error)}",
            session_id=session_id,
        ) from error
    except (e2b.NotFoundException, e2b.InvalidArgumentException) as error:
        raise SandboxError(
            f"The sandbox service ({name}) refused: {words(error)}", session_id=session_id
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
        failed = "cannot do that" if str(error).startswith(("405:", "501:")) else "failed"
        raise SandboxError(
            f"The sandbox service ({name}) {failed}: {words(error)}", session_id=session_id
        ) from error
    except Exception as error:
        # An SDK's transport (2.50) passes its own error on where there is no connection.
        if type(error) is not Exception and not isinstance(error.__cause__, OSError):
            raise
        # The SDK's word for a command's stream that ended before the command did.
        raise _unanswered(error, service, session_id) from error


@contextlib.contextmanager
def _protocol_errors(service: Service, session_id: str | None) -> Iterator[None]:
    """Raise what an answer means that is too long, or something else than what was asked for."""
    try:
        yield
    except VibeKitError:
        raise
    except Exception as error:
        if long := too_long(error):
            raise SandboxError(
                f"The sandbox service ({service.title}) {long}.",
                hint="Ask for less at once, or check E2B_API_URL and E2B_SANDBOX_URL.",
                session_id=session_id,
            ) from error
        # The SDK checks nothing of what it reads: it breaks where it is used. An error of ours is
        # a listener's.
        if isinstance(error, BROKEN) and not isinstance(error, VibeKitError):
            raise SandboxError(
                f"The sandbox service ({service.title}) answered something that is not E2B's "
                "protocol.",
                hint="Check E2B_API_URL and E2B_SANDBOX_URL.",
                session_id=session_id,
            ) from error
        raise


def _quote(error: Exception, service: Service) -> str:
    """Return a service's words as one short line without the key."""
    said = " ".join(str(error)[:10_000].split()).replace(service.api_key or "[key]", "[key]")
    said = said.encode(errors="replace").decode()
    return said if len(said) <= MOST_QUOTED else f"{said[: MOST_QUOTED - 1]}…"


def _not_there(
    error: Exception, session_id: str | None
) -> SessionNotFoundError | SandboxUnreachableError:
    if PAUSED.search(str(error)):
        return SandboxUnreachableError(
            f"The session {session_id} was paused meanwhile.",
            hint="It is resumed when it is next used: run the cell again.",
            session_id=session_id,
        )
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
        return _not_there(error, session_id)
    if fault := certificate_fault(error):
        drop_pools()  # what a person corrects is read the next time
        return SandboxUnreachableError(
            f"The certificate of the sandbox service ({service.title}) {fault[0]}.",
            hint=fault[1],
            session_id=session_id,
        )
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
            raise OSError(f"{path}: {str(cause)[:MOST_QUOTED]}") from cause
        if isinstance(cause, e2b.NotEnoughSpaceException):
            raise OSError(f"{path}: the sandbox's disk is full") from cause
        # The SDK has no class for it: its words begin with HTTP's code, or with Connect's.
        if str(cause).lower().startswith(("403:", "code.permission_denied:")):
            raise PermissionError(f"{path}: the sandbox does not permit that") from cause
        raise
