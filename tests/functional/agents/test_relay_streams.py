"""The way into the sandbox: one stream where the service has it, and nothing is lost without it."""

from __future__ import annotations

import contextlib
import hashlib
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.functional.agents.relay_client import asked, outcomes
from tests.functional.agents.support import model_at
from tests.support.counting_proxy import CountingProxy, counting_proxy
from tests.support.cutting_proxy import cutting_proxy
from tests.support.model_server import Disturbed, ModelServer, Pace, Raw
from tests.support.raw_server import EVENTS
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.relay import Relay
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.sandbox.connection import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

STREAM = "/process.Process/StreamInput"
REQUEST = "/process.Process/SendInput"
END = b'data: {"type":"response.completed","response":{"usage":{"input_tokens":1}}}\n\n'
LONG = b"data: " + random.Random(1).randbytes(1_000_000).hex().encode() + b"\n\n" + END  # noqa: S311
WORDS = Disturbed(Answer("word " * 40), Pace(0.01))


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[CountingProxy]:
    assert sandbox.service.sandbox_url is not None
    with counting_proxy(sandbox.service.sandbox_url) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def far(sandbox: Sandbox, url: str) -> AsyncIterator[Sandbox]:
    """The same sandbox, behind a proxy."""
    yield await Sandbox.connect(replace(sandbox.service, sandbox_url=url), sandbox.id, timeout=300)


@pytest.mark.parametrize("where", ["missing", "held back"])
async def test_a_service_without_streams_of_input_serves_as_well(
    sandbox: Sandbox, proxy: CountingProxy, where: str
) -> None:
    if where == "missing":
        proxy.missing = (STREAM,)
    # Else: this proxy passes a request on when it is whole, and a stream ends with the turn.
    with ModelServer([Raw(LONG, content_type=EVENTS), WORDS]) as server:
        async with (
            far(sandbox, proxy.url) as there,
            Relay(there, model_at(server, "codex"), Limits(), None) as relay,
        ):
            long, words = await outcomes(sandbox, relay, asked(relay), asked(relay))
            assert relay.failure() is None
    assert long["whole"]
    assert long["sum"] == hashlib.sha256(LONG).hexdigest()
    assert words["whole"]
    assert "response.completed" in words["text"]
    assert proxy.requests.count(f"POST {REQUEST}") > 5


async def test_words_go_through_one_request_that_is_kept_open(sandbox: Sandbox) -> None:
    assert sandbox.service.sandbox_url is not None
    with ModelServer([WORDS, WORDS]) as server, cutting_proxy(sandbox.service.sandbox_url) as seen:
        async with (
            far(sandbox, seen.url) as there,
            Relay(there, model_at(server, "codex"), Limits(), None) as relay,
        ):
            await outcomes(sandbox, relay, asked(relay))
            seen.posted.clear()
            (answer,) = await outcomes(sandbox, relay, asked(relay))
            assert answer["whole"]
            # An older SDK has no such streams.
            assert (REQUEST in seen.posted) is not hasattr(there.sdk.commands, "stream_input")


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_where_connections_are_cut(sandbox: Sandbox, seed: int) -> None:
    places = random.Random(seed)  # noqa: S311
    long = Raw(LONG, content_type=EVENTS)
    assert sandbox.service.sandbox_url is not None
    with ModelServer([long] * 3) as server, cutting_proxy(sandbox.service.sandbox_url) as cutting:
        async with (
            far(sandbox, cutting.url) as there,
            Relay(there, model_at(server, "codex"), Limits(), None) as relay,
        ):
            for number in range(3):
                cutting.cut("up", places.randrange(1, 2_000_000))
                (answer,) = await outcomes(sandbox, relay, asked(relay))
                assert cutting.cuts == number + 1
                assert answer["whole"]
                assert answer["sum"] == hashlib.sha256(LONG).hexdigest()
            assert relay.failure() is None
