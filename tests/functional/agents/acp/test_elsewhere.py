"""In a sandbox of another service an agent is what its template has, the rest installed there."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.agents.acp.conftest import DEADLINE
from tests.functional.agents.support import KEY
from tests.support.model_server import ModelServer
from tests.support.npm_stand_in import HOME, furnish
from vibekit_jupyter import VibeKit
from vibekit_jupyter.agents.acp.elsewhere import found_elsewhere
from vibekit_jupyter.agents.progress import telling
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import AgentInstallError
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.services.agent_recipes import RECIPES
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter.agents.acp.launch import Found
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

AGENTS = f"{HOME}/.vibekit/agents"
CODEX = RECIPES["codex-cli"]


@pytest.fixture
async def far(other_server: SandboxServer) -> AsyncIterator[Sandbox]:
    where = other_server.where
    service = Service(
        "far", "E2B", where["api_key"], where["api_url"], where["sandbox_url"], template="base"
    )
    created = await Sandbox.create(service, timeout=300, metadata={}, internet=False)
    yield created
    await kill(service, created.id)


async def look(sandbox: Sandbox, name: str = "codex-cli", **options: Any) -> Found:
    return await found_elsewhere(sandbox, "The agent", RECIPES[name], **options)


async def asked(sandbox: Sandbox) -> list[list[list[str]]]:
    """Return what npm was asked for, each time: the packages, and its arguments."""
    lines = (await sandbox.run("cat npm-asked 2>/dev/null || true")).stdout.splitlines()
    return [json.loads(line) for line in lines]


async def left(sandbox: Sandbox) -> list[str]:
    return (await sandbox.run(f"ls -A {AGENTS} 2>/dev/null || true")).stdout.split()


async def test_an_adapter_is_installed_at_first_use_and_the_agent_goes_on_where_it_was(
    other_server: SandboxServer, shared_home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in other_server.environment.items():
        monkeypatch.setenv(name, value)

    def script(request: Request) -> Answer:
        return Answer(f"I heard {len(request.messages)} messages.")

    with ModelServer(script, key=KEY, strict=False) as server:
        model = {"name": "m", "base_url": server.url_for("codex"), "api_key": KEY}
        client = VibeKit(agent={"type": "codex-cli", "model": model})
        session = await client.new()
        await furnish(await client._workspace.connect(session.id), "codex")
        told: list[Event] = [event async for event in client.stream("One")]
        again: list[Event] = [event async for event in client.stream("Two")]
        await client.aclose()
        other = VibeKit(agent={"type": "codex-cli", "model": model}, session_id=session.id)
        third: list[Event] = [event async for event in other.stream("Three")]
        await other.kill(session.id)
        await other.aclose()
    words = [
        "".join(str(event.to_dict()["text"]) for event in events if event.type == "text_delta")
        for events in (told, again, third)
    ]
    assert words == [f"I heard {number} messages." for number in (1, 3, 5)]
    notices = [
        [str(event.to_dict()["text"]) for event in events if event.type == "notice"]
        for events in (told, again, third)
    ]
    begins, ends = notices[0]
    assert (
        begins
        == "The adapter of Codex CLI (2.6.0) is being installed in this sandbox, where it stays."
    )
    assert ends.startswith("Codex CLI is installed: it took ")
    assert notices[1:] == [[], []]
    assert not any(event.type == "file_changed" for event in told)


async def test_a_program_of_the_template_that_speaks_acp_is_started_as_it_is(far: Sandbox) -> None:
    await furnish(far, "goose")
    found = await look(far, "goose")
    assert found.words == (f"{HOME}/bin/goose",)
    assert await asked(far) == []


async def test_where_the_template_has_the_program_its_adapter_alone_is_installed(
    far: Sandbox,
) -> None:
    await furnish(far, "codex")
    found = await look(far)
    assert found.own == f"{HOME}/bin/codex"
    assert found.words == (f"{HOME}/bin/node", f"{AGENTS}/{CODEX.folder}-adapter/{CODEX.program}")
    ((packages, words),) = await asked(far)
    assert "node_modules/@agentclientprotocol/codex-acp" in packages
    assert not any("codex-linux" in name for name in packages)
    assert words[0] == "ci"
    assert "--ignore-scripts" in words


async def test_without_the_program_all_of_it_is_installed(far: Sandbox) -> None:
    await furnish(far)
    found = await look(far)
    assert (found.own, found.words[1]) == ("", f"{AGENTS}/{CODEX.folder}/{CODEX.program}")
    ((packages, _),) = await asked(far)
    assert any("codex-linux" in name for name in packages)


async def test_two_that_begin_at_once_install_once(far: Sandbox) -> None:
    await furnish(far, "codex")
    await far.write_file(f"{HOME}/npm-waits", b"")
    said: list[Event] = []
    with telling(said.append):
        both = asyncio.gather(look(far), look(far))
        async with asyncio.timeout(DEADLINE):
            while not any("waiting for it" in str(event) for event in said):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await far.run("rm npm-waits")
        one, other = await both
    assert one == other
    assert len(await asked(far)) == 1


async def test_an_install_that_is_interrupted_leaves_nothing_that_counts(far: Sandbox) -> None:
    await furnish(far, "codex")
    await far.write_file(f"{HOME}/npm-waits", b"")
    install = asyncio.ensure_future(look(far))
    async with asyncio.timeout(DEADLINE):
        while not await asked(far):
            pass
    install.cancel()
    with pytest.raises(asyncio.CancelledError):
        await install
    assert not any(name.startswith("codex") for name in await left(far))
    assert "npm" not in (await far.run("ps -eo args | grep '[b]in/npm' || true")).stdout
    await far.run("rm npm-waits")
    await look(far)
    assert await left(far) == [".lock", f"{CODEX.folder}-adapter"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("npm error code EAI_AGAIN", "npm did not reach its registry"),
        ("npm error code EINTEGRITY", "what npm got is not what is known here"),
        ("npm error ENOSPC: no space left", "the sandbox's disk has no room for it"),
        ("npm error code E404\nnpm error Not found", "npm failed (npm error Not found)"),
        ("☃" * 20_000 + "\nnpm error so it is", "npm failed (npm error so it is)"),
    ],
)
async def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing(
    far: Sandbox, said: str, sentence: str
) -> None:
    await furnish(far, "codex")
    await far.write_file(f"{HOME}/npm-says", said.encode())
    with pytest.raises(AgentInstallError) as raised:
        await look(far)
    begin = "The agent is not in this sandbox, and was not installed there: "
    assert raised.value.message == f"{begin}{sentence}."
    assert "E2B's codex" in raised.value.hint
    assert await left(far) == [".lock"]


async def test_what_npm_made_is_looked_at(far: Sandbox) -> None:
    """The largest of the locks, and a program that is not there."""
    await furnish(far, "claude")
    with pytest.raises(AgentInstallError, match="what it installed is not the agent"):
        await look(far, "claude-code")
    ((packages, _),) = await asked(far)
    assert "node_modules/@agentclientprotocol/claude-agent-acp" in packages
    assert await left(far) == [".lock"]


async def test_a_sandbox_that_answers_anything_starts_nothing(far: Sandbox) -> None:
    lie = """#!/bin/bash
