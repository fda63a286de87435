"""What a service says of its sandboxes, read so that one odd entry hides no other.

The SDK's own models refuse a whole page for a state, a time or a size that they do not know, and
servers that are not E2B's have such: a state ``dead``, a start ``<unknown>``, no end.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from vibekit_jupyter.sandbox.sdk import sdk_options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from vibekit_jupyter.settings.config import Service

__all__ = ["SandboxInfo", "info_of", "listed_at"]

PAGE = 100
# A sandbox that has ended is no session, though some servers go on listing it for a while.
ENDED = frozenset({"dead", "killed", "deleted", "terminated", "failed", "expired"})
# Gateways' words for a route that they do not know.
ROUTE = re.compile(r"\b(route|endpoint|page|url)\b", re.IGNORECASE)


@dataclass(frozen=True)
class SandboxInfo:
    """What the service says of a sandbox.

    ``ends_at`` is None where it has no end, ``internet`` where nothing is said of that.
    """

    id: str
    state: Literal["running", "paused"]
    started: datetime
    ends_at: datetime | None
    metadata: Mapping[str, str]
    internet: bool | None = None


async def info_of(service: Service, sandbox_id: str) -> SandboxInfo:
    """Ask a service about a sandbox, without waking it."""
    from e2b import SandboxNotFoundException

    told, _ = await _get(service, f"/sandboxes/{quote(sandbox_id, safe='')}", {})
    if not _is_entry(told):
        raise ValueError("a sandbox is an object with an id")
    info = _read(told)
    if info is None:
        raise SandboxNotFoundException(f"Sandbox {sandbox_id} has ended")
    return info


async def listed_at(
    service: Service, path: str, metadata: Mapping[str, str] | None
) -> AsyncGenerator[SandboxInfo, None]:
    """Yield the sandboxes that a service lists at a path, page by page."""
    metadata = metadata or {}
    # E2B reads a label's text twice, and its SDK writes it so; other servers read it once.
    twice = urlencode({quote(name): quote(text) for name, text in metadata.items()})
    once = urlencode(metadata)
    for asked in dict.fromkeys((twice, once)):
        found = False
        query = {"limit": str(PAGE), **({"metadata": asked} if asked else {})}
        token: str | None = ""
        while token is not None:
            page, token = await _get(service, path, {**query, "nextToken": token})
            # Nothing is null to some servers. Anything else is no list: nothing is gone by it.
            if not isinstance(page, list | None):
                raise TypeError("sandboxes are an array")
            for told in page or ():
                if info := _read(told):
                    found = True
                    yield info
        if found:
            return


async def _get(service: Service, path: str, query: Mapping[str, str]) -> tuple[Any, str | None]:
    """Return what a service answers, and where its next page begins."""
    from e2b import SandboxException, SandboxNotFoundException
    from e2b.api import handle_api_exception
    from e2b.api.client_async import get_api_client
    from e2b.connection_config import ConnectionConfig

    client = get_api_client(ConnectionConfig(**sdk_options(service)))
    params = {name: text for name, text in query.items() if text}
    answer = await client.get_async_httpx_client().request("GET", path, params=params)
    told = _of_the_protocol(answer.content)
    if answer.status_code == 404 and told:
        raise SandboxNotFoundException(f"404: {told}")
    if answer.status_code >= 300 and not told and answer.status_code not in {401, 429, 503}:
        raise SandboxException(f"{answer.status_code}: that is not E2B's protocol")
    if answer.status_code >= 300:
        raise handle_api_exception(answer)
    return answer.json(), answer.headers.get("x-next-token") or None


def _of_the_protocol(body: bytes) -> str:
    """Return what a service says of an error; a gateway's own answer is no word on a sandbox."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(told, dict) or not {"code", "message"} <= told.keys():
        return ""
    message = str(told["message"])
    return "" if ROUTE.search(message) else message


def _is_entry(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("sandboxID"), str)


def _read(told: Any) -> SandboxInfo | None:
    """Read an entry; None for one that has ended, or that has no id."""
    if not _is_entry(told) or str(told.get("state")) in ENDED:
        return None
    labels = told.get("metadata")
    started = _time(told.get("startedAt"))
    ends_at = _time(told.get("endAt"))
    internet = told.get("allowInternetAccess")
    if ends_at and started and ends_at <= started:
        ends_at = None  # a time of zero stands for no end
    return SandboxInfo(
        id=told["sandboxID"],
        state="paused" if told.get("state") == "paused" else "running",
        started=started or datetime.now(UTC),
        ends_at=ends_at,
        metadata={k: v for k, v in labels.items() if isinstance(v, str)}
        if isinstance(labels, dict)
        else {},
        internet=internet if isinstance(internet, bool) else None,
    )


def _time(told: Any) -> datetime | None:
    """Read a time; None for what is none, and for the zero of a language's clock."""
    try:
        time = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    if time.year < 2000:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
