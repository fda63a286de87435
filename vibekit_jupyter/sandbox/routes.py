"""How sandboxes are created, connected and listed: by the routes that the service has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.sandbox import first_routes
from vibekit_jupyter.sandbox.sdk import sdk_class, sdk_options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import e2b

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

    refused: SandboxException | None = None
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
        except SandboxException as error:
            if not first_routes.is_missing_route(error):
                raise
            refused = error
    try:
        sandbox = await first_routes.create(
            service, template=template, timeout=timeout, metadata=metadata, internet=internet
        )
    except SandboxException as error:
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
    except SandboxException as error:
        if not first_routes.is_missing_route(error):
            raise
        # A missing route and a missing sandbox look alike: the sandbox itself is asked for.
        await sdk_class().get_info(sandbox_id, **sdk_options(service))
        try:
            sandbox = await first_routes.connect(service, sandbox_id, timeout=timeout)
        except SandboxException:
            raise error from None
    first_routes.note(service)
    return sandbox


async def listed(
    service: Service, metadata: Mapping[str, str] | None
) -> AsyncGenerator[e2b.SandboxInfo, None]:
    """Yield the sandboxes that the service has, page by page."""
    from e2b import SandboxException, SandboxQuery

    if not first_routes.has_only_first(service):
        query = SandboxQuery(metadata=dict(metadata)) if metadata else None
        pages = sdk_class().list(query=query, **sdk_options(service))
        try:
            while pages.has_next:
                for item in await pages.next_items():
                    yield item
        except SandboxException as error:
            if not first_routes.is_missing_route(error):
                raise
        else:
            return
    # It may be that only the list has no second version: it is not noted.
    for item in await first_routes.list_running(service, metadata):
        yield item
