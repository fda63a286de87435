"""How a run is drawn while it goes on, and what is left of it, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

BEGINNING = """
print("before")
display = run_display(get_ipython(), owns_cell={owns})
for event in [*beginning(), *command("make", "building")[:2]]:
    display.feed(event)
while not Path("go-on").exists():
    display.tick()
    time.sleep(0.05)
for event in [*command("make", "building")[2:], TextDelta("It is **built**."), end()]:
    display.feed(event)
display.finish()
"""
SETUP = """
import time
from pathlib import Path
from tests.support.runs import beginning, command, end, whole_run
from vibekit_jupyter.events import TextDelta
from vibekit_jupyter.notebook.render import Transcript, rendered, run_display
"""


@pytest.mark.parametrize("owns", ["True", "False"])
def test_a_run_is_seen_while_it_goes_on_and_left_as_one_output(
    open_notebook: OpenNotebook, owns: str
) -> None:
    page = open_notebook([SETUP, BEGINNING.format(owns=owns)])
    page.run(0)
    page.start(1)
    page.output(1).get_by_text("building").wait_for()
    page.output(1).get_by_text("0:01 …").wait_for()
    assert "session sales" in page.output(1).inner_text()
    go_on = page.path.with_name("go-on")
    go_on.touch()
    page.wait(1)
    go_on.unlink()
    page.output(1).locator("strong", has_text="built").wait_for()
    stream, *outputs = page.save()[1]["outputs"]
    if owns == "True":
        outputs = [stream]
    else:
        assert "".join(stream["text"]) == "before\n"
    final, *rest = [output for output in outputs if any(output["data"]["text/html"])]
    assert rest == []
    assert set(final["data"]) == {"text/html", "text/plain"}
    assert final["metadata"]["vibekit"]["version"] == 1
    assert page.output(1).get_by_text("codex").count() == 1
    shown = range(page.outputs(1).count())
    boxes = [page.outputs(1).nth(number).bounding_box() for number in shown]
    assert sum(bool(box and box["height"] > 1) for box in boxes) == 1 + (owns == "False")


def test_a_reopened_untrusted_card_looks_the_same(open_notebook: OpenNotebook) -> None:
    page = open_notebook([SETUP, "rendered(Transcript.of(whole_run()))"])
    page.run(0)
    page.run(1)
    # Not the colour of words: what is not trusted keeps the one that is not mixed with the page's.
    looks = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].map(part => {
        const style = getComputedStyle(part);
        return [part.tagName, style.display, style.backgroundColor, style.opacity,
                style.fontFamily, style.padding, style.borderLeftWidth,
                parseInt(style.borderLeftWidth) && style.borderLeftColor,
                style.borderRadius, style.flexGrow, style.whiteSpace].join(' ');
    })"""
    live = page.evaluate(looks)
    cells = page.save()
    again = open_notebook([cell["source"] for cell in cells], outputs=cells[1]["outputs"])
    again.output(1).get_by_text("4 steps").wait_for()
    assert again.evaluate(looks) == live
