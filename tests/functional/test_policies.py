"""What a site's policy forbids is refused on each way through Python, and nothing is sent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.policy import NO_POLICY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.functional.conftest import NewClient

pytestmark = pytest.mark.anyio

KEY = "sk-test-0123456789"
REFUSED = "your administrator"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write the site's file of settings."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "site"))
    (tmp_path / "site").mkdir()

    def write(text: str) -> None:
        (tmp_path / "site" / "vibekit.toml").write_text(text)

    return write


def uses(client: VibeKit, session: str, folder: Path) -> Sequence[Callable[[], Awaitable[object]]]:
    """Each way to a session's sandbox."""
    return [
        lambda: client.execute_command("true"),
        lambda: client.run_code("1"),
        lambda: client.generate_code("hello"),
        lambda: client.generate_code("hello", session=session),
        lambda: client.pull("x.txt", str(folder / "got")),
        lambda: client.push(str(folder / "y.txt"), "y.txt"),
        lambda: client.fork(session=session, force=True),
        lambda: client.restore(session),
        lambda: client.resume(session),
        lambda: client.new(internet=True),
    ]


@pytest.mark.usefixtures("service")
async def test_a_session_with_internet_from_before_the_policy_is_used_by_nobody(
    new_client: NewClient, site: Callable[[str], None], service: str, tmp_path: Path
) -> None:
    client = new_client(user=f"before-{service}")
    before = await client.new("before", internet=True)
    plain = await client.new("plain")
    await client.execute_command("echo x > x.txt")
    site("[policy]\ninternet = false\n")
    (tmp_path / "y.txt").write_text("y")
    for one in (client, new_client(user=f"before-{service}"), new_client(user="another")):
        await one.set_session(before.id)
        for use in uses(one, before.id, tmp_path):
            with pytest.raises(ConfigurationError, match=f"internet.*{REFUSED}"):
                await use()
    await client.set_session(plain.id)
    assert (await client.execute_command("cat x.txt")).stdout == "x\n"
    assert (await client.fork()).internet is False
    for session in (before, plain):
        await client.kill(session.id)


