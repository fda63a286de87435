"""The picker as a person meets it in a page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.settings.config import local_service_id
from vibekit_jupyter.settings.home import current_user

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.support.lab import NotebookPage

__all__ = [
    "MILLISECONDS_UNTIL_FILTERED",
    "MILLISECONDS_UNTIL_ROWS",
    "PickerOf",
    "fill",
    "loaded",
    "many_sessions",
]

# From the click on a button to rows that are drawn, and to all rows that can be searched.
MILLISECONDS_UNTIL_ROWS = """async (button, count) => {
    const began = performance.now();
    const until = async (selector) => {
        while (!document.querySelector(selector)) await new Promise(requestAnimationFrame);
        return performance.now() - began;
    };
    button.focus();
    button.click();
    return [await until('.vibekit-body [role=row]'), await until(`[aria-rowcount="${count + 1}"]`)];
}"""

# From a word that is typed to its rows, and the page's own work with it.
MILLISECONDS_UNTIL_FILTERED = """async (filter, word) => {
    const began = performance.now();
    filter.value = word;
    filter.dispatchEvent(new Event('input', {bubbles: true}));
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""


def loaded(home: Path) -> str:
    """Return a cell that loads the extension, its sessions kept in a folder of the test's own."""
    return f"import os; os.environ['VIBEKIT_HOME'] = {str(home)!r}\n%load_ext vibekit_jupyter"


def many_sessions(count: int) -> str:
    """Return a cell that fills the registry with sessions in all states."""
    return f"from tests.browser.picker_page import fill\nfill({count})"


def fill(count: int) -> None:
    """Fill the registry with sessions in all states, the first one used last."""
    now, states = time.time(), ["running", "paused", "gone", "unknown"]
    with Registry().transaction() as database:
        database.executemany(
            "INSERT INTO session (service, id, title, name, project, user, agent, state, ends_at,"
            " created, last_used) VALUES (?, ?, 'local sandbox', ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(local_service_id(), f"id{number}"),
                    *(f"name-{number}", f"q{number % 7}", current_user()),
                    *(["codex", "claude"][number % 2], states[number % 4]),
                    now + 60 * (number % 90) if number % 4 == 0 else None,
                    *(now, now - 97 * number),
                )
                for number in range(count)
            ],
        )


class PickerOf:
    """The picker in a cell's output."""

    def __init__(self, page: NotebookPage, index: int) -> None:
        self.root = page.output(index).locator(".vibekit-picker")
        self.keyboard = page.page.keyboard
        self.select = self.root.get_by_label("Session", exact=True)
        self.question = self.root.locator("form")
        self.said = self.root.locator(".vibekit-status")
        self.filter = self.root.get_by_label("Filter sessions")
        self.grid = self.root.get_by_role("grid")
        self.rows = self.grid.locator(".vibekit-body [role=row]")
        self.count = self.root.locator(".vibekit-count")
        expect(self.select).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.root.locator(".vibekit-picker-row").get_by_role("button", name=name)

    def answer(self, yes: str, **fields: str) -> None:
        for label, text in fields.items():
            self.question.get_by_label(label.replace("_", " ")).fill(text)
        self.question.get_by_role("button", name=yes).click()

    def choose(self, name: str) -> None:
        option = self.select.locator("option", has_text=f" {name} ".replace(" ", "\u00a0"))
        self.select.select_option(index=option.evaluate("option => option.index"))

    def shows(self, name: str) -> None:
        """Wait until this session is the chosen one."""
        expect(self.select.locator("option:checked")).to_contain_text(name)
