"""Cells that ask the same are told apart."""

from __future__ import annotations

import pytest

from vibekit_jupyter.sessions.asked import NOBODY, Asker, answer_to

DEVELOPED = [("a", "s", "a1"), ("a", "s", "a2"), ("b", "s", "b1"), ("a", "s", "a3")]
UNNAMED = [("", "s", "1"), ("", "s", "2")]
TWO_SESSIONS = [("x", "old", "x1"), ("y", "old", "y1"), ("a", "new", "a1")]


@pytest.mark.parametrize(
    ("asker", "answers", "answer"),
    [
        (Asker("a", 0), DEVELOPED, "a3"),
        (Asker("b", 1), DEVELOPED, "b1"),
        # Another front end: the same cells by other names.
        (Asker("#1", 0), DEVELOPED, "a3"),
        (Asker("#2", 1), DEVELOPED, "b1"),
        (Asker("#3", 2), DEVELOPED, "a3"),
        (Asker("a", 0), UNNAMED, "2"),
        (NOBODY, UNNAMED, "2"),
        (Asker("#1", 0), TWO_SESSIONS, "a1"),
    ],
)
def test_a_cell_gets_the_last_of_its_own_answers(
    asker: Asker, answers: list[tuple[str, str, str]], answer: str
) -> None:
    assert answer_to(asker, answers) == answer
