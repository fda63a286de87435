"""What was asked and decided, and what an agent plans, as HTML and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.output import details
from vibekit_jupyter.notebook.render.text import escape, spelled, visible
from vibekit_jupyter.notebook.render.words import decision_words

if TYPE_CHECKING:
    from vibekit_jupyter.notebook.render.transcript import Approval, Plan

__all__ = ["decision_html", "decision_plain", "plan_html", "plan_plain"]

NAMED: Final = 300  # characters of a row
MOST_ENTRIES: Final = 50
MARKS: Final = {"completed": "✓", "in_progress": "●"}


def decision_html(block: Approval, limit: int) -> str:
    """Return a question that was not answered with yes, in one row that opens on what it was."""
    first, _, rest = spelled(block.label).partition("\n")
    label = escape(first[:NAMED] + (" …" if rest or len(first) > NAMED else ""))
    words = escape(decision_words(block.answered))
    row = f"{style.dot(style.GREY)} {style.span(style.LABEL, label)} "
    row += style.span(style.ASIDE, words)
    whole = spelled(block.asked.diff or block.asked.command or block.label)[:limit]
    body = f'<pre style="{style.OUTPUT};{style.SCROLLS}">{escape(whole)}</pre>'
    note = block.answered.note if block.answered else ""
    said = f'<div style="{style.QUIET};padding:0 8px 0 24px">{escape(note)}</div>' if note else ""
    return details(row, body) + said


def decision_plain(block: Approval) -> str:
    """Return a question that was not answered with yes; nothing of one that was."""
    if block.answered is None or not block.is_denied:
        return ""
    first, _, rest = spelled(block.label).partition("\n")
    label = first[:NAMED] + (" …" if rest or len(first) > NAMED else "")
    words = visible(decision_words(block.answered, clock=False))
    note = f"  {visible(block.answered.note)}\n" if block.answered.note else ""
    return f"\n* {label}\n  ({words})\n{note}"


def _entries(block: Plan) -> list[tuple[str, str]]:
    """Return a plan's entries, as far as they are any, with their marks."""
    entries: list[Any] = block.entries[:MOST_ENTRIES]
    return [
        (MARKS.get(str(each.get("status")), "○"), " ".join(str(each.get("content", "")).split()))
        for each in entries
        if isinstance(each, dict)
    ]


def _title(entries: list[tuple[str, str]]) -> str:
    done = sum(mark == MARKS["completed"] for mark, _ in entries)
    return f"plan · {done} of {len(entries)}"


def plan_html(block: Plan) -> str:
    """Return a plan: its steps, what is done dimmed, what is at work in bold."""
    if not (entries := _entries(block)):
        return ""
    css = {"✓": style.DIM, "●": "font-weight:600"}
    lines = "".join(
        f'<div style="padding:0 8px;{css.get(mark, "")}">{mark} {escape(text[:NAMED])}</div>'
        for mark, text in entries
    )
    title = f'<div style="padding:0 8px;{style.DIM}">{_title(entries)}</div>'
    box = f"border:{style.LINE};border-radius:4px;margin:6px 0;padding:3px 0;font-size:12px"
    return f'<div style="{box}">{title}{lines}</div>'


def plan_plain(block: Plan) -> str:
    """Return a plan as lines."""
    if not (entries := _entries(block)):
        return ""
    lines = "".join(f"  {mark} {visible(text[:NAMED])}\n" for mark, text in entries)
    return f"\n* {_title(entries)}\n{lines}"
