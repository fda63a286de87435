"""A run as HTML: one card, made of pieces that can also be drawn one by one while it runs."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.change import change_html
from vibekit_jupyter.notebook.render.decisions import decision_html, plan_html
from vibekit_jupyter.notebook.render.downloads import files_html
from vibekit_jupyter.notebook.render.folded import fold_html, size
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time
from vibekit_jupyter.notebook.render.output import call_html, details
from vibekit_jupyter.notebook.render.plain import block_plain
from vibekit_jupyter.notebook.render.summary import (
    facts,
    kept_sentence,
    outcome,
    who,
)
from vibekit_jupyter.notebook.render.text import escape
from vibekit_jupyter.notebook.render.transcript import (
    Approval,
    Artifact,
    Block,
    Changed,
    Plan,
    Step,
    Text,
    Thinking,
    ToolCall,
    Transcript,
    Warned,
)
from vibekit_jupyter.notebook.render.words import clock, decision_words, plural, seconds
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "block_html",
    "card",
    "foot_html",
    "head_html",
    "piece",
    "plain_html",
    "to_html",
    "waiting_html",
]

NEWLINE: Final = "\n"
WAITING: Final = f"flex:1 1 auto;min-width:0;overflow-wrap:anywhere;{style.DIM}"
THOUGHT: Final = 200  # characters of what is being thought

# Characters: what all outputs and differences of one card may hold together; each gets its share.
OUTPUT_BUDGET: Final = 200_000
OUTPUT_SHARE: Final = (1_000, 16_000)
# Bytes of a whole card, so that a notebook stays one that can be opened.
ROOM: Final = 1_900_000
FULL_ROOM: Final = 20_000_000
# What a reader still scrolls through: of a longer run the older parts are folded.
MOST_PARTS: Final = 40
# What is too large was drawn for nothing: after so many of them nothing else is tried.
MOST_MISSES: Final = 3
# Of the room, for the lines of what is folded.
FOLDED_SHARE: Final = 10


def to_html(
    transcript: Transcript,
    *,
    elapsed: float | None = None,
    room: int | None = None,
    failure: bool = True,
) -> str:
    """Return the whole run as one card.

    Parameters
    ----------
    elapsed
        Seconds that are shown while it runs.
    room
        How many bytes it may take; what is older is folded for it.
    failure
        Say what ended a run that failed; not where it is about to be raised.
    """
    with drawing_time(CARD_TIME):
        return _whole(transcript, elapsed, room, failure=failure)


def _whole(
    transcript: Transcript, elapsed: float | None, room: int | None, *, failure: bool
) -> str:
    plan = next((each for each in reversed(transcript.blocks) if isinstance(each, Plan)), None)
    blocks = [
        block
        for block in transcript.blocks
        if not isinstance(block, Step) and (block is plan or not isinstance(block, Plan))
    ]
    shares = sum(isinstance(block, ToolCall | Changed) for block in blocks)
    low, high = OUTPUT_SHARE
    budget = OUTPUT_BUDGET // max(1, shares)
    limit = sys.maxsize if transcript.full else max(low, min(high, budget))
    head = _guarded(lambda: head_html(transcript, elapsed=elapsed), "")
    if transcript.omitted:
        head += _aside(f"{plural(transcript.omitted, 'earlier part')} left out")
    if room is None:
        room = FULL_ROOM if transcript.full else ROOM
    bare = _guarded(lambda: foot_html(transcript, failure=failure), "")
    body = _body(blocks, limit, room - size(head) - size(bare), full=transcript.full)
    left = room - sum(map(size, [head, bare, *body]))
    foot = _guarded(lambda: foot_html(transcript, failure=failure, room=left), "")
    return card(transcript, "".join([head, *body, foot]))


def _body(blocks: list[Block], limit: int, room: int, *, full: bool) -> list[str]:
    """Return the blocks drawn, within so many bytes: the newest first get their room."""
    parts: list[str] = []
    folded: list[Block] = []
    left = room - room // FOLDED_SHARE
    misses = 0
    for number, members in enumerate(reversed(_groups(blocks))):
        if number >= MOST_PARTS and not full:
            left = 0
        drawn = _group(members, limit) if left > 0 else ""
        if drawn and size(drawn) <= left:
            if folded:
                parts.append(fold_html(folded[::-1], room // FOLDED_SHARE))
                folded = []
            parts.append(drawn)
            left -= size(drawn)
        elif drawn or left <= 0:
            folded.extend(reversed(members))
            misses += bool(drawn)
            if misses == MOST_MISSES:
                left = 0
    if folded:
        parts.append(fold_html(folded[::-1], room // FOLDED_SHARE))
    return parts[::-1]


def _groups(blocks: list[Block]) -> list[list[Block]]:
    """Return the blocks, in one group those that go into a row like "3 commands, all fine"."""
    groups: list[list[Block]] = []
    for folds, each in groupby(blocks, key=_folds):
        members = list(each)
        together = folds and sum(isinstance(block, ToolCall) for block in members) > 1
        groups += [members] if together else [[block] for block in members]
    return groups


def _group(members: list[Block], limit: int) -> str:
    return fine_calls(members, limit) if len(members) > 1 else block_html(members[0], limit)


def card(transcript: Transcript, body: str) -> str:
    """Return a piece of the card; its border says how the run stands."""
    color = {None: style.ACCENT, "failed": style.BAD}.get(transcript.status, style.NEUTRAL)
    return f'<div style="{style.CARD.format(color=color)}">{body}</div>'


def piece(transcript: Transcript, body: str) -> str:
    """Return a piece of a card that is still growing."""
    css = style.PIECE.format(color=style.ACCENT if transcript.status is None else style.NEUTRAL)
    return f'<div style="{css}"><div style="{style.INSIDE}">{body}</div></div>'


def head_html(transcript: Transcript, *, elapsed: float | None = None) -> str:
    """Return the line that says who works where, and for how long or how it ended."""
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
    if names.sent:
        parts.append(style.span(style.DIM, escape(names.sent)))
    if ended := outcome(transcript):
        color = {"failed": style.BAD}.get(transcript.status or "", style.WARN)
        parts.append(style.span(style.words(color), escape(ended)))
    elif elapsed is not None:
        parts.append(style.span(style.DIM, clock(elapsed)))
    separator = style.span(style.DIM, " · ")
    return f'<div style="font-size:12px;overflow-wrap:anywhere">{separator.join(parts)}</div>'


def waiting_html(words: str) -> str:
    """Return the line that says what the run waits for."""
    row = (
        "display:flex;gap:8px;align-items:center;padding:2px 8px;margin:6px 0 0;"
        "font-family:system-ui,sans-serif;font-size:12px"
    )
    return f'<div style="{row}">{style.ring(style.WARN)} {style.span(WAITING, escape(words))}</div>'


def foot_html(transcript: Transcript, *, failure: bool = True, room: int = 0) -> str:
    """Return what stands below: what went wrong and what is kept, then the sums.

    The files can be downloaded, as far as they have ``room``, in bytes.
    """
    finished = transcript.finished
    if finished is None:
        return ""
    sentences = [finished.error if failure else "", kept_sentence(transcript)]
    said = " ".join(escape(sentence) for sentence in sentences if sentence)
    parts = [f'<div style="{style.SPEECH}">{said}</div>'] if said else []
    sums = style.span(style.DIM, escape(facts(transcript, tokens=True, files=False)))
    if files := files_html(transcript, room):
        sums += style.span(style.DIM, " · ") + files
    parts.append(f'<div style="font-size:12px;margin:6px 0 0;overflow-wrap:anywhere">{sums}</div>')
    return "".join(parts)


def block_html(block: Block, limit: int = OUTPUT_SHARE[1], *, elapsed: float | None = None) -> str:
    """Return one block.

    Parameters
    ----------
    block
        What to draw.
    limit
        How many characters of a long output or difference are shown.
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
        return plain_html(words)


