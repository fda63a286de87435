"""What happens during a run, as frozen dataclasses.

Every event turns into a JSON-safe dictionary with :meth:`Event.to_dict` and back with
:func:`event_from_dict`. The dictionary's ``type`` is the class's name in snake_case.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from vibekit_jupyter.results import (  # noqa: TC001 - the hints are read when an event is
    CommandResult,
    FileChange,
    Status,
    Usage,
)

__all__ = [
    "ApprovalAnswered",
    "ApprovalAsked",
    "CommandOutput",
    "Event",
    "FileChanged",
    "FileShown",
    "Notice",
    "PlanUpdated",
    "RawEvent",
    "RetryScheduled",
    "RunFinished",
    "RunStarted",
    "SessionReady",
    "StepFinished",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallDelta",
    "ToolCallFinished",
    "ToolCallStarted",
    "event_from_dict",
]

Stream = Literal["stdout", "stderr"]

_EVENTS: dict[str, type[Event]] = {}


@dataclass(frozen=True)
class Event:
    """Something that happened during a run.

    Attributes
    ----------
    recorded
        It is written down; not what is of interest only until the next one.
    """

    type: ClassVar[str] = "event"
    recorded: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        cls.type = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        _EVENTS[cls.type] = cls

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary; it shares a tool call's arguments with the event."""
        fields = {
            name: dict(vars(value)) if dataclasses.is_dataclass(value) else value
            for name, value in vars(self).items()
        }
        return {"type": self.type, **fields}


@dataclass(frozen=True)
class RunStarted(Event):
    """The run began. ``session_id`` is None while its session is still to be created.

    ``cell`` is the cell of a notebook that asked, as far as that is known; ``sent`` says in a few
    words what of the notebook is in the prompt. ``host`` is where the model is asked, where that
    is not its vendor.
    """

    agent: str
    model: str
    mode: Literal["code", "ask"]
    prompt: str
    session_id: str | None = None
    session_name: str | None = None
    demo: bool = False
    cell: str = ""
    sent: str = ""
    host: str = ""


@dataclass(frozen=True)
class SessionReady(Event):
    """The run's sandbox is connected."""

    session_id: str
    session_name: str
    created: bool


@dataclass(frozen=True)
class TextDelta(Event):
    """Some text of the model's answer."""

    text: str


@dataclass(frozen=True)
class ThinkingDelta(Event):
    """Some of the model's thinking, or of the summary it gives of it."""

    text: str


@dataclass(frozen=True)
class RetryScheduled(Event):
    """The model service could not answer, and is asked again.

    Attributes
    ----------
    seconds
        When, if the service said so, else 0.
    reason
        Why, in short: an HTTP status.
    """

    recorded: ClassVar[bool] = False

    seconds: float
    reason: str


@dataclass(frozen=True)
class ToolCallDelta(Event):
    """The model goes on writing a tool call; it does not run yet.

    Attributes
    ----------
    path
        The file that it is about, as far as that is known.
    size
        How many characters of its arguments there are so far.
    """

    recorded: ClassVar[bool] = False

    tool: str
    path: str
    size: int


@dataclass(frozen=True)
class ToolCallStarted(Event):
    """The model called a tool; it runs now.

    Attributes
    ----------
    title
        What the agent calls it, where it has a name for it.
    """

    call_id: str
    tool: str
    arguments: dict[str, Any]
    title: str = ""


@dataclass(frozen=True)
class CommandOutput(Event):
    """Some output of the command that tool call ``call_id`` runs."""

    call_id: str
    stream: Stream
    text: str


@dataclass(frozen=True)
class ToolCallFinished(Event):
    """A tool call ended.

    Attributes
    ----------
    ok
        It did what was asked; for a command: it exited with 0.
    output
        What the model is told.
    command
        The command's result, where the tool ran one.
    change
        What became of the file, where the tool wrote one.
    duration
        Seconds.
    """

    call_id: str
    tool: str
    ok: bool
    output: str
    command: CommandResult | None = None
    change: FileChange | None = None
    duration: float = 0.0


