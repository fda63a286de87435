"""A connection to the scripted model server, and what comes out of it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from vibekit_jupyter import agents
from vibekit_jupyter.agents.conversation import Message, UserMessage
from vibekit_jupyter.agents.vendor import Answer, Request, Vendor
from vibekit_jupyter.events import TextDelta, ThinkingDelta
from vibekit_jupyter.settings.config import AgentName, Model, VendorName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.model_server import ModelServer

KEY = "sk-test-0123456789"


def model_at(server: ModelServer, agent: VendorName, **changes: Any) -> Model:
    return Model(
        **{
            "agent": agent,
            "name": f"{agent}-model",
            "base_url": server.url_for(agent),
            "api_key": KEY,
            "source": "of the test",
            **changes,
        }
    )


async def ask(
    vendor: Vendor, messages: Sequence[Message] | str, **options: Any
) -> tuple[Answer, str, str]:
    """Return an answer with the text and the thinking that was streamed."""
    if isinstance(messages, str):
        messages = [UserMessage(messages)]
    text = thinking = ""
    answer = None
    async with aclosing(vendor.answer(Request("Be brief.", messages, **options))) as stream:
        async for item in stream:
            assert answer is None, "the answer comes last"
            if isinstance(item, TextDelta):
                text += item.text
            elif isinstance(item, ThinkingDelta):
                thinking += item.text
            else:
                answer = item
    assert answer is not None
    return answer, text, thinking


async def answer_once(server: ModelServer, agent: AgentName, **options: Any) -> Answer:
    vendor = agents.load(model_at(server, agent))
    try:
        return (await ask(vendor, "Hello", **options))[0]
    finally:
        await vendor.aclose()
