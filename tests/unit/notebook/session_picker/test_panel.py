"""What the kernel's half of the panel sends to the browser, and what it takes from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from vibekit_jupyter.notebook.session_picker.panel import SCREEN, Field, Panel, Question
from vibekit_jupyter.sessions.session import Session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Wire(Panel):
    """A panel whose messages can be read."""

    def send(self, content: dict[str, Any], buffers: object = None) -> None:
        self.messages = [*getattr(self, "messages", []), content]
        super().send(content, buffers)


class Watcher:
    def __init__(self) -> None:
        self.picked: list[str] = []
        self.seen: list[bool] = []

    def see(self, *, seen: bool) -> None:
        self.seen.append(seen)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def panel(watcher: Watcher) -> Wire:
    return Wire(watcher.picked.append, watcher.see)


def sessions(*names: str) -> list[Session]:
    return [Session(name, name, "local sandbox", last_used=NOW) for name in names]


def tell(panel: Panel, **content: object) -> None:
    panel._handle_custom_msg(content, [])


def test_rows_are_sent_once_and_then_only_what_changed(panel: Wire) -> None:
    known = sessions("a", "b", "c")
    panel.show(known, None, NOW)
    assert not hasattr(panel, "messages")
    panel.browsing = True
    panel.show(known, known[0], NOW)
    panel.show([replace(known[0], name="renamed"), known[1]], known[1], NOW)
    first, same, then = panel.messages
    assert (first["kind"], len(first["rows"]), first["current"]) == ("rows", 3, "a")
    assert (same["kind"], same["rows"], same["gone"]) == ("patch", [], [])
    assert then["kind"] == "patch"
    assert [row[2] for row in then["rows"]] == ["renamed"]
    assert (then["gone"], then["current"]) == (["c"], "b")


def test_what_is_seen_at_first_does_not_wait_for_the_rest(panel: Wire) -> None:
    panel.browsing = True
    panel.show(sessions(*map(str, range(1000))), None, NOW)
    first, rest = panel.messages
    assert (len(first["rows"]), len(rest["rows"])) == (SCREEN, 1000 - SCREEN)
    assert first["total"] == rest["total"] == 1000


def test_a_page_that_was_loaded_anew_gets_all_rows(panel: Wire) -> None:
    panel.browsing = True
    panel.show(sessions("a"), None, NOW)
    tell(panel, kind="shown", view="2")
    panel.show(sessions("a"), None, NOW)
    assert [message["kind"] for message in panel.messages] == ["rows", "patch"] * 2


def test_it_is_out_of_sight_when_no_copy_is_in_sight(panel: Wire, watcher: Watcher) -> None:
    for kind, view in [("shown", "1"), ("shown", "2"), ("hidden", "1"), ("hidden", "2")]:
        tell(panel, kind=kind, view=view)
    assert watcher.seen == [True, True, False]


def test_a_question_is_answered_once(panel: Wire) -> None:
    answers: list[dict[str, str]] = []
    panel.ask(Question("New session", "Create", answers.append, (Field("name", "Name"),)))
    tell(panel, kind="answer", values={"name": "  sales ", "other": "x"})
    tell(panel, kind="answer", values={"name": "again"})
    assert answers == [{"name": "sales"}]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "pick"},
        {"kind": "pick", "id": 7},
        {"kind": "answer", "values": "x"},
        {"kind": "shown", "view": None},
        {"kind": "unheard-of"},
    ],
)
def test_malformed_messages_do_nothing(
    panel: Wire, watcher: Watcher, content: dict[str, Any]
) -> None:
    panel._handle_custom_msg(content, [])
    assert (watcher.picked, watcher.seen) == ([], [])


def test_what_was_typed_is_text_of_bounded_length(panel: Wire) -> None:
    answers: list[dict[str, str]] = []
    fields = (Field("name", "Name"), Field("project", "Project"))
    panel.ask(Question("?", "Yes", answers.append, fields))
    tell(panel, kind="answer", values={"name": "x" * 10_000, "project": ["<script>"]})
    assert len(answers[0]["name"]) == 200
    assert isinstance(answers[0]["project"], str)