@dataclass(frozen=True)
class ApprovalAsked(Event):
    """A tool call waits until a person allows it.

    Attributes
    ----------
    request_id
        Which question it is; its answer bears the same.
    call_id, tool
        The call that waits.
    title
        What it would do, in a few words.
    command, path, diff
        The whole command, or the file and what would change in it.
    reason
        Why, in the agent's words.
    """

    request_id: str
    call_id: str
    tool: str
    title: str
    command: str = ""
    path: str = ""
    diff: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ApprovalAnswered(Event):
    """A tool call that waited was decided.

    Attributes
    ----------
    answer
        Whether it is allowed this ``once`` or for this ``session``; it was ``refused``, or the run
        ``stopped``.
    by
        Who decided: ``you``, ``session`` (an earlier answer for this session), ``settings``, or
        ``nobody``, where nobody could be asked.
    note
        A sentence on it, where there is more to say.
    at
        When, in seconds since the epoch.
    """

    request_id: str
    answer: Literal["once", "session", "refused", "stopped"]
    by: str
    note: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class PlanUpdated(Event):
    """The agent's plan, as it is now: the whole of it, each time.

    Attributes
    ----------
    entries
        What it means to do, in order: each has a ``content`` and a ``status``, which is
        ``pending``, ``in_progress`` or ``completed``.
    """

    entries: list[dict[str, str]]


@dataclass(frozen=True)
class StepFinished(Event):
    """One answer of the model, with its tool calls, is complete. ``step`` counts from 1."""

    step: int
    usage: Usage


@dataclass(frozen=True)
class FileChanged(Event):
    """A file that the run's commands created, modified or deleted, known once they have ended."""

    change: FileChange


@dataclass(frozen=True)
class FileShown(Event):
    """A file of the sandbox to be looked at in the cell.

    Attributes
    ----------
    path
        Where it is in the sandbox.
    mime
        What it is: an image, ``text/csv``, ``text/html`` or ``application/x-ipynb+json``.
    data
        Its bytes in base64, of a table as CSV its first rows; empty when it is too large to be
        shown.
    size
        Its size in bytes.
    """

    path: str
    mime: str
    data: str
    size: int


@dataclass(frozen=True)
class Notice(Event):
    """Something the person should know, in one plain sentence."""

    text: str


@dataclass(frozen=True)
class RunFinished(Event):
    """The run ended.

    Attributes
    ----------
    duration
        Seconds.
    error
        The sentence of the error that ended it, if one did.
    cost
        Dollars, where the model's price is known (``VIBEKIT_PRICES``).
    """

    status: Status
    session_id: str | None
    steps: int
    usage: Usage
    duration: float
    error: str = ""
    cost: float | None = None


@dataclass(frozen=True)
class RawEvent(Event):
    """An event of a kind that this version does not know, kept as it came."""

    kind: str
    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary that it came as."""
        return {"type": self.kind, **self.data}


def event_from_dict(data: dict[str, Any]) -> Event:
    """Return the event that :meth:`Event.to_dict` made this dictionary from.

    A kind this version does not know, or a dictionary that does not fit its kind, becomes a
    :class:`RawEvent`: a record written by another version is still readable.
    """
    fields = {key: value for key, value in data.items() if key != "type"}
    kind = str(data.get("type", ""))
    cls = _EVENTS.get(kind)
    if cls is None or cls is RawEvent:
        return RawEvent(kind, fields)
    try:
        event: Event = _made(cls, fields)
    except (KeyError, TypeError):
        return RawEvent(kind, fields)
    return event


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _made(cls: type, fields: dict[str, Any]) -> Any:
    """Return a dataclass of these fields, each of which is of the type that it should be."""
    hints = _hints(cls)
    return cls(**{name: _fitting(hints[name], value) for name, value in fields.items()})


def _fitting(hint: Any, value: Any) -> Any:
    """Return a value as its type; a word of another version's stays what it is."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        kind = typing.get_origin(option) or option
        if kind is Literal:
            kind = str
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
            return _made(kind, value)
        if isinstance(value, int | float if kind is float else kind):
            return value
    raise TypeError(f"not of type {hint}")
