"""Keys from a file or a program of the person's choice: kept in memory, and never shown."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["from_command", "from_file", "known_of", "remember", "remembered"]

PATIENCE: Final = 10.0
LONGEST: Final = 64 * 1024

_lock = threading.Lock()
_of_commands: dict[tuple[str, ...], str] = {}
_secrets: set[str] = set()


def remember(secret: str) -> str:
    """Keep a secret in mind, so that it is taken out of all that is shown; return it."""
    _secrets.add(secret)
    return secret


def remembered() -> Iterable[str]:
    """Return the secrets that this process has read."""
    return frozenset(_secrets)


def known_of(name: str, path: str) -> Iterable[str]:
    """Yield the key in a file where there is one: it is taken out of texts before it is used."""
    with contextlib.suppress(ConfigurationError):
        yield from_file(name, path)


def from_file(name: str, path: str) -> str:
    """Read a key from a file; it is read anew each time, for keys are replaced.

    Raises
    ------
    ConfigurationError
        It cannot be read, or holds something else than one line.
    """
    file = Path(path).expanduser()
    if not file.is_absolute():
        raise ConfigurationError(
            f"{name} is {path!r}.", hint="Write the whole path, from / or ~ on."
        )
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:  # noqa: PTH123  # it is open
            data = opened.read(LONGEST + 1) or b""  # a pipe without a writer gives None
    except OSError as error:
        raise ConfigurationError(
            f"The key's file {path} ({name}) cannot be read: {error.strerror}.",
            hint=f"Correct the file, or {name}.",
        ) from error
    return _key(data, f"The key's file {path} ({name}) holds", name)


def from_command(name: str, argv: Sequence[str]) -> str:
    """Return what a program prints: it runs once a process, and without a shell.

    Raises
    ------
    ConfigurationError
        It cannot be started, fails, takes too long, or prints something else than one line.
    """
    with _lock:
        if (key := _of_commands.get(tuple(argv))) is None:
            what = f"The program {argv[0]} ({name})"
            key = _key(_printed(what, argv, name), f"{what} printed", name)
            _of_commands[tuple(argv)] = key
        return key


def _printed(what: str, argv: Sequence[str], name: str) -> bytes:
    hint = f"Correct it, or {name}."
    try:
        # A group of its own, so that what it started ends with it.
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # The notebook's folder may be somebody else's: what is there is not the program's.
            cwd=os.sep,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"{what} cannot be started: {why}.", hint=hint) from error
    with process:
        try:
            data = _until_end(process)
            if data is None:
                raise ConfigurationError(
                    f"{what} did not end within {PATIENCE:.0f} seconds.", hint=hint
                )
        finally:
            _end(process)
    if process.returncode and len(data) <= LONGEST:
        raise ConfigurationError(f"{what} failed (exit {process.returncode}).", hint=hint)
    return data


def _until_end(process: subprocess.Popen[bytes]) -> bytes | None:
    """Return what a process prints until it ends, None where that takes too long."""
    deadline = time.monotonic() + PATIENCE
    assert process.stdout is not None  # noqa: S101  # it was asked for
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(data) <= LONGEST:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            piece = os.read(process.stdout.fileno(), LONGEST)
            if not piece:
                break
            data += piece
    if len(data) > LONGEST:
        return data
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    return data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started, unless it has come to its end."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _key(data: bytes, what: str, name: str) -> str:
    lines = data[:LONGEST].decode(errors="replace").strip().splitlines()
    if len(lines) != 1 or len(data) > LONGEST:
        count = "more than a key" if len(data) > LONGEST else f"{len(lines)} lines"
        raise ConfigurationError(
            f"{what} {count if lines else 'nothing'}, and a key is one line.",
            hint=f"Correct it, or {name}.",
        )
    return remember(lines[0].strip())
