"""The example notebooks are compared as they stand: nothing is left out."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
UNTOUCHED = (
    "Demo model: I wrote primes.py. `python3 primes.py` succeeded; it printed:",
    "  2 3 5 7 11 13 17 19 23 29",
    "* primes.py (changed, +1, -1)",
    "exited with code 1",
    "There is no current session yet.",
    "local sandbox, confined by bubblewrap",
)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat's own


@pytest.fixture
def sanitise() -> list[tuple[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read(NOTEBOOKS[0].parent / "sanitize.cfg")
    return [(parser[name]["regex"], parser[name]["replace"]) for name in parser.sections()]


def cleaned(text: str, rules: list[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_is_compared_with_a_stored_output(path: Path) -> None:
    for cell in read(path).cells:
        assert "NBVAL" not in cell.source
        assert not cell.metadata.get("tags")
        if cell.cell_type == "code":
            assert cell.execution_count, f"run scripts/refresh_notebooks: {cell.source}"
        if cell.source.startswith("%") and not cell.source.startswith("%load_ext"):
            assert cell.outputs, f"run scripts/refresh_notebooks: {cell.source}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_stored_output_is_an_error(path: Path) -> None:
    for cell in read(path).cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_does_not_change_is_compared(text: str, sanitise: list[tuple[str, str]]) -> None:
    assert cleaned(text, sanitise) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("t529d7ah63scuu6horp0 · local sandbox", "le9fa89emnywktxkildm · local sandbox"),
        ("3 steps · 4.0 s · primes.py", "3 steps · 1 min 12 s · primes.py"),
        ("3 steps · 11 s · primes.py", "3 steps · 0.4 s · primes.py"),
        ("session · running · 59 min left", "session · running · 1 h left"),
        ("last turn just now · 1 turn", "last turn 2 min ago · 1 turn"),
        ("claude  just now   running", "claude  12 min ago  running"),
    ],
)
def test_ids_times_and_durations_are_not(
    one: str, other: str, sanitise: list[tuple[str, str]]
) -> None:
    assert cleaned(one, sanitise) == cleaned(other, sanitise)
