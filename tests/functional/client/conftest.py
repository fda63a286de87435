"""Clients on two services: this machine's own, and another E2B-compatible one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path  # noqa: TC003 - pytest reads the fixtures' annotations

import pytest

from tests.conftest import is_setting
from tests.support.kernel import stop_local_server
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit

NewClient = Callable[..., VibeKit]


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for these tests, so that they share one local server."""
    home = tmp_path_factory.mktemp("client") / "home"
    yield home
    stop_local_server(home)


@pytest.fixture(autouse=True)
def vibekit_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared home, and none of the developer's own settings."""
    for name in list(os.environ):
        if is_setting(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIBEKIT_HOME", str(shared_home))
    return shared_home


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
async def new_client() -> AsyncIterator[NewClient]:
    """Make clients that are closed at the end, and kill their sessions."""
    clients: list[VibeKit] = []

    def make(**options: object) -> VibeKit:
        clients.append(VibeKit(**{"agent": {"type": "codex"}, **options}))  # type: ignore[arg-type]  # what a test gives
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()
