"""What agents tell becomes our events; what is odd or not known changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.acp.translator import MANY, MOST_CALLS, Translator
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    Notice,
    PlanUpdated,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
    event_from_dict,
)


def told(*updates: dict[str, Any], changes: Changes | None = None) -> list[Event]:
    translator = Translator(changes or Changes())
    return [event for update in updates for event in translator.events(update)]


def call(kind: str = "tool_call", call_id: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": kind, "toolCallId": call_id, **fields}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_words_and_thoughts_are_told() -> None:
    assert told(
        {"sessionUpdate": "agent_thought_chunk", "content": text("hm")},
        {"sessionUpdate": "agent_message_chunk", "content": text("yes")},
        {"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": "x"}},
    ) == [ThinkingDelta("hm"), TextDelta("yes"), TextDelta("[image]")]


def test_a_plan_is_told_whole() -> None:
    entries = [{"content": "a", "status": "in_progress"}, {"content": "b", "status": "odd"}, 7, {}]
    assert told({"sessionUpdate": "plan", "entries": entries}) == [
        PlanUpdated(
            [{"content": "a", "status": "in_progress"}, {"content": "b", "status": "pending"}]
        )
    ]


def test_a_command_is_told_as_ours_are() -> None:
    """As codex does it: its output is in the metadata, bit by bit."""
    events = told(
        call(title="ls", status="pending"),
        call(
            "tool_call_update",
            rawInput={"command": ["bash", "-lc", "ls -l"]},
            status="in_progress",
            title="ls -l",
        )
        | {"kind": "execute"},
        call("tool_call_update", _meta={"terminal_output_delta": {"data": "out1\n"}}),
        call("tool_call_update", _meta={"terminal_output_delta": {"data": "out2\n"}}),
        call("tool_call_update", status="completed", _meta={"terminal_exit": {"exit_code": 3}}),
    )
    assert events[0] == ToolCallStarted("c1", "run_command", {"command": "ls -l"})
    assert events[1:3] == [
        CommandOutput("c1", "stdout", "out1\n"),
        CommandOutput("c1", "stdout", "out2\n"),
    ]
    (finished,) = of(events, ToolCallFinished)
    assert not finished.ok
    assert finished.command.exit_code == 3
    assert finished.command.stdout == "out1\nout2\n"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"status": "completed"}, 0),
        ({"status": "failed"}, None),
        ({"status": "failed", "content": [{"type": "content", "content": text("Oh.")}]}, 1),
        ({"status": "completed", "rawOutput": {"stdout": "", "exit_code": 2}}, 2),
        ({"status": "completed", "rawOutput": {"metadata": {"exit": 4}}}, 4),
        (
            {
                "status": "failed",
                "content": [{"type": "content", "content": text("Exit code 5\nx")}],
            },
            5,
        ),
    ],
)
def test_how_a_command_ended_is_found_where_agents_say_it(
    end: dict[str, Any], code: int | None
) -> None:
    begin = call(rawInput={"command": "x"}) | {"kind": "execute"}
    (finished,) = of(told(begin, call("tool_call_update", **end)), ToolCallFinished)
    # One that was refused, and says nothing, did not run.
    assert (finished.command and finished.command.exit_code) == code
    assert finished.ok == (code == 0)


def test_a_command_of_an_agent_that_knows_no_kinds_is_one() -> None:
    """As goose does it."""
    started, _, finished = told(
        call(title="shell · ls", rawInput={"command": "ls"}, status="pending") | {"kind": "other"},
        call(
            "tool_call_update", status="completed", rawOutput={"stdout": "a.py\n", "exit_code": 0}
        ),
    )
    assert started == ToolCallStarted("c1", "run_command", {"command": "ls"})
    assert isinstance(finished, ToolCallFinished)
    assert finished.command is not None
    assert finished.command.stdout == "a.py\n"


def test_output_that_is_told_whole_each_time_is_shown_once() -> None:
    parts = [[{"type": "content", "content": text(said)}] for said in ("a", "ab", "abc")]
    events = told(
        call(rawInput={"command": "x"}, status="in_progress") | {"kind": "execute"},
        *(call("tool_call_update", content=part) for part in parts),
        call("tool_call_update", status="completed"),
    )
    assert "".join(event.text for event in of(events, CommandOutput)) == "abc"
    assert of(events, ToolCallFinished)[0].output == "abc"


def test_a_difference_is_a_change_of_the_run() -> None:
    changes = Changes()
    part = {"type": "diff", "path": "/home/user/a.py", "oldText": None, "newText": "x = 1\n"}
    events = told(
        call(rawInput={"path": "a.py"}, content=[part]) | {"kind": "edit"},
        call("tool_call_update", status="completed"),
        changes=changes,
    )
    (finished,) = of(events, ToolCallFinished)
    assert finished.change.kind == "created"
    assert finished.change.diff.endswith("+x = 1\n")
    assert [change.path for change in changes.files] == ["/home/user/a.py"]
    assert changes.code == "x = 1\n"


def test_a_change_that_was_refused_is_none() -> None:
    changes = Changes()
    part = {"type": "diff", "path": "/home/user/a.py", "oldText": "a", "newText": "b"}
    told(
        call(rawInput={"path": "a.py"}, content=[part]),
        call("tool_call_update", status="failed"),
        changes=changes,
    )
    assert changes.files == ()


def test_a_call_that_is_not_told_to_its_end_is_ended() -> None:
    translator = Translator(Changes())
    list(translator.events(call(rawInput={"a": 1}, name="look")))
    assert translator.is_working
    (finished,) = translator.end()
    assert isinstance(finished, ToolCallFinished)
    assert not finished.ok
    assert not translator.is_working


def test_a_call_that_has_ended_stays_so() -> None:
    events = told(
        call(rawInput={"a": 1}, status="completed"),
        call("tool_call_update", status="completed"),
        call("tool_call_update", status="in_progress"),
    )
    assert [type(event) for event in events] == [ToolCallStarted, ToolCallFinished]


def test_more_calls_than_anybody_reads_are_said_once() -> None:
    events = told(*(call(call_id=f"c{n}", status="completed") for n in range(MOST_CALLS + 100)))
    assert len(of(events, ToolCallStarted)) == MOST_CALLS
    assert of(events, Notice) == [MANY]


def test_kinds_that_are_not_known_are_ignored() -> None:
    kinds = ["tool_call_delta_chunk", "turn_completed", "usage_update", "x" * 1000, None, 7, ["a"]]
    assert told({}, *({"sessionUpdate": kind, "content": text("x")} for kind in kinds)) == []


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
    ),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        "agent_message_chunk",
        "agent_thought_chunk",
        "tool_call",
        "tool_call_update",
        "plan",
        "notice",
    ]
)
FIELDS = st.sampled_from(
    ["content", "toolCallId", "title", "kind", "status", "rawInput", "rawOutput", "locations",
     "entries", "_meta", "name"]
)  # fmt: skip
PLACED = ODD | st.sampled_from(["c1", "execute", "edit", "completed", "failed", "in_progress"])
CONTENT = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["diff", "content", "terminal"])},
        optional={"path": PLACED, "oldText": PLACED, "newText": PLACED, "content": PLACED},
    ),
    max_size=3,
)


@given(
    st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, PLACED | CONTENT)), min_size=1, max_size=6)
)
def test_whatever_an_agent_says_becomes_events_that_can_be_written_down(
    said: list[tuple[str, dict[str, Any]]],
) -> None:
    translator = Translator(Changes())
    events = [
        event
        for kind, fields in said
        for event in translator.events({"toolCallId": "c1", **fields, "sessionUpdate": kind})
    ]
    events += translator.end()
    for event in events:
        spelled = event.to_dict()
        assert event_from_dict(spelled).to_dict() == spelled
        assert str(spelled).encode("utf-8", "strict")
    begun = [event.call_id for event in of(events, ToolCallStarted)]
    assert sorted(begun) == sorted(event.call_id for event in of(events, ToolCallFinished))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("```\nno such file\n```", "no such file"),
        ("```console\n$ ls\na.py\n```\n", "$ ls\na.py"),
        ("````\n```\nx\n```\n````", "```\nx\n```"),
        ("```\na\n```\nand\n```\nb\n```", "```\na\n```\nand\n```\nb\n```"),
        ("```\nnot closed", "```\nnot closed"),
        ("plain", "plain"),
    ],
)
def test_output_is_shown_without_the_fence_around_it(said: str, shown: str) -> None:
    part = {"type": "content", "content": text(said)}
    (finished,) = of(
        told(call(kind="tool_call", status="failed", content=[part])), ToolCallFinished
    )
    assert finished.output == shown


def test_a_command_is_shown_as_what_runs_whatever_it_is_called() -> None:
    given = {"command": "rm -rf data"}
    started, *_ = told(call(title="List the files", rawInput=given) | {"kind": "execute"})
    assert started == ToolCallStarted("c1", "run_command", given)
