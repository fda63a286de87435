"""The picker's words are the cards' words, and other people's words are bounded and visible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.render import session_list, style
from vibekit_jupyter.notebook.session_picker.saved import saved_table
from vibekit_jupyter.notebook.session_picker.words import LONGEST, label, row, short
from vibekit_jupyter.sessions.session import Session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SALES = Session(
    id="i7c1ab7e",
    name="sales",
    service="local sandbox",
    state="running",
    project="q3",
    agent="codex",
    ends_at=NOW + timedelta(minutes=41, seconds=5),
    last_used=NOW - timedelta(minutes=2),
)
HOSTILE = "<script>alert(1)</script>\n\u202eevil\x1b[31m" + "x" * 10_000


def test_a_row_says_what_the_cards_say() -> None:
    shown = row(SALES, NOW)
    assert shown[:7] == ("i7c1ab7e", style.OK, "sales", "q3", "codex", "2 min ago", "41 min")
    assert label(SALES, NOW) == "● sales — q3 — running · 41 min left"
    assert "running · 41 min left" in session_list([SALES], NOW).plain


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (Session("a", "a", "", state="paused"), "paused"),
        (Session("a", "a", "", state="gone"), "gone, history kept"),
        (Session("a", "a", "", state="unknown"), "not asked yet"),
        (Session("a", "a", "", state="running", ends_at=NOW - timedelta(1)), "time ran out"),
    ],
)
def test_a_session_without_time_says_why(session: Session, words: str) -> None:
    assert row(session, NOW)[6] == words
    assert label(session, NOW).endswith(words)


@given(st.text())
def test_other_peoples_words_are_one_bounded_line(text: str) -> None:
    shown = short(text)
    assert len(shown) <= LONGEST
    assert "\n" not in shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x1b\x00")


def test_hostile_names_stay_small() -> None:
    session = Session("a", HOSTILE, "", project=HOSTILE, agent=HOSTILE)
    assert len(label(session, NOW)) < 200
    assert sum(map(len, row(session, NOW)[:7])) < 300


def test_the_saved_table_is_bounded_and_says_when_it_was_true() -> None:
    many = [Session(str(number), f"name-{number}", "") for number in range(10_000)]
    saved = saved_table(many, NOW)
    assert "9,980 more" in saved.plain
    assert "22 Nov 2026" in saved.html
    assert len(saved.html) < 40_000
    assert "<script" not in saved_table([Session("a", HOSTILE, "")], NOW).html
