"""The words for what a session is doing: light, because the magics' options have them."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["STATES", "State"]

State = Literal["running", "paused", "unknown", "gone", "unreachable", "elsewhere"]
STATES: tuple[State, ...] = get_args(State)
