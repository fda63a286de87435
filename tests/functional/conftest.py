"""Clients on two services: this machine's own, and another E2B-compatible one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path  # noqa: TC003 - pytest reads the fixtures' annotations

import pytest

from tests.support.local_server import stop_local_server
from tests.support.real_agents import home_with_agents
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit

NewClient = Callable[..., VibeKit]


@pytest.fixture(scope="session")
def lasting_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all clients, so that they share one local server."""
    home = tmp_path_factory.mktemp("clients") / "home"
    yield home
    stop_local_server(home)


@pytest.fixture
def shared_home(
    vibekit_home: Path,  # an empty one, that gives way
    lasting_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The clients' home is this test's ``VIBEKIT_HOME``."""
    monkeypatch.setenv("VIBEKIT_HOME", str(lasting_home))
    return lasting_home


@pytest.fixture(scope="session")
def agents_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with other people's agents, for tests marked so."""
    with home_with_agents(tmp_path_factory.mktemp("real-agents")) as home:
        yield home


@pytest.fixture(scope="session")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """Another E2B-compatible service."""
    with sandbox_server(tmp_path_factory.mktemp("other")) as server:
        yield server


@pytest.fixture(params=["local", "e2b"])
def service(
    request: pytest.FixtureRequest, other_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the test on this machine's own service, then on the other one."""
    if request.param == "e2b":
        for name, value in other_server.environment.items():
            monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.fixture
async def new_client(shared_home: Path) -> AsyncIterator[NewClient]:
    """Make clients that are closed at the end, and kill their sessions."""
    clients: list[VibeKit] = []

    def make(**options: object) -> VibeKit:
        clients.append(VibeKit(**{"agent": {"type": "codex"}, **options}))  # type: ignore[arg-type]  # what a test gives
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()
