"""The table of MCP servers in a file of settings, or as it is set in a kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_servers"]

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
FIELDS: Final = ("url", "headers", "key_file", "key_command")
MOST: Final = 10
LONGEST: Final = 2000


def check_servers(given: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return a table of servers, by their names.

    Raises
    ------
    ConfigurationError
        It is none. No value of a header is in the message.
    """
    if not isinstance(given, dict) or len(given) > MOST:
        what = f"more than {MOST} servers" if isinstance(given, dict) else "no table of servers"
        raise ConfigurationError(
            f"mcp is {what}.", hint='Write [mcp.docs] and url = "https://mcp.example.org/mcp".'
        )
    return {name: _checked(name, server) for name, server in given.items()}


def _checked(name: Any, server: Any) -> Mapping[str, Any]:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{str(name)[:40]!a} cannot be the name of an MCP server.",
            hint="It has up to 20 small letters, digits and hyphens.",
        )
    server = {"url": server} if isinstance(server, str) else server
    if not isinstance(server, dict):
        raise ConfigurationError(f"mcp.{name} is no table.", hint='Write url = "https://…".')
    if unknown := [key for key in server if key not in FIELDS]:
        raise ConfigurationError(
            f"mcp.{name} has no {str(unknown[0])[:40]!r}.", hint=f"Known: {', '.join(FIELDS)}."
        )
    _check_url(name, server.get("url"))
    headers_of(server.get("headers"), may_be_key=True)
    file, command = server.get("key_file"), server.get("key_command")
    if file is not None and not isinstance(file, str):
        raise ConfigurationError(f"mcp.{name}.key_file is no text.", hint="Name the key's file.")
    is_words = isinstance(command, list | tuple) and all(isinstance(each, str) for each in command)
    if command is not None and not (command and is_words):
        raise ConfigurationError(
            f"mcp.{name}.key_command is no list of words.", hint='Write ["pass", "docs"].'
        )
    return server


def _check_url(name: str, url: Any) -> None:
    parts = None
    if (
        isinstance(url, str)
        and len(url) <= LONGEST
        and all("!" <= c <= "~" and c != "\\" for c in url)
    ):
        try:
            parts = urlsplit(url)
            _ = parts.port  # raises for a port that is no number
        except ValueError:
            parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"mcp.{name} has no URL that it could be asked at.",
            hint="It speaks MCP over HTTP, at a URL like https://mcp.example.org/mcp.",
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"mcp.{name} has a key in its URL.",
            hint="Take it out, and name the key's own file: key_file.",
        )
