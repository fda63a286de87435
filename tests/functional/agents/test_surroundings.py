"""What the model is told of the sandbox is true of it, and never holds a run up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from vibekit_jupyter.agents.surroundings import MOST_OF_GUIDE, surroundings
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.events import Notice
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox

pytestmark = pytest.mark.anyio

GUIDE = "Use tabs. Never spaces.\n"


async def test_the_python_that_is_there_is_told(sandbox: Sandbox) -> None:
    version = (
        await sandbox.run("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'")
    ).stdout
    told = (await surroundings(sandbox, internet=False)).text
    assert f"- Python {version.strip()} has " in told
    assert "- There is no internet" in told
    await sandbox.write_file("/home/user/numpy.py", b"raise SystemExit('not imported')")
    assert (await surroundings(sandbox, internet=True)).text == told.replace(
        "There is no internet: nothing can be downloaded or installed from it.",
        "Commands reach the internet.",
    )


@pytest.mark.parametrize("name", ["AGENTS.md", "CLAUDE.md"])
async def test_a_guide_is_read(sandbox: Sandbox, name: str) -> None:
    await sandbox.write_file(f"/home/user/{name}", GUIDE.encode())
    told = await surroundings(sandbox, internet=None)
    assert told.read == [name]
    assert told.text.endswith(f"What /home/user/{name} says to coding agents:\n\n{GUIDE}")


async def test_a_guide_is_read_once_and_never_whole_if_it_is_long(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/AGENTS.md", b"x" * 10_000_000)
    await sandbox.run("ln -s AGENTS.md CLAUDE.md")
    told = await surroundings(sandbox, internet=None)
    assert told.read == ["AGENTS.md"]
    assert len(told.text) < MOST_OF_GUIDE + 1000
    assert told.text.endswith("\n[cut]\n")


@pytest.mark.parametrize(
    "trap",
    [
        "mkfifo AGENTS.md",
        "mkdir AGENTS.md",
        "ln -s /dev/zero AGENTS.md",
        "ln -s AGENTS.md AGENTS.md",
        "printf '\\0\\377\\n' > AGENTS.md",
        "touch AGENTS.md",
    ],
)
async def test_a_guide_that_is_none_holds_nothing_up(
    sandbox: Sandbox, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibekit_jupyter.agents.surroundings.PATIENCE", 2.0)
    assert (await sandbox.run(trap)).exit_code == 0
    told = await surroundings(sandbox, internet=None)
    assert len(told.text) < MOST_OF_GUIDE + 1000
    assert "\0" not in told.text


async def test_a_sandbox_that_lies_about_its_python_is_not_believed(sandbox: Sandbox) -> None:
    lie = (
        "python3() { echo nonsense; }; export -f python3; alias python3=false; PATH=/home/user/bin"
    )
    await sandbox.write_file("/home/user/.bash_profile", lie.encode())
    assert "- Python 3." in (await surroundings(sandbox, internet=None)).text


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_run_tells_the_model_and_the_person_what_was_read(
    new_client: NewClient, agent: AgentName
) -> None:
    heard: list[Event] = []
    with ModelServer([Answer("Hello."), Answer("Done.")]) as server:
        client = new_client(agent=server.agent(agent))
        await client.generate_code("Hello")
        await client.execute_command(f"printf '{GUIDE}' > AGENTS.md")
        await client.generate_code("Go on", on_event=heard.append)
        first, second = (request.system for request in server.requests)
    assert "- There is no internet" in first
    assert second.startswith(first)
    assert GUIDE in second
    notices = [event.text for event in heard if isinstance(event, Notice)]
    assert notices == ["The agent has read AGENTS.md."]
    await client.kill()
