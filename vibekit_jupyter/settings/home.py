"""Whose state this is, where it lives, and how it is written: privately and whole."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path

from vibekit_jupyter.errors import ConfigurationError

__all__ = ["current_user", "private_directory", "vibekit_home", "write_private"]


def vibekit_home() -> Path:
    """Return the folder of this user's state: ``VIBEKIT_HOME``, else the platform's choice.

    It is not created: reading never leaves a trace.
    """
    if configured := os.environ.get("VIBEKIT_HOME"):
        return Path(configured).expanduser().resolve()
    from platformdirs import user_data_path

    return user_data_path("vibekit", appauthor=False)


def private_directory(path: Path) -> Path:
    """Create a folder that only its owner can enter (0700), with its parents; return it.

    Raises
    ------
    ConfigurationError
        It belongs to somebody else, who could read and change what is kept there. That holds
        for root, too: what an ordinary user's folder holds would lead root's hand.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _must_be_own(path)
    path.chmod(0o700)
    return path


def _must_be_own(path: Path) -> None:
    if os.name != "posix":
        return
    owner, own = path.stat().st_uid, os.geteuid()
    if owner != own:
        raise ConfigurationError(
            f"The folder {path} belongs to another user (uid {owner}, and you are {own}), "
            "so what is kept there would not be private.",
            hint="Set VIBEKIT_HOME to a folder of your own.",
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (0600), whole or not at all.

    A reader sees the old content or the new one. A symbolic link at ``path`` is replaced,
    never followed.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def current_user() -> str:
    """Return whose sessions these are: the JupyterHub user, else the login name."""
    if name := os.environ.get("JUPYTERHUB_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a passwd entry
        return str(os.getuid())
