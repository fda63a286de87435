"""MCP servers whose tools agents may use: what is set for them, and what of it an agent gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import keys
from vibekit_jupyter.settings.headers import secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.settings.config import Settings

__all__ = ["McpServer", "mcp_servers", "servers_of", "shown_url", "withheld"]


@dataclass(frozen=True)
class McpServer:
    """A server of tools.

    Attributes
    ----------
    name
        What a person calls it; its tools' names begin with it.
    url
        Where it speaks MCP over HTTP.
    headers
        Sent with each request, a key among them. Never shown.
    """

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> Sequence[str]:
        """What must never be shown."""
        query = parse_qsl(urlsplit(self.url).query)
        return [*secrets_in(self.headers), *secrets_in(query)]

    def as_acp(self) -> dict[str, Any]:
        """Return it as ACP has servers, for an agent in a sandbox; not one with secrets."""
        headers = [{"name": name, "value": value} for name, value in self.headers]
        return {"type": "http", "name": self.name, "url": self.url, "headers": headers}


def shown_url(url: str) -> str:
    """Return a URL without what may be a key in it."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def servers_of(settings: Settings) -> Sequence[McpServer]:
    """Return the servers with their keys, which are read now.

    Raises
    ------
    ConfigurationError
        A key cannot be read, or the policy does not allow servers.
    """
    if not settings.mcp:
        return ()
    settings.check("mcp", settings.mcp)
    servers = [_server(name, server) for name, server in settings.mcp.items()]
    for server in servers:
        for secret in server.secrets:
            keys.remember(secret)
    return servers


def _server(name: str, server: Mapping[str, Any]) -> McpServer:
    headers = dict(server.get("headers") or {})
    key = None
    if path := server.get("key_file"):
        key = keys.from_file(f"mcp.{name}.key_file", path)
    elif argv := server.get("key_command"):
        key = keys.from_command(f"mcp.{name}.key_command", argv)
    if key is not None:
        if not all("!" <= char <= "~" for char in key):
            raise ConfigurationError(
                f"The key for mcp.{name} is malformed.", hint="It is ASCII without spaces."
            )
        headers = {
            each: value for each, value in headers.items() if each.lower() != "authorization"
        }
        headers["Authorization"] = f"Bearer {key}"
    return McpServer(name, server["url"], tuple(headers.items()))


def mcp_servers(settings: Settings) -> list[dict[str, Any]]:
    """Return the servers as ACP has them, for an agent that runs in a sandbox.

    Those that need a key are not among them: no key reaches a sandbox. See ``withheld``.

    Raises
    ------
    ConfigurationError
        The policy does not allow servers.
    """
    if settings.mcp:
        settings.check("mcp", settings.mcp)
    left_out = withheld(settings)
    return [
        McpServer(name, server["url"], tuple((server.get("headers") or {}).items())).as_acp()
        for name, server in settings.mcp.items()
        if name not in left_out
    ]


def withheld(settings: Settings) -> Sequence[str]:
    """Return the names of the servers that an agent in a sandbox does not get, for their keys."""
    return [name for name, server in settings.mcp.items() if _has_key(server)]


def _has_key(server: Mapping[str, Any]) -> bool:
    headers = tuple((server.get("headers") or {}).items())
    has_secrets = bool(list(McpServer("", server["url"], headers).secrets))
    return has_secrets or bool(server.get("key_file") or server.get("key_command"))
