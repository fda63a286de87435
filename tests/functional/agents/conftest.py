"""A local sandbox server for these tests, and a sandbox of it for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.services.http import request_json
from vibekit_jupyter.services.local_sandbox import find_or_start, is_current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from vibekit_jupyter.settings.config import Service


@pytest.fixture(scope="session")
def sandbox_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = str(tmp_path_factory.mktemp("agents"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VIBEKIT_HOME", home)
        service = find_or_start()
    yield service
    request_json(f"{service.api_url}/vibekit/server/stop", key=service.api_key, method="POST")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VIBEKIT_HOME", home)
        deadline = time.monotonic() + 10
        while is_current(service) and time.monotonic() < deadline:
            time.sleep(0.05)


@pytest.fixture
async def sandbox(sandbox_service: Service) -> AsyncIterator[Sandbox]:
    created = await Sandbox.create(sandbox_service, timeout=300, metadata={}, internet=False)
    yield created
    await kill(sandbox_service, created.id)
