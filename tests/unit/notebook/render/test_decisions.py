"""What was decided leaves one row, and of plans the last one stays."""

from __future__ import annotations

import pytest

from tests.support.runs import beginning, command
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    PlanUpdated,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.notebook.render.html import to_html
from vibekit_jupyter.notebook.render.plain import to_plain
from vibekit_jupyter.notebook.render.record import events_of_record, output_record
from vibekit_jupyter.notebook.render.transcript import Transcript
from vibekit_jupyter.notebook.render.words import decision_words

HOSTILE = "<script>alert(1)</script> \u202egnp"


def decided(
    answer: str, by: str, *, what: str = "ls", at: float = 0.0, note: str = ""
) -> list[Event]:
    asked = ApprovalAsked("r", "c", "run_command", "Run this command?", what)
    return [asked, ApprovalAnswered("r", answer, by, note, at)]  # type: ignore[arg-type]  # any


def test_the_row_of_a_call_says_who_allowed_it_and_when() -> None:
    run = Transcript.of([*beginning(), *decided("once", "you", at=1.0), *command("ls")])
    html = to_html(run)
    assert html.count("allowed by you · ") == 1
    assert html.count("<details") == 1
    assert "(allowed by you)" in to_plain(run)


def test_a_refused_call_is_a_row_of_its_own_with_what_it_was() -> None:
    events = decided("refused", "nobody", what=f"curl {HOSTILE}", note="Nobody is here.")
    run = Transcript.of([*beginning(), *events])
    html, plain = to_html(run), to_plain(run)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html + plain
    assert "Nobody is here." in html
    assert "* curl " in plain
    assert "(refused)" in plain


@pytest.mark.parametrize("tool", ["run_command", "other"])
def test_a_call_that_was_told_before_it_was_refused_is_shown_once(tool: str) -> None:
    events = [
        *beginning(),
        ToolCallStarted("c", tool, {"command": "ls"}, "ls"),
        *decided("refused", "you", note="Not now."),
        ToolCallFinished("c", tool, ok=False, output="The person said no", duration=0.1),
    ]
    html, plain = to_html(Transcript.of(events)), to_plain(Transcript.of(events))
    assert html.count("refused by you") == plain.count("(refused by you)") == 1
    assert html.count("Not now.") == plain.count("Not now.") == 1
    assert "failed" not in html + plain
    assert "said no" not in html + plain


def test_a_question_that_waits_draws_nothing_and_blocks_nothing() -> None:
    run = Transcript.of([*beginning(), *decided("once", "you")[:1], TextDelta("Meanwhile.")])
    assert "Run this command?" not in to_html(run)
    assert "Meanwhile." in to_plain(run)


def test_words_say_who_decided() -> None:
    words = {
        ("once", "you"): "allowed by you",
        ("session", "you"): "allowed by you for this session",
        ("session", "session"): "allowed earlier for this session",
        ("refused", "you"): "refused by you",
        ("stopped", "you"): "stopped by you",
        ("once", "settings"): "allowed by settings",
    }
    for (answer, by), said in words.items():
        assert decision_words(ApprovalAnswered("r", answer, by, at=1e300)) == said  # type: ignore[arg-type]


def test_decisions_and_the_last_plan_are_in_the_record_of_an_output() -> None:
    plan = PlanUpdated([{"content": "look", "status": "completed"}])
    events = [*beginning(), *decided("refused", "you"), plan]
    read = events_of_record(output_record(Transcript.of(events)))
    assert read == events


def test_of_plans_the_last_one_is_drawn_without_html_of_the_agents() -> None:
    first = PlanUpdated([{"content": "look", "status": "in_progress"}])
    last = PlanUpdated(
        [{"content": "look", "status": "completed"}, {"content": HOSTILE, "status": "in_progress"}]
    )
    run = Transcript.of([*beginning(), first, TextDelta("So."), last])
    html = to_html(run)
    assert "plan · 1 of 2" in html
    assert "plan · 0 of 1" not in html
    assert "<script" not in html


def test_a_plan_that_somebody_else_wrote_down_is_drawn_as_far_as_it_is_one() -> None:
    odd = PlanUpdated([3, {"content": 4}, {}])  # type: ignore[list-item,dict-item]  # of a file
    assert "plan · 0 of 2" in to_html(Transcript.of([*beginning(), odd]))
