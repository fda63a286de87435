"""Coding agents that work in sandboxes, driven from a notebook.

In a notebook: ``%load_ext vibekit_jupyter``. From Python: :class:`VibeKit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.client import VibeKit
    from vibekit_jupyter.errors import VibeKitError
    from vibekit_jupyter.notebook import get_client, picker
    from vibekit_jupyter.results import CommandResult, Result

__all__ = [
    "CommandResult",
    "Result",
    "VibeKit",
    "VibeKitError",
    "__version__",
    "get_client",
    "picker",
]

_HOMES = {
    "CommandResult": "results",
    "Result": "results",
    "VibeKit": "client",
    "VibeKitError": "errors",
    "get_client": "notebook",
    "picker": "notebook",
}


def __getattr__(name: str) -> Any:
    # PEP 562: ``%load_ext`` imports this module and must not pay for the rest of it.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics (``%load_ext vibekit_jupyter``)."""
    from vibekit_jupyter.notebook import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Remove every hook (``%unload_ext vibekit_jupyter``)."""
    from vibekit_jupyter.notebook import unload

    unload(ipython)
