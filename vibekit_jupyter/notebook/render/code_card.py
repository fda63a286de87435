"""A cell of code as a card: who runs it and where, what it told, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vibekit_jupyter.errors import CodeError, RunInterruptedError
from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.bundle import bundle_html, bundle_plain
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time, drawn
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.text import escape, terminal_html, terminal_text, visible
from vibekit_jupyter.notebook.render.words import clock, seconds

if TYPE_CHECKING:
    from vibekit_jupyter.notebook.render.code_parts import CodeParts, Part

__all__ = ["CodeEnd", "code_card", "head_html", "part_html", "part_plain"]

TITLES: Final = {"python": "Python", "bash": "bash", "node": "Node.js", "r": "R"}
# Characters of a whole card, so that a notebook stays one that can be opened.
ROOM: Final = 12_000_000
_TEXT: Final = f"{style.OUTPUT};padding:4px 0"


class CodeEnd(NamedTuple):
    """How a cell of code ended, and after how many seconds."""

    error: BaseException | None
    duration: float

    @property
    def words(self) -> str:
        """How it ended, where it did not end well."""
        match self.error:
            case None:
                return ""
            case CodeError(name=str(name)) if name:
                return name
            case RunInterruptedError() | KeyboardInterrupt():
                return "interrupted"
            case _:
                return "failed"


def code_card(parts: CodeParts, end: CodeEnd) -> Rendered:
    """Return the static output of a cell of code: both forms."""
    pieces, room, left_out = [], ROOM, 0
    with drawing_time(CARD_TIME):
        for part in parts.all():
            piece = part_html(part)
            if len(piece) > room:
                left_out += 1
                continue
            room -= len(piece)
            pieces.append(piece)
    if left_out:
        pieces.append(_aside(f"{left_out} more results would be too much for one cell"))
    if isinstance(end.error, CodeError) and end.error.traceback:
        pieces.append(_traceback(end.error.traceback))
    color = style.BAD if isinstance(end.error, CodeError) else style.NEUTRAL
    body = head_html(parts, end) + "".join(pieces)
    html = f'<div style="{style.CARD.format(color=color)}">{body}</div>'
    return Rendered(_plain(parts, end), html)


def head_html(parts: CodeParts, end: CodeEnd | None = None, *, elapsed: float = 0) -> str:
    """Return the line that says what runs where, and for how long or how it ended."""
    said = [f'<b style="font-weight:600">{TITLES[parts.language]}</b>']
    if parts.session:
        name = f'<b style="font-weight:600">{escape(parts.session)}</b>'
        said.append(f"{style.span(style.DIM, 'session')} {name}")
    said.append(style.span(style.DIM, "no model"))
    if end is not None and end.words:
        bad = style.BAD if isinstance(end.error, CodeError) else style.WARN
        said.append(style.span(style.words(bad), escape(end.words)))
    time = seconds(end.duration) if end is not None else clock(elapsed)
    said.append(style.span(style.DIM, time))
    separator = style.span(style.DIM, " · ")
    return f'<div style="font-size:12px;overflow-wrap:anywhere">{separator.join(said)}</div>'


def part_html(part: Part, most: int | None = None) -> str:
    """Return a part; of a text ``most`` characters, the last ones first."""
    if part.shown is not None:
        return bundle_html(part.shown)
    text = str(part.text.cut(most))
    if part.expected:
        return f'<div style="{style.QUIET};margin:6px 0 0">{escape(text)}</div>'
    if not part.stream:
        return _aside(text)
    if not text.strip("\n"):
        return ""
    css = f"{_TEXT};{style.DIM}" if part.stream == "stderr" else _TEXT
    body = drawn(lambda: terminal_html(text.rstrip("\n")), lambda: escape(text))
    tall = text.count("\n") > 40
    scrolls = f";{style.SCROLLS}" if tall else ""
    reached = ' tabindex="0"' if tall else ""
    return f'<pre{reached} style="{css}{scrolls}">{body}</pre>'


def part_plain(part: Part) -> str:
    """Return a part as text, with a newline at its end."""
    if part.shown is not None:
        return f"{bundle_plain(part.shown)}\n"
    if not part.stream:
        text = visible(str(part.text))
        return f"{text}\n" if part.expected else f"({text})\n"
    text = terminal_text(str(part.text)).rstrip("\n")
    return f"{text}\n" if text else ""


def _plain(parts: CodeParts, end: CodeEnd) -> str:
    names = [TITLES[parts.language], parts.session and f"session {parts.session}", end.words]
    lines = [visible(" · ".join(filter(None, names))) + "\n", *map(part_plain, parts.all())]
    if isinstance(end.error, CodeError):
        lines.append(visible(end.error.traceback))
    return "".join(lines).rstrip("\n")


def _aside(text: str) -> str:
    row = "display:flex;gap:8px;align-items:center;margin:6px 0 0;font-size:12px"
    words = style.span("flex:1 1 auto;min-width:0;overflow-wrap:anywhere", escape(text))
    return f'<div style="{row}">{style.dot(style.WARN)} {words}</div>'


def _traceback(text: str) -> str:
    *lines, last = visible(text).rstrip("\n").split("\n")
    bad = style.span(style.words(style.BAD), escape(last))
    body = "\n".join([*map(escape, lines), bad])
    return f'<pre style="{_TEXT}">{body}</pre>'
