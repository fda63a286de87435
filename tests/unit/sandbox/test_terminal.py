"""Output is told as a terminal would show it, however it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.sandbox.terminal import MOST_HELD, Screen, plain

PIECES = st.lists(st.sampled_from(["a", "b c", "\n", "\r", "\r\n", "\x1b[32m", "\x1b[0m", "\0"]))


def through(pieces: list[str]) -> str:
    screen = Screen()
    return "".join(screen.feed(piece) for piece in pieces) + screen.end()


@given(PIECES)
def test_lines_are_the_same_in_whatever_pieces_they_come(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert through(list(text)) == through([text]) == plain(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10%\r50%\r100%\n", "100%\n"),
        ("done\r\n", "done\n"),
        ("bar\r", "bar"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07text", "red text"),
        ("a\0b\x07c\td", "abc\td"),
        ("ab\bc", "ac"),
    ],
)
def test_what_a_terminal_shows_is_told(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_line_without_end_is_told_in_bounded_memory() -> None:
    screen = Screen()
    told = sum(len(screen.feed("x" * 1000)) for _ in range(1000))
    assert told > 1_000_000 - 3 * MOST_HELD
    assert told + len(screen.end()) == 1_000_000


def test_a_progress_bar_without_end_is_its_last_state() -> None:
    frames = [f"\r{number:>6} of 9999" for number in range(10_000)]
    assert through(frames) == "  9999 of 9999"
