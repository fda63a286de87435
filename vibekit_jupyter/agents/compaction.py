"""A long conversation made short: a summary in its place, and the thread kept."""

from __future__ import annotations

import dataclasses
from contextlib import aclosing
from typing import TYPE_CHECKING

from vibekit_jupyter.agents.conversation import (
    AssistantMessage,
    Conversation,
    Message,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.agents.instructions import SUMMARIZE
from vibekit_jupyter.agents.vendor import Answer, Request, Vendor
from vibekit_jupyter.errors import ContextTooLongError
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vibekit_jupyter.results import Usage

__all__ = ["compact", "transcript"]

INTRODUCTION = "[Notes on the conversation so far, which was too long to keep]\n\n"
ACKNOWLEDGEMENT = "I have the notes, and go on from there."
# Characters of the transcript that the model is given: of a message, a tool call, in all.
MOST_OF_MESSAGE = 8_000
MOST_OF_CALL = 1_000
MOST_IN_ALL = 120_000
# Characters of results that the model has not read yet.
MOST_UNREAD = 60_000


async def compact(vendor: Vendor, conversation: Conversation, *, silence: float) -> Usage:
    """Put a summary, asked from the model, in the place of a conversation.

    Of a turn that still goes on the prompt stays, byte for byte, and the calls made last with
    their results, of which long ones lose their middle: the model has not read them yet.

    Returns
    -------
    Usage
        What the summary cost.

    Raises
    ------
    ContextTooLongError
        The model gave no summary.
    ModelError
        The model service failed; the conversation is as it was.
    """
    messages = list(conversation.messages)
    goes_on = not isinstance(messages[-1], AssistantMessage)
    prompt = next(message for message in reversed(messages) if isinstance(message, UserMessage))
    if messages[-1] is prompt:
        messages.pop()
    answer = await _answer(
        vendor, Request(SUMMARIZE, [UserMessage(transcript(messages))], silence=silence)
    )
    notes = answer.message.text.strip()
    if not notes:
        raise ContextTooLongError(
            "The conversation is too long, and the model gave no summary of it.",
            hint="Start anew with --fresh.",
        )
    kept: list[Message] = [UserMessage(INTRODUCTION + notes), AssistantMessage(ACKNOWLEDGEMENT)]
    if goes_on:
        kept += [prompt, *_unread(conversation.messages)]
    conversation.replace(kept)
    return answer.usage


def _unread(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the calls made last and their results, where these are the last that was said."""
    calling, results = messages[-2:] if len(messages) > 1 else (None, None)
    if not (isinstance(calling, AssistantMessage) and isinstance(results, ToolResults)):
        return ()
    if sum(len(call.arguments) for call in calling.tool_calls) > MOST_UNREAD:
        return ()  # the notes have to do
    room = MOST_UNREAD // len(results.results)
    cut = (dataclasses.replace(each, output=_cut(each.output, room)) for each in results.results)
    return calling, ToolResults(tuple(cut))


async def _answer(vendor: Vendor, request: Request) -> Answer:
    async with aclosing(vendor.answer(request)) as stream:
        return [item async for item in stream if isinstance(item, Answer)][-1]


def transcript(messages: Iterable[Message]) -> str:
    """Return what was said as text, with the middle of what is long left out."""
    told = BoundedText.of(MOST_IN_ALL)
    for message in messages:
        for part in _parts(message):
            told.append(f"{part}\n\n")
    return str(told)


def _parts(message: Message) -> Iterator[str]:
    if isinstance(message, UserMessage):
        if message.data:
            yield f"## Data\n{_cut(message.data, MOST_OF_MESSAGE)}"
        yield f"## The person\n{_cut(message.text, MOST_OF_MESSAGE)}"
    elif isinstance(message, ToolResults):
        for result in message.results:
            yield f"## Result\n{_cut(result.output, MOST_OF_CALL)}"
    else:
        if message.text:
            yield f"## The agent\n{_cut(message.text, MOST_OF_MESSAGE)}"
        for call in message.tool_calls:
            yield f"## The agent calls {call.name}\n{_cut(call.arguments, MOST_OF_CALL)}"


def _cut(text: str, limit: int) -> str:
    cut = BoundedText.of(limit)
    cut.append(text)
    return str(cut)
