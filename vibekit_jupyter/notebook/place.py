"""Which notebook this kernel runs, and which session it used last."""

from __future__ import annotations

import contextlib
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.notebook.render import Rendered
    from vibekit_jupyter.sessions.session import Session

__all__ = ["notebook_path", "restore_offer"]


def notebook_path(namespace: Mapping[str, Any]) -> str:
    """Return the notebook's path as the frontend tells it; empty where none does."""
    # jupyter_server sets the variable, Visual Studio Code the name.
    path = os.environ.get("JPY_SESSION_NAME") or namespace.get("__vsc_ipynb_file__")
    return path if isinstance(path, str) else ""


def restore_offer(namespace: Mapping[str, Any]) -> Rendered | None:
    """Return the line that says which session this notebook used last, if it used one.

    Nothing is asked of a service, and no file is made or changed. A registry that cannot be read
    is told of in a line: what needs it will raise.
    """
    notebook = notebook_path(namespace)
    if not notebook:
        return None
    from vibekit_jupyter.errors import VibeKitError

    try:
        session = _last_session(notebook)
    except VibeKitError as error:
        line = str(error)
    else:
        if session is None:
            return None
        line = (
            f"This notebook last used the session {session.name}. "
            "Go on with it: %vibekit_session restore"
        )
    from vibekit_jupyter.notebook.render import message

    return message(line)


def _last_session(notebook: str) -> Session | None:
    from vibekit_jupyter.settings.home import current_user, vibekit_home

    with contextlib.suppress(PermissionError):  # what cannot be looked into is told below
        if not (vibekit_home() / "sessions.sqlite").exists():
            return None
    from vibekit_jupyter.sessions.registry import Registry

    with closing(Registry(read_only=True)) as registry:
        return registry.last_of_notebook(current_user(), notebook)
