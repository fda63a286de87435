"""A question asked as a line, where a page cannot show buttons: in a terminal, or in a cell."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

from IPython.core.error import StdinNotImplementedError

from vibekit_jupyter.notebook.approvals.words import in_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.events import ApprovalAsked
    from vibekit_jupyter.notebook.approvals.person import Answer, Person
    from vibekit_jupyter.notebook.render.transcript import Transcript

__all__ = ["ask_line"]

PROMPT: Final = "Allow it? y = once, a = for this session, n = refuse, s = stop: "
WORDS: Final[dict[str, Answer]] = {
    **dict.fromkeys(("y", "yes", "once"), "once"),
    **dict.fromkeys(("a", "all", "session"), "session"),
    **dict.fromkeys(("n", "no", "refuse"), "refused"),
    **dict.fromkeys(("s", "stop"), "stopped"),
}
TRIES: Final = 5
UNCLEAR: Final = f"It was refused: {TRIES} answers were none of y, a, n and s."
NOBODY: Final = "Nobody is here to answer: it was refused."


def ask_line(person: Person, asked: ApprovalAsked, transcript: Transcript) -> None:
    """Ask, and give the answer. An empty line is none, so that Enter allows nothing.

    Raises
    ------
    KeyboardInterrupt
        The person pressed Ctrl-C, or the stop button, instead.
    """
    print(in_lines(asked, transcript), flush=True)  # noqa: T201  # its purpose
    with _breakable():
        for _ in range(TRIES):
            try:
                typed = input(PROMPT)
            except (EOFError, StdinNotImplementedError):
                person.answer(asked.request_id, "refused", by="nobody", note=NOBODY)
                return
            if answer := WORDS.get(typed.strip().lower()):
                person.answer(asked.request_id, answer)
                return
    person.answer(asked.request_id, "refused", note=UNCLEAR)


@contextlib.contextmanager
def _breakable() -> Iterator[None]:
    """Let an interrupt break into what waits for a line, whatever it does elsewhere."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
