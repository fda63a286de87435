"""Whose state this is, on which machine, where it lives, and how it is written."""

from __future__ import annotations

import getpass
import os
import re
import socket
import tempfile
from pathlib import Path

from vibekit_jupyter.errors import ConfigurationError

__all__ = [
    "AGENTS_SEEN",
    "agents_folder",
    "claim_local_root",
    "current_user",
    "host_name",
    "local_host",
    "open_home",
    "private_directory",
    "vibekit_home",
    "write_private",
]


# Holds the name of the machine that a folder of local sandboxes belongs to.
OWNER = ".host"
# Where sandboxes with namespaces of their own see the folder of agents.
AGENTS_SEEN = "/opt/sandbox/agents"


def vibekit_home() -> Path:
    """Return the folder of this user's state: ``VIBEKIT_HOME``, else the platform's choice.

    It is not created: reading never leaves a trace.

    Raises
    ------
    ConfigurationError
        Nothing says where that is.
    """
    try:
        if configured := os.environ.get("VIBEKIT_HOME"):
            return Path(configured).expanduser().resolve()
        from platformdirs import user_data_path

        path = user_data_path("vibekit", appauthor=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise _homeless(str(error)) from error
    if not path.is_absolute():
        raise _homeless("HOME is not set")
    return path


def agents_folder() -> Path:
    """Return the folder of the programs that this user installed for sandboxes; it may be none.

    Raises
    ------
    ConfigurationError
        Nothing says where that is.
    """
    return vibekit_home() / "agents"


def _homeless(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is no folder to keep sessions in: {why}.",
        hint="Set VIBEKIT_HOME to a folder that you can write to.",
    )


def open_home() -> Path:
    """Return the folder of this user's state, made where it is not there.

    Raises
    ------
    ConfigurationError
        It cannot be made or used.
    """
    home = vibekit_home()
    try:
        return private_directory(home)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {home}, where sessions are kept, cannot be used: {error.strerror}.",
            hint="Set VIBEKIT_HOME to a folder that you can write to.",
        ) from error


def host_name() -> str:
    """Return this machine's name, fit for a file's name: ``VIBEKIT_HOST``, else its own.

    A container may get another name each time it is started; the variable gives it one to keep.
    """
    name = os.environ.get("VIBEKIT_HOST") or socket.gethostname()
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64] or "localhost"


def claim_local_root() -> Path:
    """Return the folder of this machine's local sandboxes, made where it is not there.

    Two machines may share a home: the first one has ``local-sandbox``, each other one a folder
    of its own.
    """
    home = open_home()
    root = private_directory(home / "local-sandbox")
    try:
        with (root / OWNER).open("x", encoding="utf-8") as file:
            file.write(host_name())
    except FileExistsError:
        if local_host() != host_name():
            root = private_directory(home / f"local-sandbox-{host_name()}")
    return root


def local_host() -> str:
    """Return the name of the machine whose local sandboxes are in ``local-sandbox``."""
    try:
        return (vibekit_home() / "local-sandbox" / OWNER).read_text(encoding="utf-8") or host_name()
    except OSError:
        return host_name()


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
