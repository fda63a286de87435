"""Where a site has runs written down, and how much of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vibekit_jupyter.errors import ConfigurationError

__all__ = ["AuditSettings"]

HINT = '[audit] takes file = "/…", syslog = "/dev/log", spans, prompts and required (true, false).'


@dataclass(frozen=True)
class AuditSettings:
    """The table ``[audit]`` of a site's settings.

    Attributes
    ----------
    file
        Lines of JSON are added to it; ``{user}`` and ``{host}`` stand for theirs, for a folder
        that several machines share. None is no file.
    syslog
        The socket that datagrams go to, such as ``/dev/log``.
    spans
        Runs are spans of OpenTelemetry, of whatever SDK the site has set up.
    prompts
        What was asked is written down, too, and the notebook's whole path.
    required
        A run that cannot be written down does not take place.

    Raises
    ------
    ConfigurationError
        A value is none, or nothing says where lines go.
    """

    file: str | None = None
    syslog: str | None = None
    spans: bool = False
    prompts: bool = False
    required: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant: an audit that is nowhere is found out too late."""
        for name in ("file", "syslog"):
            path = getattr(self, name)
            if path is None:
                continue
            if not isinstance(path, str) or "\0" in path or not _is_whole(path):
                raise ConfigurationError(
                    f"audit.{name} is {str(path)[:200]!r}, which is no whole path.", hint=HINT
                )
        for name in ("spans", "prompts", "required"):
            if type(getattr(self, name)) is not bool:
                raise ConfigurationError(f"audit.{name} is {getattr(self, name)!r}.", hint=HINT)
        if not self.file and not self.syslog and not self.spans:
            raise ConfigurationError(
                "[audit] names neither a file nor syslog nor spans.", hint=HINT
            )

    @property
    def places(self) -> str:
        """Where lines go, as a person would say it."""
        places = [self.file, self.syslog, "spans" if self.spans else None]
        return ", ".join(filter(None, places))

    @property
    def notice(self) -> str:
        """What whoever asks has to know of it; empty where prompts are not written down."""
        if not self.prompts:
            return ""
        return f"Your administrator records prompts here ({self.places})."


def _is_whole(path: str) -> bool:
    return path.startswith("~") or Path(path).is_absolute()
