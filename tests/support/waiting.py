"""Waiting for a thing to happen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wait_for"]


def wait_for(
    condition: Callable[[], object], seconds: float = 15.0, what: Callable[[], object] = str
) -> None:
    """Wait until a condition holds; ``what`` tells how it stands when it did not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in time: {what()}"
        time.sleep(0.02)
