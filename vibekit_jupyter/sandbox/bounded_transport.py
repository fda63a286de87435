"""The E2B SDK's way to its services, on which what comes is counted before any of it is held.

The SDK takes no transport of ours: all that it sends goes through ``pyqwest``, by a factory of
its own. What stands here takes that factory's place, and does nothing to the requests of others
in this process who use the SDK.
"""

from __future__ import annotations

import contextlib
import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.sandbox.bounded_answer import MIB, EnvelopeMeter, Meter, refuse_encoding
from vibekit_jupyter.sandbox.queue import see_limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from pyqwest import Request, Response, Transport

__all__ = ["bounded", "drop_pools"]

# A page of sandboxes, a folder of 30,000 files, a piece of a command's output.
MOST: Final = 8 * MIB
FILES: Final = "/files"

_ours: ContextVar[bool] = ContextVar("vibekit_bounded", default=False)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Bound the answers to what the SDK sends in here. The content of a file has no bound."""
    _take_place()
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


class _BoundedTransport:
    """One pool of connections of the SDK's."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def execute(self, request: Request) -> Response:
        if not _ours.get():
            return await self._inner.execute(request)
        from pyqwest import Response

        is_file = request.method == "GET" and request.url.partition("?")[0].endswith(FILES)
        if not is_file:
            request.headers["accept-encoding"] = "identity"
        response = await self._inner.execute(request)
        see_limit(response.status, response.headers)
        if is_file and response.status < 400:
            return response  # it is read in pieces, as far as it is wanted
        return Response(
            status=response.status,
            http_version=response.http_version,
            headers=response.headers,
            content=_counted(response),
            trailers=response.trailers,
        )


async def _counted(response: Response) -> AsyncGenerator[Any, None]:
    refuse_encoding(response.headers.get("content-encoding"))
    is_stream = response.headers.get("content-type", "").startswith("application/connect+")
    meter = EnvelopeMeter(MOST) if is_stream else Meter(MOST, MOST)
    async with response:
        content: AsyncIterator[Any] = response.content
        async for data in content:
            meter.take(bytes(data))
            yield data


@functools.cache
def _take_place() -> None:
    """Put the bounded transport under all that the SDK makes from now on."""
    from e2b.api import client_async

    # An SDK that is made otherwise is not bounded; a test says so.
    make = getattr(client_async, "HTTPTransport", None)
    if make is None:
        return

    def make_bounded(**options: Any) -> Any:
        try:
            return _BoundedTransport(make(**options))
        except RuntimeError:
            # It found no certificates to trust, and plain HTTP needs none.
            return _BoundedTransport(make(**options | {"tls_include_system_certs": False}))

    vars(client_async)["HTTPTransport"] = make_bounded  # there is no other way in
    drop_pools()


def drop_pools() -> None:
    """Let the SDK connect anew from now on, with the certificates that are trusted then.

    Whoever has one of the pools that the SDK made before goes on with it.
    """
    from e2b.api import client_async

    for pools in ("_transports", "_httpx_transports", "_pools"):
        getattr(client_async, pools, {}).clear()
