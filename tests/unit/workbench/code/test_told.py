"""What a frame says is checked: types, lengths and names, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.workbench.code.told import (
    MOST_TYPES,
    ODD,
    Begun,
    Cleared,
    Ended,
    Fault,
    Notice,
    Printed,
    Shown,
    read,
)

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ("begin", "end", "error", "stderr", "show", "left", "clear", "id", "update", "result")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({"begin": "a"}, Begun("a")),
        ({"end": "a", "error": None}, Ended("a", None)),
        ({"stderr": "x"}, Printed("stderr", "x")),
        ({"clear": True}, Cleared(wait=True)),
        (
            {"end": "a", "error": {"name": "KeyError", "value": "'m'", "traceback": "T"}},
            Ended("a", Fault("KeyError", "'m'", "T")),
        ),
        (
            {"show": {"text/plain": "2"}, "left": {"text/html": 7}, "result": True},
            Shown({"text/plain": "2"}, {"text/html": 7}, is_value=True),
        ),
        (
            {"show": {"text/plain": "2"}, "id": "q", "update": True},
            Shown({"text/plain": "2"}, {}, "q", update=True),
        ),
    ],
)
def test_what_the_driver_sends_is_read(frame: dict[str, Any], told: object) -> None:
    assert read(frame) == told


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"odd": True},
        {"begin": 5},
        {"show": []},
        {"show": {}},
        {"show": {"text/plain": 5}},
        {"show": {"text plain": "x", "x" * 300 + "/y": "x", "text/html\n": "x"}},
        {"show": {}, "left": {"a/b": -1, "c": 5, "d/e": True}},
        {"clear": "x"},
        {"stderr": None},
    ],
)
def test_what_says_nothing_is_told_in_one_sentence(frame: dict[str, Any]) -> None:
    assert read(frame) == ODD


@given(st.dictionaries(st.sampled_from(KEYS), anything))
def test_frames_of_any_types_are_read(frame: dict[str, Any]) -> None:
    told = read(frame)
    assert isinstance(told, (Begun, Ended, Printed, Shown, Cleared, Notice))
    if isinstance(told, Shown):
        assert all(isinstance(text, str) for text in told.data.values())
        assert all("\n" not in mime and mime.count("/") == 1 for mime in told.data)


def test_a_result_has_a_bounded_number_of_forms() -> None:
    told = read({"show": {f"a/b{number}": "x" for number in range(1_000)}})
    assert isinstance(told, Shown)
    assert len(told.data) == MOST_TYPES


def test_half_a_surrogate_pair_can_be_written_down() -> None:
    told = read({"stderr": "a\ud800b"})
    assert isinstance(told, Printed)
    assert told.text.encode()
