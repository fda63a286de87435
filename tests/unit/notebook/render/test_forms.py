from __future__ import annotations

import dataclasses
import re

import pytest

from tests.support.runs import beginning, command, end, whole_run, written
from vibekit_jupyter.events import CommandOutput, Event, Notice, TextDelta, ToolCallStarted
from vibekit_jupyter.notebook.render import Transcript, rendered, to_html, to_plain

PLAIN = """\
codex · gpt-6-astra · session sales

I'll read the **file** first.

$ head -3 sales.csv
  day,revenue
  2024-01-01,12.5

* plot.py (new, +14)
  + line_0 = 0
  + line_1 = 1
  + line_2 = 2
  + line_3 = 3
  + line_4 = 4
  + line_5 = 5
  + line_6 = 6
  + line_7 = 7
  + line_8 = 8
  + line_9 = 9
  + line_10 = 10
  + line_11 = 11
  … 2 more lines

$ python plot.py
> echo done
  done
  slow

$ pytest -q
  1 failed
  (exit code 1)

It is in `revenue.png`.

4 steps · 12 s · plot.py"""


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def test_the_plain_form_reads_like_a_terminal() -> None:
    assert to_plain(Transcript.of(whole_run())) == PLAIN


def test_the_card_says_who_works_where_and_what_it_cost() -> None:
    text = text_of(to_html(Transcript.of(whole_run())))
    assert text.startswith("codex · gpt-6-astra · session sales")
    assert text.endswith("4 steps · 6.1 k tokens (4.8 k cached) · 12 s · plot.py")


@pytest.mark.parametrize(("cost", "words"), [(0.0034, "$0.0034"), (0.128, "$0.13"), (0.0, "$0.00")])
def test_a_known_cost_stands_in_the_footer_and_not_in_plain_text(cost: float, words: str) -> None:
    transcript = Transcript.of([*beginning(), dataclasses.replace(end(), cost=cost)])
    assert f" · {words} · 12 s" in text_of(to_html(transcript))
    assert "$" not in to_plain(transcript)


def test_the_demo_model_is_plainly_marked() -> None:
    transcript = Transcript.of([*beginning(demo=True), end()])
    assert "codex · demo model" in text_of(to_html(transcript))
    assert "codex · demo model" in to_plain(transcript)


def test_fine_commands_fold_into_one_row_and_a_failed_one_stays_open() -> None:
    events: list[Event] = [*beginning()]
    for number in range(3):
        events += command(f"step {number}", "ok\n", call_id=str(number))
    html = to_html(Transcript.of([*events, *command("bad", "no\n", exit_code=3), end()]))
    assert "3 commands, all fine" in html
    assert "exit 3" in html
    assert html.count("<details open") == 1


def test_a_running_command_is_open_and_its_folded_result_is_not() -> None:
    running = [*beginning(), ToolCallStarted("c", "run_command", {"command": "make"})]
    assert "<details open" in to_html(Transcript.of(running))
    assert "<details open" not in to_html(Transcript.of([*beginning(), *command("make"), end()]))


def test_a_long_diff_is_folded_after_twelve_lines() -> None:
    html = to_html(Transcript.of([*beginning(), *written("a.py", ["x"] * 40), end()]))
    assert "… 28 more lines" in html


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("failed", "stopped after 2 steps"),
        ("interrupted", "interrupted after 2 steps"),
        ("limit", "limit reached after 2 steps"),
    ],
)
def test_a_run_that_ended_early_says_what_happened_and_what_is_kept(
    status: str, words: str
) -> None:
    transcript = Transcript.of([*beginning(), end(status, "It broke. Try again.", steps=2)])
    html, plain = text_of(to_html(transcript)), to_plain(transcript)
    for form in (html, plain):
        assert words in form.lower()
        assert "It broke. Try again." in form
        assert "The 2 finished steps are kept in the session." in form


def test_a_notice_and_a_command_that_never_ended_are_told() -> None:
    transcript = Transcript.of(
        [
            *beginning(),
            Notice("The model is slow; still waiting."),
            ToolCallStarted("c", "run_command", {"command": "sleep 9"}),
            CommandOutput("c", "stderr", "zzz"),
            end("interrupted"),
        ]
    )
    assert "(The model is slow; still waiting.)" in to_plain(transcript)
    assert "$ sleep 9\n  zzz\n  (stopped)" in to_plain(transcript)
    assert "stopped" in text_of(to_html(transcript))


def test_the_full_form_shows_what_the_brief_one_leaves_out() -> None:
    events = [*beginning(), *command("seq 9999", "\n".join(map(str, range(9_999)))), end()]
    brief, full = Transcript.of(events), Transcript.of(events, full=True)
    for form in (to_html, to_plain):
        assert "characters left out" in form(brief)
        assert "characters left out" not in form(full)
        assert "5000" in form(full)


def test_markdown_is_rendered() -> None:
    events = [*beginning(), TextDelta("It is **bold**.\n\n| a |\n|---|\n| 1 |\n")]
    html = to_html(Transcript.of(events))
    assert "<strong>bold</strong>" in html
    assert "<table" in html


def test_a_run_shows_itself_in_both_forms_with_its_log() -> None:
    shown = rendered(Transcript.of(whole_run()))
    data, metadata = shown._repr_mimebundle_()
    assert data == {"text/html": shown.html, "text/plain": shown.plain}
    assert metadata["vibekit"]["version"] == 1
