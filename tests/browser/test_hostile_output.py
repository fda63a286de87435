"""Hostile output in a live, trusted cell of a real JupyterLab: no script, no request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

RUN = """
from tests.support.hostile import hostile_run
from vibekit_jupyter.notebook.render import run_display
display = run_display(get_ipython(), owns_cell=True)
import time
for number, event in enumerate(hostile_run()):
    display.feed(event)
    if number % 40 == 0:
        time.sleep(0.15)
        display.tick()
display.finish()
"""
# A control: what the same page does with HTML that is not escaped.
CONTROL = """
from IPython.display import HTML
HTML("<img src='http://attacker.invalid/control.png' onerror='window.control = 1'>")
"""


def test_no_script_runs_and_no_request_leaves_the_page(open_notebook: OpenNotebook) -> None:
    page = open_notebook([RUN, CONTROL])
    page.run(0)
    page.output(0).get_by_text("stopped after 2 steps").wait_for()
    page.evaluate("() => document.querySelectorAll('details').forEach(row => { row.open = true })")
    picture = page.output(0).locator("img[src^='data:image/svg+xml']")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    # Whatever a frame or a typesetter would still do has been done when the control has.
    assert page.strangers == []
    page.run(1)
    page.page.wait_for_function("() => window.control === 1")
    assert page.evaluate("() => window.owned") is None
    assert page.errors == []
    made = page.outputs(0).locator("mjx-container, script, svg, form, input")
    assert made.evaluate_all("found => found.map(element => element.outerHTML)") == []
    assert {url for url in page.strangers if "control" not in url} == set()
    assert page.strangers != []
