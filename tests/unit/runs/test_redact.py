"""No secret is told: whole, in pieces, or in base64."""

from __future__ import annotations

import base64
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    FileShown,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import CommandResult, Usage
from vibekit_jupyter.runs.redact import Redactor, secrets_of
from vibekit_jupyter.settings.config import read_settings
from vibekit_jupyter.settings.keys import remembered

SECRET = "sk-proj-4f9a81c2d7e6b350"
END = RunFinished("done", "s", 1, Usage(), 1.0)


def told(redactor: Redactor, events: list[Event]) -> str:
    """Everything that is told of some events, the pieces of streams put together."""
    out = [one for event in [*events, END] for one in redactor.event(event)]
    return "".join(str(getattr(event, "text", event)) for event in out)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """A text, cut at these places."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


@given(st.text(), st.text(), st.lists(st.integers(0, 500)))
def test_a_secret_in_pieces_is_not_told(before: str, after: str, cuts: list[int]) -> None:
    words = [TextDelta(piece) for piece in pieces(f"{before}{SECRET}{after}", cuts)]
    assert SECRET not in told(Redactor([SECRET]), list(words))


@given(st.text(st.characters(codec="ascii")), st.lists(st.integers(0, 500)))
def test_words_without_a_secret_are_told_as_they_are(text: str, cuts: list[int]) -> None:
    events: list[Event] = [TextDelta(piece) for piece in pieces(text, cuts)]
    shown = told(Redactor([SECRET]), events)
    assert shown == text + str(END)


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 500)))
def test_a_secret_in_base64_is_not_told(before: bytes, after: bytes, cuts: list[int]) -> None:
    encoded = base64.b64encode(before + SECRET.encode() + after).decode()
    shown = told(Redactor([SECRET]), [TextDelta(piece) for piece in pieces(encoded, cuts)])
    kept = shown.removesuffix(str(END)).replace("[redacted]", "")
    assert len(kept) <= len(encoded) - len(SECRET)


def test_a_secret_anywhere_in_an_event_is_not_told() -> None:
    events: list[Event] = [
        RunStarted("codex", "m", "code", f"use {SECRET}"),
        ToolCallStarted("1", "run_command", {"command": f"echo {SECRET}", SECRET: [SECRET]}),
        ToolCallFinished("1", "run_command", True, SECRET, CommandResult(SECRET, 0, SECRET)),  # noqa: FBT003
    ]
    shown = told(Redactor([SECRET]), events)
    assert SECRET not in shown
    assert "[redacted]" in shown


def test_output_that_waits_is_told_when_its_command_ends() -> None:
    redactor = Redactor([SECRET])
    out: list[Any] = list(redactor.event(CommandOutput("1", "stdout", f"x{SECRET[:5]}")))
    assert [event.text for event in out] == ["x"]
    assert not list(redactor.event(CommandOutput("2", "stdout", SECRET[:5])))
    out = list(redactor.event(ToolCallFinished("1", "run_command", True, "")))  # noqa: FBT003
    assert out[0] == CommandOutput("1", "stdout", SECRET[:5])
    assert len(out) == 2


def test_the_secrets_are_the_keys_that_are_set_and_those_of_the_environment() -> None:
    settings = read_settings(
        {"type": "codex", "model": {"api_key": "key-one"}}, {"e2b": {"api_key": "key-two"}}
    )
    environ = {"GITHUB_TOKEN": "t", "ANTHROPIC_API_KEY": "a", "HOME": "/home/ada", "MONKEY": "m"}
    # Keys that other tests of this process have read are known as well.
    found = set(secrets_of(settings, environ)) - set(remembered())
    assert found == {"key-one", "key-two", "t", "a", "m"}


def test_a_short_value_is_no_secret() -> None:
    assert Redactor(["true", ""]).text("it is true") == "it is true"


def test_a_file_that_is_shown_holds_no_secret() -> None:
    for content in (f"a,b\n1,{SECRET}\n".encode(), b"\x89PNG\r\n\xff\0" + SECRET.encode()):
        shown = FileShown("/a", "text/csv", base64.b64encode(content).decode(), len(content))
        (event,) = Redactor([SECRET]).event(shown)
        assert isinstance(event, FileShown)
        redacted = base64.b64decode(event.data)
        assert redacted == content.replace(SECRET.encode(), b"[redacted]")


def test_what_is_told_in_passing_holds_no_secret_and_lets_none_out() -> None:
    passing = ToolCallDelta("write_file", f"/home/user/{SECRET}.py", 7)
    words = [TextDelta(SECRET[:9]), passing, TextDelta(SECRET[9:])]
    shown = told(Redactor([SECRET]), [*words])
    assert SECRET[:9] not in shown
    assert "/home/user/[redacted].py" in shown
