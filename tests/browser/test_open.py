"""``%vibekit_session open`` in a real JupyterLab: the frame, and what is left of it when saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.picker_page import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

SERVE = """
client = __import__("vibekit_jupyter").get_client()
await client.execute_command(
    "mkdir www; echo '<p>served here</p>' > www/index.html; cd www; "
    "(setsid python3 -m http.server 8000 >/dev/null 2>&1 &) ; "
    "until curl -s localhost:8000 >/dev/null; do sleep 0.1; done"
)
"""


def test_a_port_is_framed_where_the_browser_is_and_saved_as_a_link(
    open_notebook: OpenNotebook, home: Path
) -> None:
    page = open_notebook([loaded(home), SERVE, "%vibekit_session open 8000"])
    for index in range(3):
        page.run(index, 60)
    frame = page.output(2).frame_locator("iframe")
    expect(frame.get_by_text("served here")).to_be_visible(timeout=30_000)
    saved = json.dumps(page.save())
    assert "vibekit_traffic_token" not in saved
    assert "%vibekit_session open 8000 shows it again." in saved
    page.reload()
    expect(page.output(2)).to_contain_text("shows it again")
    assert page.errors == []
