"""How much memory this process takes while something goes on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

__all__ = ["Memory"]


class Memory:
    """Watches the process's memory.

    Attributes
    ----------
    taken
        The most bytes that it held meanwhile, beyond what it had before.
    """

    def __enter__(self) -> Self:
        self.taken = 0
        self._before = _resident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.taken = max(self.taken, _resident() - self._before)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
