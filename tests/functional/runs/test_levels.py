"""What a run did to files is told alike wherever the sandbox has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.events import FileChanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

SCRIPT = [
    ("write_file", {"path": "plan.txt", "content": "plan\n"}),
    ("write_file", {"path": "/tmp/notes.txt", "content": "notes\n"}),  # noqa: S108
    ("write_file", {"path": "draft.txt", "content": "draft\n"}),
    ("run_command", {"command": "echo made > made.txt; rm draft.txt"}),
]


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    with sandbox_server(tmp_path_factory.mktemp("level"), "--confine", request.param) as running:
        yield running


async def test_files_are_told_at_every_level(new_client: NewClient, server: SandboxServer) -> None:
    heard: list[Event] = []
    calls = tuple(ToolCall(name, arguments) for name, arguments in SCRIPT)
    with ModelServer([Answer(tool_calls=calls), Answer("Done.")]) as model:
        client = new_client(agent=model.agent("codex"), environment={"e2b": server.where})
        result = await client.generate_code("Do it", on_event=heard.append)
    told = {e.change.path: e.change.kind for e in heard if isinstance(e, FileChanged)}
    assert told == {"/home/user/made.txt": "created", "/home/user/draft.txt": "deleted"}
    files = {change.path: change.kind for change in result.files}
    assert files == {
        "/home/user/plan.txt": "created",
        "/tmp/notes.txt": "created",  # noqa: S108
        "/home/user/made.txt": "created",
    }
    notes = (await client.restore()).notes
    assert "Its files are there (3 that runs changed)." in notes
    await client.kill()
