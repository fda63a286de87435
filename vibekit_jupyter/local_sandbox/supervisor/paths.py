"""Where a sandbox's paths are: one view for the client, one for the kernel.

In a sandbox with a file system of its own both are the same. Where there is none, ``/home/user``,
``/root`` and ``/tmp`` stand for folders of the session's directory.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass

__all__ = ["HOMES", "View"]

HOMES = {"user": "/home/user", "root": "/root"}


@dataclass(frozen=True)
class View:
    """The sandbox's own view of paths.

    Attributes
    ----------
    real
        Folder on the machine for each folder of the sandbox; empty where they are the same.
    """

    real: dict[str, str]

    def absolute(self, path: str, user: str = "user") -> str:
        """Return ``path`` as the sandbox names it: absolute, without ``.``, ``..`` and ``~``.

        Raises
        ------
        ValueError
            The path holds a NUL byte.
        """
        if "\0" in path:
            raise ValueError("a path cannot hold a NUL byte")
        home = HOMES.get(user, HOMES["user"])
        if path == "~" or path.startswith("~/"):
            path = home + path[1:]
        joined = posixpath.normpath(posixpath.join(home, path))
        return "/" + joined.lstrip("/")

    def to_real(self, path: str) -> str:
        """Return where the sandbox's absolute ``path`` is on the machine."""
        for seen, real in self.real.items():
            if path == seen or path.startswith(seen + "/"):
                return real + path[len(seen) :]
        return path

    def to_seen(self, path: str) -> str:
        """Return what the sandbox calls the machine's absolute ``path``."""
        for seen, real in self.real.items():
            if path == real or path.startswith(real + "/"):
                return seen + path[len(real) :]
        return path

    def home(self, user: str) -> str:
        """Return the machine's path of a user's home."""
        return self.to_real(HOMES.get(user, HOMES["user"]))

    def resolved(self, path: str) -> str:
        """Follow the links of the machine's ``path``; return what the sandbox calls the end.

        Where the kernel finds none, that is where the last link points: to follow thousands of
        them by hand would take its time.
        """
        try:
            os.stat(path)
            return self.to_seen(os.path.realpath(path))
        except OSError:
            target = os.path.join(os.path.dirname(path), os.readlink(path))
            return self.to_seen(os.path.normpath(target))
