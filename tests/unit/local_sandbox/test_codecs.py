"""Framing, envelopes, paths, signatures: pure functions, and whatever bytes may come."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.local_sandbox import connect
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.interpreter import Lines
from vibekit_jupyter.local_sandbox.ports import renamed_cookie
from vibekit_jupyter.local_sandbox.supervisor.frames import LOST, FrameBuffer, encode
from vibekit_jupyter.local_sandbox.supervisor.paths import View

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
messages = st.dictionaries(st.text().filter(lambda key: key != "fds"), values, max_size=4)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes, and a rest."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 40), max_size=30))
def test_envelopes_survive_any_cutting(sent: list[dict[str, Any]], sizes: list[int]) -> None:
    data = b"".join(connect.encode_envelope(message) for message in sent) + connect.encode_end()
    reader = connect.EnvelopeReader()
    got = [found for piece in cut(data, sizes) for found in reader.feed(piece)]
    assert got == [*((0, message) for message in sent), (connect.END, {})]
    assert not reader.pending


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 40), max_size=30))
def test_frames_survive_any_cutting(sent: list[dict[str, Any]], sizes: list[int]) -> None:
    data = b"".join(encode(message) for message in sent)
    buffer = FrameBuffer()
    got = [found for piece in cut(data, sizes) for found in buffer.feed(piece)]
    assert got == [{**message, "fds": []} for message in sent]


def test_a_frame_takes_its_own_descriptors_and_no_other() -> None:
    ends = [*os.pipe(), *os.pipe()]
    buffer = FrameBuffer()
    data = encode({"a": 1}, 3) + encode({"b": 2}) + encode({"c": 3}, 1)
    got = list(buffer.feed(data, ends))
    assert [message["fds"] for message in got] == [ends[:3], [], ends[3:]]
    for end in ends:
        os.close(end)


def test_a_frame_whose_descriptors_are_lost_says_so_and_takes_no_others() -> None:
    ends = [*os.pipe(), *os.pipe()]
    buffer = FrameBuffer()
    first, second = encode({"a": 1}, 2), encode({"b": 2}, 3)
    assert list(buffer.feed(first[:5], [ends[0], LOST])) == []
    got = list(buffer.feed(first[5:] + second, ends[1:]))
    assert got == [{"a": 1, "fds": [], "lost": True}, {"b": 2, "fds": ends[1:]}]
    with pytest.raises(OSError, match="Bad file"):
        os.close(ends[0])
    for end in ends[1:]:
        os.close(end)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_envelope_reader(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for _flags, message in connect.EnvelopeReader().feed(data):
            assert isinstance(message, dict)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_frame_buffer(data: bytes) -> None:
    buffer = FrameBuffer()
    with contextlib.suppress(ValueError, TypeError):  # which closes the line
        list(buffer.feed(data))


def test_a_frame_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="too large"):
        list(FrameBuffer().feed(struct.pack(">I", 2**31)))
    with pytest.raises(ProtocolError, match="too large"):
        list(connect.EnvelopeReader().feed(struct.pack(">BI", 0, 2**31)))


@given(st.binary(max_size=60))
def test_a_unary_body_is_an_object_or_refused(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(connect.decode_unary(body), dict)


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_any_text_is_sent_as_json_that_strict_parsers_take(text: str) -> None:
    sent = connect.encode_json({"name": text}).decode("utf-8", "strict")
    assert "\\ud" not in sent or json.loads(sent)["name"] == text
    got = json.loads(sent)["name"].encode().decode()
    assert got == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.lists(st.text(max_size=30), max_size=8), st.lists(st.integers(0, 40), max_size=30))
def test_lines_of_a_run_survive_any_cutting(texts: list[str], sizes: list[int]) -> None:
    said = [json.dumps({"run": n % 2, "text": text}) for n, text in enumerate(texts)]
    data = "\n".join(['half a line"}', *said, ""]).encode()
    lines = Lines(1)
    got = [line["text"] for piece in cut(data, sizes) for line in lines.feed(piece)]
    assert got == texts[1::2]


def test_a_line_without_an_end_is_refused() -> None:
    lines = Lines(1)
    piece = b"x" * 2**22
    with pytest.raises(ProtocolError, match="more than"):
        list(itertools.chain.from_iterable(lines.feed(piece) for _more in range(25)))


@pytest.mark.parametrize("depth", [40, 900, 200_000])
def test_a_message_too_deep_is_refused(depth: int) -> None:
    for inner in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(ProtocolError, match="deep"):
            connect.decode_unary(b'{"a":' + inner + b"}")


def test_a_cookie_of_a_port_keeps_all_but_its_name_and_domain() -> None:
    given = "a=b=c; Domain=localhost; Path=/x; Secure; SameSite=None; Partitioned; Max-Age=5"
    assert renamed_cookie(given, "p-") == (
        "p-a=b=c; Path=/x; Secure; SameSite=None; Partitioned; Max-Age=5"
    )


def test_a_stream_ends_with_its_error() -> None:
    (found,) = connect.EnvelopeReader().feed(
        connect.encode_end(ProtocolError("not_enough_space", "full"))
    )
    assert found == (2, {"error": {"code": "resource_exhausted", "message": "full"}})


FLAT, MAPPED = View({}), View({"/home/user": "/srv/s/home", "/tmp": "/srv/s/tmp"})


@given(st.text(max_size=40))
def test_a_path_is_absolute_and_without_steps(path: str) -> None:
    if "\0" in path:
        with pytest.raises(ValueError, match="NUL"):
            FLAT.absolute(path)
        return
    seen = FLAT.absolute(path)
    assert seen.startswith("/")
    assert not seen.startswith("//")
    assert not {".", "..", ""} & set(seen[1:].split("/")) or seen == "/"


@given(st.text(alphabet="ab./~", max_size=30))
def test_what_is_seen_and_what_is_real_are_two_names_of_one_thing(path: str) -> None:
    seen = MAPPED.absolute(path)
    assert MAPPED.to_seen(MAPPED.to_real(seen)) == seen


@pytest.mark.parametrize(
    ("path", "user", "real"),
    [
        ("a.txt", "user", "/srv/s/home/a.txt"),
        ("~/a", "user", "/srv/s/home/a"),
        ("~", "root", "/root"),
        ("../user/a", "user", "/srv/s/home/a"),
        ("/home/username", "user", "/home/username"),
        ("/tmp/../tmp/x", "user", "/srv/s/tmp/x"),
    ],
)
def test_homes_lead_to_the_sandboxs_own_folders(path: str, user: str, real: str) -> None:
    assert MAPPED.to_real(MAPPED.absolute(path, user)) == real


def test_every_error_has_a_status_and_a_code() -> None:
    for code in ("not_found", "unavailable", "conflict", "not_enough_space", "forbidden"):
        error = ProtocolError(code, "a sentence")
        assert 400 <= error.status < 600
        assert json.dumps(connect.error_body(error))
