"""Text and JSON as models write them, made such that it can be sent back."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

__all__ = [
    "arguments_text",
    "count",
    "is_deep",
    "json_object",
    "json_safe",
    "object_or_empty",
    "tool_name",
    "well_formed",
]

# What is nested deeper cannot be walked through, drawn or written down everywhere.
MOST_DEEP = 64
# More tokens than any answer costs.
MOST_COUNTED = 10**12


def well_formed(text: str) -> str:
    """Return the text as UTF-8 can carry it.

    JSON can spell halves of a surrogate pair, and a server may cut a delta between them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def json_safe(item: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary of JSON values as UTF-8 can carry it."""
    copy: dict[str, Any] = json.loads(well_formed(json.dumps(item, ensure_ascii=False)))
    return copy


def json_object(text: str) -> dict[str, Any]:
    """Read what a model wrote as a JSON object.

    Raises
    ------
    ValueError
        It is none, or one that is nested too deeply to read.
    """
    try:
        spelled = json.loads(text or "{}", parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("the arguments are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the arguments are not JSON: {error}") from error
    if not isinstance(spelled, dict):
        raise ValueError("the arguments are not a JSON object")  # noqa: TRY004  (a value's kind)
    if is_deep(spelled):
        raise ValueError("the arguments are nested too deeply")
    return json_safe(spelled)


def object_or_empty(text: str) -> dict[str, Any]:
    """Read what a model wrote as a JSON object, empty where it is none."""
    try:
        return json_object(text)
    except ValueError:
        return {}


def arguments_text(given: object) -> str:
    """Return a call's arguments as JSON text; some servers spell them as an object."""
    return given if isinstance(given, str) else json.dumps({} if given is None else given)


def tool_name(given: object) -> str:
    """Return a tool's name such that both vendors take it back, however it was spelled."""
    spelled = given if isinstance(given, str) else ""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", spelled)[:64] or "unnamed"


def count(given: object) -> int:
    """Return a number of tokens; none where a server gives what cannot be one."""
    try:
        number = int(given)  # type: ignore[call-overload]  # that is what is tried
    except (OverflowError, TypeError, ValueError):
        return 0
    return number if 0 <= number <= MOST_COUNTED else 0


def is_deep(value: Any) -> bool:
    """Tell whether a JSON value is nested too deeply to be handled."""
    level = [value]
    for _ in range(MOST_DEEP):
        level = [
            part
            for parent in level
            for part in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _finite(spelled: str) -> float:
    number = float(spelled)
    return number if math.isfinite(number) else _no_number(spelled)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"the arguments hold {name[:20]}, which JSON has not")
