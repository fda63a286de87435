"""A sandbox whose disk is full: a sentence, what was there stays, and there is room afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.security.local_sandbox.conftest import CONFINED
from tests.security.local_sandbox.test_full_disk import small_disk
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.errors import DataError, SandboxLimitError, VibeKitError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.attack, pytest.mark.anyio]


@pytest.fixture(params=CONFINED)
async def client(
    request: pytest.FixtureRequest, tmp_path: Path, vibekit_home: Path
) -> AsyncIterator[VibeKit]:
    launcher = small_disk(tmp_path / "root")
    with sandbox_server(tmp_path, "--confine", request.param, launcher=launcher) as server:
        client = VibeKit(agent={"type": "codex"}, environment={"e2b": server.where})
        yield client
        await client.aclose()


async def test_nothing_half_stays_and_nothing_is_lost(
    client: VibeKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for number in range(20):
        (here / f"small-{number}").write_bytes(bytes(100_000))
    (here / "large").write_bytes(bytes(6_000_000))
    told: list[str] = []

    await client.send(v=np.arange(1000.0))
    # It answers with the room that there was when it was asked.
    await client.execute_command("mkdir out; cp data/v.npy out; head -c 12M /dev/zero >fill; true")
    with pytest.raises((DataError, SandboxLimitError)) as sent:
        await client.send(v=np.zeros(1_400_000))
    told.append(str(sent.value))
    with pytest.raises(SandboxLimitError) as large:
        await client.push("large", to="in")
    told.append(str(large.value))
    await client.execute_command("cat /dev/zero >more; true")
    with pytest.raises(SandboxLimitError) as small:
        await client.push("small-*", to="in")
    told.append(str(small.value))
    with pytest.raises(VibeKitError) as code:
        await client.run_code("open('x', 'wb').write(bytes(3_000_000))")
    told.append(str(code.value))
    assert all("\n" not in text and len(text) < 400 for text in told), told
    assert all("disk" in text or "No space left" in text or "full" in text for text in told), told

    assert (await client.execute_command("ls -A data")).stdout == "v.npy\n"
    find = "find . ${TMPDIR:-/tmp} -name '*.part*' -o -name 'vibekit-*.tar'"
    halves = await client.execute_command(f"{find} 2>/dev/null; true")
    assert halves.stdout == ""
    assert (await client.fetch("v")).tolist() == np.arange(1000.0).tolist()
    await client.execute_command("rm more fill")
    await client.send(v=np.zeros(500_000))
    pushed = await client.push("small-*", to="in")
    assert pushed.left_out == []
