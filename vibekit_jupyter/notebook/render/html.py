"""A run as HTML: one card, made of pieces that can also be drawn one by one while it runs."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time
from vibekit_jupyter.notebook.render.plain import block_plain
from vibekit_jupyter.notebook.render.summary import (
    awaited,
    facts,
    kept_sentence,
    outcome,
    short_path,
    who,
)
from vibekit_jupyter.notebook.render.text import escape, terminal_html
from vibekit_jupyter.notebook.render.transcript import (
    Artifact,
    Block,
    Changed,
    Step,
    Text,
    Thinking,
    ToolCall,
    Transcript,
    Warned,
)
from vibekit_jupyter.notebook.render.words import clock, plural, seconds
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["block_html", "card", "foot_html", "head_html", "to_html"]

# What all commands' outputs of one card may hold together; each gets its share of it.
OUTPUT_BUDGET: Final = 200_000
OUTPUT_SHARE: Final = (1_000, 16_000)
LIVE_LIMIT: Final = 8_000
DIFF_SHOWN: Final = 12
# Seconds without an event after which a person would like to know what is going on.
LONG_SILENCE: Final = 20.0


def to_html(transcript: Transcript, *, elapsed: float | None = None) -> str:
    """Return the whole run as one card; ``elapsed`` seconds are shown while it runs."""
    with drawing_time(CARD_TIME):
        return _whole(transcript, elapsed)


def _whole(transcript: Transcript, elapsed: float | None) -> str:
    blocks = [block for block in transcript.blocks if not isinstance(block, Step)]
    calls = sum(isinstance(block, ToolCall) for block in blocks)
    low, high = OUTPUT_SHARE
    budget = OUTPUT_BUDGET // max(1, calls)
    limit = sys.maxsize if transcript.full else max(low, min(high, budget))
    parts = [_guarded(lambda: head_html(transcript, elapsed=elapsed), "")]
    if transcript.omitted:
        parts.append(_aside(f"{plural(transcript.omitted, 'earlier part')} left out"))
    for folded, group in groupby(blocks, key=_folds):
        members = list(group)
        quiet = [block for block in members if isinstance(block, ToolCall)]
        if folded and len(quiet) > 1:
            parts.append(_group(quiet, members, limit))
        else:
            parts.extend(block_html(block, limit) for block in members)
    parts.append(_guarded(lambda: foot_html(transcript), ""))
    return card(transcript, "".join(parts))


def card(transcript: Transcript, body: str) -> str:
    """Return a piece of the card; its border says how the run stands."""
    color = {None: style.ACCENT, "failed": style.BAD}.get(transcript.status, style.NEUTRAL)
    return f'<div style="{style.CARD.format(color=color)}">{body}</div>'


def head_html(transcript: Transcript, *, elapsed: float | None = None, silent: float = 0.0) -> str:
    """Return the line that says who works where, and for how long or how it ended.

    Where nothing was heard of the run for a while (``silent`` seconds), it says what for.
    """
    names = who(transcript)
    parts = [f'<b style="font-weight:600">{escape(names.agent)}</b>']
    if names.demo:
        parts.append(style.span(style.PILL, "demo model"))
    elif names.model:
        parts.append(style.span(style.DIM, escape(names.model)))
    if names.mode:
        parts.append(style.span(style.PILL, escape(names.mode)))
    if names.session:
        parts.append(
            f"{style.span(style.DIM, 'session')} "
            f'<b style="font-weight:600">{escape(names.session)}</b>'
        )
    if ended := outcome(transcript):
        color = {"failed": style.BAD}.get(transcript.status or "", style.WARN)
        parts.append(style.span(f"color:{color}", escape(ended)))
    elif elapsed is not None:
        parts.append(style.span(style.DIM, clock(elapsed)))
        if silent >= LONG_SILENCE:
            words = f"{awaited(transcript)}, {clock(silent)}"
            parts.append(style.span(style.DIM, escape(words)))
    separator = style.span(style.DIM, " · ")
    return f'<div style="font-size:12px">{separator.join(parts)}</div>'


def foot_html(transcript: Transcript) -> str:
    """Return what stands below: what went wrong and what is kept, then the sums."""
    finished = transcript.finished
    if finished is None:
        return ""
    sentences = [finished.error, kept_sentence(transcript)]
    said = " ".join(escape(sentence) for sentence in sentences if sentence)
    parts = [f'<div style="{style.SPEECH}">{said}</div>'] if said else []
    if line := facts(transcript, tokens=True):
        parts.append(_aside(line))
    return "".join(parts)


def block_html(block: Block, limit: int = OUTPUT_SHARE[1], *, elapsed: float | None = None) -> str:
    """Return one block.

    One that is still growing is drawn without Markdown, and its ends only.

    Parameters
    ----------
    block
        What to draw.
    limit
        How many characters of a long output are shown.
    elapsed
        For how many seconds a tool has been running.
    """
    return _guarded(lambda: _block(block, limit, elapsed), block)


def _guarded(draw: Callable[[], str], instead: Block | str) -> str:
    """Return what is drawn, or the words of what cannot be drawn."""
    try:
        return draw()
    except Exception:  # noqa: BLE001  (whatever it is, the run is not lost to it)
        words = instead if isinstance(instead, str) else block_plain(instead)
        return f'<div style="{style.SPEECH};white-space:pre-wrap">{escape(words.strip())}</div>'


def _block(block: Block, limit: int, elapsed: float | None) -> str:
    drawn = ""
    match block:
        case Text():
            drawn = _text(block)
        case Thinking():
            drawn = _thinking(block, limit)
        case ToolCall(change=FileChange() as change) if block.fine:
            drawn = _change(change)
        case ToolCall():
            drawn = _call(block, limit, elapsed)
        case Warned():
            drawn = _aside(block.text)
        case Changed() if block.change.diff:
            drawn = _change(block.change)
        case Artifact():
            from vibekit_jupyter.notebook.render.artifact import artifact_html

            drawn = artifact_html(block.shown)
    return drawn


def _text(block: Text) -> str:
    if block.closed:
        from vibekit_jupyter.notebook.render.markdown import markdown_html

        head, omitted, tail = block.text.cut()
        if not omitted:
            return markdown_html(head + tail)
        gap = _aside(f"… {omitted:,} characters left out …")
        return markdown_html(head) + gap + markdown_html(tail)
    css = f"{style.SPEECH};white-space:pre-wrap;overflow-wrap:anywhere"
    return f'<div style="{css}">{escape(str(block.text.cut(LIVE_LIMIT)).strip())}</div>'


def _thinking(block: Thinking, limit: int) -> str:
    text = str(block.text.cut(limit)).strip()
    if not text:
        return ""
    if block.closed:
        label = style.span(style.DIM, "▸ thinking")
    else:
        last_line = text.rsplit("\n", 1)[-1][-200:]
        label = style.span(style.DIM, f"▸ thinking … {escape(last_line)}")
    body = f'<div style="{style.OUTPUT};{style.DIM}">{escape(text)}</div>'
    return _details(style.span(style.LABEL, label), body)


def _call(block: ToolCall, limit: int, elapsed: float | None) -> str:
    first, *rest = block.label.split("\n", 1)
    label = escape(first[:300] + (" …" if rest or len(first) > 300 else ""))
    failed = block.finished is not None and not block.finished.ok
    color, aside = _state(block, elapsed)
    summary = (
        style.dot(color)
        + style.span(style.LABEL, label)
        + style.span(f"color:{style.BAD};white-space:nowrap" if failed else style.ASIDE, aside)
    )
    body = [_source(block.label)] if rest else []
    share = limit if block.closed else LIVE_LIMIT
    for stream, css in ((block.stdout, ""), (block.stderr, f";{style.DIM}")):
        if stream:
            text = terminal_html(str(stream.cut(share)).rstrip("\n"))
            body.append(f'<pre style="{style.OUTPUT}{css}">{text}</pre>')
    if not body:
        quiet = "no output" if block.closed else "…"
        body.append(f'<div style="{style.OUTPUT};{style.DIM}">{quiet}</div>')
    return _details(summary, "".join(body), opened=not block.fine)


def _state(block: ToolCall, elapsed: float | None) -> tuple[str, str]:
    """Return the colour of a call's dot, and the words at the end of its row."""
    if block.finished is None:
        if block.closed:
            return style.NEUTRAL, "stopped"
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


