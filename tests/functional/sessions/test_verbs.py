"""The rules and cases of sessions, on both services: nobody wonders where their work is."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.counting_proxy import counting_proxy
from tests.support.running import running
from vibekit_jupyter import events
from vibekit_jupyter.errors import (
    CommandError,
    ConfigurationError,
    SessionBusyError,
    SessionElsewhereError,
    SessionError,
    SessionNameError,
    SessionNotFoundError,
)

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("service")
class TestOnBothServices:
    """What holds wherever the sandboxes are."""

    async def test_a_session_is_found_by_id_name_and_unique_prefix(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        made = await client.new("find-alpha")
        await client.new("find-beta")
        for text in (made.id, "find-alpha", "find-a", made.id[:12]):
            assert (await client.find(text)).id == made.id
        with pytest.raises(SessionNameError, match="find-alpha"):
            await client.find("find-")
        with pytest.raises(SessionNotFoundError, match="Did you mean find-alpha"):
            await client.find("fnd-alpha")
        for name in ("find-alpha", "find-beta"):
            await client.kill(name)

    async def test_a_taken_name_is_refused_until_its_session_is_gone(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        first = await client.new("taken")
        with pytest.raises(SessionNameError, match="%vibekit_session set taken"):
            await client.new("taken")
        await client.kill("taken")
        second = await client.new("taken")
        assert second.id != first.id
        assert (await client.find(first.id)).name == "taken (gone)"
        await client.kill("taken")

    async def test_killing_the_current_session_leaves_none(self, new_client: NewClient) -> None:
        client = new_client()
        await client.new()
        killed = await client.kill()
        assert killed.state == "gone"
        assert await client.get_session() is None
        with pytest.raises(SessionError, match="no current session"):
            await client.kill()

    async def test_a_pause_keeps_the_files_and_the_next_command_wakes_it(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        made = await client.new()
        await client.execute_command("echo kept > a.txt")
        assert (await client.pause()).state == "paused"
        shown = await client.show()
        assert shown is not None
        assert (shown.state, shown.time_left()) == ("paused", None)
        assert (await client.execute_command("cat a.txt")).stdout == "kept\n"
        await client.kill(made.id)

    async def test_resume_never_cuts_the_time_that_is_left(self, new_client: NewClient) -> None:
        client = new_client()
        made = await client.new(timeout=3000)
        before = await client.show()
        resumed = await client.resume()
        assert before is not None
        assert before.ends_at is not None
        assert resumed.ends_at is not None
        assert resumed.ends_at >= before.ends_at
        await client.kill(made.id)

    async def test_a_fork_is_a_copy_and_the_original_stays_as_it_was(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        await client.generate_code("Write primes.py that prints the first ten primes, and run it")
        original = str(await client.get_session())
        copy = await client.fork("forked")
        assert await client.get_session() == original
        assert [turn.prompt for turn in client.history("forked")] == [
            turn.prompt for turn in client.history(original)
        ]
        await client.set_session(copy.id)
        await client.execute_command("test -e primes.py && rm primes.py")
        await client.set_session(original)
        await client.execute_command("test -e primes.py")
        for one in (copy.id, original):
            await client.kill(one)

    async def test_a_copy_that_nobody_named_is_called_after_its_original(
        self, new_client: NewClient
    ) -> None:
        client = new_client(notebook="/n/lesson.ipynb")
        made = await client.new("primes")
        copy = await client.fork()
        again = await client.fork(session="primes-2")
        assert (copy.name, again.name) == ("primes-2", "primes-3")
        for one in (made, copy, again):
            await client.kill(one.id)

    async def test_a_rename_is_seen_by_every_client(self, new_client: NewClient) -> None:
        client = new_client()
        made = await client.new("old-name")
        await client.rename("new-name")
        assert (await new_client().find("new-name")).id == made.id
        await client.kill(made.id)

    async def test_a_running_session_is_restored_with_files_and_conversation(
        self, new_client: NewClient
    ) -> None:
        first = new_client(notebook="/n/restore.ipynb")
        result = await first.generate_code(
            "Write primes.py that prints the first ten primes, and run it"
        )
        second = new_client(notebook="/n/restore.ipynb")
        restored = await second.restore()
        assert restored.session.id == result.session_id
        assert not restored.reopened
        assert any("1 turn" in note for note in restored.notes)
        assert any("files are there" in note for note in restored.notes)
        again = await second.generate_code("Now make it print twenty")
        assert "71" in again.commands[-1].stdout
        await second.execute_command("rm primes.py")
        lost = await second.restore()
        assert any("primes.py" in note for note in lost.notes)
        await second.kill()

    async def test_a_gone_session_is_reopened_with_its_conversation_and_says_so(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        made = await client.new("phoenix")
        await client.generate_code("Write primes.py that prints the first ten primes, and run it")
        await client.kill("phoenix")
        restored = await client.restore("phoenix")
        assert restored.reopened
        assert restored.session.continued_from == made.id
        assert restored.session.name == "phoenix"
        assert "files" in restored.notes[0]
        assert len(client.history()) == 1
        assert (await client.find(made.id)).name == "phoenix (gone)"
        await client.kill("phoenix")

    async def test_a_session_of_another_machine_is_found_by_its_metadata(
        self, new_client: NewClient
    ) -> None:
        client = new_client(project="q3")
        made = await client.new("travelling")
        registry = client._workspace.book.registry
        with registry.transaction() as database:  # another machine has another registry
            database.execute("DELETE FROM session WHERE id = ?", (made.id,))
        found = await client.find("travelling")
        assert (found.id, found.project) == (made.id, "q3")
        await client.kill(made.id)

    async def test_a_run_that_goes_on_is_not_killed_unasked(self, new_client: NewClient) -> None:
        client = new_client()
        await client.new()
        run = await running(client)
        for verb in (client.kill, client.pause):
            with pytest.raises(SessionBusyError, match="--force"):
                await verb()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert [turn.status for turn in client.history()] == ["interrupted"]
        await client.kill()

    async def test_a_switch_during_a_run_leaves_the_run_where_it_is(
        self, new_client: NewClient
    ) -> None:
        client = new_client()
        first = await client.new("run-here")
        told: list[events.Event] = []
        run = await running(
            client,
            "```bash\necho started; while ! test -e go; do sleep 0.05; done; echo x > done.txt"
            "\n```",
            tell=told.append,
        )
        second = await client.new("then-here")
        assert await client.get_session() == second.id
        await client.set_session(first.id)
        await client.execute_command("touch go")
        await client.set_session(second.id)
        assert (await run).session_id == first.id
        assert [event.text for event in told if isinstance(event, events.Notice)] == [
            "This run stayed in the session run-here; the current one is then-here now."
        ]
        with pytest.raises(CommandError):
            await client.execute_command("test -e done.txt")
        for one in (first, second):
            await client.kill(one.id)

    async def test_projects_keep_sessions_apart(self, new_client: NewClient) -> None:
        client = new_client()
        await client.new("in-p", project="p")
        await client.new("in-q", project="q")
        names = [one.name for one in await client.list(project="p", state="running")]
        assert names == ["in-p"]
        for name in ("in-p", "in-q"):
            await client.kill(name)

    async def test_a_list_shows_ones_own_unless_asked(self, new_client: NewClient) -> None:
        ada, bob = new_client(user="ada"), new_client(user="bob")
        made = await ada.new("adas")
        assert made.id not in [one.id for one in await bob.list()]
        assert made.id in [one.id for one in await bob.list(all_users=True)]
        assert (await bob.new("adas")).id != made.id  # names are each user's own
        await bob.kill("adas")
        await ada.kill("adas")

    async def test_a_forgotten_session_is_off_the_lists(self, new_client: NewClient) -> None:
        client = new_client()
        made = await client.new("forget-me")
        with pytest.raises(SessionError, match="not gone"):
            await client.forget("forget-me")
        await client.kill("forget-me")
        await client.forget("forget-me")
        assert made.id not in [one.id for one in client.known_sessions()]

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a\nb", "x" * 10_000, "\u202eevil", "a\x00b", " padded "],
    )
    async def test_a_name_that_cannot_be_seen_or_typed_is_refused(
        self, new_client: NewClient, name: str
    ) -> None:
        client = new_client()
        with pytest.raises(ConfigurationError):
            await client.new(name)

    @pytest.mark.parametrize(
        "text",
        ["; rm -rf /", "$(touch x)", "a\nb", "<script>alert(1)</script>", "x" * 10_000, "\u202e"],
    )
    async def test_a_hostile_id_creates_nothing_and_is_not_found(
        self, new_client: NewClient, text: str
    ) -> None:
        client = new_client()
        count = len(await client.list())
        with pytest.raises(SessionNotFoundError) as caught:
            await client.find(text)
        assert len(str(caught.value)) < 1000
        assert str(caught.value).isprintable()
        await client.set_session(text)
        with pytest.raises(SessionNotFoundError) as caught:
            await client.execute_command("true")
        assert len(str(caught.value)) < 1000
        assert len([one for one in await client.list() if one.state == "running"]) <= count


async def test_a_session_of_another_service_is_elsewhere_and_neither_is_asked(
    new_client: NewClient, other_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_client()
    made = await client.new("at-home")
    with counting_proxy(other_server.url) as proxy:
        for name, value in other_server.environment.items():
            monkeypatch.setenv(name, value.replace(other_server.url, proxy.url))
        with pytest.raises(SessionElsewhereError, match="--environment local"):
            await client.find("at-home")
        await client.set_session(made.id)
        with pytest.raises(SessionElsewhereError, match="--environment local"):
            await client.execute_command("true")
        assert proxy.requests == []
        states = {one.name: one.state for one in await client.list()}
        assert states["at-home"] == "elsewhere"
    for name in other_server.environment:
        monkeypatch.delenv(name)
    await client.kill("at-home")


async def test_a_command_costs_one_request_once_connected_and_two_at_first(
    new_client: NewClient, other_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counting_proxy(other_server.url) as proxy:
        for name, value in other_server.environment.items():
            monkeypatch.setenv(name, value.replace(other_server.url, proxy.url))
        client = new_client()
        await client.execute_command("true")
        assert len(proxy.requests) == 2
        await client.execute_command("true")
        assert len(proxy.requests) == 3
        other = new_client(session_id=await client.get_session())
        await other.execute_command("true")
        assert len(proxy.requests) == 5
        proxy.requests.clear()
        await other.restore(await client.get_session())
        assert len(proxy.requests) <= 2
        await client.kill()


async def test_a_service_that_is_down_is_unreachable_and_nothing_is_taken_for_gone(
    new_client: NewClient, other_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in other_server.environment.items():
        monkeypatch.setenv(name, value)
    client = new_client()
    made = await client.new("cut-off")
    registry = client._workspace.book.registry
    service_id = made.service_id
    with counting_proxy("http://127.0.0.1:9") as dead:  # answers nothing behind it
        pass
    # The same service id, at an address where nobody listens any more.
    monkeypatch.setenv("E2B_SANDBOX_URL", dead.url)
    client._workspace.connections.drop(made.id)
    with pytest.raises(Exception, match="does not answer"):
        await client.execute_command("true")
    known = registry.get(service_id, made.id)
    assert known is not None
    assert known.state == "running"
    monkeypatch.setenv("E2B_SANDBOX_URL", other_server.url)
    await client.execute_command("true")
    await client.kill()


async def test_what_happened_is_recorded_as_events(new_client: NewClient) -> None:
    client = new_client()
    heard: list[str] = []
    await client.generate_code("print(1)", on_update=heard.append)
    kinds = [json.loads(text)["type"] for text in heard]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    (turn,) = client.history()
    assert [event["type"] for event in turn.events][-1] == "run_finished"
    await client.kill()


@pytest.mark.usefixtures("service")
async def test_a_command_outlives_the_time_its_sandbox_had(new_client: NewClient) -> None:
    client = new_client()
    await client.new(timeout=2)
    result = await client.execute_command("sleep 4; echo still here")
    assert result.stdout == "still here\n"
    await client.kill()


@pytest.mark.usefixtures("service")
async def test_a_session_out_of_time_is_paused_and_woken_by_the_next_command(
    new_client: NewClient,
) -> None:
    client = new_client()
    made = await client.new(timeout=1)
    other = new_client()
    async with asyncio.timeout(30):
        while (shown := await other.show(made.id)) is None or shown.state != "paused":  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the service tells nobody that it paused one
    assert (await client.execute_command("echo awake")).stdout == "awake\n"
    await client.kill()
