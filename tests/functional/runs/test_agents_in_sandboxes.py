"""Agents that are programs in the sandbox are run, recorded and gone on with as ours are."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.acp_peer import peer_source
from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError
from vibekit_jupyter.events import FileChanged, Notice, RunFinished, ToolCallFinished

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

WRITE = "Write primes.py that prints the first ten primes, and run it"
CHANGE = "Now make it print twenty"
DEMO = {"type": "demo-acp"}


async def test_a_run_leaves_what_any_other_leaves(new_client: NewClient) -> None:
    client = new_client(agent=DEMO)
    events: list[Event] = []
    result = await client.generate_code(WRITE, on_event=events.append)
    assert (result.status, result.agent, result.model) == ("done", "demo-acp", "demo")
    assert "2 3 5 7 11 13 17 19 23 29" in result.text
    assert [(change.path, change.kind) for change in result.files] == [
        ("/home/user/primes.py", "created")
    ]
    assert [command.exit_code for command in result.commands] == [0]
    assert "COUNT = 10" in result.code
    assert result.steps == 3
    # What a tool has told is not told again as what a command did.
    assert not any(isinstance(event, FileChanged) for event in events)
    turn = client.last_turn()
    assert turn is not None
    assert (turn.agent, turn.text) == ("demo-acp", result.text)
    assert [event["type"] for event in turn.events][-1] == RunFinished.type
    again = client.recorded(WRITE)
    assert again is not None
    assert again.number == turn.number
    assert client.recorded(WRITE, agent="codex") is None


async def test_agents_go_on_where_others_stopped_and_back(new_client: NewClient) -> None:
    client = new_client(agent=DEMO)
    await client.generate_code(WRITE, agent="codex")
    second = await client.generate_code(CHANGE)
    assert "31 37 41 43 47 53 59 61 67 71" in second.text
    third = await client.generate_code("Now make it print thirty", agent="codex")
    assert third.text.endswith("113\n```")
    fourth = await client.generate_code("Now make it print five")
    assert "2 3 5 7 11\n" in fourth.text
    registry = client._workspace.book.registry
    turns = registry.turns(client._workspace.service_id(), str(fourth.session_id))
    assert [turn.agent for turn in turns] == ["codex", "demo-acp", "codex", "demo-acp"]


async def test_an_agent_of_ones_own_is_started_by_its_command(new_client: NewClient) -> None:
    client = new_client(agent=DEMO)
    sandbox = await client._workspace.current_sandbox()
    await sandbox.write_file(
        "/home/user/my-agent", f"#!/usr/bin/env python3\n{peer_source()}".encode()
    )
    await sandbox.run("chmod +x my-agent; mkdir -p bin; mv my-agent bin")
    result = await client.generate_code("say hello", agent_command="/home/user/bin/my-agent")
    assert (result.agent, result.status) == ("own", "done")
    assert client.last_turn().agent == "own"  # type: ignore[union-attr]


async def test_what_is_said_after_a_call_is_a_paragraph_of_its_own_where_no_model_is_asked(
    new_client: NewClient,
) -> None:
    client = new_client(agent=DEMO)
    sandbox = await client._workspace.current_sandbox()
    await sandbox.write_file("/home/user/agent.py", peer_source().encode())
    command = "python3 -I agent.py session/prompt by_itself"
    result = await client.generate_code("look", agent_command=command)
    assert (result.text, result.steps) == ("I look.\n\nI looked.", 1)
    assert client.last_turn().text == result.text  # type: ignore[union-attr]


async def test_an_agent_of_ones_own_is_put_into_the_mode_in_which_it_asks(
    new_client: NewClient,
) -> None:
    client = new_client(agent={**DEMO, "approve": "always"})
    sandbox = await client._workspace.current_sandbox()
    source = peer_source()
    without_modes = re.sub(r"MODES = .*", "MODES = []", source)
    for name, text in (("my agent.py", source), ("other.py", without_modes)):
        await sandbox.write_file(f"/home/user/{name}", text.encode())
    result = await client.generate_code(WRITE, agent_command="python3 -I 'my agent.py'")
    assert {(event.answer, event.by) for event in result.approvals} == {("refused", "nobody")}
    told: list[Event] = []
    other = "python3 -I other.py"
    await client.generate_code("say hello", agent_command=other, on_event=told.append)
    said = [event.text for event in told if isinstance(event, Notice)]
    assert any("no mode of a known name in which it asks" in text for text in said)


async def test_an_agent_of_ones_own_needs_a_command(new_client: NewClient) -> None:
    with pytest.raises(AgentNotInitializedError, match="how your own agent is started"):
        await new_client(agent={"type": "own"}).generate_code("say hello")


async def test_nothing_may_be_asked_of_it_that_it_does_not_keep(new_client: NewClient) -> None:
    with pytest.raises(ConfigurationError, match="has no mode ask"):
        await new_client(agent=DEMO).generate_code("say hello", mode="ask")


async def test_where_nobody_is_there_to_answer_nothing_is_allowed(new_client: NewClient) -> None:
    client = new_client(agent={**DEMO, "approve": "always"})
    events: list[Event] = []
    result = await client.generate_code(WRITE, on_event=events.append)
    assert result.files == ()
    answered = [event for event in events if event.type == "approval_answered"]
    assert answered
    assert {(event.answer, event.by) for event in answered} == {("refused", "nobody")}  # type: ignore[attr-defined]
    assert not any(event.ok for event in events if isinstance(event, ToolCallFinished))


async def test_an_agents_own_session_outlives_the_client(new_client: NewClient) -> None:
    first = new_client(agent=DEMO)
    result = await first.generate_code(WRITE)
    await first.aclose()
    registry = first._workspace.book.registry
    place = (first._workspace.service_id(), str(result.session_id))
    known = registry.agent_session(*place, "demo-acp")
    assert known is not None
    second = new_client(agent=DEMO, session_id=result.session_id)
    changed = await second.generate_code(CHANGE)
    assert "71" in changed.text
    after = registry.agent_session(*place, "demo-acp")
    assert after is not None
    assert (after[0], after[1]) == (known[0], known[1] + 1)


async def test_a_fresh_run_begins_a_session_of_the_agents_own(new_client: NewClient) -> None:
    client = new_client(agent=DEMO)
    result = await client.generate_code(WRITE)
    registry = client._workspace.book.registry
    place = (client._workspace.service_id(), str(result.session_id))
    before = registry.agent_session(*place, "demo-acp")
    await client.generate_code("say hello", fresh=True)
    after = registry.agent_session(*place, "demo-acp")
    assert before is not None
    assert after is not None
    assert before[0] != after[0]


@pytest.mark.parametrize("schema_only", [False, True])
async def test_inputs_that_are_pictures_are_shown_where_their_values_may_be(
    new_client: NewClient, *, schema_only: bool
) -> None:
    file = io.BytesIO()
    drawn = Image.new("RGB", (40, 30), "red")
    drawn.save(file, "PNG")
    inputs = {"drawn": drawn, "raw": file.getvalue(), "other": b"no picture", "n": 5}
    with ModelServer(lambda _: Answer("I see."), key="k", strict=False) as server:
        model = {"name": "m", "base_url": server.url_for("codex"), "api_key": "k"}
        client = new_client(agent={**DEMO, "model": model})
        result = await client.generate_code("Look", inputs=inputs, schema_only=schema_only)
    (asked,) = server.requests
    shown = [part for part in json.loads(asked.body)["input"][0]["content"] if "image_url" in part]
    assert len(shown) == (0 if schema_only else 2)
    # Whether it is seen or not, each is a file of the sandbox.
    told = "".join(asked.messages[-1].texts)
    assert "file data/drawn.png" in told
    assert "file data/raw.bin" in told
    # The sandbox has the picture; what is written down of the turn has it not.
    registry = client._workspace.book.registry
    turns = registry.messages(client._workspace.service_id(), str(result.session_id))
    assert "base64" not in json.dumps([dict(turn) for turn in turns], default=str)


async def test_a_copy_of_a_session_goes_on_where_the_agent_stood_and_both_go_their_ways(
    new_client: NewClient,
) -> None:
    def script(request: Request) -> Answer:
        return Answer(f"I heard {len(request.messages)} messages.")

    with ModelServer(script, key="k", strict=False) as server:
        model = {"name": "m", "base_url": server.url_for("codex"), "api_key": "k"}
        client = new_client(agent={**DEMO, "model": model})
        events: list[Event] = []
        await client.generate_code("One")
        await client.generate_code("Two", agent="codex")
        await client.generate_code("Three")
        copy = await client.fork("copy")
        other = new_client(agent={**DEMO, "model": model}, session_id=copy.id)
        await other.generate_code("In the copy", on_event=events.append)
        last = server.requests[-1]
        await client.generate_code("In the original", on_event=events.append)
    # Each goes on in the agent's own session: what was said is told neither again nor as text.
    for request, prompt in ((last, "In the copy"), (server.requests[-1], "In the original")):
        said = [text for message in request.messages for text in message.texts]
        assert [said[0], said[-1]] == ["One", prompt]
        assert sum("Two" in text for text in said) == 1
        assert sum("Three" in text for text in said) == 1
        assert sum(text.startswith("In the") for text in said) == 1
    assert not any(event.type == "notice" for event in events)
    registry, service = client._workspace.book.registry, client._workspace.service_id()
    kept = [
        registry.agent_session(service, each, "demo-acp")
        for each in (copy.id, str(copy.continued_from))
    ]
    assert kept[0] is not None
    assert kept[1] is not None
    assert kept[0][:2] == kept[1][:2]


async def test_what_is_done_with_a_session_leaves_the_agents_own_as_it_is(
    new_client: NewClient,
) -> None:
    def script(request: Request) -> Answer:
        return Answer(f"I heard {len(request.messages)} messages.")

    with ModelServer(script, key="k", strict=False) as server:
        model = {"name": "m", "base_url": server.url_for("codex"), "api_key": "k"}
        client = new_client(agent={**DEMO, "model": model})
        await client.generate_code("One")
        await client.pause()
        await client.resume()
        await client.rename("renamed")
        assert (await client.generate_code("Two")).text == "I heard 3 messages."
        # With the sandbox the agent's files are gone: it is told what was said, in one message.
        gone = await client.kill()
        restored = await client.restore(gone.id)
        assert restored.reopened
        told: list[Event] = []
        assert (await client.generate_code("Three", on_event=told.append)).text.endswith(
            "1 messages."
        )
        (asked,) = server.requests[-1].messages
        assert [any(word in text for text in asked.texts) for word in ("One", "Two", "Three")]
        assert not any(isinstance(event, Notice) for event in told)
        assert (await client.generate_code("Four")).text == "I heard 3 messages."
