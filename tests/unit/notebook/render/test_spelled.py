"""Characters that are not seen are spelled out where somebody is about to allow them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.render.text import spelled


@given(st.text())
def test_what_is_left_is_printable_and_nothing_is_lost(text: str) -> None:
    shown = spelled(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert len(shown) >= len(text)


@pytest.mark.parametrize(
    "char", ["\u200b", "\u202e", "\u00a0", "\ufeff", "\u3164", "\ufe0f", "\U000e0061", "\r", "\x1b"]
)
def test_what_is_printed_as_nothing_is_spelled(char: str) -> None:
    assert spelled(f"a{char}b") == f"a\\u{{{ord(char):x}}}b"


def test_lines_tabs_and_words_of_any_language_stay() -> None:
    assert spelled("a\n\tb é 日本 🙂") == "a\n\tb é 日本 🙂"
