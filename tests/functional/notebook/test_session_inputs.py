"""Odd words on the lines of ``%vibekit_session``: one sentence each, and nothing is lost."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.settings.home import current_user

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel import Kernel


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e12", "0", "0.5", "-3"])
def test_a_time_that_is_none_is_refused(kernel: Kernel, seconds: str) -> None:
    cell = kernel.run(f"%vibekit_session new --timeout={seconds}")
    assert cell.error is not None
    assert len(cell.error) == 1
    assert "timeout is" in cell.error[0]


@pytest.mark.parametrize(
    "code",
    [
        "await client.set_session(None)",
        "await client.set_session(17)",
        "await client.set_session('\\ud800')",
        "client.sync.find('\\ud800')",
        "client.sync.new('\\ud800')",
        "client.sync.new('x' * 10_000)",
        "client.sync.new(project='p' * 10_000)",
        "client.sync.rename('\\udcff')",
        "client.history('\\ud800')",
        "client.sync.list(limit=0)",
    ],
)
def test_what_can_be_no_name_is_said_in_a_sentence(kernel: Kernel, code: str) -> None:
    kernel.run("from vibekit_jupyter import get_client; client = get_client()")
    cell = kernel.run(code)
    assert cell.ename in {"ConfigurationError", "SessionNotFoundError", "SessionError"}, cell.text


def test_a_file_that_is_there_is_not_written_over_unasked(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%vibekit_session new")
    mine = tmp_path / "mine.md"
    mine.write_text("my own words")
    refused = kernel.run(f"%vibekit_session history --to {mine}")
    assert refused.error is not None
    assert "--force" in refused.error[0]
    assert mine.read_text() == "my own words"
    assert kernel.run(f"%vibekit_session history --to {mine} --force").status == "ok"


def test_a_list_shows_the_newest_and_says_how_many_more(kernel: Kernel) -> None:
    kernel.run("%vibekit_session list")
    with closing(Registry(kernel.home / "sessions.sqlite")) as registry:
        now = time.time()
        with registry.transaction() as database:
            database.executemany(
                "INSERT INTO session (service, id, title, name, user, created, last_used, state)"
                " VALUES ('https://x', ?, 'x', ?, ?, ?, ?, 'gone')",
                [
                    (f"id{number}", f"old-{number}", current_user(), now, now - number)
                    for number in range(3000)
                ],
            )
    listed = kernel.run("%vibekit_session list")
    assert "old-40 " in listed.text
    assert "old-60 " not in listed.text
    assert " more: %vibekit_session list --all" in listed.text
    assert sum(len(display.get("text/html", "")) for display in listed.displays) < 100_000
    assert "old-90 " in kernel.run("%vibekit_session list --limit 100").text
    assert "old-2999 " in kernel.run("%vibekit_session list --all").text


def test_a_set_up_is_shown_kept_and_repeated(kernel: Kernel, tmp_path: Path) -> None:
    made = kernel.run("%vibekit_session new equipped --setup 'echo ready | tee state.txt'")
    assert "$ echo ready | tee state.txt\n  ready" in made.text
    assert "equipped" in made.text
    kernel.run("%vibekit_session kill equipped")
    restored = kernel.run("%vibekit_session restore equipped")
    assert "$ echo ready | tee state.txt\n  ready" in restored.text
    script = tmp_path / "setup.sh"
    script.write_text("echo from a file\nfalse")
    failed = kernel.run(f"%vibekit_session new --setup {script}")
    assert "from a file" in failed.text
    assert failed.ename == "CommandError"
    assert failed.error is not None
    assert len(failed.error) == 1
    for _ in range(2):
        kernel.run("%vibekit_session kill --force")
