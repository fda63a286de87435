"""Numbers and times as a person would say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.settings.prices import dollars

if TYPE_CHECKING:
    from datetime import timedelta

    from vibekit_jupyter.events import ApprovalAnswered

__all__ = ["ago", "clock", "count", "decision_words", "dollars", "left", "plural", "seconds"]

_ALLOWED: Final = {
    ("once", "you"): "allowed by you",
    ("session", "you"): "allowed by you for this session",
    ("session", "session"): "allowed earlier for this session",
    ("refused", "nobody"): "refused",
    ("stopped", "you"): "stopped by you",
    ("stopped", "nobody"): "not answered",
}
_VERBS: Final = {"once": "allowed", "session": "allowed for this session"}


def plural(number: int, noun: str) -> str:
    """Return ``1 step``, ``4 steps``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def seconds(duration: float) -> str:
    """Return a duration: ``0.1 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(duration: float) -> str:
    """Return a running clock: ``0:07``, ``1:02:03``."""
    minutes, rest = divmod(int(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int) -> str:
    """Return a large number in short: ``950``, ``6.1 k``, ``1.2 M``."""
    if number < 1000:
        return str(number)
    scaled, unit = (number / 1e3, "k") if number < 999_950 else (number / 1e6, "M")
    return f"{scaled:.1f} {unit}" if scaled < 99.95 else f"{scaled:.0f} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago it was: ``just now``, ``2 min ago``, ``yesterday``, ``12 Oct``."""
    age = (now - moment).total_seconds()
    if age < 60:
        return "just now"
    if age < 3600:
        return f"{age // 60:.0f} min ago"
    local, today = moment.astimezone(), now.astimezone()
    days = (today.date() - local.date()).days
    if days == 0 or age < 6 * 3600:
        return f"{age // 3600:.0f} h ago"
    if days == 1:
        return "yesterday"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def left(time: timedelta) -> str:
    """Return the time left: ``41 min``, ``2 h 5 min``, ``under a minute``."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def decision_words(answered: ApprovalAnswered | None, *, clock: bool = True) -> str:
    """Return what was decided, by whom, and when: ``allowed by you · 14:02``."""
    if answered is None:
        return ""
    answer, by = answered.answer, answered.by
    words = _ALLOWED.get((answer, by)) or f"{_VERBS.get(answer, answer)} by {by}"
    return " · ".join(filter(None, [words, _clock(answered.at) if clock else ""]))


def _clock(at: float) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M}" if at > 0 else ""
    except (OverflowError, OSError, ValueError):
        return ""  # of a record that somebody else wrote
