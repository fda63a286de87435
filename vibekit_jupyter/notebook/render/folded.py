"""Parts of a run in one line each, and many in one row: what a long run leaves of its past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.change import change_sums
from vibekit_jupyter.notebook.render.output import call_row, details
from vibekit_jupyter.notebook.render.summary import short_path
from vibekit_jupyter.notebook.render.text import escape
from vibekit_jupyter.notebook.render.transcript import (
    Approval,
    Artifact,
    Block,
    Changed,
    Text,
    Thinking,
    ToolCall,
    Warned,
)
from vibekit_jupyter.notebook.render.words import count, decision_words, plural, seconds
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Folded", "fold_html", "line_html", "size"]

WORDS: Final = 120  # characters of a text's first line
MOST_LINES: Final = 500
_ROW: Final = f"display:flex;gap:8px;align-items:center;padding:2px 8px;{style.MONO}"


def size(html: str) -> int:
    """Return how many bytes it takes in a file."""
    return len(html) if html.isascii() else len(html.encode(errors="replace"))


def fold_html(blocks: Sequence[Block], room: int) -> str:
    """Return blocks as one row that opens on a line of each, within so many bytes."""
    folded = Folded()
    for block in blocks:
        folded.add(block)
    return folded.html(room)


class Folded:
    """Parts of a run that are drawn as a line each, below one row that counts them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._counts = dict.fromkeys(("read", "ran", "changed", "showed", "else"), 0)
        self._failed = 0
        self._time = 0.0

    def __bool__(self) -> bool:
        return any(self._counts.values())

    def add(self, block: Block) -> None:
        """Add a part, the newest last."""
        if not (line := line_html(block)):
            return
        self._lines.append(line)
        del self._lines[:-MOST_LINES]
        self._counts[_kind(block)] += 1
        if isinstance(block, ToolCall):
            self._failed += block.finished is not None and not block.finished.ok
            self._time += block.finished.duration if block.finished else 0

    def html(self, room: int) -> str:
        """Return the row; of the lines below it, the newest that have room."""
        lines: list[str] = []
        for line in reversed(self._lines):
            room -= size(line)
            if room < 0:
                break
            lines.append(line)
        total = sum(self._counts.values())
        if more := total - len(lines):
            note = f"… {plural(more, 'earlier part')}: %vibekit last --full"
            lines.append(f'<div style="{style.QUIET};padding:2px 8px">{note}</div>')
        color = style.GREY if self._failed else style.OK
        row = (
            f"{style.dot(color)} {style.span(style.SENTENCE, self._words(total))} "
            f"{style.span(style.ASIDE, seconds(self._time) if self._time else '')}"
        )
        return details(row, f'<div style="padding:2px 0 0 16px">{"".join(lines[::-1])}</div>')

    def _words(self, total: int) -> str:
        """Return what they were: ``24 earlier parts: ran 16 commands (2 failed), …``."""
        counts = self._counts
        failed = style.span(style.words(style.BAD), f"{self._failed}&nbsp;failed")
        what = [
            _counted("read", counts["read"], "file"),
            _counted("ran", counts["ran"], "command"),
            _counted("changed", counts["changed"], "file"),
            _counted("showed", counts["showed"], "file"),
        ]
        said = ", ".join(filter(None, what)) + (f" ({failed})" if self._failed else "")
        return f"{plural(total, 'earlier part')}{': ' if said else ''}{said}"


def _counted(verb: str, number: int, noun: str) -> str:
    return (
        f"{verb} {plural(number, noun)}".replace(f"{number} ", f"{number}&nbsp;") if number else ""
    )


def _kind(block: Block) -> str:
    match block:
        case ToolCall() if block.started.tool == "run_command":
            return "ran"
        case ToolCall() if block.change or block.started.tool in ("write_file", "edit_file"):
            return "changed"
        case ToolCall() if block.started.tool == "read_file":
            return "read"
        case Changed():
            return "changed"
        case Artifact():
            return "showed"
    return "else"


def line_html(block: Block) -> str:
    """Return a part in one line; nothing of what is not drawn at all."""
    drawn = ""
    match block:
        case ToolCall() if block.is_denied:
            pass  # the question tells of it
        case ToolCall(change=FileChange() as change) if block.fine:
            drawn = _line(style.OK, short_path(change.path), change_sums(change))
        case ToolCall():
            drawn = f'<div style="{_ROW}">{call_row(block)}</div>'
        case Changed(change=change) if change.diff:
            drawn = _line(style.OK, short_path(change.path), change_sums(change))
        case Artifact(shown=shown):
            drawn = _line(style.GREY, short_path(shown.path), f"{count(shown.size)}B")
        case Approval() if block.is_denied:
            drawn = _line(style.GREY, block.label, escape(decision_words(block.answered)))
        case Text():
            drawn = _said(block.text.cut(3 * WORDS).head, "")
        case Warned():
            drawn = _said(block.text, "")
        case Thinking():
            drawn = _said("thinking", style.DIM)
    return drawn


def _line(color: str, name: str, aside: str) -> str:
    return (
        f'<div style="{_ROW}">{style.dot(color)} {style.span(style.LABEL, escape(name))} '
        f"{style.span('white-space:nowrap', aside)}</div>"
    )


def _said(text: str, css: str) -> str:
    first, _, rest = text.strip().partition("\n")
    if not first:
        return ""
    cut = rest or len(first) > WORDS
    words = escape(first[:WORDS] + (" …" if cut else ""))
    return f'<div style="padding:2px 8px;font-size:12px;{css}">{words}</div>'
