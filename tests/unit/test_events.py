"""Events and results survive being written down and read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter import events
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    PlanUpdated,
    RawEvent,
    RunFinished,
    StepFinished,
    TextDelta,
    ToolCallStarted,
    event_from_dict,
)
from vibekit_jupyter.results import CommandResult, FileChange, Result, Usage
from vibekit_jupyter.runs.merged_events import STRETCH, MergedEvents

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EVENTS: SearchStrategy[Event] = st.one_of(
    *(
        st.from_type(getattr(events, name))
        for name in events.__all__
        if isinstance(getattr(events, name), type)
        and issubclass(getattr(events, name), Event)
        and name not in {"Event", "RawEvent", "ToolCallStarted"}
    )
)


@given(EVENTS)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    assert repr(event_from_dict(json.loads(json.dumps(event.to_dict())))) == repr(event)


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.none()).map(
        lambda data: {**data, "type": "text_delta"}
    )
)
def test_a_dictionary_that_does_not_fit_its_kind_is_kept_raw(data: dict[str, object]) -> None:
    assert event_from_dict(data).to_dict() == data


def test_an_event_of_a_later_version_is_kept_raw() -> None:
    event = event_from_dict({"type": "dream", "of": "sheep"})
    assert event == RawEvent("dream", {"of": "sheep"})
    assert event.to_dict() == {"type": "dream", "of": "sheep"}


def test_deltas_are_recorded_as_one_event() -> None:
    log = MergedEvents()
    for word in ("a", "b"):
        log.add(TextDelta(word))
    log.add(CommandOutput("1", "stdout", "x"))
    log.add(CommandOutput("1", "stderr", "y"))
    log.add(CommandOutput("1", "stderr", "z"))
    log.add(StepFinished(1, Usage()))
    assert [event.to_dict().get("text") for event in log.events()] == ["ab", "x", "yz", None]


def test_of_plans_in_a_row_the_last_one_is_recorded() -> None:
    log = MergedEvents()
    plans = [PlanUpdated([{"content": "look", "status": status}]) for status in ("a", "b", "c")]
    for event in (plans[0], plans[1], TextDelta("x"), plans[2]):
        log.add(event)
    assert log.events() == [plans[1], TextDelta("x"), plans[2]]


def test_a_call_that_an_older_version_wrote_down_is_read() -> None:
    written = {"type": "tool_call_started", "call_id": "1", "tool": "look", "arguments": {}}
    assert event_from_dict(written) == ToolCallStarted("1", "look", {}, title="")


def test_a_long_stretch_is_recorded_head_and_tail() -> None:
    log = MergedEvents()
    for _ in range(100):
        log.add(TextDelta("head" + "x" * STRETCH + "tail"))
    (event,) = log.to_dicts()
    assert len(event["text"]) < STRETCH + 100
    assert event["text"].startswith("head")
    assert event["text"].endswith("tail")


def test_a_result_shows_its_changes_as_one_diff() -> None:
    result = Result(
        "s1",
        "codex",
        "demo",
        "p",
        commands=(CommandResult("true", 0), CommandResult("false", 1)),
        files=(FileChange("/home/user/a.py", "created", "@@ -0,0 +1 @@\n+1\n", 1),),
    )
    assert result.exit_code == 1
    assert result.diff.startswith("--- /dev/null\n+++ b/home/user/a.py\n@@")
    assert "2 commands, 1 files" in repr(result)


def test_a_command_says_how_it_ended() -> None:
    assert CommandResult("x", 3).outcome == "exited with code 3"
    assert CommandResult("x", -1, duration=2, timed_out=True).outcome == "ran out of time after 2 s"
    assert CommandResult("x", -1).outcome == "was ended by a signal"


def test_a_run_that_failed_says_so_in_its_last_event() -> None:
    event = RunFinished("failed", "s", 2, Usage(1, 0, 1), 1.0, "It broke.")
    assert event.to_dict()["usage"] == {"input": 1, "cached": 0, "output": 1}
