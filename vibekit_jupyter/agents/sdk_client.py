"""What both vendors' SDK clients have in common: one generator made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

if TYPE_CHECKING:
    from httpx2 import Timeout

    from vibekit_jupyter.agents.service import Post

__all__ = ["posting", "where"]


def where(url: str) -> dict[str, Any]:
    """Return a base URL as both SDKs take it: its query (``?api-version=``) goes with each path."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {"base_url": urlunsplit(parts._replace(query="", fragment="")), "default_query": query}


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
