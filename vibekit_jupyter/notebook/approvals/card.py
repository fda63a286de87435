"""The card that asks, as the kernel sees it: one question, and whoever answers it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from vibekit_jupyter.notebook.approvals.person import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.notebook.approvals.pages import Pages
    from vibekit_jupyter.notebook.approvals.person import Answer

__all__ = ["Card"]

HERE = Path(__file__).parent


class Card(anywidget.AnyWidget):
    """The card.

    Parameters
    ----------
    parts
        The texts of the question; see ``words.in_parts``.
    answer
        Called with what the person chose, on the thread that hears the page.
    pages
        Are told which pages have drawn it, and were heard while the cell waits.
    """

    _esm = HERE / "card.js"
    _css = HERE / "card.css"
    parts = traitlets.Dict().tag(sync=True)

    def __init__(
        self, parts: dict[str, Any], answer: Callable[[Answer], None], pages: Pages
    ) -> None:
        super().__init__(parts=parts)
        self._answer = answer
        self._pages = pages
        self.on_msg(self._receive)

    def bundle(self) -> dict[str, Any]:
        """Return what shows it; where it cannot be, or was saved, a sentence stands there."""
        data, _ = self._repr_mimebundle_() or ({}, {})
        return {**data, "text/plain": "A question stood here."}

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        match content:
            case {"kind": "shown", "page": str(page)}:
                self._pages.heard(page)
            case {"kind": "left", "page": str(page)}:
                self._pages.left(page)
            case {"kind": "answer", "id": str(request_id), "answer": str(answer)}:
                if request_id == self.parts["id"]:
                    for known in ANSWERS:
                        if known == answer:
                            self._answer(known)
