"""What a spool tells of the turn in it: the beginning is left out, what was broken off is there."""

from __future__ import annotations

import json
from typing import Any

from vibekit_jupyter.agents.acp.left_behind import told_in
from vibekit_jupyter.events import TextDelta, ToolCallFinished, ToolCallStarted


def said(text: str) -> dict[str, Any]:
    content = {"type": "text", "text": text}
    return update(sessionUpdate="agent_message_chunk", content=content)


def update(**fields: Any) -> dict[str, Any]:
    return {"method": "session/update", "params": {"sessionId": "x", "update": fields}}


def spool(*messages: dict[str, Any]) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


LOADED = ({"id": 1, "result": {}}, said("What was said before."), {"id": 2, "result": {}})


def test_what_a_session_tells_when_it_is_loaded_is_not_of_the_turn() -> None:
    left = told_in(spool(*LOADED, {"id": 3, "result": {}}, said("I begin.")))
    assert left.events == [TextDelta("I begin.")]
    assert not left.came_to_end


def test_a_turn_that_is_done_is_known_by_its_answer() -> None:
    end = {"id": 4, "result": {"stopReason": "end_turn"}}
    left = told_in(spool(*LOADED, said("I begin."), end, said("Nobody asked.")))
    assert left.events == [TextDelta("I begin.")]
    assert left.came_to_end


def test_one_that_was_stopped_or_failed_is_not_done() -> None:
    for end in (
        {"id": 4, "result": {"stopReason": "cancelled"}},
        {"id": 4, "error": {"code": 1, "message": "no"}},
    ):
        left = told_in(spool(*LOADED, said("I begin."), end))
        assert left.events == [TextDelta("I begin.")]
        assert not left.came_to_end


def test_a_tool_call_that_was_under_way_has_an_end() -> None:
    call = update(
        sessionUpdate="tool_call", toolCallId="c", kind="execute", rawInput={"command": "ls"}
    )
    started, finished = told_in(spool(*LOADED, call)).events
    assert isinstance(started, ToolCallStarted)
    assert isinstance(finished, ToolCallFinished)
    assert not finished.ok


def test_whatever_stands_in_it_is_no_error() -> None:
    odd = '{"id": 9, "result": []}\n[1]\n{"method": 7}\n\n{"method": "session/update"}\nnoise\n{"id'
    left = told_in(spool(*LOADED) + odd)
    assert (left.events, left.came_to_end) == ([], False)
    assert told_in("").events == []
    assert told_in('{"x": "' + "y" * (17 * 1024**2) + '"}\n').events == []
