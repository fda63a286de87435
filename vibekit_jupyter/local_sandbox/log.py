"""The server's log: JSON lines, each of them and all together bounded."""

from __future__ import annotations

import json
import logging
import os
import shutil
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bounded_log"]

LARGEST_FILE = 1024 * 1024
LONGEST_MESSAGE = 1000
LONGEST_TRACEBACK = 8000


def bounded_log(file: Path | None) -> logging.Handler:
    """Return what writes the log: to a file and the one before it, or to stderr."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        file.touch(0o600)
        rotating = RotatingFileHandler(file, maxBytes=LARGEST_FILE, backupCount=1)
        rotating.rotator = _copy_and_empty
        handler = rotating
    handler.setFormatter(_JsonLines())
    return handler


def _copy_and_empty(source: str, destination: str) -> None:
    # Its helper processes have the same file for their stderr: it stays where it is.
    descriptor = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(source, "rb") as old, os.fdopen(descriptor, "wb") as new:
        shutil.copyfileobj(old, new)
    os.truncate(source, 0)


class _JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": _cut(record.getMessage(), LONGEST_MESSAGE),
        }
        if record.exc_info:
            line["traceback"] = _cut(self.formatException(record.exc_info), LONGEST_TRACEBACK)
        return json.dumps(line)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"
