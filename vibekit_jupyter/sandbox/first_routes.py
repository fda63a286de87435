"""The first version of E2B's routes for sandboxes, for servers that have no second one.

SDK 2.51 and later create, connect and list at ``/v2`` alone, and still contain the older calls.
Most self-hosted servers have only those. Which ones a service has is found out once a process.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sandbox.sdk import sdk_class, sdk_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    import e2b

    from vibekit_jupyter.settings.config import Service

__all__ = [
    "UNREAD",
    "connect",
    "create",
    "has_only_first",
    "is_missing_route",
    "lists_only_first",
    "note",
    "note_list",
]

UNREAD = (json.JSONDecodeError, KeyError)

_only_first: set[str] = set()
_lists_only_first: set[str] = set()


def has_only_first(service: Service) -> bool:
    """Whether a service is known to create and connect at the first version's routes alone."""
    return service.id in _only_first


def note(service: Service) -> None:
    """Note that a service creates and connects at the first version's routes alone."""
    _only_first.add(service.id)


def lists_only_first(service: Service) -> bool:
    """Whether a service is known to have no second version of the list, which is the older one."""
    return service.id in _lists_only_first


def note_list(service: Service) -> None:
    """Note that a service has no second version of the list."""
    _lists_only_first.add(service.id)


def is_missing_route(error: Exception) -> bool:
    """Whether a service's refusal may be that it does not know the route: 404 or 405.

    The SDK cannot read a 404 that is told as text, as a page or as another JSON, as routers do by
    themselves: it breaks (``UNREAD``).
    """
    from e2b import SandboxNotFoundException

    if isinstance(error, json.JSONDecodeError):
        return True
    if isinstance(error, KeyError):
        return error.args[0] in {"code", "message"}
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
