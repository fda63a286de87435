"""Counts, as digits or as English words."""

from __future__ import annotations

import re

__all__ = ["COUNT", "read_count"]

_ONES = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen",
)
_TENS = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
_WORDS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))

_SCALE = r"\s+(?:hundred|thousand)"

COUNT = rf"\d{{1,9}}|a{_SCALE}|(?:{_WORD})(?:[\s-](?:{_WORD}))?(?:{_SCALE})?"


def read_count(text: str) -> int | None:
    """Return the number that a text spells (to 99, and whole hundreds and thousands)."""
    if re.fullmatch(r"\d+", text, re.ASCII):
        return int(text)
    words = re.split(r"[\s-]+", text.strip().lower())
    scale = {"hundred": 100, "thousand": 1000}.get(words[-1], 1)
    rest = words if scale == 1 else words[:-1]
    if scale > 1 and rest == ["a"]:
        return scale
    values = [_WORDS.get(word) for word in rest]
    match values:
        case [int(value)]:
            return value * scale
        case [int(tens), int(ones)] if tens >= 20 and 0 < ones < 10:
            return (tens + ones) * scale
    return None
