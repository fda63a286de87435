"""A changed file as HTML: its name, what came and went, and the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.summary import short_path
from vibekit_jupyter.notebook.render.text import escape
from vibekit_jupyter.notebook.render.words import plural

if TYPE_CHECKING:
    from vibekit_jupyter.results import FileChange

__all__ = ["change_html", "change_sums"]

SHOWN: Final = 12


def change_html(change: FileChange, limit: int, note: str = "") -> str:
    """Return a change: its first lines, and ``limit`` characters more to be unfolded.

    ``note`` says more of it, at the end of its first line.
    """
    from vibekit_jupyter.notebook.render.code import diff_lines

    sums = change_sums(change)
    if note:
        sums += style.span(style.DIM, f" · {escape(note)}")
    head = (
        f'<div style="display:flex;gap:8px;justify-content:space-between;padding:3px 8px;'
        f'background-color:{style.SOFT};{style.MONO};line-height:1.5">'
        f"{style.span(style.LABEL, escape(short_path(change.path)))} "
        f"{style.span('white-space:nowrap', sums)}</div>"
    )
    end = change.diff.find("\n", limit)
    diff = change.diff if end < 0 else change.diff[: end + 1]
    lines = diff_lines(diff, change.path) if diff else []
    cut_off = max(0, change.added + change.removed - len(lines)) if end >= 0 else 0
    shown, folded = lines[:SHOWN], lines[SHOWN:]
    if len(folded) == 1 and not cut_off:
        shown, folded = lines, []
    parts = [head, f'<pre style="{style.DIFF}">{"".join(shown)}</pre>' if shown else ""]
    if folded:
        words = f"… {plural(len(folded) + cut_off, 'more line')}"
        rest = f"… {plural(cut_off, 'line')} not shown here" if cut_off else ""
        parts.append(
            f'<details style="margin:0"><summary style="cursor:pointer;padding:1px 8px">'
            f'<span style="{style.QUIET}">{words}</span></summary>'
            f'<pre style="{style.DIFF}">{"".join(folded)}</pre>'
            + (f'<div style="{style.QUIET};padding:1px 8px">{rest}</div>' if rest else "")
            + "</details>"
        )
    box = f"border:{style.LINE};border-radius:4px;overflow:hidden;margin:6px 0"
    return f'<div style="{box}">{"".join(parts)}</div>'


def change_sums(change: FileChange) -> str:
    """Return what became of the file in a few words."""
    kind = {"created": "new", "modified": "changed", "deleted": "deleted"}[change.kind]
    sums = [style.span(style.DIM, kind)]
    if change.added:
        sums.append(style.span(style.words(style.OK), f"+{change.added}"))
    if change.removed:
        sums.append(style.span(style.words(style.BAD), f"−{change.removed}"))  # noqa: RUF001  # as wide as a plus
    return " · ".join(sums)
