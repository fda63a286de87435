"""A card is one that a notebook can hold, whatever the run does."""

from __future__ import annotations

import base64
import dataclasses
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import beginning, command, end, written
from tests.unit.notebook.render.test_limits import turn
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.events import Event, FileShown, Notice, TextDelta, ThinkingDelta
from vibekit_jupyter.notebook import transcripts
from vibekit_jupyter.notebook.render import Transcript, rendered, to_html

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.session import Turn

LINE = "total = sum(values) if values else 0.0  # of all of them"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(900_000)).decode()


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html).replace("&nbsp;", " ")


def writes(number: int) -> list[Event]:
    return [
        event
        for n in range(number)
        for event in written(f"/home/user/file_{n}.py", [LINE] * 960, call_id=str(n))
    ]


RUNS: dict[str, list[Event]] = {
    "writes": writes(60),
    "words": [e for _ in range(250) for e in (TextDelta("é" * 60_000), ThinkingDelta("t"))],
    "thoughts": [e for _ in range(250) for e in (ThinkingDelta("<" * 60_000), Notice("n" * 9_000))],
    "outputs": [
        e for n in range(500) for e in command("x" * 9_000, "<&>" * 9_000, exit_code=n % 2)
    ],
    "pictures": [
        FileShown(f"/home/user/{n}.png", "image/png", PICTURE, 900_000) for n in range(20)
    ],
    "names": [e for n in range(500) for e in written("/home/user/" + "ü" * 4_000, ["x"])],
}


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS)
def test_a_card_stays_below_two_megabytes_and_ends_as_it_should(events: list[Event]) -> None:
    shown = rendered(Transcript.of([*beginning(), *events, TextDelta("The answer."), end()]))
    assert len(shown.html.encode()) < 2_000_000
    assert len(shown.plain.encode()) < 2_000_000
    text = text_of(shown.html)
    assert "The answer." in text
    assert "4 steps · 6.1 k tokens" in text


def test_older_parts_fold_to_a_line_each_and_the_newest_stay() -> None:
    html = to_html(Transcript.of([*beginning(), *writes(200), end()]))
    text = text_of(html)
    assert re.search(r"\d+ earlier parts: changed \d+ files", text)
    assert "file_0.py" in text
    newest = html.rindex("file_199.py")
    assert "total" in html[newest:]


def test_the_full_form_holds_what_is_folded() -> None:
    events = [*beginning(), *writes(20), end()]
    brief, full = (to_html(Transcript.of(events, full=full)) for full in (False, True))
    assert text_of(full).count("# of all of them") > 2 * text_of(brief).count("# of all of them")
    assert len(full.encode()) < 20_000_000


@pytest.mark.parametrize("room", [0, 3_000, 100_000])
def test_a_card_takes_no_more_room_than_it_is_given(room: int) -> None:
    html = to_html(Transcript.of([*beginning(), *writes(60), end()]), room=room)
    assert len(html.encode()) < room + 3_000
    assert "12 s" in html


def conversation(number: int, events: list[Event]) -> list[Turn]:
    return [
        dataclasses.replace(
            turn(f"prompt {n}", "words"), number=n, events=[event.to_dict() for event in events]
        )
        for n in range(1, number + 1)
    ]


def test_a_conversation_shows_its_last_turns_and_how_many_more_there_are() -> None:
    turns = conversation(250, [*beginning(), TextDelta("words"), end()])
    shown = transcripts.shown(turns, last=20)
    for form in (shown.plain, text_of(shown.html)):
        assert form.startswith("230 earlier turns: %vibekit_session history --all, or --turn N")
        assert form.count("prompt") == 20
        assert form.index("prompt 231") < form.index("prompt 250")
    assert transcripts.shown(turns).plain.count("prompt") == 250
    assert "earlier" not in transcripts.shown(turns[:20], last=20).plain


def test_a_conversation_of_any_length_stays_below_two_megabytes() -> None:
    turns = conversation(60, [*beginning(), *writes(3), TextDelta("x" * 60_000), end()])
    shown = transcripts.shown(turns)
    assert len(shown.html.encode()) < 2_000_000
    assert "prompt 60" in shown.html
    assert "earlier turns" in shown.html


def test_one_turn_of_a_conversation_is_shown_by_its_number() -> None:
    turns = conversation(250, [*beginning(), end()])
    assert "> prompt 7\n" in transcripts.one(turns, 7).plain
    assert "> prompt 250\n" in transcripts.one(turns, -1).plain
    for missing in (0, 251, -251):
        with pytest.raises(ConfigurationError, match="the conversation has 250 turns"):
            transcripts.one(turns, missing)


def test_a_failed_group_says_how_many_failed() -> None:
    calls = [e for n in range(9) for e in command(f"try {n}", "no\n" * 900, exit_code=n % 3)]
    text = text_of(to_html(Transcript.of([*beginning(), *calls, end()]), room=5_000))
    assert "ran 9 commands (6 failed)" in text or "failed)" in text
