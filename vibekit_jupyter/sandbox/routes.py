"""How sandboxes are created, connected and listed: by the routes that the service has."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from vibekit_jupyter.sandbox import first_routes
from vibekit_jupyter.sandbox.infos import info_of, listed_at
from vibekit_jupyter.sandbox.sdk import sdk_class, sdk_options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import e2b

    from vibekit_jupyter.sandbox.infos import SandboxInfo
    from vibekit_jupyter.settings.config import Service

__all__ = ["connected", "created", "listed"]


async def created(
    service: Service,
    *,
    template: str | None,
    timeout: float,
    metadata: Mapping[str, str],
    internet: bool,
) -> e2b.AsyncSandbox:
    """Create a sandbox that pauses, and does not die, when its time runs out."""
    from e2b import SandboxException

    refused: Exception | None = None
    if not first_routes.has_only_first(service):
        try:
            return await sdk_class().create(
                template=template,
                timeout=int(timeout),
                metadata=dict(metadata),
                allow_internet_access=internet,
                lifecycle={"on_timeout": "pause", "auto_resume": True},
                **sdk_options(service),
            )
        except (SandboxException, *first_routes.UNREAD) as error:
            if not first_routes.is_missing_route(error):
                raise
            refused = error
    try:
        sandbox = await first_routes.create(
            service, template=template, timeout=timeout, metadata=metadata, internet=internet
        )
    except (SandboxException, *first_routes.UNREAD) as error:
        # Where neither route is there, the first refusal says more.
        raise (refused or error) from None
    first_routes.note(service)
    return sandbox


async def connected(service: Service, sandbox_id: str, *, timeout: float) -> e2b.AsyncSandbox:
    """Connect a sandbox, resumed if it is paused; its time is only ever lengthened."""
    from e2b import SandboxException

    if first_routes.has_only_first(service):
        return await first_routes.connect(service, sandbox_id, timeout=timeout)
    try:
        return await sdk_class().connect(sandbox_id, timeout=int(timeout), **sdk_options(service))
    except (SandboxException, *first_routes.UNREAD) as error:
        if not first_routes.is_missing_route(error):
            raise
        # A missing route and a missing sandbox look alike: the sandbox itself is asked for.
        await info_of(service, sandbox_id)
        try:
            sandbox = await first_routes.connect(service, sandbox_id, timeout=timeout)
        except (SandboxException, *first_routes.UNREAD):
            raise error from None
    first_routes.note(service)
    return sandbox


async def listed(
    service: Service, metadata: Mapping[str, str] | None
) -> AsyncGenerator[SandboxInfo, None]:
    """Yield the sandboxes that the service has, page by page."""
    from e2b import SandboxException

    refused: SandboxException | None = None
    # Most servers that create at the first version's routes alone list at the second's.
    if not first_routes.lists_only_first(service):
        try:
            async with aclosing(listed_at(service, "/v2/sandboxes", metadata)) as items:
                async for item in items:
                    yield item
        except SandboxException as error:
            if not first_routes.is_missing_route(error):
                raise
            refused = error
        else:
            return
    try:
        async with aclosing(listed_at(service, "/sandboxes", metadata)) as items:
            async for item in items:
                yield item
    except SandboxException as error:
        raise (refused or error) from None
    first_routes.note_list(service)
