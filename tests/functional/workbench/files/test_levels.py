"""Files come and go at every level of confinement, and a service that dies leaves no half file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path  # noqa: TC003 - pytest reads the fixtures' annotations
from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.workbench.files.plan import SMALL

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter.workbench.files.outcome import Progress

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
async def test_files_come_and_go_at_every_level(
    new_client: NewClient, tmp_path: Path, level: str
) -> None:
    made = {f"d/{number}": os.urandom(number) for number in range(40)}
    made |= {"d/medium": os.urandom(SMALL + 1), "d/é/ü": b"x"}
    for name, data in made.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with sandbox_server(tmp_path / "server", "--confine", level) as server:
        client = new_client(environment={"e2b": server.where})
        pushed = await client.push(tmp_path / "here" / "d", to="/tmp/in")  # noqa: S108
        assert pushed.left_out == []
        await client.execute_command("cp -r /tmp/in in 2>/dev/null || cp -r $TMPDIR/in in")
        for word in ("in/d", "/tmp/in/*"):  # noqa: S108
            back = tmp_path / word.replace("/", "-")
            await client.pull(word, to=back)
            assert {name: (back / name).read_bytes() for name in made} == made
        found = await client.list_files("in")
        assert "/home/user/in/d/medium" in [each.path for each in found.found]
        await client.remove_files("in")
        assert (await client.execute_command("ls -A")).stdout == ""
        await client.aclose()


async def test_a_cut_in_the_middle_leaves_no_half_file(
    new_client: NewClient, tmp_path: Path
) -> None:
    with sandbox_server(tmp_path / "server") as server:
        client = new_client(environment={"e2b": server.where})
        await client.execute_command("truncate -s 1900M huge")

        def cut(progress: Progress) -> None:
            if progress.size:
                server.process.kill()

        with pytest.raises(VibeKitError) as raised:
            await asyncio.wait_for(client.pull("huge", to=tmp_path / "to", on_progress=cut), 100)
        assert not (tmp_path / "to" / "huge").exists()
        assert len(str(raised.value).splitlines()) == 1
        await client.aclose()
