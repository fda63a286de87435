"""What a model service sends is counted before it is held, and the error names the bound."""

from __future__ import annotations

import json

import pytest

from tests.functional.agents.support import KEY, ask
from tests.support.memory import Memory
from tests.support.raw_server import EVENTS, RawServer, bomb, endless, response
from vibekit_jupyter import agents, errors
from vibekit_jupyter.settings.config import AGENTS, AgentName, Model

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("agent", AGENTS)]

MIB = 1 << 20
# What the bounds let a kernel hold at most, with what Python makes of it.
MOST_MEMORY = 400 * MIB


def sse(**event: object) -> bytes:
    return b"event: content_block_start\ndata: " + json.dumps(event).encode() + b"\n\n"


LISTS = sse(type="response.output_item.done", output_index=0, item=[[]] * 100_000)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (endless(b"", b"x" * 65536), "more than 24 MiB at once"),
        (endless(b"data: ", b"x" * 65536, EVENTS), "more than 24 MiB at once"),
        (endless(b"", b"data: x\n" * 8192, EVENTS), "more than 1,000 lines at once"),
        (endless(b"", b": " + b"x" * 400_000 + b"\n\n", EVENTS), "more than 128 MiB in one answer"),
        (endless(b"", LISTS, EVENTS), "more than can be kept"),
        (endless(b"data: ", b"[]," * 20_000, EVENTS), "more than 1,000,000 values at once"),
        (bomb(600, EVENTS), "sent a compressed answer"),
        (bomb(600, status=401), "sent a compressed answer"),
    ],
    ids=["body", "line", "lines", "events", "lists", "values", "bomb", "refusal"],
)
async def test_an_answer_without_end_is_not_read_to_it(
    agent: AgentName, answer: object, words: str
) -> None:
    with RawServer(answer) as server, Memory() as memory:  # type: ignore[arg-type]  # of the table
        vendor = agents.load(model_of(server, agent))
        with pytest.raises(errors.ModelStreamError, match=words) as caught:
            await ask(vendor, "Hello")
        await vendor.aclose()
    assert caught.value.hint
    assert server.url.removeprefix("http://") in caught.value.message
    assert memory.taken < MOST_MEMORY
    assert server.sent < 160 * MIB


async def test_a_refusal_of_any_length_is_told_in_one_short_sentence(agent: AgentName) -> None:
    answer = endless(b'{"error": {"message": "', b"No \\ud800 way. " * 8192, status=400)
    with RawServer(answer) as server, Memory() as memory:
        vendor = agents.load(model_of(server, agent))
        with pytest.raises(errors.ModelRequestError, match=r"\(400\)") as caught:
            await ask(vendor, "Hello")
        await vendor.aclose()
    assert len(str(caught.value).encode()) < 600
    assert memory.taken < 50 * MIB
    assert server.sent < 20 * MIB


async def test_a_service_is_asked_for_an_answer_as_it_is(agent: AgentName) -> None:
    with RawServer(response(b"{}", status=404)) as server:
        vendor = agents.load(model_of(server, agent))
        with pytest.raises(errors.ModelNotFoundError):
            await ask(vendor, "Hello")
        await vendor.aclose()
    (head,) = server.requests
    assert "accept-encoding: identity" in head.lower()


@pytest.mark.parametrize("depth", [80, 900, 100_000])
async def test_an_event_that_is_nested_deeply_is_refused(agent: AgentName, depth: int) -> None:
    item = '{"type": "message", "content": [], "deep": ' + "[" * depth + "]" * depth + "}"
    events = (
        f'{{"type": "response.output_item.done", "output_index": 0, "item": {item}}}',
        f'{{"type": "content_block_start", "index": 0, "content_block": {item}}}',
    )
    body = b"".join(
        b"event: content_block_start\ndata: " + event.encode() + b"\n\n" for event in events
    )
    with RawServer(response(body, EVENTS)) as server:
        vendor = agents.load(model_of(server, agent))
        with pytest.raises(errors.ModelStreamError, match="not an answer"):
            await ask(vendor, "Hello")
        await vendor.aclose()


def model_of(server: RawServer, agent: AgentName) -> Model:
    return Model(
        agent=agent, name="m", base_url=f"{server.url}/v1", api_key=KEY, source="of the test"
    )
