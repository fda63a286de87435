"""The README's examples are run, and its first lines are those that a newcomer needs."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import README, REPOSITORY
from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from pathlib import Path

LINES = 90
COMMANDS = (
    "pip install 'vibekit-jupyter[lab]' && jupyter lab",
    "pip install -e '.[lab]' && jupyter lab notebooks/quickstart.ipynb",
    "pip install -e '.[test]' && pytest",
)
READERS = 6


def sections() -> dict[str, list[str]]:
    """Return the Python blocks of each section that has some."""
    found: dict[str, list[str]] = defaultdict(list)
    for section in README.text.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        found[title].extend(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    return {title: blocks for title, blocks in found.items() if blocks}


def cells(block: str) -> list[str]:
    """Return a block as cells: where it has magics, each paragraph is one."""
    magic = re.search(r"^%", block, re.MULTILINE)
    return block.strip().split("\n\n") if magic else [block]


@pytest.mark.parametrize("title", sections())
def test_the_examples_of_a_section_run_in_order(title: str, tmp_path: Path) -> None:
    with Kernel(tmp_path / "home") as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        for block in sections()[title]:
            for cell in cells(block):
                done = kernel.run(cell)
                assert done.status == "ok", f"{cell}\n{done.text}"


def test_the_quickstart_does_what_it_says(tmp_path: Path) -> None:
    with Kernel(tmp_path / "home") as kernel:
        shown = [kernel.run(cell).text for cell in cells(sections()["Quickstart"][0])]
    load, first, session, second = shown
    assert load == ""
    assert "2 3 5 7 11 13 17 19 23 29" in first
    assert "running" in session
    assert "67 71" in second


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(README.text.splitlines()) <= LINES


def test_the_commands_stand_at_the_top() -> None:
    top = README.text.partition("\n## ")[0]
    assert [line.strip() for line in top.splitlines() if line.startswith("    ")] == [*COMMANDS]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {"lab", "test"} <= set(project["optional-dependencies"])


def test_each_kind_of_reader_has_a_line_and_a_page() -> None:
    rows = re.findall(
        r"^\|.*\| \[[^]]+\]\(https://[^)]+/latest/(.*)\) \|$", README.text, re.MULTILINE
    )
    assert len(rows) == READERS


def test_what_it_links_to_is_there() -> None:
    """They are whole URLs, for it is read on PyPI, too."""
    for file in re.findall(r"/vibekit-jupyter/(?:blob/)?main/([^)\s]+)\)", README.text):
        assert (REPOSITORY / file).is_file(), file
    for page in re.findall(r"/en/latest/([\w/-]+)\.html", README.text):
        assert (REPOSITORY / "docs" / f"{page}.md").is_file(), page
