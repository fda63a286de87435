"""Sessions across kernel restarts and notebooks, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.picker_page import PickerOf, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser


def test_a_session_is_restored_after_the_kernel_was_restarted(
    open_notebook: OpenNotebook, home: Path
) -> None:
    page = open_notebook(
        [
            loaded(home),
            "%vibekit_session new sales\n%vibekit_session pick",
            "%%vibekit\nopen('kept.txt', 'w').write('kept words')",
            "%vibekit_session restore",
            "%vibekit_session pick",
            "%%vibekit\nprint(open('kept.txt').read())",
        ]
    )
    for index in range(3):
        page.run(index, 60)
    page.restart_kernel()
    page.run(0)
    expect(page.output(0)).to_contain_text("This notebook last used the session sales.")
    page.run(3, 60)
    expect(page.output(3)).to_contain_text("Its conversation goes on: 1 turn.")
    page.run(4)
    PickerOf(page, 4).shows("sales")
    page.run(5, 60)
    expect(page.output(5)).to_contain_text("kept words")


def test_two_notebooks_work_in_one_session_and_see_each_other(
    open_notebook: OpenNotebook, home: Path
) -> None:
    one = open_notebook(
        [
            loaded(home),
            "%vibekit_session new shared\n%vibekit_session pick",
            "%%vibekit\nopen('note.txt', 'w').write('from the first')",
            "%vibekit_session history",
        ]
    )
    two = open_notebook(
        [
            loaded(home),
            "%vibekit_session pick",
            "%%vibekit\nprint(open('note.txt').read())",
            "%vibekit_session rename ours",
        ]
    )
    for index in range(3):
        one.run(index, 60)
    two.run(0)
    two.run(1)
    second = PickerOf(two, 1)
    second.shows("no current session")
    second.choose("shared")
    second.shows("shared")
    two.run(2, 60)
    expect(two.output(2)).to_contain_text("from the first")
    two.run(3)
    first = PickerOf(one, 1)
    first.shows("ours")
    second.shows("ours")
    one.run(3)
    expect(one.output(3)).to_contain_text("print(open('note.txt').read())")
    second.button("Kill…").click()
    second.answer("Kill")
    first.shows("gone, history kept")
    expect(first.button("Restore")).to_be_enabled()
