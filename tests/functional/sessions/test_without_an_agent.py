"""Whatever needs no agent works where none can be used: sessions, files, variables, code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from vibekit_jupyter.errors import AgentNotInitializedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

# None of them can be asked: one has no command, one no key, one is no agent at all.
UNUSABLE = {
    "own": {"type": "own"},
    "keyless": {"type": "gemini"},
    "unknown": {"type": "copilot"},
    "malformed": {"type": "codex", "model": {"base_url": "nonsense"}},
}


@pytest.mark.parametrize("agent", UNUSABLE)
async def test_sessions_files_and_variables_need_no_agent(
    agent: str, new_client: NewClient
) -> None:
    client: VibeKit = new_client(agent=UNUSABLE[agent])
    with pytest.raises(AgentNotInitializedError):
        await client.generate_code("say hello")
    session = await client.new(agent)
    assert session.id in [one.id for one in await client.list()]
    await client.send(numbers=[1, 2])
    await client.run_code("open('here.txt', 'w').write('x')")
    assert "here.txt" in [each.name for each in (await client.list_files()).found]
    assert await client.read_file("here.txt", most=10) == (b"x", 1)
    assert (await client.preview(8000)).port == 8000
    copy = await client.fork(f"{agent}-copy")
    assert (await client.find(f"{agent}-copy")).id == copy.id
    await client.rename(f"{agent}-two")
    assert client.history(f"{agent}-two") == []
    assert (await client.pause()).state == "paused"
    assert (await client.resume()).state == "running"
    assert (await client.restore(f"{agent}-two")).session.id == session.id
    assert (await client.show(f"{agent}-two")) is not None
    assert (await client.kill(f"{agent}-two")).state == "gone"
    assert client.current_session is None
    await client.forget(f"{agent}-two")
    await client.kill(f"{agent}-copy")


async def test_a_command_that_is_given_for_one_run_leaves_the_session_usable(
    new_client: NewClient,
) -> None:
    client: VibeKit = new_client(agent={"type": "own"})
    with pytest.raises(AgentNotInitializedError, match="how your own agent is started"):
        await client.generate_code("say hello")
    assert await client.get_session() is None
    result = await client.execute_command("echo here")
    assert result.stdout == "here\n"
    session = await client.get_session()
    assert session is not None
    await client.set_session(session)
    await client.kill()


@pytest.fixture
def kernel(vibekit_home: Path) -> Iterator[Kernel]:
    with Kernel(vibekit_home, {"OPENAI_API_KEY": "sk-of-the-other-one"}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run("%vibekit_config --agent claude")
        yield kernel


def test_the_verbs_of_sessions_need_no_agent(kernel: Kernel) -> None:
    refused = kernel.run("%%vibekit\nhello", stop_on_error=False)
    assert refused.ename == "AgentNotInitializedError"
    for verb in ("new first", "new second", "set first", "show", "list", "fork copy"):
        cell = kernel.run(f"%vibekit_session {verb}", stop_on_error=False)
        assert (cell.status, cell.error) == ("ok", None), verb
    for verb in ("history", "pause", "resume", "kill", "forget first", "restore second"):
        cell = kernel.run(f"%vibekit_session {verb}", stop_on_error=False)
        assert cell.status == "ok" or "no turns" in str(cell.error), (verb, cell.error)
