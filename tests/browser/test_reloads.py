"""A page that is loaded anew or closed while an agent of the sandbox works: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import OpenNotebook
    from tests.support.lab import NotebookPage

pytestmark = pytest.mark.browser

LOAD = (
    "import os; os.environ.update(OPENAI_BASE_URL={url!r}, OPENAI_API_KEY='sk-any')\n"
    "%load_ext vibekit_jupyter"
)
# A page has less time to come back than people's have.
SOON = "from vibekit_jupyter.notebook.approvals import pages; pages.RETURNING = 1"
ASK = "%%vibekit --agent demo-acp --approve\ndo"
COMMANDS = ("echo first", "echo second", "echo third")


def script(request: Request) -> Reply:
    """Ask for one command after the other."""
    done = sum(bool(message.tool_results) for message in request.messages)
    if done == len(COMMANDS):
        return Answer("All was said.")
    call = ToolCall("run_command", {"command": COMMANDS[done]})
    return Answer(f"Step {done}.", tool_calls=(call,))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


def begun(open_notebook: OpenNotebook, server: ModelServer, *lines: str) -> NotebookPage:
    """Return a page whose agent asks its first question."""
    setup = "\n".join((LOAD.format(url=server.openai_url), *lines))
    page = open_notebook([setup, ASK, "%vibekit last", "%vibekit_session history"])
    page.run(0)
    page.start(1)
    page.output(1).locator(".vibekit-approval", has_text=COMMANDS[0]).wait_for()
    return page


def shown_whole(page: NotebookPage) -> Iterator[str]:
    """Yield what the two views of the run show, each to its end."""
    for index in (2, 3):
        page.run(index, timeout=120)
        text = page.output(index).inner_text()
        assert all(f"Step {number}." in text for number in range(len(COMMANDS)))
        assert "All was said." in text
        yield text


def test_a_question_that_was_saved_comes_back_and_its_answer_holds(
    open_notebook: OpenNotebook, server: ModelServer
) -> None:
    """The new page hears nothing else of a cell that began before it: the record has it all."""
    page = begun(open_notebook, server)
    page.save()
    page.reload(busy=True)
    card = page.output(1).locator(".vibekit-approval", has_text=COMMANDS[0])
    card.get_by_role("button", name="Allow for this session").click()
    for text in shown_whole(page):
        assert text.count("allowed by you") == 1
        assert "refused" not in text


def test_a_question_that_no_page_shows_any_more_ends_and_the_agent_goes_on(
    open_notebook: OpenNotebook, server: ModelServer
) -> None:
    page = begun(open_notebook, server, SOON)
    page.reload(busy=True)
    assert page.output(1).locator(".vibekit-approval").count() == 0
    for text in shown_whole(page):
        assert text.count("closed or loaded anew: it was refused") == len(COMMANDS)
