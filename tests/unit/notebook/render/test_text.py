from __future__ import annotations

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.render.text import escape, terminal_html, terminal_text, visible
from vibekit_jupyter.sandbox.bounded_text import BoundedText

TAG = re.compile(r"<[^>]*>")


@given(st.text())
def test_escaped_text_shows_its_characters_and_has_no_tag_of_its_own(text: str) -> None:
    shown = escape(text)
    assert html.unescape(shown.replace("<span>", "").replace("</span>", "")) == visible(text)
    assert set(TAG.findall(shown)) <= {"<span>", "</span>"}


@given(st.text(), st.text())
def test_visible_text_keeps_its_beginning_when_more_comes(first: str, second: str) -> None:
    assert visible(first + second).startswith(visible(first))


@given(st.text(alphabet=st.sampled_from("ab\x1b[]0;1m\r\n\b\x9b\x07\\<K?")))
def test_no_escape_survives_in_a_commands_output(output: str) -> None:
    assert "\x1b" not in terminal_text(output)
    assert "\r" not in terminal_text(output)
    spans = {tag for tag in TAG.findall(terminal_html(output)) if tag not in {"<span>", "</span>"}}
    assert all(re.fullmatch(r'<span style="[\w:;#(),.-]+">', tag) for tag in spans)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("10%\r20%\rdone\n", "done\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("50%\r", "50%"),
        ("\x1b[2K\x1b[1Aup", "up"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title never ended", "0;title never ended"),
        ("a\x00b", "a␀b"),
        ("ab\x08c", "ac"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("half \ud83d", "half \N{REPLACEMENT CHARACTER}"),
        ("hidden\U000e0041", "hidden"),
    ],
)
def test_what_a_terminal_would_show_is_shown(output: str, shown: str) -> None:
    assert terminal_text(output) == shown


@pytest.mark.parametrize(
    ("output", "css"),
    [
        ("\x1b[31mred", "color:#d84a42"),
        ("\x1b[1;32mgreen", "font-weight:bold;color:#2c8f4b"),
        ("\x1b[38;5;208morange", "color:#ff8700"),
        ("\x1b[38;2;200;100;50mtrue", "color:#c86432"),
        ("\x1b[41mon red", "background-color:rgba(216,74,66,.25)"),
    ],
)
def test_colours_become_spans(output: str, css: str) -> None:
    # Not only: the colour is mixed with the page's own where a front end can do that.
    assert terminal_html(output).startswith(f'<span style="{css}')


def test_a_colour_that_one_of_the_themes_would_swallow_is_left_out() -> None:
    assert terminal_html("\x1b[38;2;255;255;255mwhite\x1b[38;2;0;0;0mblack") == "whiteblack"


def test_hostile_output_is_cleaned_in_linear_time() -> None:
    began = time.process_time()
    for piece in ("\x1b]", "\x1b[1;", "\x1bP", "\r", "a\x08", "\x9b"):
        terminal_html(piece * 20_000)
    assert time.process_time() - began < 2


@given(st.lists(st.text(max_size=20)), st.integers(1, 30), st.integers(1, 30))
def test_a_bounded_text_keeps_head_and_tail(pieces: list[str], head: int, tail: int) -> None:
    text = BoundedText(head, tail)
    for piece in pieces:
        text.append(piece)
        assert text.length >= len(piece)
    whole = "".join(pieces)
    cut = text.cut()
    assert cut.head == whole[:head] == text.head
    assert whole.endswith(cut.tail)
    assert len(cut.head) + cut.omitted + len(cut.tail) == len(whole)
    assert cut.omitted == max(0, len(whole) - head - tail)


@given(st.text(max_size=90), st.integers(0, 60))
def test_a_bounded_text_is_cut_to_a_limit(whole: str, limit: int) -> None:
    text = BoundedText(30, 30)
    text.append(whole)
    cut = text.cut(limit)
    assert len(cut.head) + len(cut.tail) <= max(limit, 0)
    assert whole.startswith(cut.head)
    assert whole.endswith(cut.tail)
    assert len(cut.head) + cut.omitted + len(cut.tail) == len(whole)
