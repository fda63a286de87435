"""Frames are found in whatever is printed around them, however the stream was cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.workbench.code.framing import MOST_FRAME, MOST_LINE, ODD, FrameReader

MARK = "\x1e0123456789abcdef"
SIZE = 7

texts = st.text(st.sampled_from("ab\n\x1e01é=<>-{}[]"), max_size=40)
frames = st.dictionaries(st.sampled_from(["show", "begin", "x"]), texts, min_size=1, max_size=2)
parts = st.lists(st.one_of(texts.filter(lambda text: MARK not in text), frames), max_size=12)


def written(frame: dict[str, Any]) -> str:
    """Return a frame as the driver writes it, in lines that are shorter than its own."""
    text = json.dumps(frame)
    pieces = [text[at : at + SIZE] for at in range(0, len(text), SIZE)]
    kinds = ["="] if len(pieces) == 1 else ["<", *"-" * (len(pieces) - 2), ">"]
    lines = zip(kinds, pieces, strict=True)
    return "".join(f"{MARK}{kind}{piece}\n" for kind, piece in lines)


def heard(reader: FrameReader, *pieces: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text and the frames of a stream."""
    every = [part for piece in pieces for part in reader.feed(piece)]
    text = "".join(part for part in every if isinstance(part, str)) + reader.end()
    return text, [part for part in every if not isinstance(part, str)]


@given(parts, st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_text_and_frames_are_told_apart_wherever_the_stream_is_cut(
    told: list[str | dict[str, Any]], lengths: list[int]
) -> None:
    stream = "".join(part if isinstance(part, str) else written(part) for part in told)
    pieces: list[str] = []
    at = 0
    while at < len(stream):
        length = lengths[len(pieces) % len(lengths)]
        pieces.append(stream[at : at + length])
        at += length
    text, found = heard(FrameReader(MARK), *pieces)
    assert text == "".join(part for part in told if isinstance(part, str))
    assert found == [part for part in told if not isinstance(part, str)]


@given(
    st.lists(
        st.one_of(texts, st.just(MARK), st.just(f"{MARK}<["), st.just(f"{MARK}=")), max_size=30
    )
)
def test_a_hostile_stream_gives_texts_and_mappings_and_nothing_else(pieces: list[str]) -> None:
    reader = FrameReader(MARK)
    for piece in pieces:
        for part in reader.feed(piece):
            assert isinstance(part, (str, dict))


def test_text_that_has_no_line_end_is_told_at_once() -> None:
    reader = FrameReader(MARK)
    assert list(reader.feed("x" * 100_000)) == ["x" * 100_000]
    assert list(reader.feed("y")) == ["y"]


def test_a_mark_without_a_frame_is_text() -> None:
    reader = FrameReader(MARK)
    told = [part for _ in range(10) for part in reader.feed(f"{MARK}{'x' * MOST_LINE}")]
    assert "".join(map(str, told)).count(MARK) == 10
    assert len(reader.end()) < 2 * MOST_LINE


def test_a_frame_without_an_end_does_not_fill_the_memory() -> None:
    reader = FrameReader(MARK)
    line = f"{MARK}-{'x' * 4_000}\n" * 100
    list(reader.feed(f"{MARK}<x\n"))
    for _ in range(2 * MOST_FRAME // 400_000):
        assert list(reader.feed(line)) == []
    assert list(reader.feed(f"{MARK}>x\n")) == [ODD]
    assert list(reader.feed(f'{MARK}={{"a": 1}}\n')) == [{"a": 1}]


def test_what_cannot_be_parsed_is_odd_and_the_next_frame_is_heard() -> None:
    reader = FrameReader(MARK)
    for line in ("=", "=[1]", "=5", "=" + "[" * 8_000, "?x", ">{}", '={"a":' + "9" * 5_000 + "}"):
        assert list(reader.feed(f"{MARK}{line}\n"))[-1] in (ODD, {}), line
    assert list(reader.feed(f'{MARK}={{"a": 1}}\n')) == [{"a": 1}]


def test_many_values_are_not_parsed() -> None:
    reader = FrameReader(MARK)
    line = f"{MARK}-{'[],' * 1_200}\n" * 100
    list(reader.feed(f'{MARK}<{{"a":[\n'))
    for _ in range(20):
        list(reader.feed(line))
    assert list(reader.feed(f"{MARK}>1]}}\n")) == [ODD]
