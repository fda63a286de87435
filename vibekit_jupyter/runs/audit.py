"""Runs written down for whoever runs the site: a line of JSON at a run's start, one at its end.

The names are those of OpenTelemetry's ``gen_ai`` as far as it has one, under a version of our own
(``v``), for theirs still change. The line at the start is what a kernel that is killed leaves.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vibekit_jupyter.errors import AuditError
from vibekit_jupyter.settings.home import host_name
from vibekit_jupyter.settings.vendors import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.trace import Span

    from vibekit_jupyter.events import RunStarted
    from vibekit_jupyter.results import Approval, Result
    from vibekit_jupyter.runs.redact import Redactor
    from vibekit_jupyter.settings.audit import AuditSettings
    from vibekit_jupyter.settings.config import Model

__all__ = ["Audit"]

VERSION: Final = 1
# A datagram holds no more, and a line is to be read.
MOST_PROMPT: Final = 16_000
SYSLOG_SECONDS: Final = 1.0
INFO_OF_USER: Final = 14
WHY: Final = {
    errno.ELOOP: "it is a symbolic link, which is not followed",
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is a pipe or a socket that nobody reads",
    errno.EAGAIN: "whoever reads it is behind",
}
PROVIDERS: Final = {"codex": "openai", "claude": "anthropic", "gemini": "gcp.gemini"}

_told: set[str] = set()
_torn: set[Path] = set()


@dataclass
class Audit:
    """What is written down of one run.

    Parameters
    ----------
    settings
        Where, None for nowhere.
    redactor
        Takes the secrets out.
    user, notebook
        Who asks, and where; of the notebook only the name is written down.
    model
        Who is asked, None for the demo model.
    started
        What is asked.
    service
        The sandbox service.
    """

    settings: AuditSettings | None
    redactor: Redactor
    user: str
    notebook: str
    model: Model | None
    started: RunStarted
    service: str
    _facts: dict[str, Any] = field(default_factory=dict)
    _span: Span | None = None

    def begin(self, run: int, session_id: str | None, warn: Callable[[str], None]) -> None:
        """Write down that a run begins.

        Raises
        ------
        AuditError
            That cannot be, and the site wants no run then.
        """
        if self.settings is None:
            return
        whole, started = self.settings.prompts, self.started
        self._facts = {
            "user": self.user,
            "host": host_name(),
            "notebook": self.notebook if whole else PurePath(self.notebook).name,
            "run": f"{run:x}",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": started.agent,
            "gen_ai.provider.name": PROVIDERS[self.model.agent] if self.model else DEMO_MODEL,
            "gen_ai.request.model": started.model,
            "server.address": urlsplit(self.model.base_url).hostname if self.model else None,
            "gen_ai.conversation.id": session_id,
            "vibekit.service": self.service,
            "vibekit.mode": started.mode,
            "vibekit.prompt.chars": len(started.prompt),
        }
        if whole:
            # A secret that is cut in the middle would not be found any more.
            self._facts["vibekit.prompt"] = self.redactor.text(started.prompt)[:MOST_PROMPT]
        problems = [*self._written({**self._facts, "vibekit.status": "started"})]
        if self.settings.spans:
            problems += self._begin_span()
        self._tell(problems, warn)

    def end(self, result: Result, error: BaseException | None, warn: Callable[[str], None]) -> None:
        """Write down how a run ended, and what it took.

        Raises
        ------
        AuditError
            That cannot be, and the site wants no run then.
        """
        if self.settings is None or not self._facts:
            return
        facts = {
            **self._facts,
            "gen_ai.conversation.id": result.session_id,
            "gen_ai.usage.input_tokens": result.usage.input,
            "gen_ai.usage.cache_read.input_tokens": result.usage.cached,
            "gen_ai.usage.output_tokens": result.usage.output,
            "vibekit.cost": result.cost,
            "vibekit.status": result.status,
            "vibekit.steps": result.steps,
            "vibekit.commands": len(result.commands),
            "vibekit.files": len(result.files),
            **_decisions(result.approvals),
            "vibekit.duration": round(result.duration, 3),
        }
        if error is not None and result.status != "interrupted":
            facts["error.type"] = type(error).__name__
            if self.settings.prompts:
                facts["vibekit.error"] = self.redactor.text(str(error))[:MOST_PROMPT]
        problems = list(self._written(facts))
        self._end_span(facts)
        self._tell(problems, warn)

    def _written(self, facts: Mapping[str, Any]) -> Iterator[str]:
        """Write a line wherever one goes; yield a sentence for each place where that failed."""
        assert self.settings is not None  # noqa: S101 - there is something to write
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {name: value for name, value in facts.items() if value not in (None, "")}
        line = json.dumps(self.redactor.value({"v": VERSION, "time": moment, **known}))
        if self.settings.file is not None:
            path = self._filled_in(self.settings.file)
            try:
                _append(Path(path).expanduser(), line.encode() + b"\n")
            except (OSError, RuntimeError) as error:
                yield f"The audit file {path} cannot be written: {_why(error)}."
        if self.settings.syslog is not None:
            try:
                _send(self.settings.syslog, line.encode())
            except OSError as error:
                yield f"The audit's syslog {self.settings.syslog} takes nothing: {_why(error)}."

    def _filled_in(self, path: str) -> str:
        return path.replace("{user}", _plain(self.user)).replace("{host}", _plain(host_name()))

    def _begin_span(self) -> list[str]:
        try:
            from opentelemetry import trace
        except ImportError:
            return ["The audit's spans cannot be made: opentelemetry-api is not installed."]
        tracer = trace.get_tracer("vibekit_jupyter")
        facts = _attributes(self.redactor.value(self._facts))
        self._span = tracer.start_span(f"invoke_agent {self.started.agent}", attributes=facts)
        return []

    def _end_span(self, facts: Mapping[str, Any]) -> None:
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode

        self._span.set_attributes(_attributes(self.redactor.value(dict(facts))))
        if facts["vibekit.status"] == "failed":
            self._span.set_status(StatusCode.ERROR, str(facts.get("error.type", "")))
        self._span.end()
        self._span = None

    def _tell(self, problems: list[str], warn: Callable[[str], None]) -> None:
        """Raise where the site wants no run without its line; else say each thing once a kernel."""
        assert self.settings is not None  # noqa: S101 - there is something to write
        if problems and self.settings.required:
            raise AuditError(
                problems[0], hint="Your administrator wants no run without it: tell them."
            )
        for problem in problems:
            if problem not in _told:
                _told.add(problem)
                warn(f"{problem} Runs go on without it.")


def _decisions(approvals: Sequence[Approval]) -> dict[str, int]:
    """Return how often a person was asked and what came of it, not of what."""
    counts = Counter(
        "allowed" if each.answer in ("once", "session") else each.answer for each in approvals
    )
    return {f"vibekit.approvals.{answer}": number for answer, number in counts.items()}


def _append(path: Path, line: bytes) -> None:
    """Add a line to a file in one write, so that those of several kernels stay whole."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        # What a full disk has cut is not to swallow the next line.
        data = b"\n" + line if path in _torn else line
        if os.write(descriptor, data) < len(data):
            _torn.add(path)
            raise OSError(errno.ENOSPC, "only a part of the line was written")
        _torn.discard(path)
    finally:
        os.close(descriptor)


def _send(path: str, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.settimeout(SYSLOG_SECONDS)
        syslog.connect(path)
        syslog.send(b"<%d>vibekit-jupyter[%d]: %s" % (INFO_OF_USER, os.getpid(), line))


def _why(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return WHY.get(number or 0, said)


def _plain(name: str) -> str:
    """Return a name as a part of a file's: it leads to no other folder."""
    return re.sub(r"[^\w@.-]|^\.", "_", name)


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "")}
