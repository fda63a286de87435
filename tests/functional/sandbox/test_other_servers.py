"""Servers that are not E2B's differ in what they leave out, and in how they say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox import first_routes

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.counting_proxy import CountingProxy

pytestmark = pytest.mark.anyio


def no_second_version(proxy: CountingProxy, *methods: str) -> None:
    proxy.missing_below, proxy.missing_methods = "/v2/", methods


@pytest.mark.parametrize(
    "told",
    [
        *("404 page not found\n", "", "<html>Not Found</html>"),
        *('{"detail": "Not Found"}', '{"message": "Not Found"}'),
    ],
)
async def test_a_missing_route_is_known_however_it_is_told(
    new_client: NewClient, server: CountingProxy, told: str
) -> None:
    no_second_version(server)
    server.missing_text = told
    server.missing = ("/fork", "/snapshots")
    client = new_client()
    made = await client.new()
    first_routes._only_first.clear()  # as in another kernel, which only connects
    other = new_client(session_id=made.id)
    assert (await other.execute_command("echo hello")).stdout == "hello\n"
    assert made.id in [one.id for one in await other.list(state="running")]
    with pytest.raises(SandboxError, match="cannot do that"):
        await other.fork("copy")
    await other.kill(made.id)


async def test_a_server_may_list_where_it_does_not_create(
    new_client: NewClient, server: CountingProxy
) -> None:
    no_second_version(server, "POST")
    server.missing = ("GET /sandboxes",)
    client = new_client()
    made = await client.new()
    assert made.id in [one.id for one in await client.list(state="running")]
    assert (await client.pause()).state == "paused"
    assert "paused" in [one.state for one in await client.list() if one.id == made.id]
    assert not (await new_client().restore(made.id)).reopened
    await client.kill(made.id)


@pytest.mark.parametrize(
    "odd",
    [
        {"state": "available"},
        {"state": "dead"},
        {"startedAt": "<unknown>"},
        {"endAt": "0001-01-01T00:00:00Z"},
        {"endAt": ""},
        {"endAt": None, "startedAt": None},
        {"metadata": None},
        {"envdVersion": ""},
        {"sandboxID": None},
        {"diskSizeMB": None, "cpuCount": None, "templateID": None, "clientID": None},
    ],
    ids=str,
)
async def test_one_odd_entry_hides_no_other(
    new_client: NewClient, server: CountingProxy, odd: dict[str, Any]
) -> None:
    client = new_client()
    strange, usual = await client.new("strange"), await client.new("usual")

    def reworded(one: dict[str, Any]) -> dict[str, Any]:
        if one["sandboxID"] != strange.id:
            return one
        return {name: told for name, told in {**one, **odd}.items() if told is not None}

    server.reword = lambda asked, told: (
        [reworded(one) for one in told] if asked == "GET /v2/sandboxes" else told
    )
    assert (await client.show("usual")).state == "running"  # type: ignore[union-attr]
    assert usual.id in [one.id for one in await client.list(state="running")]
    assert usual.id in [one.id for one in await client.list(all_users=True)]
    for one in (strange, usual):
        await client.kill(one.id)


async def test_a_session_without_an_end_is_shown(
    new_client: NewClient, server: CountingProxy
) -> None:
    server.reword = lambda _, told: (
        {**told, "endAt": "0001-01-01T00:00:00Z"} if "endAt" in told else told
    )
    client = new_client()
    made = await client.new()
    assert (await client.show()).state == "running"  # type: ignore[union-attr]
    assert (await client.execute_command("echo here")).stdout == "here\n"
    await client.kill(made.id)


async def test_a_gateways_page_is_no_word_on_a_session(
    new_client: NewClient, server: CountingProxy
) -> None:
    client = new_client()
    made = await client.new()
    server.missing = (f"/sandboxes/{made.id}", f"/sandboxes/{made.id}/connect")
    server.missing_text = "<html>Not Found</html>"
    with pytest.raises(SandboxError, match="not E2B's protocol"):
        await client.set_session(made.id, check=True)
    server.missing = ()
    assert (await client.show()).state == "running"  # type: ignore[union-attr]
    await client.kill(made.id)
    with pytest.raises(SessionNotFoundError, match="is gone"):
        await client.set_session(made.id, check=True)


async def test_a_user_is_found_where_labels_are_read_once(
    new_client: NewClient, server: CountingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E2B reads the text of a label twice; most other servers do so once."""
    monkeypatch.setenv("VIBEKIT_USER", "ada lovelace@example.org")
    client = new_client()
    made = await client.new()
    server.labels_read_once = True
    assert [one.state for one in await client.list() if one.id == made.id] == ["running"]
    assert f"GET /sandboxes/{made.id}" not in server.requests
    await client.kill(made.id)
