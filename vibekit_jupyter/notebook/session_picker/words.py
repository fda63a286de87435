"""How the picker says what it knows of a session: in the words and colours of the cards.

Names and projects come from people and from other machines: they are bounded, and what hides
or reorders is made visible. The browser shows them as text only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.cards import state_color, state_words, time_words
from vibekit_jupyter.notebook.render.text import visible
from vibekit_jupyter.notebook.render.words import ago

if TYPE_CHECKING:
    from datetime import datetime

    from vibekit_jupyter.sessions.session import Session

__all__ = ["Row", "label", "row", "short"]

Row = tuple[str, str, str, str, str, str, str, float, bool]
"""Id, colour, name, project, agent, last used, time left; when it was used; whether it is gone."""

LONGEST = 60
MARKS = {style.OK: "●", style.WARN: "◐"}
"""The dots of a list that knows no colours."""


def short(text: str) -> str:
    """Return a person's words as one line of bounded length."""
    shown = " ".join(visible(text[: 2 * LONGEST]).split())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def label(session: Session, now: datetime) -> str:
    """Return a session's line in the dropdown: ``● sales — q3 — running · 41 min left``."""
    parts = (short(session.name), short(session.project), state_words(session, now))
    return f"{MARKS.get(state_color(session, now), '○')} {' — '.join(filter(None, parts))}"


def row(session: Session, now: datetime) -> Row:
    """Return a session's row in the table."""
    used = session.last_used
    return (
        session.id,
        state_color(session, now),
        short(session.name),
        short(session.project) or "—",
        short(session.agent) or "—",
        ago(used, now) if used else "—",
        time_words(session, now),
        used.timestamp() if used else 0.0,
        session.state == "gone",
    )
