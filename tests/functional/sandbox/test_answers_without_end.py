"""What a sandbox service sends is counted before it is held, and the error names the bound."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import e2b
import pytest

from tests.support.memory import Memory
from tests.support.raw_server import RawServer, bomb, endless, response
from vibekit_jupyter.errors import SandboxError
from vibekit_jupyter.sandbox import service as sandboxes
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.raw_server import Answers

pytestmark = pytest.mark.anyio

MIB = 1 << 20
STREAM = "application/connect+json"
CREATED = json.dumps(
    {
        "sandboxID": "i1",
        "templateID": "base",
        "clientID": "c",
        "alias": "",
        "envdVersion": "0.6.2",
        "domain": None,
    }
).encode()


def service_at(url: str) -> Service:
    return Service(
        id="test",
        title="the test's",
        api_key="e2b_" + "0" * 40,
        api_url=url,
        sandbox_url=url,
        domain=None,
        template="base",
        request_timeout=20,
    )


async def sandbox_at(url: str) -> Sandbox:
    """Return a sandbox that a well-behaved service made, and that is at this address."""
    with RawServer(response(CREATED, status=201)) as server:
        service = service_at(server.url)
        return await Sandbox.create(
            Service(**{**vars(service), "sandbox_url": url}), timeout=60, metadata={}
        )


async def listing(service: Service) -> None:
    async for _ in sandboxes.list_sandboxes(service):
        pass


ASKED: dict[str, Callable[[Service], Awaitable[object]]] = {
    "info": lambda service: sandboxes.get_info(service, "i1"),
    "list": listing,
    "kill": lambda service: sandboxes.kill(service, "i1"),
    "fork": lambda service: sandboxes.fork(service, "i1", timeout=60),
    "create": lambda service: Sandbox.create(service, timeout=60, metadata={}),
    "connect": lambda service: Sandbox.connect(service, "i1", timeout=60),
}
ANSWERS: dict[str, tuple[Answers, str]] = {
    "body": (endless(b'{"x": "', b"x" * 65536), "more than 8 MiB in one answer"),
    "refusal": (endless(b'{"message": "', b"x" * 65536, status=400), "more than 8 MiB"),
    "lists": (endless(b"[", b"[]," * 20_000), "more than 1,000,000 values"),
    "bomb": (bomb(600), "more than 8 MiB"),
    "refused bomb": (bomb(600, status=400), "more than 8 MiB"),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_without_end_is_not_read_to_it(asked: str, answer: str) -> None:
    body, words = ANSWERS[answer]
    with (
        RawServer(body) as server,
        Memory() as memory,
        pytest.raises(SandboxError, match=words) as caught,
    ):
        await ASKED[asked](service_at(server.url))
    assert caught.value.hint
    assert memory.taken < 200 * MIB
    assert server.sent < 40 * MIB


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("asked", ["list", "write"])
async def test_nor_is_an_answer_about_files(asked: str, answer: str) -> None:
    body, words = ANSWERS[answer]
    with RawServer(body) as server, Memory() as memory:
        sandbox = await sandbox_at(server.url)
        with pytest.raises(SandboxError, match=words):
            await (sandbox.list_files("/") if asked == "list" else sandbox.write_file("/a", b"b"))
    assert memory.taken < 200 * MIB


async def test_nor_is_a_message_of_a_command_or_what_is_said_of_a_file() -> None:
    long = endless(b"\0" + struct.pack(">I", 2**32 - 1), b"x" * 65536, STREAM)
    with RawServer(long) as server, Memory() as memory:
        sandbox = await sandbox_at(server.url)
        with pytest.raises(SandboxError, match="more than 8 MiB in one message"):
            await sandbox.run("true")
    assert memory.taken < 100 * MIB
    with RawServer(ANSWERS["refusal"][0]) as server, Memory() as memory:
        sandbox = await sandbox_at(server.url)
        with pytest.raises(SandboxError, match="more than 8 MiB"):
            await sandbox.read_file("/a", most=1000)
    assert memory.taken < 100 * MIB


async def test_a_files_beginning_is_read_of_a_file_of_any_length() -> None:
    for body in (endless(b"", b"x" * 65536), bomb(600, "application/octet-stream")):
        with RawServer(body) as server, Memory() as memory:
            sandbox = await sandbox_at(server.url)
            assert len(await sandbox.read_file("/a", most=10_000_000)) == 10_000_000
        assert memory.taken < 150 * MIB


async def test_a_file_that_is_wanted_whole_has_no_bound() -> None:
    content = bytes(20 * MIB)
    with RawServer(response(content, "application/octet-stream")) as server:
        sandbox = await sandbox_at(server.url)
        assert await sandbox.read_file("/a") == content


async def test_others_who_use_the_sdk_in_this_process_have_no_bound() -> None:
    gone = {"code": 404, "message": "gone"}
    body = json.dumps({**gone, "padding": "x" * 10 * MIB}).encode()
    with RawServer(response(json.dumps(gone).encode(), status=404)) as server:
        await sandboxes.kill(service_at(server.url), "i1")
    with RawServer(response(body, status=404)) as server, pytest.raises(e2b.SandboxException):
        await e2b.AsyncSandbox.get_info("i1", api_key="e2b_0", api_url=server.url)


async def test_a_services_words_are_cut() -> None:
    body = json.dumps({"message": "No way.\n" * 10_000 + "\ud800", "code": 400}).encode()
    with (
        RawServer(response(body, status=409)) as server,
        pytest.raises(SandboxError, match=r"No way\. No way\.") as caught,
    ):
        await Sandbox.create(service_at(server.url), timeout=60, metadata={})
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"[]", b"1" * 5000, b"null", b'"\\ud800"', b"{}", b'{"sandboxID": 1}', b"\0"],
)
@pytest.mark.parametrize("asked", ASKED)
async def test_an_answer_that_is_something_else_is_told_in_one_sentence(
    asked: str, body: bytes
) -> None:
    if asked == "kill":
        return  # it needs no answer but the status
    said = ""
    with RawServer(response(body, status=200 if asked in ("info", "list") else 201)) as server:
        try:
            await ASKED[asked](service_at(server.url))
        except SandboxError as error:
            said = str(error)
    assert len(said) < 500
    if asked in ("info", "list"):  # what is no answer is not an answer that nothing is there
        assert said or (asked == "list" and body in (b"[]", b"null"))
