"""Two users make sessions in processes of their own while everybody lists: none is lost.

``scripts/creation_battery`` does the same a thousand times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.creations import creations_beside_lists

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


async def test_no_creation_beside_lists_stalls_is_lost_or_called_gone(
    other_server: SandboxServer, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBEKIT_HOME", str(vibekit_home))
    for name, value in other_server.environment.items():
        monkeypatch.setenv(name, value)
    told = await creations_beside_lists(48)
    assert len(told.made) == 48
    assert told.lists >= 2
    assert told.wrong == []
    assert told.slowest < 30
