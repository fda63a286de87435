"""``%vibekit_config mcp``: the servers whose tools agents may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.magic_errors import UsageError
from vibekit_jupyter.notebook.render import Rendered, config_card, message
from vibekit_jupyter.settings.kinds import known
from vibekit_jupyter.settings.mcp import shown_url
from vibekit_jupyter.settings.mcp_table import check_servers

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from vibekit_jupyter.settings.live import LiveSettings

__all__ = ["change", "table"]

USAGE = "%vibekit_config mcp add NAME URL, list, or remove NAME"


def change(layers: LiveSettings, options: Namespace) -> Mapping[str, Any]:
    """Return what is set in this kernel, with a server more or less.

    Raises
    ------
    ConfigurationError
        The name or the URL is none, the policy does not allow it, or there is no such server here.
    """
    name, url = options.server, options.url
    wanted = {"list": (False, False), "add": (True, True), "remove": (True, False)}[options.verb]
    if (name is not None, url is not None) != wanted:
        raise UsageError(USAGE)
    given = dict(layers.given)
    own = dict(given.get("mcp") or {})
    if options.verb == "add":
        given["mcp"] = check_servers({**own, name: {"url": url}})
        settings = layers.resolve(given=given).checked()
        settings.check("mcp", settings.mcp)
    elif options.verb == "remove":
        if name not in own:
            raise _not_here(layers, name, own)
        del own[name]
        given["mcp"] = own
        if not own:
            del given["mcp"]
    return given


def _not_here(layers: LiveSettings, name: str, own: Mapping[str, Any]) -> ConfigurationError:
    settings = layers.resolve().settings
    if name in settings.mcp:
        return ConfigurationError(
            f"The MCP server {name} is set {settings.origin('mcp')}.",
            hint="Take [mcp." + name + "] out there.",
        )
    return ConfigurationError(
        f"There is no MCP server {name[:40]!r} in this kernel.", hint=known(name, own)
    )


def table(layers: LiveSettings) -> Rendered:
    """Return the servers that hold, where they are and whether there is a key; none is asked."""
    servers = layers.resolve().settings.mcp
    if not servers:
        return message(f"There is no MCP server. Name one: {USAGE.partition(',')[0]}")
    own = layers.given.get("mcp") or {}
    rows = [
        (
            name,
            shown_url(server["url"]),
            ", ".join(
                [
                    "as set here" if name in own else "from a file",
                    *(f"with {key}" for key in server if key != "url"),
                ]
            ),
        )
        for name, server in servers.items()
    ]
    return config_card(rows)
