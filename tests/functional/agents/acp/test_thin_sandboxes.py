"""A sandbox that lacks what an agent in it needs: one sentence, what to do, and others go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from tests.support.thin_server import thin_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.agents.acp.known import KNOWN
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import AgentError, AgentInstallError, SandboxError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NODE_AGENT = b"#!/usr/bin/env node\nrequire('./agent')\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with thin_server(tmp_path_factory.mktemp("bare")) as server:
        yield server


@pytest.fixture(scope="module")
def with_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with thin_server(tmp_path_factory.mktemp("with-python"), "python3") as server:
        yield server


@pytest.fixture(scope="module")
def without_tail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    folder = tmp_path_factory.mktemp("without-tail")
    with thin_server(folder, "python3", without="tail") as server:
        yield server


@pytest.fixture
async def client(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VibeKit]:
    server: SandboxServer = request.getfixturevalue(request.param)
    monkeypatch.setenv("VIBEKIT_HOME", str(tmp_path / "home"))
    with ModelServer(lambda _: Answer("I am here."), strict=False) as model:
        for name, value in {**server.environment, **model.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GEMINI_API_KEY", "AIza-of-nobody")
        here = VibeKit(agent={"type": "codex"})
        await here.new()
        yield here
        await here.kill()
        await here.aclose()


def on(server: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [server], indirect=True)


async def goes_on(client: VibeKit) -> None:
    for agent in ("codex", "claude"):
        assert (await client.generate_code("hello", agent=agent)).text == "I am here."


@on("bare")
async def test_without_python_no_agent_can_ask_its_model(client: VibeKit) -> None:
    for name in ("demo-acp", "own", *KNOWN):
        with pytest.raises(SandboxError, match="The sandbox has no python3") as raised:
            await client.generate_code("hello", agent=name, agent_command="my-agent")
        assert "choose --agent codex or claude" in raised.value.hint
    await goes_on(client)


@on("with_python")
async def test_without_node_npm_and_pip_nothing_can_be_installed(client: VibeKit) -> None:
    for name in ("codex-cli", "gemini"):  # each asks the machine's pip, where there is one
        with pytest.raises(AgentInstallError) as raised:
            await client.generate_code("hello", agent=name)
        # The machine's pip is a part of its python3, where it has one.
        why = "no Node 22, and no pip to get one with|pip did not reach its registry"
        assert re.search(why, raised.value.message), name
        assert "template" in raised.value.hint
    assert (await client.generate_code("hello", agent="demo-acp")).text == "I am here."
    await goes_on(client)


@on("with_python")
@pytest.mark.parametrize("command", ["node /home/user/agent.js", "/home/user/agent"])
async def test_a_command_whose_program_is_missing_says_what_to_do(
    client: VibeKit, command: str
) -> None:
    sandbox = await client._workspace.current_sandbox()
    await sandbox.write_file("/home/user/agent", NODE_AGENT)
    await sandbox.run("chmod +x agent")
    with pytest.raises(AgentError, match=r"node") as raised:
        await client.generate_code("hello", agent="own", agent_command=command)
    assert "se a template that has it, or choose --agent codex or claude." in raised.value.hint
    await goes_on(client)


@on("without_tail")
async def test_without_the_program_that_an_agent_is_heard_through(client: VibeKit) -> None:
    with pytest.raises(AgentError, match="This sandbox lacks a program: tail") as raised:
        await client.generate_code("hello", agent="demo-acp")
    assert "Use a template that has it" in raised.value.hint
    await goes_on(client)
