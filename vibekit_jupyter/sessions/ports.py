"""Where a port of a session's sandbox is served, for a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from vibekit_jupyter.errors import ConfigurationError, SessionNotFoundError

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.sessions.workspace import Workspace

__all__ = ["PortVerbs", "Preview"]

# As the local sandbox server takes it: once, for a cookie.
TOKEN: Final = "vibekit_traffic_token"  # noqa: S105


@dataclass(frozen=True)
class Preview:
    """A port of a sandbox, as a browser reaches it.

    Attributes
    ----------
    url
        The address, to be kept anywhere.
    address
        The address with what opens it: never to be saved.
    server_port
        The port of this machine's own server; None for a service that everybody reaches.
    """

    port: int
    url: str
    address: str = field(repr=False)
    server_port: int | None = None


class PortVerbs:
    """Look at what a session serves."""

    _workspace: Workspace

    if TYPE_CHECKING:

        async def find(self, text: str) -> Session:
            """Look a session up."""

    async def preview(self, port: int, session: str | None = None) -> Preview:
        """Return where a browser finds what listens on a port of the session's sandbox.

        Raises
        ------
        ConfigurationError
            There is no such port.
        SessionNotFoundError
            There is no current session, or it is gone.
        """
        if not 0 < port < 65_536:
            raise ConfigurationError(
                f"There is no port {port}.", hint="Ports are numbers from 1 to 65535."
            )
        workspace = self._workspace
        current = workspace.book.current if session is None else (await self.find(session)).id
        if current is None:
            raise SessionNotFoundError(
                "There is no current session, and so nothing that listens.",
                hint="%vibekit_session set NAME goes on with one of yours.",
            )
        sandbox = await workspace.connect(current)
        host = sandbox.host(port)
        local = sandbox.service.is_local
        url = f"{'http' if local else 'https'}://{host}/"
        token = sandbox.traffic_token if local else None
        return Preview(
            port,
            url,
            f"{url}?{urlencode({TOKEN: token})}" if token else url,
            urlsplit(url).port if local else None,
        )
