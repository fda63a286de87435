from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vibekit_jupyter.events import FileShown
from vibekit_jupyter.notebook.render import config_card, session_card, session_list
from vibekit_jupyter.notebook.render.artifact import POLICY, artifact_html
from vibekit_jupyter.notebook.render.words import ago, clock, count, left, seconds
from vibekit_jupyter.sessions.session import Session

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SALES = Session(
    "i7c1ab7e5f00d1234",
    "sales",
    "local sandbox",
    "running",
    project="q3",
    confinement="bubblewrap",
    ends_at=NOW + timedelta(minutes=41, seconds=30),
    last_used=NOW - timedelta(minutes=2),
    agent="codex",
    turns=6,
    files=9,
    current=True,
)
OLD = Session(
    "gone1", "old-etl", "E2B", "gone", agent="codex", last_used=datetime(2025, 10, 12, tzinfo=UTC)
)


def test_a_card_says_all_that_is_known() -> None:
    assert session_card(SALES, NOW).plain == (
        "sales · project q3 · running · 41 min left\n"
        "i7c1ab7e5f00d1234 · local sandbox, confined by bubblewrap · "
        "codex, last turn 2 min ago · 6 turns, 9 files"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(301, ""), (290, "less than 5 minutes"), (30, "less than a minute")]
)
def test_a_session_about_to_pause_says_that_its_files_stay(seconds: float, words: str) -> None:
    card = session_card(replace(SALES, ends_at=NOW + timedelta(seconds=seconds)), NOW)
    for form in (card.plain, card.html):
        assert ("files stay" in form) == bool(words)
        assert words in form


def test_an_unconfined_sandbox_is_called_so() -> None:
    session = Session("i1", "s", "local sandbox", "running", confinement="none")
    assert "unconfined" in session_card(session, NOW).plain
    assert "unconfined" in session_card(session, NOW).html


def test_a_list_is_aligned_and_marks_the_current_session() -> None:
    assert session_list([SALES, OLD], NOW).plain.splitlines() == [
        "   name     project  agent  last used    state",
        "*  sales    q3       codex  2 min ago    running · 41 min left",
        "   old-etl  —        codex  12 Oct 2025  gone, history kept",
    ]


def test_an_empty_list_says_what_to_do() -> None:
    assert session_list([], NOW).plain == "No session yet. The first prompt creates one."


def test_a_hostile_name_stays_a_name() -> None:
    session = Session("<i>", "<script>alert(1)</script>", "E2B", "running")
    for shown in (session_card(session, NOW), session_list([session], NOW)):
        assert "<script" not in shown.html
    assert "<script" not in config_card([("<script>", "<b>", "<i>")]).html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (seconds(0.04), "0.0 s"),
        (seconds(9.96), "10 s"),
        (seconds(59.7), "1 min 0 s"),
        (seconds(7800), "2 h 10 min"),
        (clock(67), "1:07"),
        (clock(3723), "1:02:03"),
        (count(950), "950"),
        (count(6100), "6.1 k"),
        (count(999_960), "1.0 M"),
        (left(timedelta(seconds=59)), "under a minute"),
        (left(timedelta(hours=2, minutes=5)), "2 h 5 min"),
        (ago(NOW - timedelta(seconds=3), NOW), "just now"),
        (ago(NOW - timedelta(hours=3), NOW), "3 h ago"),
        (ago(NOW - timedelta(days=1), NOW), "yesterday"),
        (ago(NOW - timedelta(days=9), NOW), "23 Feb"),
    ],
)
def test_numbers_and_times_are_said_as_a_person_would(text: str, words: str) -> None:
    assert text == words


def shown(path: str, mime: str, data: bytes, size: int | None = None) -> str:
    encoded = base64.b64encode(data).decode()
    return artifact_html(FileShown(path, mime, encoded, len(data) if size is None else size))


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/png", PNG),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("image/svg+xml", b"\n<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"),
    ],
)
def test_a_picture_is_inlined_as_one_with_its_name(mime: str, data: bytes) -> None:
    html = shown("/home/user/a", mime, data)
    assert f'<img src="data:{mime};base64,{base64.b64encode(data).decode()}" alt="a"' in html
    assert "<svg" not in html
    assert "background-color:white" in html, "black on nothing is seen on a dark page, too"


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/svg+xml", b"<script>alert(1)</script>"),
        ("image/png", b"<svg onload=alert(1)>"),
        ("image/png", PNG + b"x" * 2_000_000),
        ("application/x-ipynb+json", b'{"cells": 3}'),
        ("text/html", b"<p>" * 400_000),
    ],
)
def test_what_cannot_be_shown_is_named(mime: str, data: bytes) -> None:
    html = shown("/home/user/file", mime, data)
    assert "file: " in html
    assert "<img" not in html
    assert "<iframe" not in html


def test_a_table_shows_its_first_rows() -> None:
    data = "a,b\n" + "".join(f'{number},"<b>{number}"\n' for number in range(30))
    html = shown("t.csv", "text/csv", data.encode())
    assert html.count("<tr") == 11
    assert "10 of 30 rows, 2 columns" in html
    assert "<b>" not in html


@pytest.mark.parametrize("rows", [10, 30])
def test_of_a_table_that_was_cut_no_rows_are_counted(rows: int) -> None:
    data = b"a,b\n" + b"1,2\n" * rows
    html = shown("t.csv", "text/csv", data, size=10_000_000)
    assert "the first 10 rows" in html
    assert "more row" not in html


def test_a_row_of_several_lines_is_one_row() -> None:
    html = shown("t.csv", "text/csv", b'a,b\n"one\ntwo",3\n')
    assert html.count("<tr") == 2
    assert "row<" not in html


def test_a_page_lives_in_a_frame_without_rights_or_links() -> None:
    page = b"<style>p{color:red}</style><p>hi</p><a href='http://x'>go</a><script>1</script><img src='http://x/i.png'>"
    html = shown("p.html", "text/html", page)
    assert '<iframe sandbox="" srcdoc="&lt;meta http-equiv=&quot;Content-Security-Policy' in html
    assert POLICY.replace("'", "&#x27;") in html
    for gone in ("http://x", "script", "&lt;a"):
        assert gone not in html


def test_a_notebook_is_shown_as_text() -> None:
    outputs = [{"data": {"text/html": "<script>"}}, {"text": ["two\n"]}]
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "<script>1</script>"]},
        {
            "cell_type": "code",
            "source": "1+1",
            "outputs": outputs,
        },
    ]
    html = shown("n.ipynb", "application/x-ipynb+json", json.dumps({"cells": cells}).encode())
    assert "Title" in html
    assert "two" in html
    assert "<script" not in html
