"""What a person who reads a run while it goes on may rely on, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook
    from tests.support.lab import NotebookPage

pytestmark = pytest.mark.browser

SETUP = """
import time
from pathlib import Path
from tests.support.runs import beginning, command, end, whole_run, written
from vibekit_jupyter.events import *
from vibekit_jupyter.notebook.render import Transcript, rendered, run_display
"""
LIVE = """
display = run_display(get_ipython(), owns_cell=True)
def draw(*events):
    for event in events:
        display.feed(event)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        display.tick()
        time.sleep(0.02)
call, *_ = command("python train.py")
draw(*beginning(), TextDelta("The first paragraph is finished.\\n\\nThe second"))
while not Path("read-on").exists():
    draw()
draw(call)
for epoch in range(40):
    display.feed(CommandOutput("c", "stdout", f"epoch {epoch}\\n"))
draw()
while not Path("read-to-the-end").exists():
    draw()
display.feed(end())
display.finish()
"""
RICH = r'''
said = """The **best** month is $m = 3$:

$$\\sum_{i=1}^n x_i^2 \\le \\left(\\sum_i |x_i|\\right)^2$$

- [x] read it
- [ ] plot it

| month | """ + "a-very-long-heading-" * 12 + """ |
|---|---|
| March | 1 |

```python
def best(months):  # the best of them
    return "x" * 2 + str(max(months))
```"""
shown = FileShown("/home/user/a.csv", "text/csv", "YTtiCjEsNTsyLDUK", 12)
out = "\n".join(f"\x1b[3{n % 8}mline {n} " + "0123456789abcdef" * 20 + "\x1b[0m" for n in range(60))
rendered(Transcript.of([*beginning(), ThinkingDelta("Hm."), TextDelta(said),
    *command("pytest -q", out, "\x1b[31mFAILED\x1b[0m\n", exit_code=1), *command("ls", out),
    *command("ls -l", "x"), *written("/home/user/plot.py", ["import x", "", "y = 'é' * 2"]),
    shown, Notice("A sentence."), end()]))
'''

SELECT = """element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""
COPIED = "() => getSelection().toString()"


def texts(page: NotebookPage, index: int) -> str:
    return page.output(index).inner_text()


def test_a_selection_survives_what_comes_after_it(open_notebook: OpenNotebook) -> None:
    page = open_notebook([SETUP, LIVE])
    page.run(0)
    page.start(1)
    finished = page.output(1).get_by_text("The first paragraph is finished.")
    finished.wait_for()
    page.output(1).get_by_text("The second").wait_for()
    finished.evaluate(SELECT)
    page.path.with_name("read-on").touch()
    page.output(1).get_by_text("epoch 39").wait_for()
    assert page.evaluate(COPIED) == "The first paragraph is finished."
    assert "… 28 earlier lines" in texts(page, 1)
    assert "epoch 27\n" not in texts(page, 1)
    page.path.with_name("read-to-the-end").touch()
    page.wait(1)


def test_a_copied_diff_is_code(open_notebook: OpenNotebook) -> None:
    cell = (
        "rendered(Transcript.of([*beginning(), *written('a.py', ['x = 1', '', 'y = 2']), end()]))"
    )
    page = open_notebook([SETUP, cell])
    page.run(0)
    page.run(1)
    page.output(1).locator("pre").first.evaluate(SELECT)
    copied = page.evaluate(COPIED)
    assert copied.splitlines() == ["x = 1", "", "y = 2"]


@pytest.mark.parametrize("width", [700, 1400])
def test_nothing_is_wider_than_the_cell_and_axe_finds_nothing_serious(
    open_notebook: OpenNotebook, width: int
) -> None:
    page = open_notebook([SETUP, RICH])
    page.page.set_viewport_size({"width": width, "height": 1000})
    page.run(0)
    page.run(1)
    page.output(1).locator("math").first.wait_for(state="attached")
    page.evaluate("() => document.querySelectorAll('details').forEach(row => { row.open = true })")
    wider = """() => [...document.querySelectorAll('.jp-OutputArea-output')].some(
        output => output.scrollWidth > output.clientWidth + 1)"""
    assert not page.evaluate(wider)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.theme(theme)
        found = Axe().run(page.page, context=".jp-OutputArea-output").response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [n["html"] for n in each["nodes"]][:3]) for each in serious] == []
    assert page.strangers == []
