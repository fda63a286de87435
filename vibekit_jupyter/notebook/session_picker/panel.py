"""What opens below the picker's buttons, as the kernel sees it: questions, answers, the table.

The browser has the other half. It draws and searches the table by itself, so that works while
the kernel is busy. The rows are sent once, and later only those that changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import anywidget
import traitlets

from vibekit_jupyter.notebook.session_picker.words import row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from vibekit_jupyter.notebook.session_picker.words import Row
    from vibekit_jupyter.sessions.session import Session

__all__ = ["LONGEST_ANSWER", "Field", "Panel", "Question"]

HERE = Path(__file__).parent
LONGEST_ANSWER = 200

SCREEN = 100
"""How many rows are sent ahead: what is seen at first does not wait for ten thousand."""


@dataclass(frozen=True)
class Field:
    """Something to be typed; ``hint`` says what happens when it is left empty."""

    key: str
    label: str
    value: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Question:
    """A question that is asked in place, not in a dialog.

    Attributes
    ----------
    yes
        What the button says that answers it.
    then
        Called with what was typed, by the fields' keys.
    danger
        Something is lost by it.
    """

    text: str
    yes: str
    then: Callable[[dict[str, str]], None]
    fields: Sequence[Field] = ()
    danger: bool = False


class Seen(Protocol):
    """Told whether anybody sees the panel."""

    def __call__(self, *, seen: bool) -> None:
        """Take it in."""


class Panel(anywidget.AnyWidget):
    """The panel.

    Parameters
    ----------
    pick
        Called with the id of the session that a person chose in the table.
    seen
        Told when the panel comes into sight, and when no copy of it is in sight any more.

    Attributes
    ----------
    browsing
        The table is open.
    """

    _esm = HERE / "panel.js"
    _css = HERE / "panel.css"
    browsing = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, pick: Callable[[str], None], seen: Seen) -> None:
        super().__init__()
        self._pick = pick
        self._seen = seen
        self._views: set[str] = set()
        self._question: Question | None = None
        self._sent: dict[str, Row] | None = None
        self._said = ("", False)
        self.on_msg(self._receive)

    def ask(self, question: Question) -> None:
        """Ask something. It takes the place of what was asked before."""
        self._question = question
        self.say("")
        fields = [vars(field) for field in question.fields]
        self.send(
            {
                "kind": "ask",
                "text": question.text,
                "yes": question.yes,
                "danger": question.danger,
                "fields": fields,
            }
        )

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say something in one line; it takes the place of what was said before."""
        if (text, bad) != self._said:
            self._said = (text, bad)
            self.send({"kind": "say", "text": text, "bad": bad})

    def show(self, sessions: Sequence[Session], current: Session | None, now: datetime) -> None:
        """Show these sessions in the table, if it is open."""
        if not self.browsing:
            return
        if self._sent is None:
            self._send_rows(sessions[:SCREEN], len(sessions), current, now)
        self._send_rows(sessions, len(sessions), current, now)

    def _send_rows(
        self, sessions: Sequence[Session], total: int, current: Session | None, now: datetime
    ) -> None:
        rows = {session.id: row(session, now) for session in sessions}
        sent, self._sent = self._sent, rows
        self.send(
            {
                "kind": "rows" if sent is None else "patch",
                "rows": [one for key, one in rows.items() if sent is None or sent.get(key) != one],
                "gone": [key for key in sent or () if key not in rows],
                "total": total,
                "current": current.id if current else "",
            }
        )

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        match content:
            case {"kind": "shown", "view": str(view)}:
                self._views.add(view)
                self._sent = None
                self._seen(seen=True)
            case {"kind": "hidden", "view": str(view)}:
                self._views.discard(view)
                if not self._views:
                    self._seen(seen=False)
            case {"kind": "pick", "id": str(session_id)}:
                self._pick(session_id)
            case {"kind": "answer", "values": dict(values)}:
                question, self._question = self._question, None
                if question is not None:
                    keys = (field.key for field in question.fields)
                    question.then({key: _typed(values.get(key)) for key in keys})


def _typed(value: object) -> str:
    return str(value or "").strip()[:LONGEST_ANSWER]
