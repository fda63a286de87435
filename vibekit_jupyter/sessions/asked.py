"""Which of several answers to the same prompt belongs to a cell that asks it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NOBODY", "Asker", "answer_to"]

T = TypeVar("T")


class Asker(NamedTuple):
    """Who asks a prompt.

    Attributes
    ----------
    cell
        The notebook's cell, as far as the front end tells; empty where nothing does.
    place
        How many other cells of this kernel have asked the same before.
    """

    cell: str = ""
    place: int = 0


NOBODY = Asker()


def answer_to(asker: Asker, answers: Sequence[tuple[str, str, T]]) -> T:
    """Return the answer that a cell got the last time.

    Parameters
    ----------
    answers
        The cell, the session and the answer, the oldest first; at least one.
    """
    own = [answer for cell, _, answer in answers if cell and cell == asker.cell]
    if own:
        return own[-1]
    _, last_session, last = answers[-1]
    # Another front end calls the cells otherwise; their order is the same.
    by_cell = {
        cell: answer for cell, session, answer in answers if cell and session == last_session
    }
    return [*by_cell.values()][asker.place] if asker.place < len(by_cell) else last
