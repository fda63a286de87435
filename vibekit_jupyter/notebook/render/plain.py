"""A run as plain text: for terminals, for tests, for front ends without HTML.

The same run gives the same text: no tokens (they grow with a session's history), thinking left
out, a command's errors after its output (the two pipes race); times stand alone as ``0.1 s``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render.decisions import decision_plain, plan_plain
from vibekit_jupyter.notebook.render.summary import (
    facts,
    kept_sentence,
    outcome,
    short_path,
    who,
)
from vibekit_jupyter.notebook.render.text import terminal_text, visible
from vibekit_jupyter.notebook.render.transcript import (
    Approval,
    Artifact,
    Block,
    Changed,
    Plan,
    Text,
    ToolCall,
    Transcript,
    Warned,
)
from vibekit_jupyter.notebook.render.words import decision_words, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.results import FileChange

__all__ = ["block_plain", "foot_plain", "head_plain", "to_plain"]

DIFF_SHOWN: Final = 12


def to_plain(transcript: Transcript, *, failure: bool = True) -> str:
    """Return the whole run as text, without a newline at its end.

    Without ``failure`` it does not say what ended a run that failed: that is about to be raised.
    """
    parts = [_guarded(lambda: head_plain(transcript))]
    if transcript.omitted:
        parts.append(f"({plural(transcript.omitted, 'earlier part')} left out)\n")
    parts.extend(block_plain(block) for block in transcript.blocks)
    if failure and transcript.finished and transcript.finished.error:
        parts.append(f"\n{visible(transcript.finished.error)}\n")
    parts.append(_guarded(lambda: foot_plain(transcript)))
    return "".join(parts).strip("\n")


def head_plain(transcript: Transcript) -> str:
    """Return the first line; it has no end while the session is not known yet."""
    names = who(transcript)
    model = "demo model" if names.demo else names.model
    session = f"session {names.session}" if names.session else ""
    is_whole = session or transcript.finished is not None
    sent = " ".join(names.sent.split()) if is_whole else ""
    line = visible(" · ".join(filter(None, (names.agent, model, names.mode, session, sent))))
    return f"{line}\n" if is_whole else line


def foot_plain(transcript: Transcript) -> str:
    """Return the last lines: how it ended, what is kept, the sums."""
    if transcript.finished is None:
        return ""
    ended = ". ".join(filter(None, (outcome(transcript).capitalize(), kept_sentence(transcript))))
    lines = [f"\n{ended}" if ended else "", facts(transcript, tokens=False)]
    return "\n" + visible("\n".join(filter(None, lines))) + "\n"


def block_plain(block: Block) -> str:
    """Return a block's text; that of a growing block is a beginning of what it will be."""
    return _guarded(lambda: _block(block))


def _guarded(draw: Callable[[], str]) -> str:
    """Return the text, or that there is none: a record may hold anything."""
    try:
        return draw()
    except Exception as error:  # noqa: BLE001  (whatever it is, the run is not lost to it)
        return f"\n(a part of the run cannot be shown: {type(error).__name__})\n"


def _block(block: Block) -> str:
    text = ""
    match block:
        case Text():
            text = _text(block)
        case ToolCall():
            text = _call(block)
        case Approval() if not block.has_call:
            text = decision_plain(block)
        case Plan() if block.closed:
            text = plan_plain(block)
        case Warned():
            text = f"\n({visible(block.text)})\n"
        case Changed() if block.change.diff:
            text = f"\n{_change(block.change)}"
        case Artifact():
            text = f"\n[{visible(short_path(block.shown.path))}]\n"
    return text


def _text(block: Text) -> str:
    if block.closed:
        return f"\n{visible(str(block.text)).strip()}\n" if str(block.text).strip() else ""
    # White space at the end may turn out to be the end.
    so_far = visible(block.text.head).strip()
    return f"\n{so_far}" if so_far else ""


def _call(block: ToolCall) -> str:
    if not block.closed and block.started.tool != "run_command":
        return ""
    first, *rest = visible(block.label).split("\n")
    sign = "$ " if block.started.tool == "run_command" else "* "
    title = "\n".join([f"\n{sign}{first}", *(f"> {line}" for line in rest)]) + "\n"
    if not block.closed:
        return title + _output(_whole_lines(block.stdout.head))
    words = visible(decision_words(block.approval, clock=False))
    decided = f"  ({words})\n" if words else ""
    if block.is_denied:
        note = visible(block.approval.note) if block.approval else ""
        return title + decided + (f"  {note}\n" if note else "")
    if block.fine and block.change:
        return f"\n{_change(block.change)}{decided}"
    if block.fine and block.started.tool != "run_command":
        return title + decided
    output = _output(str(block.stdout)) + _output(str(block.stderr))
    return title + output + _ending(block) + decided


def _ending(block: ToolCall) -> str:
    if block.finished is None:
        return "  (stopped)\n"
    if block.finished.ok:
        return ""
    command = block.finished.command
    if command is None:
        return "  (failed)\n"
    return "  (out of time)\n" if command.timed_out else f"  (exit code {command.exit_code})\n"


def _change(change: FileChange) -> str:
    kind = {"created": "new", "modified": "changed", "deleted": "deleted"}[change.kind]
    sums = [f"+{change.added}"] if change.added else []
    sums += [f"-{change.removed}"] if change.removed else []
    title = f"* {short_path(change.path)} ({', '.join([kind, *sums])})"
    lines = change.diff.rstrip("\n").split("\n") if change.diff else []
    lines = [line for line in lines if not line.startswith(("@@", "\\ No newline"))]
    shown = [f"  {line[:1]} {line[1:]}".rstrip() for line in lines]
    if len(shown) > DIFF_SHOWN + 1:
        shown[DIFF_SHOWN:] = [f"  … {len(shown) - DIFF_SHOWN} more lines"]
    return visible("\n".join([title, *shown])) + "\n"


def _whole_lines(text: str) -> str:
    """Return what no carriage return can change any more."""
    return text[: text.rfind("\n") + 1]


def _output(text: str) -> str:
    """Return a command's output, set in by two; empty lines stay empty, those at the end go."""
    lines = terminal_text(text).rstrip("\n").split("\n")
    return "".join(f"  {line}\n" if line.strip() else "\n" for line in lines) if any(lines) else ""
