"""Everything that knows IPython: magics, the kernel's client, display, completion, picker.

It may import everything but the two servers, and is imported by nobody.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from vibekit_jupyter.notebook.termination import before_termination

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.extension import Extension
    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.session_picker import Picker

__all__ = ["get_client", "load", "made_client", "picker", "unload"]

_lock = threading.Lock()
_client: KernelClient | None = None
_extensions: dict[InteractiveShell, Extension] = {}


def get_client() -> KernelClient:
    """Return this kernel's client, the one that the magics drive.

    Its methods can be awaited in any cell; ``get_client().sync`` has them for plain code.
    """
    global _client  # noqa: PLW0603  # one a process, as the background loop is
    with _lock:
        if _client is None:
            from IPython.core.getipython import get_ipython

            from vibekit_jupyter.notebook.kernel_client import KernelClient
            from vibekit_jupyter.notebook.traits import take

            shell = get_ipython()
            _client = KernelClient(shell.user_ns if shell is not None else {})
            take(_client.vibekit.layers)
            before_termination(_close)
        return _client


def made_client() -> KernelClient | None:
    """Return this kernel's client where something has needed it already."""
    return _client


def _close() -> bool:
    return _client is None or _client.loop.close()


def picker() -> Picker:
    """Return a list of the recent sessions to choose the current one from."""
    from vibekit_jupyter.notebook.session_picker import Picker

    return Picker(get_client())


def load(shell: InteractiveShell) -> None:
    """Hook into the shell, and say which session this notebook used last."""
    from vibekit_jupyter.notebook.extension import Extension
    from vibekit_jupyter.notebook.place import restore_offer
    from vibekit_jupyter.notebook.show import show

    if shell in _extensions:
        return
    _extensions[shell] = Extension(shell)
    _extensions[shell].install()
    for sentence in _extensions[shell].refused:
        from vibekit_jupyter.notebook.render import message

        show(shell, message(sentence))
    before_termination(_close)  # the client may be made in another thread, which cannot
    if (offer := restore_offer(shell.user_ns)) is not None:
        show(shell, offer)
    if notice := _audit_notice():
        from vibekit_jupyter.notebook.render import message

        show(shell, message(notice))


def _audit_notice() -> str:
    """Return what whoever asks has to know of the site's audit; empty where that is nothing."""
    from vibekit_jupyter.settings.places import Places, places

    if _client is not None:
        audit = _client.vibekit.layers.resolve().settings.audit
        return audit.notice if audit is not None else ""
    sites = places(Path.cwd()).sites
    # Few sites write prompts down, and loading is to stay cheap for the others.
    if not any(map(_speaks_of_prompts, sites)):
        return ""
    from vibekit_jupyter.settings.layers import resolve

    audit = resolve({}, places=Places(sites=sites)).settings.audit
    return audit.notice if audit is not None else ""


def _speaks_of_prompts(path: Path) -> bool:
    try:
        return path.is_file() and b"prompts" in path.read_bytes()
    except OSError:
        return False


def unload(shell: InteractiveShell) -> None:
    """Take every hook away. The client and its session live on."""
    extension = _extensions.pop(shell, None)
    if extension is not None:
        extension.remove()
