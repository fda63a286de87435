"""SIGTERM, by which a Hub, a container's end and an impatient Jupyter ask a kernel to end."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["before_termination"]


def before_termination(close: Callable[[], bool]) -> None:
    """Have a function called before SIGTERM ends this process, as it does by itself.

    Nothing is changed where somebody else handles the signal, or outside of the main thread.

    Parameters
    ----------
    close
        Returns whether the process may end now; not where it is being closed already, and so ends
        by itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    process = os.getpid()

    def handle(number: int, _: FrameType | None) -> None:
        # A child that was forked off has the handler, and nothing to close.
        if os.getpid() != process or close():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
