"""Where the tools act: a path as a model gives it."""

from __future__ import annotations

import posixpath

__all__ = ["HOME", "absolute"]

HOME = "/home/user"


def absolute(path: str) -> str:
    """Return the path in the sandbox that a model means."""
    if path == "~" or path.startswith("~/"):
        path = f"{HOME}/{path[2:]}"
    return posixpath.join(HOME, path)