echo; echo "$VIBEKIT_MARK"'{"begins": 7, "fetched": "x", "waits": 1}'
echo "$VIBEKIT_MARK"'[1]'; echo "$VIBEKIT_MARK"'{"words": '
echo "$VIBEKIT_MARK"'{"words": ["codex", "/x"], "own": 3}'
"""
    await furnish(far)
    await far.write_file(f"{HOME}/bin/python3", lie.encode())
    await far.run("chmod +x bin/python3")
    with pytest.raises(AgentInstallError, match="no python3 that says what is there"):
        await look(far)


async def test_without_a_network_a_sentence_says_so(far: Sandbox) -> None:
    """Whatever the machine has: no npm, an old Node, or both."""
    with pytest.raises(AgentInstallError, match=r"(npm|pip) did not reach its registry") as raised:
        await look(far, "gemini")
    assert "Give the session the internet" in raised.value.hint
    assert await left(far) == [".lock"]


async def test_an_install_that_takes_too_long_is_ended(far: Sandbox) -> None:
    await furnish(far, "codex")
    await far.write_file(f"{HOME}/npm-waits", b"")
    with pytest.raises(AgentInstallError, match="longer than 2 s"):
        await look(far, within=2)
    assert await left(far) == [".lock"]


async def test_a_sandbox_without_python_is_told_apart(far: Sandbox) -> None:
    await furnish(far)
    await far.write_file(f"{HOME}/bin/python3", b"#!/bin/bash\necho nothing; exit 1\n")
    await far.run("chmod +x bin/python3")
    with pytest.raises(AgentInstallError, match="no python3 that says what is there"):
        await look(far)
