"""The quickstart as a person does it: cells run, are stopped, and are come back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import Disturbed, ModelServer, Reply, Stall
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import OpenNotebook
    from tests.support.lab import NotebookPage

pytestmark = pytest.mark.browser

LOAD = "%load_ext vibekit_jupyter"
PRIMES = "%%vibekit\nWrite primes.py that prints the first ten primes, and run it"
CHART = "%%vibekit\nLoad sales.csv, plot revenue per month and save the chart as revenue.png"
HELLO = "%%vibekit\nprint('hello from the sandbox')"
# Each line is shown before the next one comes.
COUNT = "%%vibekit\nimport time\nfor i in range(16): print(f'line {i}', flush=True); time.sleep(.5)"
MODEL = "import os; os.environ.update(OPENAI_BASE_URL={url!r}, OPENAI_API_KEY='sk-any'{more})"
ALLOW = ", VIBEKIT_ALLOW_UNCONFINED='1'"
# Not the colour of words: what is not trusted keeps the one that is not mixed with the page's.
LOOKS = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].map(part => {
    const style = getComputedStyle(part);
    return [part.tagName, style.display, style.backgroundColor, style.opacity,
            style.fontFamily, style.padding, style.borderLeftWidth,
            parseInt(style.borderLeftWidth) && style.borderLeftColor,
            style.borderRadius, style.flexGrow, style.whiteSpace, part.naturalWidth].join(' ');
})"""


def script(request: Request) -> Reply:
    if request.prompt == "stall":
        answer = Answer("Let me think about it, and **nothing** else, for a long time.")
        return Disturbed(answer, Stall(after=8, seconds=60))
    if request.prompt == "sleep":
        command = "echo started; sleep 60"
        return Answer(tool_calls=(ToolCall("run_command", {"command": command}),))
    return Answer("Answered.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


def texts(page: NotebookPage, index: int) -> str:
    return page.output(index).inner_text()


def test_the_quickstart_draws_diffs_commands_and_the_picture(open_notebook: OpenNotebook) -> None:
    page = open_notebook([LOAD, CHART])
    page.run(0)
    page.run(1)
    shown = page.output(1)
    assert "plot_revenue.py" in texts(page, 1)
    assert shown.get_by_text("import csv").count() >= 1
    assert shown.locator("img").evaluate("picture => picture.naturalWidth") > 100
    assert shown.locator("summary", has_text="python3 plot_revenue.py").count() == 1
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.theme(theme)
        assert shown.get_by_text("codex").first.is_visible()
    live = page.evaluate(LOOKS)
    cells = page.save()
    again = open_notebook([cell["source"] for cell in cells], outputs=cells[1]["outputs"])
    again.output(1).locator("img").wait_for()
    assert again.evaluate(LOOKS) == live
    assert page.strangers == again.strangers == []


def test_run_all_runs_every_cell_in_order(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        [LOAD, PRIMES, "%%vibekit --agent claude\nNow make it print twenty", HELLO]
    )
    page.run_all()
    for index, words in ((1, "23 29"), (2, "67 71"), (3, "hello from the sandbox")):
        page.wait(index)
        assert words in texts(page, index)
    prompts = page.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert [prompt.strip() for prompt in prompts] == ["[1]:", "[2]:", "[3]:", "[4]:"]


@pytest.mark.parametrize(("word", "sign"), [("stall", "Let me think"), ("sleep", "started")])
def test_the_stop_button_ends_a_run_and_the_next_cell_works(
    open_notebook: OpenNotebook, server: ModelServer, word: str, sign: str
) -> None:
    setup = MODEL.format(url=server.openai_url, more=ALLOW) + f"\n{LOAD}"
    page = open_notebook([setup, f"%%vibekit --fresh\n{word}", "%%vibekit --fresh\nhello"])
    page.run(0)
    page.start(1)
    page.output(1).get_by_text(sign).first.wait_for()
    page.interrupt()
    page.wait(1)
    error = page.outputs(1).filter(has_text="RunInterruptedError: Interrupted.")
    error.wait_for()
    background = error.evaluate("element => getComputedStyle(element).backgroundColor")
    assert background == "rgb(255, 221, 221)"  # JupyterLab's red
    assert sign in texts(page, 1)
    assert "interrupted" in texts(page, 1)
    assert "CancelledError" not in texts(page, 1)
    page.run(2)
    assert "Answered." in texts(page, 2)


def test_a_page_reloaded_in_the_middle_of_a_run_loses_nothing(open_notebook: OpenNotebook) -> None:
    page = open_notebook([LOAD, COUNT, "%vibekit last", "%vibekit_session history"])
    page.run(0)
    page.start(1)
    # Its row is folded when it has ended.
    page.output(1).get_by_text("line 1").first.wait_for(state="attached")
    page.reload()
    for index in (2, 3):
        page.run(index)
        page.evaluate(
            "() => document.querySelectorAll('details').forEach(row => { row.open = true })"
        )
        for line in ("line 0", "line 15", "3 steps"):
            assert line in texts(page, index)
