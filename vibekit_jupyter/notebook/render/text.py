"""Other people's words made harmless: what is invisible is shown or dropped, HTML is escaped.

Everything an agent, a command or a file name says passes through here on its way to a cell.
"""

from __future__ import annotations

import html
import re
from typing import Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.sandbox.terminal import SGR, settled

__all__ = ["escape", "spelled", "terminal_html", "terminal_text", "visible"]

BIDI: Final = (0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
TAGS: Final = range(0xE0000, 0xE0080)

# Stateless on purpose: the text of a growing message keeps its beginning. A carriage return
# goes, a control character becomes its picture (␛), a character that turns the direction of
# what follows is spelled out, invisible tag characters go, half a surrogate pair is a "?".
_VISIBLE: Final[dict[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    ord("\r"): "",
    0x7F: "␡",
    **dict.fromkeys(range(128, 160), "�"),
    **{code: f"\\u{code:04x}" for code in BIDI},
    **dict.fromkeys(TAGS, ""),
    **dict.fromkeys(range(55296, 57344), "�"),
}

# What Python holds for printable, and is blank all the same: fillers, joiners, selectors.
_BLANK: Final = frozenset(
    chr(code)
    for codes in (
        (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
    for code in codes
)

# JupyterLab typesets TeX in HTML outputs, also inside words about money ("$5 and $6"); a tag
# between the delimiters stops it.
_TEX: Final = re.compile(r"[$\\]")


def visible(text: str) -> str:
    """Return the text with nothing in it that hides, reorders or controls."""
    return text.translate(_VISIBLE)


def spelled(text: str) -> str:
    """Return a text in which every character is seen: what somebody is about to allow.

    Whatever is not printable, or is printed as nothing, is spelled out.
    """
    return "".join(
        char
        if char in "\n\t" or (char.isprintable() and char not in _BLANK)
        else f"\\u{{{ord(char):x}}}"
        for char in text
    )


def escape(text: str) -> str:
    """Return the text as HTML that shows exactly its characters and does nothing else."""
    return _TEX.sub(r"<span>\g<0></span>", html.escape(visible(text)))


def terminal_text(output: str) -> str:
    """Return a command's output as plain text: no escapes, progress bars in their last state."""
    return visible(SGR.sub("", settled(output)))


def terminal_html(output: str) -> str:
    """Return a command's output as HTML, its colours as spans."""
    parts = SGR.split(settled(output))
    pen = _Style()
    pieces = []
    for index, part in enumerate(parts):
        if index % 2:
            pen.apply(part)
        elif part:
            css = pen.css()
            text = escape(part)
            pieces.append(f'<span style="{css}">{text}</span>' if css else text)
    return "".join(pieces)


# Mid-tones: contrast of 4 and more on white and on near-black alike. Black and white are the
# page's own colour.
_PALETTE: Final = {
    1: "#d84a42",
    2: "#2c8f4b",
    3: "#a07a12",
    4: "#2f7de1",
    5: "#b457c9",
    6: "#1a8a9a",
    8: "#7d858e",
}


class _Style:
    """The state of a terminal's pen."""

    def __init__(self) -> None:
        self.color = ""
        self.background = ""
        self.marks: dict[str, str] = {}

    def css(self) -> str:
        parts = [*self.marks.values()]
        if self.color:
            parts.append(style.words(self.color))
        if self.background:
            parts.append(f"background-color:{self.background}")
        return ";".join(parts)

    def apply(self, parameters: str) -> None:
        # Anything longer is no colour; int() of a huge number is slow.
        codes = [int(code[:4] or 0) for code in re.split("[;:]", parameters[:200])]
        while codes:
            code = codes.pop(0)
            if code in (38, 48):
                self._extended(code, codes)
            elif code == 0:
                self.__init__()  # type: ignore[misc]  # a pen put back is a new pen
            else:
                self._simple(code)

    def _simple(self, code: int) -> None:
        marks = {
            1: "font-weight:bold",
            2: "opacity:.65",
            3: "font-style:italic",
            4: "text-decoration:underline",
            9: "text-decoration:line-through",
        }
        if code in marks:
            self.marks[str(code)] = marks[code]
        elif code == 22:
            self.marks.pop("1", None)
            self.marks.pop("2", None)
        elif code in (23, 24, 29):
            self.marks.pop(str(code - 20), None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.color = _PALETTE.get(8 if code == 90 else code % 10, "")
        elif code == 39:
            self.color = ""
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self.background = _tint(_PALETTE.get(code % 10, ""))
        elif code == 49:
            self.background = ""

    def _extended(self, code: int, codes: list[int]) -> None:
        """Read the rest of ``38;5;n`` or ``38;2;r;g;b``."""
        kind = codes.pop(0) if codes else 0
        if kind == 5 and codes:
            color = _indexed(codes.pop(0))
        elif kind == 2 and len(codes) >= 3:
            color = "#" + "".join(f"{min(codes.pop(0), 255):02x}" for _ in range(3))
        else:
            return
        if code == 48:
            self.background = _tint(color)
        else:
            self.color = color if _readable(color) else ""


def _indexed(number: int) -> str:
    """Return a colour of xterm's table of 256."""
    if number < 16:
        return _PALETTE.get(number if number == 8 else number % 8, "")
    if number < 232:
        cube = number - 16
        levels = (cube // 36, cube // 6 % 6, cube % 6)
        return "#" + "".join(f"{level and 55 + 40 * level:02x}" for level in levels)
    return "#" + f"{min(8 + 10 * (number - 232), 255):02x}" * 3


def _readable(color: str) -> bool:
    """Tell whether text in this colour can be read on white and on near-black."""
    if not color:
        return False
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return 60 <= (2 * red + 5 * green + blue) / 8 <= 190


def _tint(color: str) -> str:
    """Return the colour thinned so that the page's own text stays readable on it."""
    if not color:
        return "rgba(128,128,128,.2)"
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},.25)"
