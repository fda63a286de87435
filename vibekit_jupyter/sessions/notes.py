"""What is said of a session that was restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["conversation_note", "files_note"]


def conversation_note(turns: int) -> str:
    """Return how much of its conversation is known here."""
    if turns == 0:
        return "This machine has no conversation of it."
    return f"Its conversation goes on: {turns} {'turn' if turns == 1 else 'turns'}."


def files_note(paths: Sequence[str], missing: Sequence[str]) -> str:
    """Return whether the files are there that its runs changed."""
    if not missing:
        return f"Its files are there ({len(paths)} that runs changed)."
    names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return f"{len(missing)} of {len(paths)} files that runs changed are not there: {names}."
