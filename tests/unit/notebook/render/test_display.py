from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from tests.support.runs import beginning, command, end, whole_run
from vibekit_jupyter.errors import ConfigurationError, ModelError
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    CommandOutput,
    Event,
    RetryScheduled,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.notebook.render import Transcript, display_mode, rendered, to_plain
from vibekit_jupyter.notebook.render.display import PlainDisplay, RichDisplay

if TYPE_CHECKING:
    from collections.abc import Sequence


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publisher() -> CapturingDisplayPublisher:
    return CapturingDisplayPublisher()  # type: ignore[no-untyped-call]  # IPython's own


def left_in_the_cell(publisher: CapturingDisplayPublisher) -> list[dict[str, Any]]:
    """The outputs that a front end holds in the end: updates applied, empty ones apart."""
    shown: dict[str, dict[str, Any]] = {}
    for number, output in enumerate(publisher.outputs):
        display_id = (output.get("transient") or {}).get("display_id", f"unnamed {number}")
        shown[display_id] = output
    return [output for output in shown.values() if output["data"]["text/html"]]


@pytest.mark.parametrize("events", [whole_run(), whole_run()[:6], whole_run()[:2]])
def test_one_static_output_is_left(
    publisher: CapturingDisplayPublisher, clock: Clock, events: Sequence[Event]
) -> None:
    display = RichDisplay(publisher, clock=clock)
    for event in events:
        clock.now += 0.2
        display.feed(event)
        display.tick()
    display.finish()
    (final,) = left_in_the_cell(publisher)
    assert final["data"]["text/plain"] == to_plain(display.transcript)
    assert final["metadata"]["vibekit"]["events"]


