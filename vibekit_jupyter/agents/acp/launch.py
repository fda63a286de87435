"""How a program that is an agent is started for one turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Found", "Launch"]


@dataclass(frozen=True)
class Found:
    """Where a sandbox has an agent.

    Attributes
    ----------
    words
        The program, and what comes first of its arguments.
    own
        The program that an adapter is to start; empty where it brings its own.
    """

    words: Sequence[str]
    own: str = ""


@dataclass(frozen=True)
class Launch:
    """How an agent is started for one turn.

    Attributes
    ----------
    argv
        The program and its arguments.
    environment
        What it finds there, beside the sandbox's own.
    files
        What is written before it starts, by path.
    modes
        The modes of its own that it may be put in: the first that it has.
    asks
        One of them is all that makes it ask before it acts.
    effort
        What its model is to put into thinking, where that is an option of its session's.
    capabilities
        What else it is told that we can do.
    session
        What it is told beside when it begins or loads a session of its own.
    removed
        Paths of its own settings that are removed first: they may say that it asks nobody.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    modes: tuple[str, ...] = ()
    asks: bool = False
    effort: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    removed: Sequence[str] = ()
