"""People's own agents, as their makers publish them: whole turns in a sandbox, offline."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.model_server import Cut, Disturbed, HttpError, ModelServer, Stall
from tests.support.real_agents import TESTED
from tests.support.turns_in_cells import news_for_the_model
from vibekit_jupyter import VibeKit
from vibekit_jupyter.demo_model.wire import Answer, ToolCall, Usage
from vibekit_jupyter.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelRateLimitError,
    ModelStreamError,
    ModelUnavailableError,
)
from vibekit_jupyter.settings.vendors import ACP_AGENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.model_server import Fault, Reply
    from vibekit_jupyter.demo_model.wire import Request

pytestmark = [pytest.mark.anyio, pytest.mark.agents, pytest.mark.timeout(300)]

KEY = "sk-test-0123456789"
# It looks for the key, which it spells in two halves, while the agent is at work.
COMMAND = f"""echo so it is; echo made > made.txt; H={KEY[:9]}; O={KEY[9:]}
{{ for each in /proc/[0-9]*; do grep -l -a -F "$H$O" $each/environ $each/cmdline; done
grep -r -l -a -F "$H$O" ~; }} > /tmp/found 2>/dev/null; true"""
# What each agent calls its tool for commands, and what it wants to know.
TOOLS: dict[str, dict[str, Any]] = {
    "exec_command": {"cmd": COMMAND},
    "Bash": {"command": COMMAND, "description": "Say so"},
    "shell": {"command": COMMAND},
    "bash": {"command": COMMAND, "description": "Say so"},
    "run_shell_command": {"command": COMMAND, "description": "Say so"},
}
USED = Usage(100, 10, 5)


def work(request: Request) -> Reply:
    """Run a command, then say so; a title has no tools."""
    tool = next((name for name in TOOLS if name in request.tools), None)
    if tool is None:
        return Answer("A title", usage=USED)
    if any(message.tool_results for message in news_for_the_model(request)):
        return Answer("The work is done.", usage=USED)
    return Answer(tool_calls=(ToolCall(tool, TOOLS[tool]),), usage=USED)


@pytest.fixture(params=TESTED)
async def turn(
    request: pytest.FixtureRequest, agents_home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Turn]:
    monkeypatch.setenv("VIBEKIT_HOME", str(agents_home))

    def script(asked: Request) -> Reply:
        return here.script(asked)

    with ModelServer(script, key=KEY, strict=False) as server:
        here = Turn(request.param, server)
        yield here
        await here.client.aclose()


class Turn:
    """One agent, one scripted model."""

    def __init__(self, name: str, server: ModelServer) -> None:
        self.script: Callable[[Request], Reply] = work
        self.server = server
        url = server.url_for(ACP_AGENTS[name] or "codex")
        model = {"name": "the-model", "base_url": url, "api_key": KEY}
        self.client = VibeKit(agent={"type": name, "model": model})

    async def run(self, prompt: str = "Make a file") -> list[Any]:
        return [event async for event in self.client.stream(prompt)]


async def test_a_turn_works_in_the_sandbox_and_the_key_is_not_there(turn: Turn) -> None:
    events = await turn.run()
    finished = events[-1]
    assert finished.status == "done"
    assert "The work is done." in "".join(
        event.text for event in events if event.type == "text_delta"
    )
    assert "so it is" in "".join(str(event.to_dict()) for event in events)
    assert [event.change.path for event in events if event.type == "file_changed"] == [
        "/home/user/made.txt"
    ]
    asked = [request for request in turn.server.requests if request.tools]
    assert len(asked) == 2
    assert finished.usage.total == len(turn.server.requests) * (USED.input + USED.output)
    session = await turn.client.get_session()
    assert session is not None
    result = await turn.client.execute_command("cat made.txt /tmp/found")
    assert result.stdout == "made\n"
    # It goes on where it was.
    again = await turn.run("And now?")
    assert again[-1].status == "done"
    assert "Make a file" in turn.server.requests[-1].body.decode()


async def test_a_picture_and_the_effort_reach_the_model(turn: Turn) -> None:
    turn.script = lambda _: Answer("A red one.", usage=USED)
    red = Image.new("RGB", (40, 30), "red")
    prompt = turn.client.stream("Which colour is it?", inputs={"red": red}, effort="low")
    events: list[Any] = [event async for event in prompt]
    assert events[-1].status == "done"
    body = next(request.body.decode() for request in turn.server.requests if request.tools)
    assert "data/red.png:" in body
    told = [event.to_dict().get("text", "") for event in events if event.type == "notice"]
    assert re.search(r'effort": ?"low"', body) or any("takes no effort" in text for text in told)
    shown = re.search(r'(?:base64,|"data": ?")(iVBOR[A-Za-z0-9+/=]+)', body)
    if shown is None:  # goose sends them to models that it knows
        assert "model does not support vision" in body
        return
    with Image.open(io.BytesIO(base64.b64decode(shown[1]))) as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (HttpError.rate_limited(), ModelRateLimitError),
        (HttpError.unauthorized(), ModelAuthenticationError),
        (HttpError(500, "Broken"), ModelError),
    ],
)
async def test_what_the_model_service_says_decides(
    turn: Turn, refusal: HttpError, error: type[ModelError]
) -> None:
    turn.script = lambda _: refusal
    with pytest.raises(error):
        await turn.run()
    turn.script = work
    assert (await turn.run("Try again"))[-1].status == "done"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Cut(3), ModelStreamError), (Stall(3, 300.0), ModelUnavailableError)],
    ids=["cut", "silent"],
)
async def test_an_answer_that_does_not_come_to_its_end_is_the_services_fault(
    turn: Turn, fault: Fault, error: type[ModelError]
) -> None:
    settings = turn.client.settings
    turn.client.configure(dataclasses.replace(settings, silence=3.0))
    turn.script = lambda _: Disturbed(Answer("As far as this, and no word further."), fault)
    with pytest.raises(error):
        await turn.run()
    turn.client.configure(settings)
    turn.script = work
    assert (await turn.run("Try again"))[-1].status == "done"
