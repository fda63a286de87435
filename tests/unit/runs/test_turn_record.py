"""A turn is on record while it goes on, and nothing of it is lost to a failed write."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.agents.conversation import AssistantMessage, Conversation, UserMessage
from vibekit_jupyter.errors import RegistryError
from vibekit_jupyter.events import TextDelta, ToolCallStarted
from vibekit_jupyter.runs.merged_events import MergedEvents
from vibekit_jupyter.runs.redact import Redactor
from vibekit_jupyter.runs.turn_record import TurnRecord
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

HERE = Service(id="local", title="local sandbox", api_key="e2b_1")
SECRET = "sk-1234567890"


class Begun:
    """A turn that has begun, in a session that had one before."""

    def __init__(self, registry: Registry) -> None:
        session = registry.add(Session(id="i1", name="s", service=HERE.title, user="ada"), HERE)
        columns = {"prompt": "p", "agent": "codex", "model": "m", "mode": "code", "notebook": ""}
        self.registry = registry
        self.number = registry.begin_turn(session.service_id, session.id, owner="", **columns)
        self.log = MergedEvents()
        self.conversation = Conversation([UserMessage("before"), AssistantMessage("answered")])
        redactor = Redactor([SECRET])
        self.record = TurnRecord(registry, self.number, self.log, self.conversation, redactor)

    def events(self) -> list[str]:
        return [event["type"] for event in self.registry.events(self.number)]

    def said(self) -> list[str]:
        (turn,) = self.registry.messages("local", "i1")
        return [message["text"] for message in turn["messages"]]

    async def until_written(self) -> None:
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0.01)
                if self.events():
                    return


@pytest.fixture
def turn(vibekit_home: Path) -> Iterator[Begun]:
    with closing(Registry()) as registry:
        yield Begun(registry)


def hide_events(registry: Registry) -> None:
    with closing(sqlite3.connect(registry.path)) as other:
        other.execute("ALTER TABLE event RENAME TO hidden")


def show_events(registry: Registry) -> None:
    with closing(sqlite3.connect(registry.path)) as other:
        other.execute("ALTER TABLE hidden RENAME TO event")


async def test_what_goes_on_is_written_before_it_ends(turn: Begun) -> None:
    turn.conversation.append(UserMessage(f"with {SECRET}"))
    turn.log.add(TextDelta("I "))
    turn.record.write_soon()
    turn.log.add(TextDelta("begin"))
    await turn.until_written()
    (written,) = turn.registry.events(turn.number)
    assert written["text"] == "I begin"
    (said,) = turn.said()
    assert said.startswith("with ")
    assert SECRET not in said
    turn.record.finish(status="done")


async def test_the_end_writes_what_nobody_had_time_to_write(turn: Begun) -> None:
    turn.log.add(ToolCallStarted("1", "run_command", {}))
    turn.record.write()
    assert turn.events() == ["tool_call_started"]
    turn.log.add(TextDelta("more"))
    turn.record.write_soon()
    turn.conversation.append(UserMessage("asked"))
    turn.record.finish(status="done")
    assert turn.events() == ["tool_call_started", "text_delta"]
    assert turn.said() == ["asked"]
    (recorded,) = turn.registry.turns("local", "i1")
    assert recorded.status == "done"


async def test_a_failed_write_is_raised_and_made_up_for_at_the_end(turn: Begun) -> None:
    turn.log.add(ToolCallStarted("1", "run_command", {}))
    hide_events(turn.registry)
    turn.conversation.append(UserMessage("asked"))
    with pytest.raises(RegistryError, match="no such table: event"):
        turn.record.write()
    show_events(turn.registry)
    turn.log.add(TextDelta("more"))
    turn.record.finish(status="failed")
    assert turn.events() == ["tool_call_started", "text_delta"]
    assert turn.said() == ["asked"]


async def test_a_conversation_made_short_takes_the_place_of_all(turn: Begun) -> None:
    turn.conversation.append(UserMessage("asked"))
    turn.conversation.replace([UserMessage("a summary"), AssistantMessage("understood")])
    turn.record.finish(status="done")
    assert turn.said() == ["a summary", "understood"]
    (recorded,) = turn.registry.turns("local", "i1")
    assert recorded.fresh
