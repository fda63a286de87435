"""A local sandbox server for these tests, and a sandbox of it for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.agents.place import Place
from tests.support.local_server import local_service
from tests.support.model_server import ModelServer
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.model_server import Reply
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.settings.config import Service


@pytest.fixture(scope="session")
def sandbox_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with local_service(tmp_path_factory.mktemp("agents")) as service:
        yield service


@pytest.fixture
async def sandbox(sandbox_service: Service) -> AsyncIterator[Sandbox]:
    created = await Sandbox.create(sandbox_service, timeout=300, metadata={}, internet=False)
    yield created
    await kill(sandbox_service, created.id)


@pytest.fixture
async def place(sandbox: Sandbox) -> AsyncIterator[Place]:
    def script(request: Request) -> Reply:
        return here.script(request)

    with ModelServer(script) as server:
        here = Place(server, sandbox)
        yield here
        for vendor in here.vendors.values():
            await vendor.aclose()
