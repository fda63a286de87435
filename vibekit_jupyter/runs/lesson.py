"""Recorded runs in a file beside a notebook, for whoever runs the notebook elsewhere.

The file travels with the notebook: it is found by its ending alone, and holds neither keys nor
the names of its writer's folders. What it says is data of a stranger.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import json_safe
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.sessions.asked import NOBODY, answer_to
from vibekit_jupyter.sessions.session import Turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vibekit_jupyter.sessions.asked import Asker

__all__ = ["ENDING", "find_in_lessons", "lesson"]

ENDING: Final = ".vibekit.json"
VERSION: Final = 1
MOST_BYTES: Final = 64_000_000
TEXTS: Final = ("prompt", "agent", "model", "mode", "text")


def lesson(turns: Sequence[Turn]) -> tuple[str, int]:
    """Return the turns that came to their end as a file's text, and how many they are."""
    done = [turn for turn in turns if turn.status == "done"]
    document = {"vibekit": "lesson", "version": VERSION, "turns": [_told(turn) for turn in done]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n", len(done)


def _told(turn: Turn) -> dict[str, Any]:
    fields = dataclasses.asdict(turn)
    for private in ("number", "notebook", "session_id", "status", "error"):
        del fields[private]
    return {**fields, "started": turn.started.isoformat()}


def find_in_lessons(folder: Path, prompt: str, asker: Asker = NOBODY, **asked: str) -> Turn | None:
    """Return the last turn with this prompt in the files of a folder; None where there is none.

    Parameters
    ----------
    asker
        Which cell asks: an answer that it got comes before those of others.
    asked
        What else the turn must have: ``agent``, ``model``, ``mode``.

    Raises
    ------
    ConfigurationError
        A file with the ending is none of ours.
    """
    for path in sorted(folder.glob(f"*{ENDING}")):
        answers = [
            (_cell(turn), "", turn)
            for turn in _turns(path)
            if turn.prompt == prompt
            and all(getattr(turn, name) == value for name, value in asked.items())
        ]
        if answers:
            return answer_to(asker, answers)
    return None


def _cell(turn: Turn) -> str:
    cell = turn.events[0].get("cell") if turn.events else None
    return cell if isinstance(cell, str) else ""


def _turns(path: Path) -> Sequence[Turn]:
    try:
        return [_turn(number, told) for number, told in enumerate(_read(path)["turns"])]
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise ConfigurationError(
            f"The recorded runs in {path} cannot be read: {error}.",
            hint="Write it again with %vibekit_session history --save, or take it away.",
        ) from error


def _read(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    document = json_safe(json.loads(path.read_text(encoding="utf-8")))
    if document["vibekit"] != "lesson" or document["version"] > VERSION:
        raise ValueError("it was written by a newer version, or by something else")
    return document


def _turn(number: int, told: Mapping[str, Any]) -> Turn:
    if not all(isinstance(told[name], str) for name in TEXTS):
        raise ValueError("a turn's words are no text")
    events = told["events"]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("a turn's events are none")
    return Turn(
        number=number,
        status="done",
        started=datetime.fromisoformat(told["started"]),
        duration=float(told["duration"]),
        fresh=bool(told["fresh"]),
        files=[str(file) for file in told["files"]],
        usage={str(kind): int(count) for kind, count in (told["usage"] or {}).items()},
        events=events,
        **{name: told[name] for name in TEXTS},
    )
