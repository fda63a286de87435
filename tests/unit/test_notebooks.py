"""The example notebooks are compared as they stand: nothing is left out."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.support.outputs import html_words, words

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"^```\w*$", re.MULTILINE)  # drawn, and not said
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
UNTOUCHED = (
    "Demo model: I wrote primes.py. `python3 primes.py` succeeded; it printed:",
    "  2 3 5 7 11 13 17 19 23 29",
    "* primes.py (changed, +1, -1)",
    "exited with code 1",
    "11   Dec      431",
    "There is no current session yet.",
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


def outputs_of(path: Path) -> Iterator[tuple[str, Any]]:
    """The outputs with data of the cells that speak to the extension, and their sources."""
    for cell in read(path).cells:
        if "%vibekit" in cell.source or "picker()" in cell.source:
            yield from ((cell.source, output) for output in cell.get("outputs", ()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_stored_is_what_a_notebook_shows(path: Path) -> None:
    for source, output in outputs_of(path):
        assert output.output_type == "display_data", source
        assert {"text/html", WIDGET} & set(output.data), source
        assert "text/plain" in output.data, source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_html_twin_says_what_the_plain_one_says(
    path: Path, sanitise: list[tuple[str, str]]
) -> None:
    for source, output in outputs_of(path):
        if "text/html" not in output.data:
            continue
        said = words(cleaned(html_words(output.data["text/html"]), sanitise))
        plain = words(FENCE.sub("", cleaned(output.data["text/plain"], sanitise)))
        if source.startswith(("%%vibekit", "%vibekit_session history")):
            # It can be unfolded, and tells how long each command took.
            rest = iter(said)
            assert [word for word in plain if word not in rest] == [], source
        else:
            note = said.index("as") if "as of" in " ".join(said) else len(said)
            assert said[:note] == plain, source


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
        ("local sandbox, confined by bubblewrap", "local sandbox, confined by landlock"),
        ("local sandbox, confined by bubblewrap", "local sandbox, unconfined"),
        ("data/df.arrow  24 × 3, 3.5 kB, 0.0 s", "data/df.arrow  24 × 3, 912 bytes, 1.2 s"),
        ("main running t529d7ah… · local sandbox", "main running le9fa89e… · local sandbox"),
    ],
)
def test_ids_times_durations_sizes_and_the_level_are_not(
    one: str, other: str, sanitise: list[tuple[str, str]]
) -> None:
    assert cleaned(one, sanitise) == cleaned(other, sanitise)
