"""What a cell shows, as a front end has it: updated, cleared, and in words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

__all__ = ["Outputs", "html_words", "words"]

WORD = re.compile(r"\w+")


class Outputs:
    """The outputs of one cell, put together from the kernel's messages.

    Attributes
    ----------
    shown
        What a notebook's file would hold, streams joined.
    """

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self._displays: dict[str, dict[str, Any]] = {}
        self._clearing = False

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take a message of the kernel; one that is no output changes nothing."""
        if kind == "clear_output":
            self._clearing = True
            if not content.get("wait"):
                self._clear()
        elif kind == "update_display_data":
            if display := self._displays.get(content["transient"]["display_id"]):
                display |= {"data": content["data"], "metadata": content["metadata"]}
        elif kind in {"display_data", "execute_result", "stream", "error"}:
            if self._clearing:
                self._clear()
            self._add(kind, dict(content))

    def _clear(self) -> None:
        self.shown.clear()
        self._displays.clear()
        self._clearing = False

    def _add(self, kind: str, content: dict[str, Any]) -> None:
        display_id = content.pop("transient", {}).get("display_id")
        last = self.shown[-1] if self.shown else {}
        if kind == "stream" and last.get("name") == content["name"]:
            last["text"] += content["text"]
            return
        self.shown.append({"output_type": kind, **content})
        if display_id:
            self._displays[display_id] = self.shown[-1]


class _Texts(HTMLParser):
    """The texts of a page, style sheets left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:
            self.texts.append(data)


def html_words(page: str) -> str:
    """Return what an HTML output says, one space between its words."""
    return " ".join(" ".join(_Texts(page).texts).split())


def words(text: str) -> list[str]:
    """Return the words and numbers of a text."""
    return WORD.findall(text)
