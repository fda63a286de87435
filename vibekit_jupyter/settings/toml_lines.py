"""On which line of a file of settings a name stands: the parser does not tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["lines_of"]

Path = tuple[str, ...]

# Names of settings are shorter; a longer one is not worth its time.
DEEPEST: Final = 8
_TOKEN: Final = re.compile(
    r"(?P<string>"
    r'"""(?:\\.|[^\\])*?"""(?!")'
    r"|'''.*?'''(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*')"
    r"|(?P<word>[^\s=\[\]{},.#\"']+)"
    r"|(?P<mark>[=\[\]{},\n])"
    r"|\#[^\n]*",
    re.DOTALL,
)


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the first line of each name and each table of a text, by its keys.

    The text was parsed before: what is no TOML is not looked for here.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    keys: list[str] = []
    # What the value is of that is read now, and what is open around it: an inline table or an
    # array, and of what that is the value.
    of: Path = ()
    around: list[tuple[str, Path]] = []
    in_value = False
    in_header = False
    line = begun = 1
    for token in _TOKEN.finditer(f"{text}\n"):
        mark = token["mark"]
        if mark is None:
            if not in_value and token.lastgroup and len(keys) < DEEPEST:
                begun = begun if keys else line
                keys.append(_key(token[0]))
            line += token[0].count("\n")
        elif mark == "\n":
            if in_header:
                table = tuple(keys)
                _note(found, table, line)
            if not around:
                keys, in_value, in_header = [], False, False
            line += 1
        elif mark == "[" and not in_value:
            in_header = True
        elif mark in "[{":
            around.append((mark, of))
            keys, in_value = [], mark == "["
        elif mark == "=" and not in_value:
            of = (*(around[-1][1] if around else table), *keys)[:DEEPEST]
            _note(found, of, begun)
            keys, in_value = [], True
        elif mark == "," and around:
            keys, in_value = [], around[-1][0] == "["
        elif mark in "]}" and around:
            of = around.pop()[1]
            in_value = True
    return found


def _note(found: dict[Path, int], path: Path, line: int) -> None:
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], line)


def _key(text: str) -> str:
    if text[0] == "'":
        return text.strip("'")
    if text[0] != '"':
        return text
    import tomllib  # an error is told: it is loaded already

    return str(tomllib.loads(f"key = {text}")["key"])
