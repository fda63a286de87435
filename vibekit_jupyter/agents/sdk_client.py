"""What both vendors' SDK clients have in common: one generator made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from httpx2 import Timeout

    from vibekit_jupyter.agents.service import Post

__all__ = ["posting"]


def posting(client: Any, path: str, stream: type[Any]) -> Post:
    """Return what sends a body to ``path``, and gives the stream of the answer's events."""

    async def post(body: bytes, timeout: Timeout) -> Any:
        return await client.post(
            path,
            cast_to=object,
            content=body,
            options={"timeout": timeout},
            stream=True,
            stream_cls=stream,
        )

    return post
