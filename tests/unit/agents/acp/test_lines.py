"""Messages are found in an agent's output, whatever else is there and wherever it is cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.acp.lines import MOST_NOISE, Lines, TooMuchError, spelled

MESSAGES = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda values: st.lists(values, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
NOISE = st.sampled_from(["", "warning: x", "[1, 2]", "12", '{"half": ', "{]", "\x1b[31m", "null"])


def fed(lines: Lines, *pieces: str) -> list[dict[str, Any]]:
    return [message for piece in pieces for message in lines.feed(piece)]


@given(st.lists(MESSAGES | NOISE, max_size=8), st.lists(st.integers(min_value=0), max_size=10))
def test_messages_are_found_wherever_the_output_is_cut(
    said: list[dict[str, Any] | str], cuts: list[int]
) -> None:
    text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in said)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    lines = Lines()
    assert fed(lines, *pieces) == [one for one in said if isinstance(one, dict)]
    assert lines.count == len(said)


def test_the_end_of_the_noise_is_kept() -> None:
    lines = Lines()
    assert fed(lines, "a\n" * 10_000, "the last words\n") == []
    assert str(lines.noise).endswith("the last words\n")
    assert len(str(lines.noise)) < MOST_NOISE + 100


def test_a_line_that_is_told_again_is_read_once() -> None:
    lines = Lines()
    assert fed(lines, '{"a": 1}\n{"b"') == [{"a": 1}]
    lines.forget()
    assert lines.count == 1
    assert fed(lines, '{"b": 2}\n') == [{"b": 2}]


def test_a_line_without_an_end_is_not_held() -> None:
    lines = Lines(most_line=1000)
    with pytest.raises(TooMuchError, match="a line of more than"):
        fed(lines, *["x" * 100] * 20)


def test_a_flood_is_not_read_to_its_end() -> None:
    lines = Lines(most=10_000)
    with pytest.raises(TooMuchError, match="in one turn"):
        fed(lines, *['{"a": 1}\n'] * 2_000)


@pytest.mark.parametrize(
    "odd", ["[" * 100_000, '{"a":' + "[" * 100_000, '{"a": [' + "1," * 1_100_000 + "1]}"]
)
def test_what_is_too_deep_or_has_too_many_values_is_noise(odd: str) -> None:
    assert fed(Lines(), odd + "\n", '{"b": 1}\n') == [{"b": 1}]


def test_what_is_said_stands_in_one_line() -> None:
    line = spelled({"method": "x", "params": {"text": "a\nb\r\u2028\ud800"}})
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line)["jsonrpc"] == "2.0"
