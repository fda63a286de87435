"""What a run leaves behind, and the pieces of it that events tell, too."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

__all__ = [
    "Approval",
    "ChangeKind",
    "CodeResult",
    "CommandResult",
    "DayCosts",
    "FileChange",
    "Result",
    "Status",
    "Usage",
]

Status = Literal["done", "interrupted", "failed", "limit"]
ChangeKind = Literal["created", "modified", "deleted"]


@dataclass(frozen=True)
class Usage:
    """Tokens, as the vendor counts them; ``cached`` is a part of ``input``."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input, self.cached + other.cached, self.output + other.output
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.input - other.input, self.cached - other.cached, self.output - other.output
        )

    @property
    def total(self) -> int:
        """All tokens, in and out."""
        return self.input + self.output


@dataclass(frozen=True)
class DayCosts:
    """What the runs of one day (UTC) took, with one model, in one project.

    Attributes
    ----------
    runs
        How many.
    cost
        In dollars; None where the model's price is not known.
    """

    day: date
    model: str
    project: str
    runs: int
    usage: Usage
    cost: float | None = None


@dataclass(frozen=True)
class CommandResult:
    """A command that ended.

    Attributes
    ----------
    command
        What ran, as bash source.
    exit_code
        Its exit code; -1 where a signal or a timeout ended it.
    stdout, stderr
        What it printed, kept apart.
    duration
        Seconds.
    timed_out
        It was ended because its time was up.
    """

    command: str
    exit_code: int
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0
    timed_out: bool = False

    @property
    def outcome(self) -> str:
        """How it ended, as the end of a sentence."""
        if self.timed_out:
            return f"ran out of time after {self.duration:.0f} s"
        if self.exit_code < 0:
            return "was ended by a signal"
        return f"exited with code {self.exit_code}"


@dataclass(frozen=True)
class CodeResult:
    """A cell that ran in a sandbox to its end, without a model.

    Attributes
    ----------
    code, language
        What ran.
    session_id
        Where.
    stdout, stderr
        What it printed; of a megabyte and more the middle is left out.
    shown
        What it showed, each as texts by their MIME types: from a sandbox, to be used with care.
    text
        The value of its last line, as text.
    duration
        Seconds.
    outputs
        The variables that came back, by name.
    """

    code: str
    language: str
    session_id: str
    stdout: str = ""
    stderr: str = ""
    shown: Sequence[Mapping[str, str]] = ()
    text: str = ""
    duration: float = 0.0
    outputs: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class FileChange:
    """A file that a run created, modified or deleted.

    ``diff`` is a unified diff without its two header lines, empty for a binary file. It is empty,
    too, where a command changed a file that was not read before the run (it is large, or one of
    very many), and where one made a file that is shown itself, such as a table. Among very many
    files, ``created`` means that the file system says so, which it says of one that a command
    replaced whole (``sed -i``) as well.
    """

    path: str
    kind: ChangeKind
    diff: str = ""
    added: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Approval:
    """What became of a tool call that somebody was to allow.

    Attributes
    ----------
    what
        The command, the file, or what else the call was about.
    answer
        It was allowed this ``once`` or for the ``session``, it was ``refused``, or the run was
        ``stopped``.
    by
        Who decided: ``you``, ``session`` (an earlier answer), or ``nobody``, where nobody could be
        asked.
    note
        A sentence on it, where there is more to say.
    at
        When, in seconds since the epoch.
    """

    what: str
    answer: str
    by: str
    note: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a run leaves behind.

    Attributes
    ----------
    session_id
        The session it ran in.
    agent, model
        Who answered.
    prompt
        What was asked, byte for byte.
    text
        The model's words, without its thinking.
    code
        The last program that the run wrote, by a tool or a command: the whole file. Where it
        wrote none, the last command that it ran.
    status
        ``done``, ``interrupted``, ``failed`` or ``limit``.
    commands
        The commands it ran, in order.
    files
        What became of each file that it created, modified or deleted, from the run's beginning
        to its end; a file that is as it was before has no entry.
    usage
        Tokens of the whole run.
    steps
        The number of the model's answers.
    duration
        Seconds.
    cost
        Dollars, where the model's price is known (``VIBEKIT_PRICES``).
    outputs
        The variables that came back, by name; a run of the record has none.
    approvals
        What was asked before it was done (``--approve``), and who allowed it.
    """

    session_id: str | None
    agent: str
    model: str
    prompt: str
    text: str = ""
    code: str = ""
    status: Status = "done"
    commands: tuple[CommandResult, ...] = ()
    files: tuple[FileChange, ...] = ()
    usage: Usage = field(default_factory=Usage)
    steps: int = 0
    duration: float = 0.0
    cost: float | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    approvals: tuple[Approval, ...] = ()

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last command, None where none ran."""
        return self.commands[-1].exit_code if self.commands else None

    @property
    def diff(self) -> str:
        """All file changes as one unified diff; binary and unread files have headers alone."""
        return "".join(
            f"--- {'/dev/null' if change.kind == 'created' else 'a' + change.path}\n"
            f"+++ {'/dev/null' if change.kind == 'deleted' else 'b' + change.path}\n"
            f"{change.diff}"
            for change in self.files
        )

    def __repr__(self) -> str:
        words = " ".join(self.text.split())
        words = words if len(words) <= 60 else words[:59] + "…"
        return (
            f"<Result {self.status}: {self.agent} in {self.session_id}, {self.steps} steps, "
            f"{len(self.commands)} commands, {len(self.files)} files: {words!r}>"
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)
