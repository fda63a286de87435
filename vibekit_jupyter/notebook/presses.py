"""Interrupts while a cell waits for work that goes on elsewhere."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["DOUBLE_PRESS", "presses"]

DOUBLE_PRESS = 0.5
"""Seconds in which a further interrupt is the same press of the button (or an impatient one)."""


@contextlib.contextmanager
def presses(
    press: Callable[[], None],
    is_over: Callable[[], bool],
    pressed_at: Callable[[], float | None],
    *,
    in_kernel: bool,
) -> Iterator[None]:
    """Let each interrupt be a press, instead of breaking into whatever runs just now.

    Parameters
    ----------
    press
        What a press does while the work goes on.
    is_over
        Whether the work has ended.
    pressed_at
        When it was pressed last, by the monotonic clock.
    in_kernel
        ipykernel runs the cell: it puts its own signal handler back afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not is_over():
            press()
        elif time.monotonic() - (pressed_at() or 0) > DOUBLE_PRESS:
            signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        # The second half of a double press must not hit ipykernel while it replies: the reply
        # would be lost and the cell would never end.
        if not (in_kernel and pressed_at() is not None):
            signal.signal(signal.SIGINT, before)
