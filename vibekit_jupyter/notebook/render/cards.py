"""Sessions and settings as cards and tables: static, to be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.text import escape, visible
from vibekit_jupyter.notebook.render.words import ago, left, plural
from vibekit_jupyter.sessions.session import pause_notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vibekit_jupyter.sessions.session import Session

__all__ = [
    "aligned",
    "config_card",
    "message",
    "session_card",
    "session_list",
    "state_color",
    "state_words",
    "time_words",
]

_DOTS: Final = {
    "running": style.OK,
    "paused": style.WARN,
    "unreachable": style.BAD,
}
_WORDS: Final = {
    "unknown": "not asked yet",
    "gone": "gone, history kept",
    "unreachable": "service unreachable",
}


def state_words(session: Session, now: datetime | None = None) -> str:
    """Return how a session stands: ``running · 41 min left``, ``gone, history kept``."""
    words = time_words(session, now)
    return f"{session.state} · {words} left" if session.time_left(now) else words


def time_words(session: Session, now: datetime | None = None) -> str:
    """Return the time that a session has left, or why it has none: ``41 min``, ``paused``."""
    time = session.time_left(now)
    if time is None:
        return _WORDS.get(session.state, session.state)
    return left(time) if time else "time ran out"


def state_color(session: Session, now: datetime | None = None) -> str:
    """Return the colour of a session's dot; grey where nothing certain is known."""
    ran_out = session.time_left(now) == timedelta(0)
    return style.NEUTRAL if ran_out else _DOTS.get(session.state, style.NEUTRAL)


def session_card(session: Session, now: datetime | None = None) -> Rendered:
    """Return a session's card, with times relative to ``now``."""
    now = now or datetime.now(UTC)
    state = state_words(session, now)
    project = f"project {session.project}" if session.project else ""
    where = session.service
    if session.confinement:
        confined = session.confinement != "none"
        where += f", confined by {session.confinement}" if confined else ", unconfined"
    if session.agent:
        last = f", last turn {ago(session.last_used, now)}" if session.last_used else ""
        turn = f"{session.agent}{last}"
    else:
        turn = "no turn yet"
    sums = plural(session.turns, "turn") if session.turns else ""
    if session.files:
        sums += f", {plural(session.files, 'file')}"
    facts = [where, turn, sums]
    if session.continued_from:
        facts.append(f"continues {_short(session.continued_from)}")
    facts = [fact for fact in facts if fact]

    time = session.time_left(now)
    notice = pause_notice(time) if time else ""

    plain = " · ".join(filter(None, (session.name, project, state)))
    plain = "\n".join(filter(None, (plain, " · ".join([session.id, *facts]), notice)))
    pill = style.PILL
    html = (
        f'<div style="{style.CARD.format(color=style.NEUTRAL)}">'
        f'<div style="display:flex;flex-wrap:wrap;gap:6px;align-items:center">'
        f'<b style="font-weight:600">{escape(session.name)}</b>'
        f"{style.span(pill, escape(project)) if project else ''}"
        f'<span style="{pill}">{_dot(session, 6)} {escape(state)}</span></div>'
        f"{_quiet(' · '.join([_short(session.id), *facts]))}{_quiet(notice)}</div>"
    )
    return Rendered(visible(plain), html)


def session_list(
    sessions: Iterable[Session], now: datetime | None = None, *, users: bool = False
) -> Rendered:
    """Return a table of sessions, the current one marked.

    With ``users`` it says whose they are, and by which id they are acted on.
    """
    now = now or datetime.now(UTC)
    sessions = list(sessions)
    if not sessions:
        return message("No session yet. The first prompt creates one.")
    columns = ("name", "project", "agent", "last used", "state", *(("user", "id") if users else ()))
    rows = [
        (
            session.name,
            session.project or "—",
            session.agent or "—",
            ago(session.last_used, now) if session.last_used else "—",
            state_words(session, now),
            *((session.user or "—", session.id) if users else ()),
        )
        for session in sessions
    ]
    marks = ["*" if session.current else " " for session in sessions]
    head = "".join(
        f'<th style="{style.TABLE_CELL};{style.DIM}">{title}</th>' for title in ("", *columns)
    )
    body = "".join(_row(session, row) for session, row in zip(sessions, rows, strict=True))
    html = (
        f'<table style="{style.TABLE}"><thead><tr style="background-color:transparent">{head}'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )
    return Rendered(
        aligned([(" ", *columns), *((m, *r) for m, r in zip(marks, rows, strict=True))]), html
    )


def config_card(rows: Sequence[tuple[str, str, str]]) -> Rendered:
    """Return what is used and why.

    Parameters
    ----------
    rows
        Setting, value, and where the value comes from. A key is never among the values.
    """
    body = "".join(
        f'<tr style="background-color:transparent">'
        f'<td style="{style.TABLE_CELL};{style.DIM}">{escape(name)}</td>'
        f'<td style="{style.TABLE_CELL}">{escape(value)}</td>'
        f'<td style="{style.TABLE_CELL};{style.DIM}">{escape(why)}</td></tr>'
        for name, value, why in rows
    )
    html = f'<table style="{style.TABLE}"><tbody>{body}</tbody></table>'
    return Rendered(aligned(rows), html)


def message(text: str) -> Rendered:
    """Return a sentence for the person."""
    html = f'<div style="{style.CARD.format(color=style.NEUTRAL)}">{escape(text)}</div>'
    return Rendered(visible(text), html)


def _row(session: Session, row: tuple[str, ...]) -> str:
    name, *rest = row
    weight = "600" if session.current else "400"
    background = style.SOFT if session.current else "transparent"
    dim = f";{style.DIM}" if session.state == "gone" else ""
    cells = [
        f'<td style="{style.TABLE_CELL};width:12px">{_dot(session)}</td>',
        f'<td style="{style.TABLE_CELL};font-weight:{weight}{dim}">{escape(name)}</td>',
        *(f'<td style="{style.TABLE_CELL}{dim}">{escape(cell)}</td>' for cell in rest),
    ]
    return f'<tr style="background-color:{background}">{"".join(cells)}</tr>'


def _quiet(text: str) -> str:
    return f'<div style="{style.QUIET}">{escape(text)}</div>' if text else ""


def _dot(session: Session, size: int = 8) -> str:
    return style.dot(state_color(session), size)


def _short(session_id: str) -> str:
    return session_id if len(session_id) <= 12 else f"{session_id[:8]}…"


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as aligned text."""
    cleaned = [[visible(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cleaned, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cleaned
    )
    return "\n".join(line.rstrip() for line in lines)
