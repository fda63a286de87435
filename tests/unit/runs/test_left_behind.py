"""What is added to the record of a turn whose kernel is gone: what is not there yet, once."""

from __future__ import annotations

from typing import Any

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    StepFinished,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import Usage
from vibekit_jupyter.runs.left_behind import _closed, _news, _without_secrets
from vibekit_jupyter.runs.redact import Redactor

STARTED = ToolCallStarted("c", "run_command", {"command": "ls"})
OUTPUT = CommandOutput("c", "stdout", "a\n")
FINISHED = ToolCallFinished("c", "run_command", ok=True, output="a\n")
USER = {"role": "user", "text": "Look"}
ANSWER = {
    "role": "assistant",
    "text": "I look.",
    "tool_calls": [{"call_id": "c", "name": "run_command", "arguments": "{}"}],
    "agent": "codex",
    "model": "m",
    "native": [],
}


def news(recorded: list[Event], *events: Event) -> list[Event]:
    return list(_news(recorded, events))


def test_words_go_on_where_the_record_ends() -> None:
    assert news([TextDelta("I lo")], TextDelta("I look."), STARTED) == [TextDelta("ok."), STARTED]
    assert news([TextDelta("I look.")], TextDelta("I look.")) == []
    assert news([], TextDelta("I look.")) == [TextDelta("I look.")]
    split = (TextDelta("I look."), STARTED, FINISHED, TextDelta("Done."))
    recorded: list[Event] = [TextDelta("I look."), STARTED]
    assert news(recorded, *split) == [FINISHED, TextDelta("Done.")]


def test_words_of_which_the_record_left_out_some_are_not_told_again() -> None:
    assert news([TextDelta("I … k.")], TextDelta("I look."), STARTED) == [STARTED]


def test_a_tool_call_is_told_as_far_as_it_is_not_on_record() -> None:
    assert news([], STARTED, OUTPUT, FINISHED) == [STARTED, OUTPUT, FINISHED]
    assert news([STARTED, OUTPUT], STARTED, OUTPUT, FINISHED) == [FINISHED]
    assert news([STARTED, OUTPUT, FINISHED], STARTED, OUTPUT, FINISHED) == []


def test_secrets_are_taken_out_also_where_the_words_come_in_pieces() -> None:
    redactor = Redactor(["sk-of-the-person"])
    pieces = [TextDelta("It is sk-of-"), TextDelta("the-person"), TextDelta(", and sk-of")]
    (event,) = _without_secrets(redactor, pieces)
    assert event == TextDelta("It is [redacted], and sk-of")


def test_the_step_under_way_is_told_with_its_words_and_its_results() -> None:
    *_, note = _closed([USER], [TextDelta("I be"), TextDelta("gin")])
    assert note["text"] == "I begin\n\n[the run ended unexpectedly]"
    recorded: list[Event] = [TextDelta("I look."), STARTED, FINISHED]
    _, _, results, note = _closed([USER, ANSWER], recorded)
    assert results["results"][0]["output"] == "a\n"
    assert note["text"].endswith("[the run ended unexpectedly]")


def test_words_of_an_answer_that_was_whole_are_told_once() -> None:
    _, answer, _, note = _closed([USER, ANSWER], [TextDelta("I look."), STARTED])
    assert answer["text"] == "I look."
    assert "I look." not in note["text"]
    step = StepFinished(1, Usage())
    said: list[dict[str, Any]] = [USER, {**ANSWER, "tool_calls": []}]
    assert len(_closed(said, [TextDelta("I look."), step])) == 2
