"""A page that nobody looks at says in its title that a long run has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

SETUP = """
from tests.support.runs import beginning, end
from vibekit_jupyter.notebook.page_title import tell_end
from vibekit_jupyter.notebook.render import Transcript
from ipywidgets.widgets import widget
run = Transcript.of([*beginning(), end()])
"""
# Chromium without a screen hides no page.
SHOW = """state => {
    Object.defineProperty(document, 'visibilityState', {get: () => state, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_hidden_page_says_that_a_run_ended_until_it_is_seen(open_notebook: OpenNotebook) -> None:
    page = open_notebook([SETUP, "tell_end(run)", "print(len(widget._instances), 'left')"])
    page.run(0)
    title = page.page.title()
    page.evaluate(SHOW, "hidden")
    page.run(1)
    expect(page.page).to_have_title(f"codex done · {title}")
    page.run(1)
    cells = page.save()
    # JupyterLab writes the title anew.
    page.evaluate("title => { document.title = title }", title)
    expect(page.page).to_have_title(f"codex done · {title}")
    page.evaluate(SHOW, "visible")
    expect(page.page).to_have_title(title)
    assert cells[1]["outputs"] == []
    page.run(1)

    def left() -> str:
        page.run(2)
        return page.output(2).inner_text().strip()

    wait_for(lambda: left() == "0 left", 20, left)
    assert page.page.title() == title
    assert page.errors + page.strangers == []
