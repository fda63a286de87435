"""A server that is measured against, or with: a program of this folder in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["served_by"]


@contextlib.contextmanager
def served_by(program: str, *arguments: object) -> Iterator[str]:
    """Run a program that prints its URL and ends with its standard input; give the URL."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(program)), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # leaving closes its standard input
        yield str(process.stdout and process.stdout.readline()).strip()
