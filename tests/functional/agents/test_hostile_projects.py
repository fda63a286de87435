"""With ``--approve always`` somebody is asked, whatever the files of the working folder say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hostile_project import COMMAND, DECOY, HOME, MARKS, hostile_files
from tests.support.model_server import ModelServer
from tests.support.real_agents import TESTED
from vibekit_jupyter import VibeKit
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.events import ApprovalAnswered
from vibekit_jupyter.settings.vendors import ACP_AGENTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.model_server import Reply
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.events import ApprovalAsked

pytestmark = pytest.mark.anyio

PROMPTS = ("Turn 1", "Turn 2")  # the second one loads the agent's session
KEY = "sk-test-0123456789"
# codex asks where its model does: a sandbox runs no command otherwise.
ESCALATED = {"sandbox_permissions": "require_escalated", "justification": "to do it"}
TOOLS: dict[str, dict[str, Any]] = {
    "run_command": {"command": COMMAND},
    "exec_command": {"cmd": COMMAND, **ESCALATED},
    "Bash": {"command": COMMAND, "description": "Do it"},
    "shell": {"command": COMMAND},
    "bash": {"command": COMMAND, "description": "Do it"},
    "run_shell_command": {"command": COMMAND, "description": "Do it"},
}


def work(request: Request) -> Reply:
    """Run the command once for each prompt; a title has no tools."""
    tool = next((name for name in TOOLS if name in request.tools), None)
    if tool is None:
        return Answer("A title")
    prompts = {word for word in PROMPTS if word in request.body.decode()}
    done = sum(len(message.tool_results) for message in request.messages)
    if done >= len(prompts):
        return Answer("Done.")
    return Answer(tool_calls=(ToolCall(tool, TOOLS[tool]),))


class Refusing:
    """Somebody who allows nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        self.asked.append(asked.command)
        return ApprovalAnswered(asked.request_id, "refused", "you")


async def held(name: str) -> None:
    """Have an agent work beside such files, and look at what was done."""
    with ModelServer(work, key=KEY, strict=False) as server:
        url = server.url_for(ACP_AGENTS[name] or "codex")
        model = {"name": "the-model", "base_url": url, "api_key": KEY}
        client = VibeKit(agent={"type": name, "model": model})
        await client.new()
        try:
            sandbox = await client._workspace.current_sandbox()
            for path, text in hostile_files().items():
                await sandbox.write_file(f"{HOME}/{path}", text.encode())
            await sandbox.write_file("/tmp/decoy.py", DECOY.encode())  # noqa: S108  (of the sandbox)
            await sandbox.run(f"mkdir {MARKS}; setsid python3 /tmp/decoy.py > /tmp/decoy 2>&1 &")
            for prompt in PROMPTS:
                person = Refusing()
                await client.generate_code(prompt, approve="always", approver=person)
                assert any(COMMAND in command for command in person.asked), prompt
                marks = await sandbox.run(f"ls -A {MARKS}")
                assert marks.stdout == "", name
            found = await sandbox.run(f"grep -rlaF {KEY} {HOME} /tmp/vibekit 2>/dev/null; true")
            assert found.stdout == ""
        finally:
            await client.kill()
            await client.aclose()


async def test_the_demo_agent_asks(shared_home: Path) -> None:
    await held("demo-acp")


@pytest.mark.agents
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", TESTED)
async def test_other_peoples_agents_ask(
    name: str, agents_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBEKIT_HOME", str(agents_home))
    await held(name)