async def test_a_session_far_away_from_before_the_policy_is_asked_about(
    new_client: NewClient,
    site: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Not the loopback address that is this machine's, so that it gives the internet unasked.
    with sandbox_server(tmp_path / "far", "--host", "127.0.0.2") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        client = new_client(user="far")
        before = await client.new("before")
        await client.execute_command("true")
        site("[policy]\ninternet = false\n")
        with pytest.raises(ConfigurationError, match=f"reaches the internet.*{REFUSED}"):
            await client.execute_command("true")
        with pytest.raises(ConfigurationError, match=f"reaches the internet.*{REFUSED}"):
            await client.fork()
        await client.new("after")
        assert (await client.execute_command("echo on")).stdout == "on\n"
        await client.kill(before.id)


async def test_a_sessions_project_and_time_are_an_allowed_one(
    new_client: NewClient, site: Callable[[str], None]
) -> None:
    client = new_client(user="labels")
    long = await client.new("long", timeout=7200)
    site("timeout = 1200\n[policy]\nproject = ['course-*']\ntimeout = 900\n")
    for refused in (
        new_client(user="labels", project="other").execute_command("true"),
        new_client(user="labels").new(project="other"),
    ):
        with pytest.raises(ConfigurationError, match=f"project is 'other'.*{REFUSED}"):
            await refused
    with pytest.raises(ConfigurationError, match=f"timeout is 7200.*{REFUSED} allows 900"):
        await new_client(user="labels").new(timeout=7200)
    course = await new_client(user="labels", project="course-7").new("course")
    assert (course.project, course.timeout) == ("course-7", 900)
    assert client.settings.value("timeout") == 900
    other = new_client(user="labels")
    await other.pause(long.id)
    resumed = await other.resume(long.id)
    left = resumed.time_left()
    assert left is not None
    assert left.total_seconds() <= 900
    # A label of before is no reason to leave a session unused, but is given to no new one.
    await other.set_session(long.id)
    assert (await other.execute_command("echo on")).stdout == "on\n"
    site("[policy]\nproject = ['lab']\n")
    await other.set_session(course.id)
    assert (await other.execute_command("echo on")).stdout == "on\n"
    with pytest.raises(ConfigurationError, match=f"project is 'course-7'.*{REFUSED}"):
        await other.fork()
    for session in (long, course):
        await client.kill(session.id)


async def test_what_is_recorded_does_not_run_again_through_python(
    new_client: NewClient, site: Callable[[str], None]
) -> None:
    with ModelServer([Answer("One."), Answer("Two.")]) as server:
        client = new_client(agent=server.agent("codex", KEY), user="rerun")
        assert (await client.generate_code("Say it")).text == "One."
        site("[policy]\nrerun = false\n")
        for one in (client, new_client(agent=server.agent("codex", KEY), user="rerun")):
            await one.set_session((await client.get_session()) or "")
            with pytest.raises(ConfigurationError, match=f"recorded, and would.*{REFUSED}"):
                await one.generate_code("Say it")
            with pytest.raises(ConfigurationError, match=f"recorded, and would.*{REFUSED}"):
                async for _ in one.stream("Say it"):
                    pass
        assert len(server.requests) == 1
        assert (await client.generate_code("Say something else")).text == "Two."
        await client.kill()


async def test_no_object_of_a_client_carries_a_policy_away(
    new_client: NewClient, site: Callable[[str], None]
) -> None:
    with ModelServer([Answer("No.")] * 9) as server:
        site(
            "[prices.'*']\ninput = 1\noutput = 1\n"
            "[policy]\nmode = ['ask']\n'codex.model' = ['gpt-6-*']\nmax_steps = 3\nmax_cost = 1\n"
        )
        client = new_client(agent=server.agent("codex", KEY, mode="ask"), user="objects")
        held = client.settings
        free = dataclasses.replace(held, policy=NO_POLICY, max_steps=99, max_cost=None, mode="code")
        client.configure(free)
        with pytest.raises(ConfigurationError, match=f"mode is 'code'.*{REFUSED}"):
            await client.generate_code("Do it")
        client.configure(dataclasses.replace(client.layers.resolve().settings, mode="ask"))
        assert (client.settings.max_steps, client.settings.max_cost) == (3, 1.0)
        held.policy.rules.clear()  # type: ignore[attr-defined]  # whoever wants to
        held.prices["*"]["input"] = 0  # type: ignore[index]
        for option in ({"mode": "code"}, {"model": "other"}):
            with pytest.raises(ConfigurationError, match=REFUSED):
                await client.generate_code("Do it", **option)  # type: ignore[arg-type]
        client.layers.given["codex.model"] = "other"  # type: ignore[index]
        with pytest.raises(ConfigurationError, match=f"codex.model is 'other'.*{REFUSED}"):
            await client.generate_code("Do it")
        assert client.settings.prices["*"]["input"] == 1
        with pytest.raises(ConfigurationError, match=f"agent is 'claude'|mode is.*{REFUSED}"):
            await new_client(agent=server.agent("claude", KEY)).generate_code("Do it", mode="code")
        assert server.requests == []


async def test_a_kernel_that_ends_pauses_where_it_may_not_keep(
    new_client: NewClient, site: Callable[[str], None]
) -> None:
    client = new_client(agent={"type": "codex", "on_exit": "keep"}, user="leaves")
    session = await client.new("leaves")
    site("[policy]\non_exit = ['pause']\n")
    await client.leave()
    other = VibeKit({"type": "codex"}, user="leaves")
    (found,) = [one for one in await other.list() if one.id == session.id]
    assert found.state == "paused"
    await other.kill(session.id)
    await other.aclose()
