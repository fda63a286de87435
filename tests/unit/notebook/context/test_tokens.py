"""Texts made smaller."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.context.tokens import cut, estimated_tokens, shortened


@given(st.text(max_size=400), st.integers(0, 100))
def test_a_cut_text_has_room_and_a_short_one_is_whole(text: str, most: int) -> None:
    shorter = cut(text, most)
    assert estimated_tokens(shorter) <= most
    if estimated_tokens(text) <= most:
        assert shorter == text


def test_a_long_text_keeps_its_ends() -> None:
    shorter = cut("first " + "x" * 9_000 + " last", 200)
    assert shorter.startswith("first")
    assert shorter.endswith("last")
    assert "characters left out]" in shorter


def test_a_shortened_text_is_one_line() -> None:
    assert shortened("a\n b\tc", 10) == "a b c"
    assert shortened("abcdef", 4) == "abc…"
