"""The names that are the person's own where a magic was called."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["own_names"]

_MISSING = object()


def own_names(
    shell: InteractiveShell, local_names: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the names of the notebook, and of the function or script that called a magic.

    What IPython itself has put there (``In``, ``exit``) is not among them.

    Parameters
    ----------
    local_names
        What IPython says of the caller's; of a cell magic's it says nothing.
    """
    names: dict[str, Any] = {}
    main = vars(sys.modules["__main__"])  # the notebook's, or that of a script under %run
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (there is no other way to a caller's names)
    while frame is not None and frame.f_globals is not main:
        frame = frame.f_back
    if frame is not None:
        names = {**frame.f_globals, **frame.f_locals}
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in {**shell.user_ns, **names, **(local_names or {})}.items()
        if hidden.get(name, _MISSING) is not value
    }
