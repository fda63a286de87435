"""What can be asked of a sandbox service without being connected to the sandbox."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import SandboxError
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.failures import sandbox_errors
from vibekit_jupyter.sandbox.first_routes import UNREAD, is_missing_route
from vibekit_jupyter.sandbox.infos import SandboxInfo, info_of
from vibekit_jupyter.sandbox.routes import created, listed
from vibekit_jupyter.sandbox.sdk import sdk_class, sdk_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vibekit_jupyter.settings.config import Service

__all__ = ["SandboxInfo", "fork", "get_info", "kill", "list_sandboxes", "pause"]


async def get_info(service: Service, sandbox_id: str) -> SandboxInfo:
    """Ask the service about a sandbox, without waking it.

    Raises
    ------
    SessionNotFoundError
        It is gone.
    """
    with sandbox_errors(service, sandbox_id):
        return await info_of(service, sandbox_id)


async def list_sandboxes(
    service: Service, *, metadata: Mapping[str, str] | None = None, most: int | None = None
) -> AsyncIterator[SandboxInfo]:
    """Yield the sandboxes that the service has, running and paused, the newest first.

    Parameters
    ----------
    metadata
        Leave only those that carry all of it, where the service can tell.
    most
        How many; they come in pages of a hundred.
    """
    left = math.inf if most is None else most
    async with contextlib.aclosing(listed(service, metadata)) as items:
        while left > 0:
            # Whoever takes what is yielded raises errors of their own.
            with sandbox_errors(service):
                try:
                    info = await anext(items)
                except StopAsyncIteration:
                    return
            left -= 1
            yield info


async def kill(service: Service, sandbox_id: str) -> bool:
    """End a sandbox for good; False when it was gone already."""
    from e2b import SandboxNotFoundException

    with sandbox_errors(service, sandbox_id):
        if await sdk_class().kill(sandbox_id, **sdk_options(service)):
            return True
        # A missing route and a missing sandbox look alike.
        try:
            info = await info_of(service, sandbox_id)
        except SandboxNotFoundException:
            return False
    raise SandboxError(
        f"The sandbox service ({service.title}) cannot end the session: it is still {info.state}.",
        session_id=sandbox_id,
    )


async def fork(
    service: Service, sandbox_id: str, *, timeout: float, internet: bool = True
) -> Sandbox:
    """Copy a sandbox's files into a new one; the original is left as it is.

    Parameters
    ----------
    timeout
        Seconds until the copy pauses.
    internet
        Whether its commands reach the internet, where a service asks for that anew.
    """
    from e2b import SandboxException

    with sandbox_errors(service, sandbox_id):
        try:
            (copy,) = await sdk_class().fork(
                sandbox_id, timeout=int(timeout), count=1, **_slow(service)
            )
        except (SandboxException, *UNREAD) as error:
            if not is_missing_route(error):
                raise
            copy = await _from_snapshot(
                service, sandbox_id, error, timeout=timeout, internet=internet
            )
        if isinstance(copy, Exception):
            raise copy
    return Sandbox(service, copy, timeout)


async def _from_snapshot(
    service: Service, sandbox_id: str, refused: Exception, *, timeout: float, internet: bool
) -> Any:
    """Copy a sandbox on a service that cannot fork and has snapshots, which is not left behind."""
    from e2b import SandboxException

    try:
        snapshot = await sdk_class().create_snapshot(sandbox_id, **_slow(service))
    except (SandboxException, *UNREAD) as error:
        if not is_missing_route(error):
            raise
        if isinstance(refused, UNREAD):  # a missing route, told in another form
            raise SandboxException("405: it has no such route") from refused
        raise refused from None
    try:
        info = await info_of(service, sandbox_id)
        return await created(
            service,
            template=snapshot.snapshot_id,
            timeout=timeout,
            metadata=info.metadata,
            internet=internet,
        )
    finally:
        with contextlib.suppress(SandboxException, *UNREAD):
            await sdk_class().delete_snapshot(snapshot.snapshot_id, **sdk_options(service))


async def pause(service: Service, sandbox_id: str) -> None:
    """Pause a sandbox: it keeps its files, and its processes where the service can."""
    with sandbox_errors(service, sandbox_id):
        await sdk_class().pause(sandbox_id, **_slow(service))


def _slow(service: Service) -> dict[str, Any]:
    """Return the SDK's options for what writes down a sandbox's whole memory."""
    return {**sdk_options(service), "request_timeout": 4 * service.request_timeout}
