"""What a sandbox serves on its ports, in the frame of a page of another site."""

from __future__ import annotations

import functools
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from tests.functional.local_sandbox.conftest import where
from tests.functional.local_sandbox.test_commands import wait_for
from tests.support.sandbox_server import sandbox_server

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_a_preview_shows_in_a_frame_and_goes_on_there(tmp_path: Path, browser: Browser) -> None:
    from e2b import Sandbox

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with (
        sandbox_server(tmp_path / "server") as server,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site,
    ):
        threading.Thread(target=site.serve_forever, daemon=True).start()
        sandbox = Sandbox.create(timeout=600, **where(server))
        sandbox.files.write("www/index.html", "<a href='two.html'>first</a>")
        sandbox.files.write("www/two.html", "second")
        sandbox.commands.run("cd www && python3 -m http.server 8000", background=True, timeout=0)
        wait_for(lambda: "200" in sandbox.commands.run("curl -sI localhost:8000 || true").stdout)
        url = f"http://{sandbox.get_host(8000)}/"
        token = f"vibekit_traffic_token={sandbox.traffic_access_token}"
        (tmp_path / "page.html").write_text(f'<iframe src="{url}?{token}"></iframe>')
        page = browser.new_page()
        page.goto(f"http://localhost:{site.server_address[1]}/page.html")
        frame = page.frame_locator("iframe")
        frame.get_by_text("first").click()
        frame.get_by_text("second").wait_for()
        page.close()
        site.shutdown()
