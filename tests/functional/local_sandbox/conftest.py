"""One server per level for all tests of this folder; a sandbox of one's own for each test."""

from __future__ import annotations

import http.client
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sandbox_server import SandboxServer, sandbox_server

if TYPE_CHECKING:
    from e2b import Sandbox

MakeSandbox = Callable[..., "Sandbox"]


@pytest.fixture(scope="session", params=["bubblewrap", "landlock", "none"])
def level_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    """A running server of each level."""
    folder = tmp_path_factory.mktemp(f"sandboxes-{request.param}")
    with sandbox_server(folder, "--confine", request.param) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A running server of the best level."""
    with sandbox_server(tmp_path_factory.mktemp("sandboxes")) as server:
        yield server


def where(server: SandboxServer) -> dict[str, Any]:
    """Return what leads the SDK to a server."""
    return {"api_key": server.key, "api_url": server.url, "sandbox_url": server.url}


def ask(
    server: SandboxServer, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send one request as it stands."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.fixture
def make(server: SandboxServer) -> Iterator[MakeSandbox]:
    """Make sandboxes that are killed at the test's end."""
    yield from _maker(server)


@pytest.fixture
def make_at_level(level_server: SandboxServer) -> Iterator[MakeSandbox]:
    """Make sandboxes of each level."""
    yield from _maker(level_server)


def _maker(server: SandboxServer) -> Iterator[MakeSandbox]:
    from e2b import Sandbox

    made: list[Sandbox] = []
    # Older SDKs (2.45, 2.50) ask for the internet where nobody said anything.
    asks = inspect.signature(Sandbox.create).parameters["allow_internet_access"].default
    quiet = {"allow_internet_access": False} if asks else {}

    def make(*arguments: Any, **options: Any) -> Sandbox:
        options = {**where(server), **quiet, **options}
        made.append(Sandbox.create(*arguments, **options))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.kill()