def _change(change: FileChange) -> str:
    from vibekit_jupyter.notebook.render.code import diff_lines

    kind = {"created": "new", "modified": "changed", "deleted": "deleted"}[change.kind]
    sums = [style.span(style.DIM, kind)]
    if change.added:
        sums.append(style.span(f"color:{style.OK}", f"+{change.added}"))
    if change.removed:
        sums.append(style.span(f"color:{style.BAD}", f"−{change.removed}"))  # noqa: RUF001  # as wide as a plus
    head = (
        f'<div style="display:flex;gap:8px;justify-content:space-between;padding:3px 8px;'
        f'background-color:{style.SOFT};{style.MONO};line-height:1.5">'
        f"{style.span(style.LABEL, escape(short_path(change.path)))}"
        f"{style.span('white-space:nowrap', ' · '.join(sums))}</div>"
    )
    lines = diff_lines(change.diff, change.path) if change.diff else []
    shown, folded = lines[:DIFF_SHOWN], lines[DIFF_SHOWN:]
    if len(folded) == 1:
        shown, folded = lines, []
    parts = [head, f'<pre style="{style.DIFF}">{"".join(shown)}</pre>' if shown else ""]
    if folded:
        more = f'<span style="{style.QUIET}">… {plural(len(folded), "more line")}</span>'
        parts.append(
            '<details style="margin:0"><summary style="cursor:pointer;padding:1px 8px">'
            f"{more}</summary>"
            f'<pre style="{style.DIFF}">{"".join(folded)}</pre></details>'
        )
    box = f"border:{style.LINE};border-radius:4px;overflow:hidden;margin:6px 0"
    return f'<div style="{box}">{"".join(parts)}</div>'


def _folds(block: Block) -> bool:
    """Tell whether a block goes into a row like "3 commands, all fine"."""
    return isinstance(block, Thinking) or (
        isinstance(block, ToolCall) and block.fine and block.change is None
    )


def _group(calls: list[ToolCall], members: Iterable[Block], limit: int) -> str:
    only_commands = all(call.started.tool == "run_command" for call in calls)
    title = f"{plural(len(calls), 'command' if only_commands else 'tool call')}, all fine"
    time = seconds(sum(call.finished.duration for call in calls if call.finished))
    summary = style.dot(style.OK) + style.span(style.LABEL, title) + style.span(style.ASIDE, time)
    body = "".join(block_html(block, limit) for block in members)
    return _details(summary, f'<div style="padding-left:16px">{body}</div>')


def _details(summary: str, body: str, *, opened: bool = False) -> str:
    return (
        f'<details{" open" if opened else ""} style="{style.SPEECH}">'
        f'<summary style="{style.ROW}">{summary}</summary>{body}</details>'
    )


def _aside(text: str) -> str:
    return f'<div style="{style.QUIET};margin:6px 0 0">{escape(text)}</div>'
