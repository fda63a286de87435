"""A run in a few words: who works where, how it ended, what it cost, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vibekit_jupyter.notebook.render.words import count, dollars, plural, seconds

if TYPE_CHECKING:
    from vibekit_jupyter.notebook.render.transcript import Transcript

__all__ = ["FILES_NAMED", "Who", "facts", "kept_sentence", "outcome", "short_path", "who"]

HOME: Final = "/home/user/"
FILES_NAMED: Final = 8


class Who(NamedTuple):
    """The parts of a card's first line; what is empty is not shown."""

    agent: str
    model: str
    mode: str
    session: str
    demo: bool
    sent: str = ""


def who(transcript: Transcript) -> Who:
    """Return who works where."""
    started = transcript.started
    if started is None:
        return Who("vibekit", "", "", transcript.session_name or "", demo=False)
    return Who(
        agent=started.agent,
        model=f"{started.model} at {started.host}" if started.host else started.model,
        mode="" if started.mode == "code" else started.mode,
        session=transcript.session_name or transcript.session_id or "",
        demo=started.demo,
        sent=started.sent,
    )


def outcome(transcript: Transcript) -> str:
    """Return how the run ended, if not well: ``stopped after 2 steps``."""
    after = f" after {plural(transcript.steps, 'step')}" if transcript.steps else ""
    match transcript.status:
        case "failed":
            return f"stopped{after}" if after else "failed"
        case "interrupted":
            return f"interrupted{after}"
        case "limit":
            return f"limit reached{after}"
        case _:
            return ""


def kept_sentence(transcript: Transcript) -> str:
    """Return what is left of a run that did not get to its end."""
    if transcript.status in (None, "done") or not transcript.steps:
        return ""
    if transcript.steps == 1:
        return "The finished step is kept in the session."
    return f"The {transcript.steps} finished steps are kept in the session."


def facts(transcript: Transcript, *, tokens: bool, files: bool = True) -> str:
    """Return the sums of a run that ended: steps, tokens, cost, time, files.

    Tokens and their cost are left out of plain text, which is compared from run to run: a
    session that remembers more costs more.
    """
    finished = transcript.finished
    if finished is None:
        return ""
    usage = transcript.usage
    parts = [plural(transcript.steps, "step")] if transcript.steps else []
    if tokens and usage.total:
        cached = f" ({count(usage.cached)} cached)" if usage.cached else ""
        parts.append(f"{count(usage.total)} tokens{cached}")
        if finished.cost is not None:
            parts.append(dollars(finished.cost))
    parts.append(seconds(finished.duration))
    names = [short_path(path) for path in transcript.files()] if files else []
    if names:
        more = f" and {len(names) - FILES_NAMED} more" if len(names) > FILES_NAMED else ""
        parts.append(", ".join(names[:FILES_NAMED]) + more)
    return " · ".join(parts)


def short_path(path: str) -> str:
    """Return a path as seen from the sandbox's home."""
    return path.removeprefix(HOME)
