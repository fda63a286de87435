"""Between two: whoever looks, switches or ends while another one creates, no session is lost.

Each test stops one side at an answer of the service and lets the other one act in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.counting_proxy import CountingProxy, counting_proxy
from tests.support.running import running
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter.errors import (
    SandboxError,
    SessionElsewhereError,
    SessionNameError,
    SessionNotFoundError,
    SessionOwnerError,
    VibeKitError,
)
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.settings.choices import choose_e2b

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

CREATED = "POST /v2/sandboxes"
FORKED = "/fork"
LISTED = "GET /v2/sandboxes"


@pytest.fixture
def proxy(
    other_server: SandboxServer, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CountingProxy]:
    """A service behind a proxy, in a home of its own."""
    with counting_proxy(other_server.url) as proxy:
        for name, value in other_server.environment.items():
            monkeypatch.setenv(name, value.replace(other_server.url, proxy.url))
        yield proxy


@pytest.fixture
def clients(
    proxy: CountingProxy, new_client: NewClient, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> NewClient:
    """Clients of one registry, each with its own connection to it, as kernels have."""
    monkeypatch.setenv("VIBEKIT_HOME", str(vibekit_home))
    return new_client


async def state_of(client: VibeKit, session_id: str) -> str:
    shown = await client.show(session_id)
    assert shown is not None
    return shown.state


WAYS: dict[str, tuple[str, Callable[[VibeKit], Awaitable[object]]]] = {
    "new with a name": (CREATED, lambda client: client.new("made")),
    "new without one": (CREATED, lambda client: client.new()),
    "the first command": (CREATED, lambda client: client.execute_command("true")),
    "the first prompt": (CREATED, lambda client: client.generate_code("print(1)")),
    "a fork with a name": (FORKED, lambda client: client.fork("copied")),
    "a fork without one": (FORKED, lambda client: client.fork()),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_list_during_a_creation_harms_neither(
    clients: NewClient, proxy: CountingProxy, way: str
) -> None:
    route, create = WAYS[way]
    maker, looker = clients(), clients()
    if route == FORKED:
        await maker.new("source")
    before = {one.id for one in await looker.list()}
    gate = proxy.gate(route)
    making = asyncio.ensure_future(create(maker))
    await gate.wait_reached()
    (seen,) = [one for one in await looker.list() if one.id not in before]
    gate.open()
    await asyncio.wait_for(making, 30)
    (made,) = [one for one in await maker.list() if one.id not in before]
    assert made.id == seen.id
    assert made.named_here
    assert await state_of(looker, made.id) == "running"
    for one in await maker.list():
        await maker.kill(one.id)


async def test_a_session_made_during_a_list_is_not_called_gone(
    clients: NewClient, proxy: CountingProxy
) -> None:
    maker, looker = clients(), clients()
    gate = proxy.gate(LISTED)
    looking = asyncio.ensure_future(looker.list())
    await gate.wait_reached()
    made = await maker.new("made")
    gate.open()
    listed = {one.id: one.state for one in await looking}
    assert listed[made.id] == "running"
    assert [one.state for one in maker.known_sessions()] == ["running"]
    await maker.kill()


async def test_a_name_that_was_given_up_ends_nothing(clients: NewClient) -> None:
    client = clients()
    made = await client.new("draft")
    await client.rename("final")
    for act in (client.kill, client.pause, client.find):
        with pytest.raises(SessionNotFoundError):
            await act("draft")
    assert await state_of(client, made.id) == "running"
    await client.kill("final")


async def test_what_only_a_label_says_is_good_to_find_by_and_not_to_end_by(
    clients: NewClient,
) -> None:
    client = clients(project="q3")
    made = await client.new("elsewhere-made")
    registry = client._workspace.book.registry
    with registry.transaction() as database:  # another machine has another registry
        database.execute("DELETE FROM session")
    await client.list()
    for act in (client.kill, client.pause):
        with pytest.raises(SessionNameError, match=made.id):
            await act("elsewhere-made")
    await client.set_session((await client.find("elsewhere-made")).id)
    await client.kill("elsewhere-made")


async def test_other_peoples_sessions_are_reached_by_id_alone_and_after_a_question(
    clients: NewClient,
) -> None:
    ada, bob = clients(user="ada"), clients(user="bob")
    adas = await ada.new("shared-name")
    for act in (bob.find, bob.kill, bob.pause):
        with pytest.raises(SessionNotFoundError):
            await act("shared-name")
    assert adas.id not in [one.id for one in await bob.list()]
    (seen,) = [one for one in await bob.list(all_users=True) if one.id == adas.id]
    assert seen.user == "ada"
    for act in (bob.kill, bob.pause, lambda session: bob.rename("mine", session)):
        with pytest.raises(SessionOwnerError, match="belongs to ada"):
            await act(adas.id)
    assert await state_of(ada, adas.id) == "running"
    await bob.kill(adas.id, force=True)


async def test_names_may_repeat_among_other_peoples_sandboxes(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients(user="ada")
    service = choose_e2b(client.settings)
    assert service is not None
    labels = {"vibekit_name": "twin", "vibekit_user": "ada"}
    twins = [
        await Sandbox.create(service, timeout=60, metadata=labels | {"vibekit_user": user})
        for user in ("ada", "ada", "bob", "bob", "")
    ]
    names = {one.id: one.name for one in await client.list()}
    assert set(names) == {twin.id for twin in twins[:2]}
    assert "twin" in names.values()
    for twin in twins:
        await client.kill(twin.id, force=True)


async def test_a_list_asks_once_and_records_nothing_of_others(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients(user="ada")
    service = choose_e2b(client.settings)
    assert service is not None
    others = [await Sandbox.create(service, timeout=60, metadata={}) for _ in range(3)]
    made = await client.new("mine")
    proxy.requests.clear()
    assert [one.id for one in await client.list()] == [made.id]
    assert len(proxy.requests) == 1
    everybodys = {one.id: one.user for one in await client.list(all_users=True, limit=4)}
    assert everybodys == {made.id: "ada", **{other.id: "" for other in others}}
    assert [one.id for one in client.known_sessions()] == [made.id]
    proxy.requests.clear()
    client.known_sessions()
    assert proxy.requests == []
    for session in everybodys:
        await client.kill(session, force=True)


async def test_the_latest_word_wins_over_a_creation_that_is_under_way(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients()
    chosen = await client.new("chosen")
    fresh = clients()
    gate = proxy.gate(CREATED)
    running = asyncio.ensure_future(fresh.execute_command("true"))
    await gate.wait_reached()
    await fresh.set_session(chosen.id)
    gate.open()
    await running
    assert await fresh.get_session() == chosen.id
    for one in await fresh.list():
        await fresh.kill(one.id)


async def test_the_latest_word_wins_over_a_creation_that_was_interrupted(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients()
    chosen = await client.new("chosen")
    gate = proxy.gate(CREATED)
    making = asyncio.ensure_future(client.new("late"))
    await gate.wait_reached()
    making.cancel()
    await asyncio.wait([making])
    await client.set_session(chosen.id)
    gate.open()
    async with asyncio.timeout(30):
        while "late" not in [one.name for one in client.known_sessions()]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # it tells nobody that it has ended
    assert await client.get_session() == chosen.id
    for one in await client.list():
        await client.kill(one.id)


async def test_a_kept_connection_is_no_evidence(clients: NewClient) -> None:
    client, killer = clients(), clients()
    made = await client.new("kept")
    await client.execute_command("true")
    await killer.kill(made.id)
    with pytest.raises(SessionNotFoundError, match="is gone"):
        await client.set_session(made.id, check=True)
    restored = await client.restore("kept")
    assert restored.reopened
    await client.kill("kept")


async def test_two_that_reopen_one_session_get_one(
    clients: NewClient, proxy: CountingProxy
) -> None:
    first, second = clients(), clients()
    made = await first.new("phoenix")
    await first.kill()
    gate = proxy.gate(CREATED)
    slow = asyncio.ensure_future(first.restore("phoenix"))
    await gate.wait_reached()
    quick = await second.restore("phoenix")
    gate.open()
    late = await slow
    assert late.session.id == quick.session.id
    assert (await first.get_session(), await second.get_session()) == (quick.session.id,) * 2
    again = await clients().restore(made.id)
    assert again.session.id == quick.session.id
    alive = [one.name for one in await first.list(state="running")]
    assert alive == ["phoenix"]
    await first.kill("phoenix")


async def test_a_reopening_that_fails_moves_no_name(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients()
    made = await client.new("phoenix")
    await client.kill()
    proxy.missing = (CREATED, "POST /sandboxes")
    with pytest.raises(VibeKitError):
        await client.restore("phoenix")
    assert (await client.find("phoenix")).id == made.id
    proxy.missing = ()
    assert (await client.restore("phoenix")).session.name == "phoenix"
    await client.kill("phoenix")


async def test_a_fork_during_a_run_has_that_run_cut_off(clients: NewClient) -> None:
    client = clients()
    await client.new("source")
    run = await running(client)
    copy = await clients().fork("copy", "source")
    assert [turn.status for turn in client.history(copy.id)] == ["interrupted"]
    await client.kill(copy.id)  # nothing goes on in it
    run.cancel()
    await asyncio.wait([run])
    await client.kill("source")


async def test_a_run_is_seen_before_its_first_step(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients()
    made = await client.new("busy")
    fresh = clients()
    gate = proxy.gate("/connect")
    run = asyncio.ensure_future(fresh.generate_code("print(1)", session=made.id))
    await gate.wait_reached()
    with pytest.raises(VibeKitError, match="--force"):
        await client.kill(made.id)
    gate.open()
    await run
    await client.kill(made.id)


async def test_a_run_that_never_began_leaves_no_turn(clients: NewClient) -> None:
    client, killer = clients(), clients()
    made = await client.new("cut")
    await killer.kill(made.id)
    fresh = clients(session_id=made.id)
    with pytest.raises(SessionNotFoundError):
        await fresh.generate_code("print(1)")
    assert fresh.history(made.id) == []


async def test_a_missing_route_is_no_missing_session(
    clients: NewClient, proxy: CountingProxy
) -> None:
    client = clients()
    made = await client.new("whole")
    proxy.missing = (FORKED, "/snapshots")
    with pytest.raises(SandboxError, match="refused the request, though the session whole"):
        await client.fork("copy")
    assert [one.state for one in client.known_sessions()] == ["running"]
    await client.kill(made.id)


async def test_forgetting_the_current_session_leaves_none(clients: NewClient) -> None:
    client = clients()
    await client.new("dropped")
    await client.forget("dropped", force=True)
    assert await client.get_session() is None


async def test_sessions_are_there_under_a_new_key(
    new_client: NewClient, vibekit_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBEKIT_HOME", str(vibekit_home))
    with sandbox_server(tmp_path / "server") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        client = new_client()
        made = await client.new("lasting")
        await client.execute_command("echo kept > a.txt")
        port = server.url.rpartition(":")[2]
    with sandbox_server(tmp_path / "server", "--port", port) as server:
        monkeypatch.setenv("E2B_API_KEY", server.key)
        after = new_client()
        assert (await after.find("lasting")).id == made.id
        assert (await after.restore("lasting")).session.id == made.id
        assert (await after.execute_command("cat a.txt")).stdout == "kept\n"
        monkeypatch.setenv("E2B_API_KEY", "e2b_" + "0" * 40)
        assert "gone" not in [one.state for one in after.known_sessions()]
        monkeypatch.setenv("E2B_API_KEY", server.key)
        await after.kill("lasting")


async def test_two_machines_with_one_home_have_a_local_server_each(
    new_client: NewClient, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.local_server import stop_local_server

    monkeypatch.setenv("VIBEKIT_HOME", str(vibekit_home))
    sessions = {}
    for host in ("north", "south"):
        monkeypatch.setenv("VIBEKIT_HOST", host)
        client = new_client()
        sessions[host] = await client.new("report")
        await client.execute_command("true")
    states = {one.service_id: one.state for one in await client.list()}
    assert states == {"local@north": "elsewhere", "local@south": "running"}
    with pytest.raises(SessionElsewhereError, match="on the machine north"):
        await client.find(sessions["north"].id)
    for host in ("north", "south"):
        monkeypatch.setenv("VIBEKIT_HOST", host)
        client = new_client()
        assert (await client.find("report")).id == sessions[host].id
        await client.kill("report")
        stop_local_server(vibekit_home)
