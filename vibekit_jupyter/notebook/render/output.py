"""A tool call as HTML: its row, and of its output what a reader wants first.

While a command runs that is its newest lines, of one that failed its last, of one that went well
nothing until it is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.text import escape, terminal_html
from vibekit_jupyter.notebook.render.words import clock, decision_words, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.notebook.render.transcript import CountedText, ToolCall

__all__ = ["call_html", "call_row", "details"]

NEWEST: Final = 12  # lines of a command that runs
LAST: Final = 16  # lines of one that failed
FADING: Final = (".64", ".76", ".88")
# Characters: of the lines that are shown without being asked for.
TAIL: Final = 4_000
TALL: Final = 18  # lines that fit without scrolling
NAMED: Final = 300


def call_html(block: ToolCall, limit: int, elapsed: float | None = None) -> str:
    """Return a tool call; ``limit`` characters of its output are there to be unfolded."""
    body = [_source(block.label)] if "\n" in block.label else []
    for output, css in ((block.stdout, ""), (block.stderr, style.DIM if block.fine else "")):
        if output:
            body.extend(_output(block, output, limit, css))
    if not body:
        quiet = "no output" if block.closed else "…"
        body.append(f'<div style="{style.OUTPUT};{style.DIM}">{quiet}</div>')
    return details(call_row(block, elapsed), "".join(body), opened=not block.fine)


def call_row(block: ToolCall, elapsed: float | None = None) -> str:
    """Return what it does, and how it stands, in one line."""
    first, _, rest = block.label.partition("\n")
    label = escape(first[:NAMED] + (" …" if rest or len(first) > NAMED else ""))
    color, aside = _state(block, elapsed)
    aside = " · ".join(filter(None, [escape(decision_words(block.approval)), aside]))
    css = f"{style.words(style.BAD)};white-space:nowrap" if color == style.BAD else style.ASIDE
    return f"{style.dot(color)} {style.span(style.LABEL, label)} {style.span(css, aside)}"


def details(row: str, body: str, *, opened: bool = False) -> str:
    """Return a row that opens."""
    return (
        f'<details{" open" if opened else ""} style="{style.SPEECH}">'
        f'<summary style="{style.ROW}">{row}</summary>{body}</details>'
    )


def _state(block: ToolCall, elapsed: float | None) -> tuple[str, str]:
    """Return the colour of a call's dot, and the words at the end of its row."""
    if block.finished is None:
        if block.closed:
            return style.GREY, "stopped"
        return style.WARN, f"{clock(elapsed)} …" if elapsed and elapsed >= 1 else "…"
    time = seconds(block.finished.duration)
    if block.finished.ok:
        return style.OK, time
    command = block.finished.command
    if command is None:
        return style.BAD, f"failed · {time}"
    if command.timed_out:
        return style.BAD, f"out of time · {time}"
    return style.BAD, f"exit {command.exit_code} · {time}"


def _source(command: str) -> str:
    from vibekit_jupyter.notebook.render.code import code_html

    return (
        f'<pre style="{style.OUTPUT};border-bottom:{style.LINE}">{code_html(command, "bash")}</pre>'
    )


def _output(block: ToolCall, output: CountedText, limit: int, css: str) -> Iterator[str]:
    if block.fine:
        text = terminal_html(str(output.cut(limit)).rstrip("\n"))
        tall = text.count("\n") > TALL
        yield _pre(text, f"{css};{style.SCROLLS}" if tall else css, focus=tall)
        return
    head, omitted, tail = output.cut()
    arrived = tail if omitted else head + tail
    kept = arrived.rstrip("\n")
    most = LAST if block.closed else NEWEST
    lines = kept[-TAIL:].rsplit("\n", most)[-most:]
    shown = "\n".join(lines)
    earlier = output.newlines - len(arrived) + len(kept) + 1 - len(lines)
    if len(shown) == len(kept) and not omitted:
        yield _pre(terminal_html(shown), css)
    elif block.closed:
        before = str(output.cut()).rstrip("\n")[: -len(shown) or None]
        yield _earlier(before[-limit:].strip("\n"), earlier)
        yield _pre(terminal_html(shown), f"{css};padding-top:2px")
    else:
        words = f"… {_earlier_words(earlier)}"
        yield f'<div style="{style.OUTPUT};{style.DIM};padding-bottom:0">{words}</div>'
        yield _pre(_fading(lines), f"{css};padding-top:2px")


def _earlier(text: str, lines: int) -> str:
    """Return what stands above the last lines, folded."""
    return (
        f'<details style="margin:0"><summary style="{style.FOLD}">… {_earlier_words(lines)}'
        f"</summary>{_pre(terminal_html(text), 'padding-bottom:0')}</details>"
    )


def _earlier_words(lines: int) -> str:
    return (
        f"{lines:,} earlier line{'' if lines == 1 else 's'}"
        if lines > 0
        else "the line's beginning"
    )


def _fading(lines: list[str]) -> str:
    """Return lines of which the first are on their way out of sight."""
    fading = zip(FADING, lines, strict=False)
    parts = [style.span(f"opacity:{much}", terminal_html(line)) for much, line in fading]
    return "\n".join([*parts, terminal_html("\n".join(lines[len(FADING) :]))])


def _pre(html: str, css: str, *, focus: bool = False) -> str:
    reached = ' tabindex="0"' if focus else ""
    return f'<pre{reached} style="{style.OUTPUT}{css and ";" + css}">{html}</pre>'
