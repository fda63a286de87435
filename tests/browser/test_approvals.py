"""The card that asks, in a page: a click, a key, and what is left of it when it is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer, Reply
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

LOAD = (
    "import os; os.environ.update(OPENAI_BASE_URL={url!r}, OPENAI_API_KEY='sk-any', "
    "VIBEKIT_ALLOW_UNCONFINED='1')\n%load_ext vibekit_jupyter"
)
HOSTILE = "echo '<img src=x onerror=alert(1)>' > a.html # \u202egnp"


def script(request: Request) -> Reply:
    """Ask for two things, one after the other."""
    done = sum(bool(message.tool_results) for message in request.messages)
    if done == 0:
        return Answer("First.", tool_calls=(ToolCall("run_command", {"command": HOSTILE}),))
    if done == 1:
        write = {"path": "b.yaml", "content": "timeout: 120\n"}
        return Answer("Then.", tool_calls=(ToolCall("write_file", write),))
    return Answer("Done with both.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


def test_a_click_and_a_key_answer_and_the_saved_cell_says_who_decided(
    open_notebook: OpenNotebook, server: ModelServer
) -> None:
    page = open_notebook([LOAD.format(url=server.openai_url), "%%vibekit --approve\ndo"])
    page.run(0)
    page.start(1)
    card = page.output(1).locator(".vibekit-approval")
    card.wait_for()
    assert "echo '<img src=x onerror=alert(1)>' > a.html # \\u{202e}gnp" in card.inner_text()
    assert card.locator("img").count() == 0
    labels = card.get_by_role("button").evaluate_all("all => all.map(b => b.firstChild.data)")
    assert labels == ["Allow once", "Allow for this session", "Refuse", "Stop"]
    assert not card.evaluate("card => card.contains(document.activeElement)")
    card.get_by_role("button", name="Allow once").click()

    page.output(1).locator(".vibekit-approval-added").wait_for()
    kinds = page.page.locator(".jp-Cell").count()
    card.locator(".vibekit-approval-title").click()
    card.locator("button:enabled").first.wait_for()  # at first a card takes no answer
    page.page.keyboard.press("Enter")
    page.page.keyboard.press("b")  # of JupyterLab's: a new cell
    assert card.count() == 1, "neither answers"
    page.page.keyboard.press("n")
    page.wait(1)
    assert page.page.locator(".jp-Cell").count() == kinds

    text = page.output(1).inner_text()
    assert "allowed by you · " in text
    assert "refused by you · " in text
    assert "Done with both." in text
    outputs = page.save()[1]["outputs"]
    assert "button" not in str(outputs)
    assert "widget-view" not in str(outputs)
    assert page.strangers == []
