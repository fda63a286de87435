"""A missing route is not a missing session: nothing that lives is called gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.functional.conftest import NewClient
    from tests.support.counting_proxy import CountingProxy
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

TOLD = {
    "in the protocol": None,
    "as a page": "<html>Not Found</html>",
    "as text": "404 page not found\n",
    "as a gateway's JSON": '{"message": "Not Found"}',
    "with nothing": "",
}
VERBS: dict[str, Callable[[VibeKit, str], Awaitable[object]]] = {
    "show": lambda client, name: client.show(name),
    "set --check": lambda client, name: client.set_session(name, check=True),
    "restore": lambda client, name: client.restore(name),
    "resume": lambda client, name: client.resume(name),
    "pause": lambda client, name: client.pause(name),
    "fork": lambda client, name: client.fork("copy", name),
    "kill": lambda client, name: client.kill(name),
}


def routes_of(session_id: str) -> tuple[str, ...]:
    ends = ("", "/connect", "/pause", "/fork", "/snapshots", "/timeout")
    return tuple(f"/sandboxes/{session_id}{end}" for end in ends)


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("verb", VERBS)
async def test_no_verb_calls_a_session_gone_that_lives(
    new_client: NewClient, server: CountingProxy, verb: str, told: str
) -> None:
    client = new_client()
    made = await client.new("alive")
    server.missing, server.missing_text = routes_of(made.id), TOLD[told]
    with pytest.raises(SandboxError):
        await VERBS[verb](client, "alive")
    assert await client.get_session() == made.id
    assert [one.state for one in client.known_sessions() if one.id == made.id] == ["running"]
    server.missing = ()
    shown = await client.show("alive")
    assert shown is not None
    assert shown.state == "running"
    await client.kill("alive")


@pytest.mark.parametrize("told", TOLD)
async def test_what_cannot_be_ended_is_not_called_ended(
    new_client: NewClient, server: CountingProxy, told: str
) -> None:
    client = new_client()
    made = await client.new("alive")
    server.missing, server.missing_text = (f"DELETE /sandboxes/{made.id}",), TOLD[told]
    with pytest.raises(SandboxError):
        await client.kill()
    assert await client.get_session() == made.id
    server.missing = ()
    await client.kill()


@pytest.mark.parametrize("told", TOLD)
async def test_a_session_that_nobody_here_knows_is_not_denied_by_a_gateway(
    new_client: NewClient, server: CountingProxy, told: str
) -> None:
    stranger = "i" + "0" * 19
    with pytest.raises(SessionNotFoundError):
        await new_client().find(stranger)
    server.missing, server.missing_text = routes_of(stranger), TOLD[told]
    with pytest.raises(SandboxError):
        await new_client().find(stranger)


@pytest.mark.parametrize("told", TOLD)
async def test_a_fork_is_made_from_a_snapshot_where_the_service_cannot_fork(
    new_client: NewClient, server: CountingProxy, told: str
) -> None:
    client = new_client()
    made = await client.new("source")
    await client.execute_command("echo kept > a.txt")
    server.missing, server.missing_text = ("/fork",), TOLD[told]
    copy = await client.fork("copy")
    assert copy.id != made.id
    await client.set_session(copy.id)
    assert (await client.execute_command("cat a.txt")).stdout == "kept\n"
    await client.set_session(made.id)
    assert (await client.execute_command("cat a.txt")).stdout == "kept\n"
    taken = [one for one in server.requests if one.startswith("DELETE /templates/")]
    assert len(taken) == 1  # the snapshot is not left behind
    assert {made.id, copy.id} <= {one.id for one in await client.list(state="running")}
    for one in (made, copy):
        await client.kill(one.id)


async def test_a_fork_that_fails_is_not_tried_in_another_way(
    new_client: NewClient, server: CountingProxy
) -> None:
    client = new_client()
    made = await client.new("source")
    server.missing, server.missing_status = ("/fork",), 400
    server.missing_text = '{"code": 400, "message": "too many sandboxes"}'
    with pytest.raises(SandboxError, match="cannot do that"):
        await client.fork("copy")
    assert not [one for one in server.requests if one.endswith("/snapshots")]
    server.missing = ()
    await client.kill(made.id)


@pytest.mark.parametrize("odd", ["", "dev", "0.6.2-abc", "0.0.1", None, 5, []])
async def test_a_version_of_the_sandbox_that_is_none_is_an_error_of_ours(
    new_client: NewClient, server: CountingProxy, odd: object
) -> None:
    def reworded(_: str, told: Any) -> Any:
        entries = told if isinstance(told, list) else [told]
        for entry in entries:
            inner = entry.get("sandbox", entry)
            if "envdVersion" in inner:
                inner["envdVersion"] = odd
        return told

    client = new_client()
    made = await client.new()
    server.reword = reworded
    with pytest.raises(SandboxError, match="The sandbox service"):
        await client.new()
    if odd != "0.0.1":  # the SDK looks at new ones alone
        with pytest.raises(SandboxError, match="The sandbox service"):
            await client.fork()
        with pytest.raises(SandboxError, match="The sandbox service"):
            await new_client(session_id=made.id).execute_command("true")
    server.reword = None
    assert (await client.execute_command("echo here")).stdout == "here\n"
    for one in await client.list(state="running"):
        await client.kill(one.id, force=True)
