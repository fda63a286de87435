"""What of the notebook was sent stands in the card's first line."""

from __future__ import annotations

from vibekit_jupyter.events import RunStarted, SessionReady, event_from_dict
from vibekit_jupyter.notebook.render import Transcript, to_html, to_plain
from vibekit_jupyter.notebook.render.plain import head_plain

SENT = "{{n}} = 3 · context: cells 4-6, 812 tokens"
STARTED = RunStarted("codex", "m", "code", "x", sent=SENT)
READY = SessionReady("s", "first", created=False)


def test_the_first_line_says_what_was_sent() -> None:
    run = Transcript.of([STARTED, READY])
    assert to_plain(run) == f"codex · m · session first · {SENT}"
    html = to_html(run)
    assert html.index("first") < html.index("context: cells 4-6, 812 tokens")


def test_a_line_that_grows_keeps_its_beginning() -> None:
    begun = head_plain(Transcript.of([STARTED]))
    assert head_plain(Transcript.of([STARTED, READY])).startswith(begun)


def test_what_was_sent_is_no_html() -> None:
    run = Transcript.of(
        [RunStarted("codex", "m", "code", "x", sent="<img src=x onerror=a>"), READY]
    )
    assert "<img" not in to_html(run)


def test_a_record_of_before_says_nothing_of_it() -> None:
    told = STARTED.to_dict()
    del told["sent"]
    started = event_from_dict(told)
    assert isinstance(started, RunStarted)
    assert started.sent == ""
    assert event_from_dict(STARTED.to_dict()) == STARTED
