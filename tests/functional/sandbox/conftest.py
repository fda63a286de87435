"""Another service, behind a proxy that makes of it what a test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.counting_proxy import CountingProxy, counting_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox_server import SandboxServer


@pytest.fixture
def server(other_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    with counting_proxy(other_server.url) as proxy:
        for name, value in other_server.environment.items():
            monkeypatch.setenv(name, value.replace(other_server.url, proxy.url))
        yield proxy
