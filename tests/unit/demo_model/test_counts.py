"""A count is read alike as digits and as words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.demo_model.counts import COUNT, read_count

ONES: list[str] = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen",
)
TENS: list[str] = re.findall(r"\w+", "_ _ twenty thirty forty fifty sixty seventy eighty ninety")


def spelled(number: int, joint: str) -> str:
    if number < 20:
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (joint + ONES[ones] if ones else "")


@given(st.integers(0, 99), st.sampled_from((" ", "-")))
def test_words_are_read_as_the_number_they_spell(number: int, joint: str) -> None:
    for text in (spelled(number, joint), spelled(number, joint).title(), str(number)):
        assert read_count(text) == number
        assert re.fullmatch(COUNT, text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a hundred", 100),
        ("one hundred", 100),
        ("two  hundred", 200),
        ("a thousand", 1000),
        ("twelve hundred", 1200),
        ("hundred", None),
        ("a", None),
        ("ten twenty", None),
        ("five-two", None),
        ("many", None),
        ("", None),
    ],
)
def test_odd_counts(text: str, number: int | None) -> None:
    assert read_count(text) == number


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert (read_count(text) or 0) >= 0
