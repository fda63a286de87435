"""What is told while an answer is waited for."""

from __future__ import annotations

import pytest

from tests.functional.agents.support import ask, model_at
from tests.support.model_server import HttpError, ModelServer
from vibekit_jupyter import agents
from vibekit_jupyter.agents.progress import ToolCallProgress, telling
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.events import Event, RetryScheduled, ToolCallDelta
from vibekit_jupyter.settings.config import AGENTS, AgentName

pytestmark = pytest.mark.anyio


async def told_of(agent: AgentName, *replies: Answer | HttpError) -> list[Event]:
    told: list[Event] = []
    with ModelServer(list(replies)) as server:
        vendor = agents.load(model_at(server, agent))
        with telling(told.append):
            await ask(vendor, "Hello")
        await vendor.aclose()
    return told


@pytest.mark.parametrize("agent", AGENTS)
async def test_another_try_is_told_with_its_reason_and_when(agent: AgentName) -> None:
    told = await told_of(agent, HttpError.rate_limited(retry_after=1), Answer("Done."))
    assert told == [RetryScheduled(1.0, "429")]


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_tool_call_that_is_written_is_told_with_its_file(agent: AgentName) -> None:
    call = ToolCall("write_file", {"path": 'report "ü".py', "content": "x = 1\n" * 3_000})
    told = await told_of(agent, Answer(tool_calls=(call,)))
    deltas = [event for event in told if isinstance(event, ToolCallDelta)]
    assert deltas
    assert {event.tool for event in deltas} == {"write_file"}
    assert [event.size for event in deltas] == sorted(event.size for event in deltas)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_item.added"},
        {"type": "response.output_item.added", "item": {"name": 7}},
        {"type": "content_block_start", "content_block": []},
        {"type": "response.function_call_arguments.delta", "delta": None},
        {"type": "content_block_delta", "delta": "odd"},
        {"type": "content_block_delta", "delta": {"partial_json": {}}},
    ],
)
async def test_odd_events_tell_nothing(event: object) -> None:
    told: list[Event] = []
    with telling(told.append):
        progress = ToolCallProgress()
        progress.see({"type": "content_block_start", "content_block": {"name": "write_file"}})
        progress.see(event)
    assert told == []


async def test_a_path_is_told_as_soon_as_it_is_whole() -> None:
    told: list[Event] = []
    with telling(told.append):
        progress = ToolCallProgress(interval=0)
        progress.see({"type": "content_block_start", "content_block": {"name": "write_file"}})
        progress.see({"type": "content_block_delta", "delta": {"partial_json": '{"path": "a'}})
        progress.see({"type": "content_block_delta", "delta": {"partial_json": '\\u00fc.py", "c'}})
    assert told == [ToolCallDelta("write_file", "", 11), ToolCallDelta("write_file", "aü.py", 25)]
