"""Bounds on what the libraries that draw are given, and on the time that they get.

Parsers of Markdown, code and HTML take quadratic time for text that somebody made for that.
What they cannot draw, or not in time, is shown as plain text: a result is never lost to its looks.
"""

from __future__ import annotations

import contextlib
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CARD_TIME", "check_time", "drawing_time", "drawn", "is_deep"]

# Seconds of this thread's CPU. An interrupt of the cell is heeded between two pieces.
PIECE_TIME: Final = 0.5
CARD_TIME: Final = 2.0
MOST_DEEP: Final = 100

_ends: ContextVar[float] = ContextVar("vibekit_drawing_ends", default=float("inf"))


class DrawingTooLongError(Exception):
    """Drawing took too long."""


@contextlib.contextmanager
def drawing_time(seconds: float) -> Iterator[None]:
    """Give what is drawn in here so much time, or what is left where there is less."""
    token = _ends.set(min(_ends.get(), time.thread_time() + seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def check_time() -> None:
    """Raise ``DrawingTooLongError`` where the time is over."""
    if time.thread_time() > _ends.get():
        raise DrawingTooLongError


def drawn(draw: Callable[[], str], plainly: Callable[[], str]) -> str:
    """Return what is drawn, or the plain text where that fails or takes too long."""
    try:
        with drawing_time(PIECE_TIME):
            check_time()
            return draw()
    except Exception:  # noqa: BLE001  (whatever a library stumbles over)
        return plainly()


_TAG: Final = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*))")
_RAW: Final = ("script", "style", "textarea", "title", "xmp", "noscript", "iframe", "plaintext")
_NEVER_OPEN: Final = frozenset(
    {
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"),
        *("track", "wbr", "html", "head", "body"),
        # Another one of its kind closes it.
        *("p", "li", "dd", "dt", "option", "optgroup", "tr", "td", "th", "thead", "tbody"),
        *("tfoot", "colgroup", "rp", "rt", *_RAW),
    }
)


def is_deep(page: str) -> bool:
    """Tell whether HTML holds so many open tags at once that it takes quadratic time to clean."""
    opened: dict[str, int] = {}
    depth = at = 0
    while match := _TAG.search(page, at):
        at = match.end()
        name = match[3].lower() if match[3] else ""
        if match[1]:
            at = _behind(page, "-->", at)
        elif match[2]:
            if opened.get(name):
                opened[name] -= 1
                depth -= 1
        elif name in _RAW:
            at = _behind(page, f"</{name}", at)
        elif name not in _NEVER_OPEN:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if depth > MOST_DEEP:
                return True
    return False


def _behind(page: str, end: str, start: int) -> int:
    found = page.find(end, start)
    return len(page) if found < 0 else found
