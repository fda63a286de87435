"""Output as a terminal would show it: progress bars in their last state, escapes gone."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SGR", "Screen", "plain", "settled"]

# ECMA-48: strings (OSC, DCS and kin), then CSI, then the two-character escapes. A string that
# does not end within its line is only its introducer, or it would swallow the whole output.
_STRING: Final = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f\n]{0,4096}(?:\x07|\x1b\\|\x9c)"
)
_CSI: Final = re.compile(r"(?:\x1b\[|\x9b)([0-?]*)([ -/]*)([@-~])")
_ESCAPE: Final = re.compile(r"\x1b(?!\[[\d;:]*m)[ -/]*[0-~]?")
SGR: Final = re.compile(r"\x1b\[([\d;:]*)m")
_BACKSPACE: Final = re.compile(r"[^\n\x08]\x08")
_CONTROL: Final = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "")

# Characters of a line that has no end yet.
MOST_HELD: Final = 4096


def settled(text: str) -> str:
    """Return what a terminal would show, colours still as SGR escapes."""
    text = _STRING.sub("", text.replace("\r\n", "\n"))
    text = _ESCAPE.sub("", _CSI.sub(_keep_sgr, text))
    text = _BACKSPACE.sub("", text)
    return "\n".join(map(_last_state, text.split("\n"))) if "\r" in text else text


def plain(text: str) -> str:
    """Return what a terminal would show, without colours and control characters."""
    return SGR.sub("", settled(text)).translate(_CONTROL)


def _keep_sgr(match: re.Match[str]) -> str:
    parameters, intermediate, final = match.groups()
    only = not intermediate and re.fullmatch(r"[\d;:]*", parameters)
    return f"\x1b[{parameters}m" if final == "m" and only else ""


def _last_state(line: str) -> str:
    """What a line shows after its carriage returns (a progress bar: its last state)."""
    if "\r" not in line:
        return line
    *gone, last = [state for state in line.split("\r") if state] or [""]
    return "".join(match[0] for state in gone for match in SGR.finditer(state)) + last


class Screen:
    """Turns pieces of output into plain lines, in bounded memory."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> str:
        """Take a piece of output; return the lines that it completes."""
        lines, newline, self._rest = f"{self._rest}{text}".rpartition("\n")
        if len(self._rest) > MOST_HELD:
            # Of a progress bar two states are enough: the last one may be only beginning.
            self._rest = "\r".join(self._rest.rsplit("\r", 2)[-2:])
        if len(self._rest) > 2 * MOST_HELD:
            lines, newline, self._rest = f"{lines}{newline}{self._rest}", "", ""
        return plain(f"{lines}{newline}")

    def end(self) -> str:
        """Return what came after the last line's end."""
        rest, self._rest = self._rest, ""
        return plain(rest)
