"""Frames between the relay's ends: whole however they are cut, bounded whatever comes."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.relay.frames import MOST_LINE, FrameLines, frame, piece_of

if TYPE_CHECKING:
    from collections.abc import Iterable

fields = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
frames = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.lists(fields, max_size=4)))
noise = st.text(st.characters(exclude_characters="\n"), max_size=60).filter(
    lambda line: not line.lstrip().startswith(("[", "="))
)


def cut(text: str, places: Iterable[int]) -> Iterable[str]:
    at = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return (text[begin:end] for begin, end in itertools.pairwise(at))


def read(pieces: Iterable[str]) -> list[list[Any]]:
    lines = FrameLines()
    return [one for piece in pieces for one in lines.feed(piece)]


@given(frames, st.lists(st.integers(0, 5000), max_size=20), st.lists(noise, max_size=3))
def test_frames_arrive_whole_and_in_order_however_they_are_cut_and_whatever_is_between(
    sent: list[tuple[str, list[Any]]], places: list[int], between: list[str]
) -> None:
    text = "".join(
        f"{between[n % len(between)] if between else ''}\n{frame(kind, *rest)}"
        for n, (kind, rest) in enumerate(sent)
    )
    assert read(cut(text, places)) == [[kind, *rest] for kind, rest in sent]


@given(st.text(max_size=300))
def test_whatever_a_sandbox_says_is_a_frame_or_passed_over(text: str) -> None:
    for one in read([text, "\n"]):
        assert isinstance(one[0], str)


def test_a_line_that_is_too_long_is_dropped_and_not_held() -> None:
    lines = FrameLines()
    for _ in range(50):
        assert not list(lines.feed("x" * MOST_LINE))
    assert sum(map(len, lines._parts)) <= MOST_LINE
    assert list(lines.feed('\n["ready",1]\n')) == [["ready", 1]]


def test_json_that_is_deep_or_no_list_is_no_frame() -> None:
    assert read(["[" * 100_000 + "\n", '{"a":1}\n', "[]\n", "[1]\n", '["ok"]\n']) == [["ok"]]


@given(st.binary(max_size=200))
def test_a_piece_carries_its_bytes(data: bytes) -> None:
    kind, field = json.loads(frame("body", base64.b64encode(data).decode()))
    assert (kind, piece_of(field)) == ("body", data)


@given(st.text(st.characters(exclude_characters="\n"), max_size=200), st.lists(st.integers(0, 300)))
def test_a_line_of_text_is_carried_as_it_is(text: str, places: list[int]) -> None:
    ((kind, number, field),) = read(cut(f"=17 {text}\n", places))
    assert (kind, number, piece_of(field)) == ("body", 17, text.encode(errors="replace"))


@pytest.mark.parametrize("line", ["=", "= x", "=x 1", "=-1 x", f"={'9' * 5000} x", "=²"])
def test_a_text_of_no_request_is_passed_over(line: str) -> None:
    assert read([f"{line}\n", '["ok"]\n']) == [["ok"]]


def test_a_piece_that_is_spelled_wrongly_carries_nothing() -> None:
    assert [piece_of(field) for field in (None, 5, "a", "%%%%", "ü" * 4)] == [b""] * 5