def plain_html(words: str) -> str:
    """Return words as they are."""
    css = f"{style.SPEECH};white-space:pre-wrap;overflow-wrap:anywhere"
    return f'<div style="{css}">{escape(words.strip())}</div>'


def _block(block: Block, limit: int, elapsed: float | None) -> str:
    drawn = ""
    match block:
        case Text():
            drawn = _text(block)
        case Thinking():
            drawn = _thinking(block, limit)
        case ToolCall() if block.is_denied:
            pass  # the question tells of it
        case ToolCall(change=FileChange() as change) if block.fine:
            drawn = change_html(change, limit, decision_words(block.approval))
        case ToolCall():
            drawn = call_html(block, limit, elapsed)
        case Approval() if block.is_denied:
            drawn = decision_html(block, limit)
        case Plan():
            drawn = plan_html(block)
        case Warned():
            drawn = _aside(block.text)
        case Changed() if block.change.diff:
            drawn = change_html(block.change, limit)
        case Artifact():
            from vibekit_jupyter.notebook.render.artifact import artifact_html

            drawn = artifact_html(block.shown)
    return drawn


def _text(block: Text) -> str:
    from vibekit_jupyter.notebook.render.markdown import markdown_html

    head, omitted, tail = block.text.cut()
    if not omitted:
        return markdown_html(head + tail)
    gap = _aside(f"… {omitted:,} characters left out …")
    return markdown_html(head) + gap + markdown_html(tail)


def _thinking(block: Thinking, limit: int) -> str:
    text = str(block.text.cut(limit)).strip()
    if not text:
        return ""
    label = "thinking"
    if not block.closed:
        label += f" … {escape(text.rsplit(NEWLINE, 1)[-1][-THOUGHT:])}"
    return (
        f'<details style="{style.SPEECH}"><summary style="{style.PLAIN_ROW}">'
        f"{style.span(style.DIM, label)}</summary>"
        f'<div style="{style.OUTPUT};{style.DIM}">{escape(text)}</div></details>'
    )


def _folds(block: Block) -> bool:
    """Tell whether a block goes into a row like "3 commands, all fine"."""
    return isinstance(block, Thinking) or (
        isinstance(block, ToolCall) and block.fine and block.change is None
    )


def fine_calls(members: list[Block], limit: int) -> str:
    """Return calls that all went well, and the thoughts between them, in one row."""
    calls = [block for block in members if isinstance(block, ToolCall)]
    only_commands = all(call.started.tool == "run_command" for call in calls)
    title = f"{plural(len(calls), 'command' if only_commands else 'tool call')}, all fine"
    time = seconds(sum(call.finished.duration for call in calls if call.finished))
    words = f"{style.span(style.SENTENCE, title)} {style.span(style.ASIDE, time)}"
    body = "".join(block_html(block, limit) for block in members)
    return details(f"{style.dot(style.OK)} {words}", f'<div style="padding-left:16px">{body}</div>')


def _aside(text: str) -> str:
    return f'<div style="{style.QUIET};margin:6px 0 0">{escape(text)}</div>'
