"""The sandboxes of a service that are vibekit's, by their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import ConfigurationError, SessionNotFoundError
from vibekit_jupyter.sandbox.service import get_info, kill, list_sandboxes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.sandbox.service import SandboxInfo
    from vibekit_jupyter.settings.config import Service

__all__ = ["Filter", "age_of", "age_words", "end", "found", "is_ours", "label"]

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Filter:
    """Which sandboxes are meant; None is any.

    Attributes
    ----------
    older
        Made, or resumed, at least so long ago: services tell no more.
    """

    user: str | None = None
    project: str | None = None
    state: str | None = None
    older: timedelta | None = None

    def fits(self, info: SandboxInfo) -> bool:
        """Whether a sandbox is ours, and meant."""
        return (
            is_ours(info)
            and self.user in (None, label(info, "user"))
            and self.project in (None, label(info, "project"))
            and self.state in (None, info.state)
            and (self.older is None or _age(info) >= self.older)
        )


def is_ours(info: SandboxInfo) -> bool:
    """Whether vibekit has made a sandbox: its labels say so."""
    return bool(label(info, "user") and label(info, "name"))


def label(info: SandboxInfo, name: str) -> str:
    """Return what a sandbox is labelled with by us; empty where it is not."""
    return info.metadata.get(f"vibekit_{name}", "")


async def found(service: Service, user: str | None) -> AsyncIterator[SandboxInfo]:
    """Yield a service's sandboxes, page by page; of one user, where it can tell."""
    labels = None if user is None else {"vibekit_user": user}
    async for info in list_sandboxes(service, metadata=labels):
        yield info


async def end(service: Service, info: SandboxInfo, meant: Filter) -> str:
    """End a sandbox for good if it is still as it was listed; return what became of it."""
    try:
        now = await get_info(service, info.id)
    except SessionNotFoundError:
        return "was gone already"
    # Whoever was asked took their time: it may have been resumed.
    if not meant.fits(now) or now.state != info.state:
        return "left alone: it has changed"
    return "ended" if await kill(service, info.id) else "was gone already"


def age_of(text: str) -> timedelta:
    """Return the age that ``7d``, ``12h`` or ``90m`` says.

    Raises
    ------
    ConfigurationError
        It says none.
    """
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip().lower())
    if match is None:
        raise ConfigurationError(f"{text[:20]!a} is no age.", hint="It looks like 7d, 12h or 90m.")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def age_words(info: SandboxInfo) -> str:
    """Return a sandbox's age in its largest whole unit: ``3d``."""
    seconds = max(0, int(_age(info).total_seconds()))
    unit = max((name for name in "smhd" if seconds >= UNITS[name]), key=UNITS.get, default="s")  # type: ignore[arg-type]  # all are units
    return f"{seconds // UNITS[unit]}{unit}"


def _age(info: SandboxInfo) -> timedelta:
    return datetime.now(UTC) - info.started
