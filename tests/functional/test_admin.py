"""Administrators see the sandboxes of all users at a service, and end old ones of ours alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import e2b
import pytest

from tests.support.surroundings import REPOSITORY, clean_environment
from vibekit_jupyter import VibeKit
from vibekit_jupyter.admin.found import age_of
from vibekit_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


def admin(
    server: SandboxServer, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vibekit_jupyter.admin", *words],
        env={**clean_environment(), **server.environment, **environment},
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
async def sandboxes(
    other_server: SandboxServer, vibekit_home: Path
) -> AsyncIterator[dict[str, str]]:
    """Sandboxes of two users, one of them paused, and one that is not ours; ids by name."""
    made = {}
    for user in ("ada", "ben"):
        client = VibeKit(
            {"type": "codex"}, {"e2b": other_server.where}, user=user, project="course-7"
        )
        made[user] = (await client.new(f"of-{user}")).id
        if user == "ben":
            await client.pause()
        await client.aclose()
    other = await e2b.AsyncSandbox.create(timeout=60, metadata={"team": "x"}, **other_server.where)
    made["other"] = other.sandbox_id
    yield made
    for sandbox_id in made.values():
        await e2b.AsyncSandbox.kill(sandbox_id, **other_server.where)


async def ids(server: SandboxServer) -> set[str]:
    """Return what is there, as the unmodified SDK sees it."""
    paginator = e2b.AsyncSandbox.list(**server.where)
    seen = set()
    while paginator.has_next:
        seen |= {info.sandbox_id for info in await paginator.next_items()}
    return seen


async def test_the_list_has_everybodys_sandboxes_and_counts_the_others(
    other_server: SandboxServer, sandboxes: dict[str, str]
) -> None:
    told = admin(other_server, "list")
    assert told.returncode == 0, told.stderr
    for name, state in (("ada", "running"), ("ben", "paused")):
        (row,) = [line for line in told.stdout.splitlines() if sandboxes[name] in line]
        assert row.split()[1] == state
        assert row.split()[3:] == [name, "course-7", f"of-{name}"]
    assert sandboxes["other"] not in told.stdout
    assert "1 more were not made by vibekit." in told.stdout
    assert other_server.key not in told.stdout + told.stderr
    told = admin(other_server, "list", "--user", "ben", "--state", "paused")
    assert sandboxes["ben"] in told.stdout
    assert sandboxes["ada"] not in told.stdout


async def test_old_ones_are_ended_and_never_what_is_not_ours(
    other_server: SandboxServer, sandboxes: dict[str, str]
) -> None:
    told = admin(other_server, "reap", "--older", "7d", "--yes")
    assert (told.returncode, "nothing to end" in told.stdout) == (0, True)
    told = admin(other_server, "reap", "--older", "0s")
    assert (told.returncode, "--yes" in told.stderr) == (1, True)
    assert set(sandboxes.values()) <= await ids(other_server)
    told = admin(other_server, "reap", "--older", "0s", "--user", "ben", "--yes")
    assert f"{sandboxes['ben']}  ben  ended" in told.stdout
    told = admin(other_server, "reap", "--older", "0s", "--project", "course-7", "--yes")
    assert f"{sandboxes['ada']}  ada  ended" in told.stdout
    assert "1 of 1 ended." in told.stdout
    left = await ids(other_server)
    assert sandboxes["other"] in left
    assert not left & {sandboxes["ada"], sandboxes["ben"]}


async def test_a_label_cannot_steer_the_terminal(
    other_server: SandboxServer, sandboxes: dict[str, str]
) -> None:
    labels = {"vibekit_user": "\x1b]0;x\x07eve\n", "vibekit_name": "n"}
    evil = await e2b.AsyncSandbox.create(timeout=60, metadata=labels, **other_server.where)
    told = admin(other_server, "list")
    await evil.kill()
    assert "eve" in told.stdout
    assert not [char for char in told.stdout if char != "\n" and not char.isprintable()]


def test_a_wrong_key_is_one_sentence(other_server: SandboxServer) -> None:
    told = admin(other_server, "list", E2B_API_KEY=f"e2b_{0:040}")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert "refused the key" in told.stderr


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "7 days", "1e9d", "9999999d"])
def test_an_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no age"):
        age_of(text)
