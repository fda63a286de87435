"""What passes by is read as it comes, in any protocol, and no key passes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import chat_wire, gemini_wire
from vibekit_jupyter.agents.relay.answer import PassingAnswer, Without
from vibekit_jupyter.demo_model.wire import Answer, ToolCall, Wire, messages, responses
from vibekit_jupyter.demo_model.wire import Usage as Told
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from vibekit_jupyter.agents.relay.protocols import Protocol

WIRES: dict[str, Wire] = {
    "responses": responses,
    "chat": chat_wire,
    "messages": messages,
    "gemini": gemini_wire,
}
ANSWER = Answer(
    'It has "usage" in it.', tool_calls=(ToolCall("run", {"a": 1}),), usage=Told(120, 20, 30)
)
protocols = pytest.mark.parametrize("protocol", WIRES)


def stream(protocol: str) -> bytes:
    return b"".join(event.encode() for event in WIRES[protocol].events(ANSWER, "m"))


@protocols
@given(data=st.data())
def test_an_answers_end_and_usage_are_seen_however_it_is_cut(
    protocol: Protocol, data: st.DataObject
) -> None:
    text = stream(protocol)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    passing = PassingAnswer(protocol, streams=True)
    for begin, end in zip([0, *places], [*places, len(text)], strict=True):
        passing.feed(text[begin:end])
    passing.finish()
    assert passing.ended
    assert passing.error is None
    assert passing.usage == Usage(120, 20, 30)


@protocols
def test_an_answer_that_is_cut_is_seen_to_have_no_end(protocol: Protocol) -> None:
    passing = PassingAnswer(protocol, streams=True)
    passing.feed(stream(protocol)[:300])
    passing.finish()
    assert passing.has_begun
    assert not passing.ended


@protocols
def test_a_whole_document_tells_its_usage_too(protocol: Protocol) -> None:
    import json

    passing = PassingAnswer(protocol, streams=False)
    passing.feed(json.dumps(WIRES[protocol].document(ANSWER, "m")).encode())
    passing.finish()
    assert passing.ended
    assert passing.usage == Usage(120, 20, 30)


def test_an_error_in_a_stream_is_seen() -> None:
    for protocol, event in (
        ("responses", b'data: {"type":"response.failed","response":{"error":{"code":"x"}}}\n'),
        ("responses", b'data: {"type":"error","message":"no"}\n'),
        ("messages", b'data: {"type":"error","error":{"type":"overloaded_error"}}\n'),
        ("chat", b'data: {"error":{"message":"no"}}\n'),
    ):
        passing = PassingAnswer(protocol, streams=True)  # type: ignore[arg-type]  # one of them
        passing.feed(event)
        assert passing.error is not None


def test_who_hangs_up_before_the_end_pays_for_what_was_said() -> None:
    passing = PassingAnswer("responses", streams=True)
    passing.feed(b'data: {"type":"response.output_text.delta","delta":"word"}\n' * 50)
    assert passing.estimated(4000) == Usage(1000, 0, 50)


SECRET = "sk-0123456789abcdef"


@given(
    st.lists(st.sampled_from([SECRET, "sk-0123", "sk-sk-", "words ", "sk-0123456789abcdeX"])),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_no_key_passes_however_the_bytes_are_cut(words: list[str], places: list[int]) -> None:
    text = "".join(words).encode()
    at = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    without = Without([SECRET])
    shown = b"".join(without.feed(text[a:b]) for a, b in itertools.pairwise(at))
    shown += without.end()
    assert shown == text.replace(SECRET.encode(), b"[key]")
