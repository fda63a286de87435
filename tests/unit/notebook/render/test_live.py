"""What a reader of a run that goes on may rely on: what is finished stands still."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.displaypub import CapturingDisplayPublisher

from tests.support.runs import beginning, command, written
from tests.unit.notebook.render.test_display import Clock, clock, left_in_the_cell, publisher
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.notebook.render.display import RichDisplay
from vibekit_jupyter.notebook.render.growing import AT_ONCE, MOST, GrowingText
from vibekit_jupyter.notebook.render.markdown import markdown_html

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["clock", "publisher"]

ANSWER = """\
# What I found

The **best** month is March:

| month | revenue |
|-------|---------|
| March | 1.24 M  |

```python
def best(months):

    return max(months)
```

1. Load it
2. Plot it

   - in blue

> quoted

The end."""


def draw(display: RichDisplay, clock: Clock, events: Iterable[Event], seconds: float = 0.3) -> None:
    for event in events:
        clock.now += seconds
        display.feed(event)
        display.tick()
    # What is costly to draw is drawn less often.
    clock.now += 10
    display.tick()


def in_the_cell(publisher: CapturingDisplayPublisher) -> list[str]:
    return [str(output["data"]["text/html"]) for output in left_in_the_cell(publisher)]


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def redrawn(publisher: CapturingDisplayPublisher, before: int) -> set[str]:
    """The outputs that were sent since then, by their ids."""
    return {output["transient"]["display_id"] for output in publisher.outputs[before:]}


def holding(publisher: CapturingDisplayPublisher, words: str) -> str:
    (output,) = [
        output
        for output in left_in_the_cell(publisher)
        if words in text_of(output["data"]["text/html"])
    ]
    return str(output["transient"]["display_id"])


def lines(number: int) -> str:
    return "".join(f"epoch {n}\n" for n in range(number))


def test_a_running_command_shows_its_newest_lines(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    call, output, _ = command("python train.py", lines(226))
    draw(RichDisplay(publisher, clock=clock), clock, [*beginning(), call, output])
    shown = text_of(in_the_cell(publisher)[-1])
    assert "… 214 earlier lines" in shown
    assert "epoch 225" in shown
    assert "epoch 214\n" in shown
    assert "epoch 213" not in shown
    assert "max-height" not in in_the_cell(publisher)[-1]


def test_a_command_that_pours_out_megabytes_shows_its_newest_lines(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    call, *_ = command("yes")
    events = [call, *(CommandOutput("c", "stdout", lines(20_000)) for _ in range(20))]
    draw(RichDisplay(publisher, clock=clock), clock, [*beginning(), *events])
    shown = text_of(in_the_cell(publisher)[-1])
    assert "… 399,988 earlier lines" in shown
    assert shown.rstrip().endswith("epoch 19999")


def test_two_thousand_states_of_a_progress_bar_are_one_line(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    call, *_ = command("python train.py")
    frames = "".join(f"\r{n / 20:.0f}% of it" for n in range(2001))
    draw(
        RichDisplay(publisher, clock=clock),
        clock,
        [*beginning(), call, CommandOutput("c", "stderr", frames)],
    )
    shown = text_of(in_the_cell(publisher)[-1])
    assert shown.count("% of it") == 1
    assert "100% of it" in shown


def test_what_is_finished_is_not_sent_again(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    draw(display, clock, [*beginning(), TextDelta("The first paragraph.\n\nThe sec")])
    first = holding(publisher, "The first paragraph.")
    call, output, result = command("make", "built\n")
    before = len(publisher.outputs)
    draw(display, clock, [TextDelta("ond one."), call, output, result])
    second, built = holding(publisher, "The second one."), holding(publisher, "make")
    assert first not in redrawn(publisher, before)
    before = len(publisher.outputs)
    draw(display, clock, [TextDelta("It is built.\n\n"), *written("a.py", ["x"])])
    assert {first, second, built}.isdisjoint(redrawn(publisher, before))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_an_answer_is_markdown_however_it_comes_and_never_shrinks(cuts: list[int]) -> None:
    clock, publisher = Clock(), CapturingDisplayPublisher()  # type: ignore[no-untyped-call]
    display = RichDisplay(publisher, clock=clock)
    draw(display, clock, beginning())
    at, seen = 0, ""
    for cut in [*cuts, len(ANSWER)]:
        draw(display, clock, [TextDelta(ANSWER[at : at + cut])], 0.15)
        at += cut
        shown = text_of("".join(in_the_cell(publisher)[1:])).partition("waiting for")[0]
        words = "".join(re.findall("[a-zA-Z]+", shown))
        assert words.startswith(seen[:-2])  # "py" may become the name of a language
        seen = words
    html = "".join(in_the_cell(publisher)[1:])
    for tag in ("<strong>best</strong>", "<table", "<ol", "<blockquote", "Load it</"):
        assert tag in html
    assert "```" not in html


@given(st.lists(st.text("ab \n`*|-#>1.[]", max_size=30), max_size=30))
def test_no_word_is_lost_or_told_twice_where_a_text_is_taken_apart(pieces: list[str]) -> None:
    words = GrowingText()
    parts = []
    for piece in pieces:
        words.add(piece)
        parts += words.finished()
    parts += words.finished(whole=True)
    assert "".join(parts) == "".join(pieces)


@pytest.mark.parametrize(
    "text",
    [
        "a word " * 1_000,
        "x" * 7_000,
        "```python\n" + "x = 1\n" * 1_500 + "```\n",
        "- item\n" * 1_000,
    ],
    ids=["words", "one word", "code", "list"],
)
def test_what_is_drawn_again_and_again_is_short(text: str) -> None:
    words = GrowingText()
    drawn = []
    for at in range(0, len(text), 700):
        words.add(text[at : at + 700])
        drawn += words.finished()
        assert len(words.rest) <= MOST + 10
    html = "".join(map(markdown_html, [*drawn, *words.finished(whole=True)]))
    if "python" in text:
        assert "```" not in html
        assert text_of(html).count("x = 1") == 1_500


def test_of_a_book_that_comes_at_once_the_middle_is_left_out() -> None:
    words = GrowingText()
    words.add("first " + "x" * 2_000_000 + " last")
    parts = [*words.finished(), words.rest]
    assert sum(map(len, parts)) < AT_ONCE
    assert parts[0].startswith("first")
    assert parts[-1].endswith("last")
    assert any("characters left out" in part for part in parts)


def long_run(number: int, size: int) -> list[Event]:
    line = "total = sum(values) if values else 0.0  # of all of them"
    return [
        event
        for n in range(number)
        for event in written(
            f"/home/user/file_{n}.py", [line] * (size // len(line)), call_id=str(n)
        )
    ]


@pytest.mark.parametrize(
    "events",
    [
        long_run(60, 54_000),
        [TextDelta("ü" * 300 + "\n\n") for _ in range(3_000)],
        [e for n in range(300) for e in command("pytest", lines(500), exit_code=1, call_id=str(n))],
    ],
    ids=["writes", "words", "failures"],
)
def test_a_cell_stays_below_two_megabytes_while_the_run_goes_on(
    publisher: CapturingDisplayPublisher, clock: Clock, events: list[Event]
) -> None:
    display = RichDisplay(publisher, clock=clock)
    draw(display, clock, [*beginning(), *events, TextDelta("The newest words.")])
    cell = in_the_cell(publisher)
    assert len("".join(cell).encode()) < 2_000_000
    assert len(cell) < 50
    assert "The newest words." in "".join(cell)


def test_older_parts_of_a_long_run_fold_to_a_line_each(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    draw(RichDisplay(publisher, clock=clock), clock, [*beginning(), *long_run(100, 54_000)])
    cell = in_the_cell(publisher)
    assert "1 earlier part: changed" in text_of(cell[1]).replace("\xa0", " ")
    assert "file_0.py" in cell[1]
    assert "total" not in cell[1]
    assert "total" in "".join(cell)


def test_calls_beside_each_other_stand_in_their_order(
    publisher: CapturingDisplayPublisher, clock: Clock
) -> None:
    display = RichDisplay(publisher, clock=clock)
    events: list[Any] = [
        ToolCallStarted("a", "run_command", {"command": "first"}),
        ToolCallStarted("b", "run_command", {"command": "second"}),
        TextDelta("some words"),
        ToolCallFinished("b", "run_command", ok=True, output=""),
    ]
    draw(display, clock, [*beginning(), *events])
    shown = text_of(in_the_cell(publisher)[-1])
    assert shown.index("first") < shown.index("second") < shown.index("some words")
