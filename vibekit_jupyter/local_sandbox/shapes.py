"""What a request may hold: whatever has another shape is refused with a sentence."""

from __future__ import annotations

import hmac
import math
from typing import Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError

__all__ = ["mapping", "number", "same_secret", "text", "texts", "whole"]

LARGEST_NUMBER = 2**53  # beyond it, JSON's numbers are not exact


def number(value: Any, name: str, default: float) -> float:
    """Return a number that is not negative, given as such or as text; a default for nothing.

    Raises
    ------
    ProtocolError
        ``invalid_argument``.
    """
    if value is None or value == "":
        return default
    try:
        found = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= LARGEST_NUMBER:
        raise ProtocolError("invalid_argument", f"{name} must be a number, and not negative")
    return found


def whole(value: Any, name: str, default: int) -> int:
    """Return a whole number that is not negative; a default for nothing.

    Raises
    ------
    ProtocolError
        ``invalid_argument``.
    """
    return int(number(value, name, default))


def mapping(value: Any, name: str) -> dict[str, Any]:
    """Return an object; an empty one for nothing.

    Raises
    ------
    ProtocolError
        ``invalid_argument``.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProtocolError("invalid_argument", f"{name} must be an object")
    return value


def text(value: Any, name: str) -> str:
    """Return a text that every program can take; an empty one for nothing.

    Raises
    ------
    ProtocolError
        ``invalid_argument``: no text, or one with NUL bytes.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise ProtocolError("invalid_argument", f"{name} must be a text without NUL bytes")
    return value


def texts(value: Any, name: str) -> dict[str, str]:
    """Return an object that maps texts to texts; an empty one for nothing.

    Raises
    ------
    ProtocolError
        ``invalid_argument``.
    """
    found = mapping(value, name)
    for key, inner in found.items():
        text(key, name)
        if not isinstance(inner, str):
            raise ProtocolError("invalid_argument", f"{name} must map texts to texts")
        text(inner, name)
    return dict(found)


def same_secret(given: str | None, own: str) -> bool:
    """Whether a secret was given, whatever characters came instead of it."""
    if not given:
        return False
    # Bytes of a header that are no text stand in it as half surrogates.
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), own.encode())
