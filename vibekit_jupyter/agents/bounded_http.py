"""The HTTP client of a model service: what comes is counted before any of it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2

from vibekit_jupyter.agents.progress import tell_of_retry
from vibekit_jupyter.agents.spent import is_spent
from vibekit_jupyter.sandbox.bounded_answer import MIB, Meter, refuse_encoding
from vibekit_jupyter.settings.network import unusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from vibekit_jupyter.settings.config import Model

__all__ = ["http_client"]

# Far beyond what models write: of words that are told up to five times, 20 MB.
MOST: Final = 128 * MIB
MOST_EVENT: Final = 24 * MIB
# The SDKs put the lines of one event together in time of lines times length.
MOST_LINES: Final = 1000
# Of a refusal a sentence is shown.
MOST_REFUSAL: Final = 64 * 1024


def http_client(model: Model, default: type[httpx2.AsyncClient]) -> httpx2.AsyncClient:
    """Return a client whose answers are bounded; one for a local service goes around proxies.

    Parameters
    ----------
    default
        The SDK's own class: it has the vendor's timeouts, and takes proxies from the environment.

    Raises
    ------
    ConfigurationError
        The environment names a proxy or certificates that cannot be used.
    """
    hooks: dict[str, list[Any]] = {
        "request": [_as_it_is, _keeps_secrets(model)],
        "response": [_bounded],
    }
    if model.is_local and urlsplit(model.base_url).scheme == "http":
        return httpx2.AsyncClient(trust_env=False, event_hooks=hooks)
    try:
        if model.is_local:
            trusted = httpx2.create_ssl_context()
            return httpx2.AsyncClient(trust_env=False, verify=trusted, event_hooks=hooks)
        return default(event_hooks=hooks)
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        host = urlsplit(model.base_url).hostname
        raise unusable(f"The model service at {host}", error) from error


async def _as_it_is(request: httpx2.Request) -> None:
    request.headers["Accept-Encoding"] = "identity"


def _keeps_secrets(model: Model) -> Callable[[httpx2.Request], Awaitable[None]]:
    """Return what keeps a person's headers and key from the host that a service redirects to."""
    own = httpx2.URL(model.base_url)
    names = ("x-api-key", "x-goog-api-key", *(name for name, _ in model.headers))

    async def keep(request: httpx2.Request) -> None:
        url = request.url
        if (url.scheme, url.host, url.port) != (own.scheme, own.host, own.port):
            for name in names:
                request.headers.pop(name, None)

    return keep


async def _bounded(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response, response.stream)
    # A request to wait is tried again by the SDKs, and so is what only looks like one.
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        await response.aread()
        if is_spent(response.text):
            response.headers["x-should-retry"] = "false"
            return
    tell_of_retry(response.status_code, response.headers)


class _Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer as they come; of a refusal the beginning."""

    def __init__(self, response: httpx2.Response, stream: httpx2.AsyncByteStream) -> None:
        self._encoding = response.headers.get("content-encoding")
        self._refused = response.status_code >= 400
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        refuse_encoding(self._encoding)
        if self._refused:
            room = MOST_REFUSAL
            async for data in self._stream:
                yield data[:room]
                room -= len(data)
                if room <= 0:
                    return
            return
        meter = Meter(MOST, MOST_EVENT, MOST_LINES)
        async for data in self._stream:
            meter.take(data)
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
