"""Telling in the title of a page that nobody looks at that a long run has ended.

It is a widget that is nowhere shown: no output is made, so nothing of it is saved. What it does in
the browser is done at once, and then it is closed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anywidget
import traitlets

if TYPE_CHECKING:
    from vibekit_jupyter.notebook.render import Transcript

__all__ = ["tell_end"]

# Not of a run that a person has stopped, who is there.
ENDED: Final = {"done": "done", "failed": "failed", "limit": "limit reached"}


class PageTitle(anywidget.AnyWidget):
    """Words that stand before the page's title as long as the page is hidden."""

    _esm = Path(__file__).with_name("page_title.js")
    words = traitlets.Unicode().tag(sync=True)

    def __init__(self, words: str) -> None:
        super().__init__(words=words)
        self.on_msg(lambda *_: self._leave())

    def _leave(self) -> None:
        self.layout.close()
        self.close()


def tell_end(transcript: Transcript) -> None:
    """Say how the run has ended, where its page is hidden."""
    finished, started = transcript.finished, transcript.started
    if not started or not finished or finished.status not in ENDED:
        return
    with contextlib.suppress(Exception):  # whatever it is, the run is not lost to it
        PageTitle(f"{started.agent} {ENDED[finished.status]}")
