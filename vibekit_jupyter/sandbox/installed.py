"""SDKs as they are installed: a file beside the notebook is not taken for one.

A kernel looks for modules in the notebook's folder before it looks among the packages that are
installed, so that an ``openai.py`` in a folder of somebody else's would be given the keys, and one
of the person's own would end every run in an ``ImportError``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["installed_first"]


class _InstalledFirst(MetaPathFinder):
    """Finds modules outside of the current folder, for the threads that ask for it."""

    def __init__(self) -> None:
        self.asked = ContextVar("installed_first", default=False)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find a module that is no part of a package; what is nowhere else is left to others."""
        if path is not None or not self.asked.get():
            return None
        here = {"", ".", os.getcwd()}  # noqa: PTH109  # as sys.path has it
        elsewhere = [folder for folder in sys.path if folder not in here]
        return PathFinder.find_spec(fullname, elsewhere, target)


_FINDER = _InstalledFirst()


@contextlib.contextmanager
def installed_first() -> Iterator[None]:
    """Have what this thread imports meanwhile come from where packages are installed."""
    # It stays there: an import of another thread, which goes along the list at this moment, would
    # miss the finder behind one that is taken out.
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    before = _FINDER.asked.set(True)
    try:
        yield
    finally:
        _FINDER.asked.reset(before)