def test_an_output_that_is_saved_while_the_run_goes_on_says_so_and_the_final_one_does_not(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    for event in whole_run()[:6]:
        clock.now += 0.2
        display.feed(event)
        display.tick()
    saved = left_in_the_cell(publisher)
    assert sum("Still running when this was saved" in str(output) for output in saved) == 1
    for event in whole_run()[6:]:
        display.feed(event)
    display.finish()
    (final,) = left_in_the_cell(publisher)
    assert "Still running" not in str(final)


def test_a_cell_of_our_own_is_cleared_for_the_final_output(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, owns_cell=True, clock=clock)
    for event in whole_run():
        display.feed(event)
    display.finish()
    assert len(publisher.outputs) == 1


def test_the_first_line_is_drawn_at_once(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    display.feed(beginning()[0])
    display.tick()
    assert "gpt-6-astra" in publisher.outputs[0]["data"]["text/html"]


def test_there_are_at_most_ten_redraws_a_second(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    display.feed(beginning()[0])
    display.feed(beginning()[1])
    for _ in range(300):
        clock.now += 0.003
        display.feed(TextDelta("word "))
        display.tick()
    clock.now += 0.05
    display.tick()
    assert len(publisher.outputs) <= 1 + 1 + 11
    assert publisher.outputs[-1]["data"]["text/html"].count("word") == 300


def test_what_comes_together_is_drawn_together(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    display.feed(beginning()[0])
    display.tick()
    clock.now += 1
    display.feed(TextDelta("the first of two words, "))
    display.feed(TextDelta("and the second"))
    display.tick()
    assert "the first of two words, and the second" in publisher.outputs[-1]["data"]["text/html"]


def test_a_run_says_what_it_waits_for_from_the_first_second(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    def seen_after(seconds: float, *events: Event) -> str:
        for event in events:
            display.feed(event)
        clock.now += seconds
        display.tick()
        shown = left_in_the_cell(publisher)
        return re.sub("<[^>]*>", "", "".join(output["data"]["text/html"] for output in shown))

    display = RichDisplay(publisher, clock=clock)
    started, ready = beginning()
    call, *_, result = command("python plot.py\n--all", "done\n")
    assert "starting the sandbox" in seen_after(0, started)
    assert "starting the sandbox · 9 s" in seen_after(9)
    assert "waiting for gpt-6-astra · 4 s" in seen_after(4, ready)
    assert "retrying in 12 s (429)" in seen_after(0.5, RetryScheduled(12.4, "429"))
    assert "retrying in 3 s (429)" in seen_after(9)
    assert "waiting for gpt-6-astra · 14 s" in seen_after(5)
    writing = ToolCallDelta("write_file", "/home/user/report.py", 14_000)
    assert "writing report.py (14.0 kB)" in seen_after(0.5, writing)
    assert "waiting" not in (seen := seen_after(60, call))
    assert "1:00 …" in seen
    assert "waiting for gpt-6-astra · 1 min 30 s" in seen_after(90, result)
    assert "waiting" not in seen_after(1, TextDelta("Done."))
    assert "waiting for gpt-6-astra" in seen_after(2)
    assert "waiting" not in seen_after(1, TextDelta(" And more."))


def draw_a_long_run(display: RichDisplay, clock: Clock) -> None:
    """Draw 200 commands with 900 characters of output each, and a word after them."""
    events = [
        event
        for number in range(200)
        for event in command(f"step {number};", "x" * 900, call_id=str(number))
    ]
    for event in [*beginning(), *events, TextDelta("and now")]:
        clock.now += 0.3
        display.feed(event)
        display.tick()


def test_what_is_complete_is_sent_once(publisher: CapturingDisplayPublisher, clock: Clock) -> None:
    draw_a_long_run(RichDisplay(publisher, clock=clock), clock)
    assert len(publisher.outputs[-1]["data"]["text/html"]) < 1_000
    pieces = {output["transient"]["display_id"] for output in publisher.outputs}
    assert len(pieces) < 45


def test_a_long_run_is_drawn_as_often_as_a_short_one(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    draw_a_long_run(display, clock)
    for word in ("and", "then", "some"):
        clock.now += 0.1
        display.feed(TextDelta(f" {word}"))
        display.tick()
        assert word in publisher.outputs[-1]["data"]["text/html"]


def test_the_pieces_stand_in_the_order_of_the_run(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    draw_a_long_run(RichDisplay(publisher, clock=clock), clock)
    shown = "".join(output["data"]["text/html"] for output in left_in_the_cell(publisher))
    steps = [shown.index(f"step {number};") for number in range(200)]
    assert steps == sorted(steps)
    assert shown.count("and now") == 1
    assert shown.index("and now") > steps[-1]


def test_a_run_that_nobody_watches_is_drawn_once(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, live=False, clock=clock)
    for event in whole_run():
        clock.now += 0.2
        display.feed(event)
        display.tick()
    display.finish()
    assert len(publisher.outputs) == 1


@pytest.mark.parametrize("told", [[], [end("failed", "The service is away. Try again.")]])
def test_a_failure_is_said_once_by_the_error_that_is_raised(
    publisher: CapturingDisplayPublisher, clock: Clock, told: list[Event]
) -> None:
    display = RichDisplay(publisher, clock=clock)
    for event in [*beginning(), *told]:
        display.feed(event)
    display.finish(ModelError("The service is away.", hint="Try again."))
    (final,) = left_in_the_cell(publisher)
    for form in final["data"].values():
        assert "The service is away." not in form
        assert "failed" in form.lower() or "stopped after" in form.lower()
    # Where nothing is raised, it is said.
    again = rendered(display.transcript)
    assert "The service is away. Try again." in again.plain
    assert "The service is away. Try again." in again.html


def test_an_error_before_the_run_began_is_left_to_speak_for_itself(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    RichDisplay(publisher, clock=clock).finish(ModelError("No."))
    assert publisher.outputs == []


@given(st.data())
def test_printed_text_is_the_plain_form_however_the_events_come(data: st.DataObject) -> None:
    """The ticks fall anywhere, deltas are cut anywhere; what was printed never changes."""
    clock = Clock()
    display = PlainDisplay(clock=clock)
    events: list[Event] = []
    for event in whole_run():
        if isinstance(event, (TextDelta, CommandOutput)):
            cut = data.draw(st.integers(0, len(event.text)))
            for text in (event.text[:cut], event.text[cut:]):
                changes = {**event.to_dict(), "text": text}
                changes.pop("type")
                events.append(type(event)(**changes))
        else:
            events.append(event)
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda text, **_: printed.append(text))
        for event in events:
            clock.now += data.draw(st.sampled_from([0.0, 0.2]))
            display.feed(event)
            display.tick()
        display.finish()
    assert "".join(printed).strip("\n") == to_plain(Transcript.of(whole_run()))


def test_parallel_commands_are_printed_one_after_the_other(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    display = PlainDisplay(clock=clock)
    events = [
        *beginning(),
        ToolCallStarted("a", "run_command", {"command": "first"}),
        ToolCallStarted("b", "run_command", {"command": "second"}),
        CommandOutput("b", "stdout", "two\n"),
        CommandOutput("a", "stdout", "one\n"),
        ToolCallFinished("b", "run_command", ok=True, output=""),
        ToolCallFinished("a", "run_command", ok=True, output=""),
        end(),
    ]
    for event in events:
        clock.now += 0.2
        display.feed(event)
        display.tick()
    display.finish()
    assert "$ first\n  one\n\n$ second\n  two\n" in capsys.readouterr().out


def test_the_head_waits_for_the_session_and_no_longer(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    display = PlainDisplay(clock=clock)
    display.feed(RunStarted("codex", "m", "code", "x"))
    display.tick()
    assert capsys.readouterr().out == "codex · m"
    display.finish(ModelError("No."))
    assert capsys.readouterr().out.startswith("\n")


def test_without_a_kernel_the_display_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell.instance()
    assert display_mode(shell) == "plain"
    monkeypatch.setenv("VIBEKIT_DISPLAY", "rich")
    assert display_mode(shell) == "rich"
    monkeypatch.setenv("VIBEKIT_DISPLAY", "colourful")
    with pytest.raises(ConfigurationError, match="colourful"):
        display_mode(shell)


CARD = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/html": "card"}


def test_a_card_stands_below_the_run_and_what_comes_later_below_what_was_before(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)

    def draw(*events: Event) -> list[str]:
        for event in events:
            display.feed(event)
        for _ in range(3):
            clock.now += 0.2
            display.tick()
        return [str(output["data"]["text/html"]) for output in left_in_the_cell(publisher)]

    asked = ApprovalAsked("r", "c", "run_command", "Run this command?", "ls -la")
    draw(*beginning(), TextDelta("First."), asked)
    display.ask(CARD)
    assert draw()[-1] == "card"
    sent = len(publisher.outputs)
    assert draw()[-1] == "card"
    assert not [o for o in publisher.outputs[sent:] if o["data"]["text/html"] in ("", "card")]
    display.ask({})
    assert "card" not in draw()
    answered = ApprovalAnswered("r", "once", "you")
    words = "".join(draw(answered, *command("ls -la"), TextDelta("Then.")))
    assert words.index("First.") < words.index("ls -la") < words.index("Then.")
    display.ask({**CARD})
    assert draw()[-1] == "card"
    display.finish()
    (final,) = left_in_the_cell(publisher)
    assert "card" not in final["data"]["text/html"]
