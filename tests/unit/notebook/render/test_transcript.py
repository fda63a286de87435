from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from tests.support.runs import beginning, command, end, whole_run, written
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    RawEvent,
    StepFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.notebook.render import (
    Transcript,
    events_of_record,
    output_record,
    rendered,
    to_html,
    to_plain,
)
from vibekit_jupyter.notebook.render.record import RECORD_LIMIT
from vibekit_jupyter.notebook.render.transcript import Text, Thinking, ToolCall
from vibekit_jupyter.results import Usage


def test_events_become_blocks_in_their_order() -> None:
    transcript = Transcript.of(whole_run())
    kinds = [type(block).__name__ for block in transcript.blocks]
    assert kinds == [
        *("Thinking", "Text", "ToolCall", "Step", "ToolCall", "Step"),
        *("ToolCall", "ToolCall", "Text"),
    ]
    assert all(block.closed for block in transcript.blocks)
    assert list(transcript.files()) == ["/home/user/plot.py"]
    assert transcript.steps == 4


def test_parallel_calls_keep_their_outputs_apart() -> None:
    transcript = Transcript.of(
        [
            ToolCallStarted("a", "run_command", {"command": "one"}),
            ToolCallStarted("b", "run_command", {"command": "two"}),
            CommandOutput("b", "stdout", "2"),
            CommandOutput("a", "stdout", "1"),
        ]
    )
    outputs = [str(block.stdout) for block in transcript.blocks if isinstance(block, ToolCall)]
    assert outputs == ["1", "2"]


@pytest.mark.parametrize(
    ("tool", "arguments", "label"),
    [
        ("run_command", {"command": " ls -l\n"}, "ls -l"),
        ("read_file", {"path": "a.csv"}, "read a.csv"),
        ("list_files", {"path": "src", "glob": "*.py"}, "list src"),
        ("view_image", {"path": "plot.png"}, "view plot.png"),
        ("search", {"pattern": "nan", "path": "src"}, "search nan in src"),
        ("search", {"pattern": "nan"}, "search nan"),
        ("fly", {}, "fly"),
    ],
)
def test_a_call_is_named_in_one_phrase(tool: str, arguments: dict[str, str], label: str) -> None:
    (block,) = Transcript.of([ToolCallStarted("a", tool, arguments)]).blocks
    assert isinstance(block, ToolCall)
    assert block.label == label


def test_events_of_unknown_kinds_and_calls_change_nothing() -> None:
    transcript = Transcript.of(
        [
            RawEvent("novelty", {"x": 1}),
            CommandOutput("nobody", "stdout", "x"),
            ToolCallFinished("nobody", "run_command", ok=True, output=""),
        ]
    )
    assert transcript.blocks == []


def test_a_replayed_run_shows_the_output_that_was_not_streamed() -> None:
    events = [event for event in command("make", "built\n") if not isinstance(event, CommandOutput)]
    assert "built" in to_plain(Transcript.of([*beginning(), *events, end()]))


def test_memory_is_bounded_whatever_is_poured_out() -> None:
    transcript = Transcript.of(
        [*beginning(), ToolCallStarted("c", "run_command", {"command": "yes"})]
    )
    megabyte = "y\n" * 500_000
    tracemalloc.start()
    for _ in range(50):
        transcript.add(CommandOutput("c", "stdout", megabyte[:-1]))
    for _ in range(5_000):
        transcript.add(ThinkingDelta("t"))
        transcript.add(TextDelta("x" * 1_000))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10_000_000
    assert transcript.omitted == 9_501
    transcript.add(end())
    assert len(to_html(transcript)) < 2_000_000


def test_folding_is_linear() -> None:
    def cost(events: int) -> float:
        transcript = Transcript.of(beginning())
        began = time.process_time()
        for _ in range(events):
            transcript.add(TextDelta("x" * 100))
        return time.process_time() - began

    assert cost(100_000) < 1
    assert cost(200_000) < 4 * max(cost(100_000), 0.01)


def test_the_log_gives_the_same_run_again() -> None:
    transcript = Transcript.of(whole_run())
    log = json.loads(json.dumps(output_record(transcript)))
    again = Transcript.of(events_of_record(log))
    assert to_plain(again) == to_plain(transcript)
    assert to_html(again) == to_html(transcript)


def test_the_log_merges_deltas_and_stays_within_64_kb() -> None:
    events: list[Event] = [*beginning()]
    for number in range(300):
        events += [TextDelta("wörd ") for _ in range(100)]
        events += command("x", "😀" * 9_000, call_id=str(number))
        events.append(StepFinished(number, Usage()))
    log = output_record(Transcript.of([*events, end()]))
    assert len(json.dumps(log, ensure_ascii=False).encode()) <= RECORD_LIMIT
    assert log["version"] == 1
    assert log["events"][0]["type"] == "run_started"
    assert log["events"][-1]["type"] == "run_finished"


def test_half_a_surrogate_pair_can_be_sent_and_saved() -> None:
    transcript = Transcript.of([*beginning(), TextDelta("half \ud83d"), end()])
    shown = rendered(transcript)
    json.dumps([shown.bundle(), shown.metadata], ensure_ascii=False).encode()


def test_a_private_run_has_no_prompt_in_its_log() -> None:
    log = output_record(Transcript.of(whole_run()), private=True)
    assert "Plot it" not in json.dumps(log)


def test_the_words_before_a_call_are_complete() -> None:
    transcript = Transcript.of([*beginning(), ThinkingDelta("a"), TextDelta("b")])
    thinking, text = transcript.blocks
    assert isinstance(thinking, Thinking)
    assert thinking.closed
    assert isinstance(text, Text)
    assert not text.closed
    for event in written("a.py", ["x"]):
        transcript.add(event)
    assert text.closed
