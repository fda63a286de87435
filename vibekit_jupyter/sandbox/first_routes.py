"""The first version of E2B's routes for sandboxes, for servers that have no second one.

SDK 2.51 and later create, connect and list at ``/v2`` alone, and still contain the older calls.
Most self-hosted servers have only those. Which ones a service has is found out once a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sandbox.sdk import sdk_class, sdk_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import e2b

    from vibekit_jupyter.settings.config import Service

__all__ = ["connect", "create", "has_only_first", "is_missing_route", "list_running", "note"]

_only_first: set[str] = set()


def has_only_first(service: Service) -> bool:
    """Whether a service is known to have no second version of the routes."""
    return service.id in _only_first


def note(service: Service) -> None:
    """Note that a service has no second version of the routes."""
    _only_first.add(service.id)


def is_missing_route(error: Exception) -> bool:
    """Whether a service's refusal may be that it does not know the route: 404 or 405."""
    from e2b import SandboxNotFoundException

    return isinstance(error, SandboxNotFoundException) or str(error).startswith(("404:", "405:"))


async def create(
    service: Service,
    *,
    template: str | None,
    timeout: float,
    metadata: Mapping[str, str],
    internet: bool,
) -> e2b.AsyncSandbox:
    """Create a sandbox that pauses when its time runs out, as the SDK does at ``/v2``."""
    from e2b.api.client.api.sandboxes import post_sandboxes
    from e2b.api.client.models.new_sandbox import NewSandbox
    from e2b.api.client.types import UNSET

    body = NewSandbox(
        template_id=template or sdk_class().default_template,
        timeout=int(timeout),
        auto_pause=True,
        metadata=dict(metadata),
        allow_internet_access=internet,
    )
    for newer in ("auto_pause_memory", "auto_resume"):  # a server of these routes may not know it
        if hasattr(body, newer):
            setattr(body, newer, UNSET)
    client, config = _client(service)
    answer = await post_sandboxes.asyncio_detailed(client=client, body=body)
    return _sandbox(_told(answer), config)


async def connect(service: Service, sandbox_id: str, *, timeout: float) -> e2b.AsyncSandbox:
    """Connect a sandbox, resumed if it is paused; its time is only ever lengthened."""
    from e2b import SandboxNotFoundException
    from e2b.api.client.api.sandboxes import post_sandboxes_sandbox_id_connect
    from e2b.api.client.models.connect_sandbox import ConnectSandbox

    client, config = _client(service)
    answer = await post_sandboxes_sandbox_id_connect.asyncio_detailed(
        sandbox_id, client=client, body=ConnectSandbox(timeout=int(timeout))
    )
    if answer.status_code == 404:
        raise SandboxNotFoundException(f"Sandbox {sandbox_id} not found")
    return _sandbox(_told(answer), config)


async def list_running(
    service: Service, metadata: Mapping[str, str] | None
) -> Sequence[e2b.SandboxInfo]:
    """Return the sandboxes that run: these routes list no paused ones."""
    from urllib.parse import urlencode

    from e2b import SandboxInfo
    from e2b.api.client.api.sandboxes import get_sandboxes
    from e2b.api.client.types import UNSET

    client, _ = _client(service)
    asked = urlencode(metadata) if metadata else UNSET
    listed = _told(await get_sandboxes.asyncio_detailed(client=client, metadata=asked))
    return [SandboxInfo._from_listed_sandbox(one) for one in listed]  # noqa: SLF001  # the SDK's own lists do so


def _client(service: Service) -> tuple[Any, Mapping[str, Any]]:
    from e2b.api.client_async import get_api_client
    from e2b.connection_config import ConnectionConfig

    options = sdk_options(service)
    return get_api_client(ConnectionConfig(**options)), options


def _told(answer: Any) -> Any:
    """Return what a server told, or raise what its refusal means."""
    from e2b.api import handle_api_exception

    if answer.status_code >= 300 or answer.parsed is None:
        raise handle_api_exception(answer)
    return answer.parsed


def _sandbox(told: Any, options: Mapping[str, Any]) -> e2b.AsyncSandbox:
    """Return a connected sandbox, put together as the SDK does it."""
    from e2b.connection_config import ConnectionConfig
    from packaging.version import Version

    headers = {
        "E2b-Sandbox-Id": told.sandbox_id,
        "E2b-Sandbox-Port": str(ConnectionConfig.envd_port),
    }
    token = told.envd_access_token if isinstance(told.envd_access_token, str) else None
    if token is not None:
        headers["X-Access-Token"] = token
    traffic = getattr(told, "traffic_access_token", None)
    return sdk_class()(
        sandbox_id=told.sandbox_id,
        sandbox_domain=told.domain if isinstance(told.domain, str) else None,
        envd_version=Version(told.envd_version),
        envd_access_token=token,
        traffic_access_token=traffic if isinstance(traffic, str) else None,
        connection_config=ConnectionConfig(extra_sandbox_headers=headers, **options),
    )
