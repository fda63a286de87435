"""Where files of settings are looked for: a project's, the user's, the site's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOWHERE", "Places", "folder_of", "places", "shown", "user_file"]

NAME: Final = "vibekit.toml"
PROJECT: Final = "pyproject.toml"
SYSTEM: Final = ("/usr/local/etc/jupyter", "/etc/jupyter")


@dataclass(frozen=True)
class Places:
    """The files to look at; they need not be there.

    Attributes
    ----------
    project
        The nearest ``pyproject.toml``, None where there is none.
    user
        The user's own, None where it is one of the site's.
    sites
        The site's, strongest first.
    """

    project: Path | None = None
    user: Path | None = None
    sites: tuple[Path, ...] = ()


NOWHERE: Final = Places()


def places(start: Path, environ: Mapping[str, str] = os.environ) -> Places:
    """Return where to look, as Jupyter does.

    Parameters
    ----------
    start
        The folder that the project's file is looked for from, upward.
    environ
        ``JUPYTER_CONFIG_DIR`` moves the user's file; ``JUPYTER_CONFIG_PATH`` names more folders
        of the site, before the others.
    """
    more = environ.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep)
    folders = [folder for folder in more if os.path.isabs(folder)]  # noqa: PTH117  # text as it stands
    folders += [f"{sys.prefix}/etc/jupyter", *SYSTEM]
    sites = tuple(dict.fromkeys(Path(folder) / NAME for folder in folders))
    user = user_file(environ)
    return Places(_project(start), None if user in sites else user, sites)


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's own file."""
    return Path(environ.get("JUPYTER_CONFIG_DIR") or f"{_home()}/.jupyter") / NAME


def folder_of(notebook: str) -> Path:
    """Return the folder that a notebook lies in: where its path is not told, the current one."""
    folder = Path(notebook).parent
    return folder if notebook and folder.is_absolute() and folder.is_dir() else Path.cwd()


def shown(path: Path) -> str:
    """Return a path as a person writes it: from the home folder on."""
    text, home = os.fspath(path), _home()
    return f"~{text.removeprefix(home)}" if text.startswith(f"{home}/") else text


def _home() -> str:
    return os.path.expanduser("~")  # noqa: PTH111  # does not raise where there is none


def _project(start: Path) -> Path | None:
    """Return the nearest file upward, not past a repository nor the home folder."""
    home = _home()
    folder = os.path.abspath(start)  # noqa: PTH100  # links are followed by nobody here
    while True:
        path = os.path.join(folder, PROJECT)  # noqa: PTH118  # a tenth of the time of Path
        if os.path.lexists(path):
            return Path(path)
        parent = os.path.dirname(folder)  # noqa: PTH120
        if folder in (home, parent) or os.path.lexists(os.path.join(folder, ".git")):  # noqa: PTH118
            return None
        folder = parent
