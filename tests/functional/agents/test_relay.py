"""The model relay: an agent in a sandbox asks its model with a token for one turn, and no key."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.agents.relay_client import asked, body, outcomes
from tests.functional.agents.support import KEY, model_at
from tests.support.model_server import (
    Cut,
    Disturbed,
    ErrorEvent,
    HttpError,
    ModelServer,
    Raw,
    Stall,
)
from tests.support.replies import over_budget
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.relay import Relay
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.demo_model.wire import Usage as Told
from vibekit_jupyter.errors import (
    ContextTooLongError,
    ModelAuthenticationError,
    ModelRateLimitError,
    ModelStreamError,
    ModelUnavailableError,
    RunLimitError,
)
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.model_server import Reply
    from vibekit_jupyter.sandbox.connection import Sandbox

pytestmark = pytest.mark.anyio

ANSWER = Answer("Hello " * 400, usage=Told(100, 10, 5))
# All that the sandbox has of its own: this Python and its packages are the machine's.
FIND = r"""
for folder in /proc/[0-9]*; do
  grep -l -a -F "$HALF$OTHER" $folder/environ $folder/cmdline 2>/dev/null
done
find /home /root /tmp /etc /dev/shm \( -path "$BASE" -o -path "$PREFIX" \) -prune -o \
  -type f -exec grep -l -a -F "$HALF$OTHER" {} + 2>/dev/null
true
"""


async def places_of(sandbox: Sandbox, text: str) -> list[str]:
    """Where a text stands in a sandbox: processes, their environments, files."""
    halves = {"HALF": text[:9], "OTHER": text[9:]}
    found = await sandbox.run(FIND, envs={**halves, "BASE": sys.base_prefix, "PREFIX": sys.prefix})
    return found.stdout.split()


@asynccontextmanager
async def opened(
    sandbox: Sandbox, server: ModelServer, agent: Any = "codex", **limits: Any
) -> AsyncIterator[Relay]:
    async with Relay(sandbox, model_at(server, agent), Limits(**limits), None) as relay:
        yield relay


async def test_an_answer_is_streamed_and_counted_and_the_key_added(sandbox: Sandbox) -> None:
    told: list[Usage] = []
    with ModelServer([ANSWER] * 3, key=KEY) as server:
        model = model_at(server, "codex")
        async with Relay(sandbox, model, Limits(), None, on_answer=told.append) as relay:
            bearer, header, chunked = await outcomes(
                sandbox,
                relay,
                asked(relay),
                asked(relay, headers={"Authorization": "", "x-api-key": relay.token}),
                asked(relay, path="/v1/responses?x=1"),
            )
    for answer in (bearer, header, chunked):
        assert answer["status"] == 200
        assert answer["whole"]
        assert "response.completed" in answer["text"]
        assert {name.lower() for name in answer["headers"]} <= {"content-type", "transfer-encoding"}
    assert relay.usage == Usage(300, 30, 15)
    assert told == [Usage(100, 10, 5)] * 3
    assert relay.failure() is None
    assert relay.token not in str(server.requests)


async def test_what_is_asked_arrives_as_it_was_asked(sandbox: Sandbox) -> None:
    texts = ["Grüße — ✓ \u2028\x85\r", "ü" * 200_000, "x" * 300_000]
    spelled = [
        json.dumps(json.loads(body()) | {"input": text}, ensure_ascii=False, indent=indent)
        for text in texts
        for indent in (None, 2)
    ]
    with ModelServer(lambda _: ANSWER, strict=False) as server:
        async with opened(sandbox, server) as relay:
            answers = await outcomes(sandbox, relay, *(asked(relay, body=one) for one in spelled))
    assert {one["status"] for one in answers} == {200}
    sent = [request.json["input"] for request in server.requests]
    assert sent == [text for text in texts for _ in range(2)]


async def test_the_other_protocols_pass_too(sandbox: Sandbox) -> None:
    with ModelServer([ANSWER, ANSWER], key=KEY, strict=False) as server:
        chat = json.dumps({"model": "codex-model", "stream": True, "messages": [
            {"role": "user", "content": "Hello"}]})  # fmt: skip
        async with opened(sandbox, server) as relay:
            (answer,) = await outcomes(
                sandbox, relay, asked(relay, path="/v1/chat/completions", body=chat)
            )
        assert "[DONE]" in answer["text"]
        assert relay.usage == Usage(100, 10, 5)
        said = json.loads(chat) | {"model": "claude-model", "max_tokens": 99}
        async with opened(sandbox, server, "claude", max_output_tokens=9) as relay:
            answer, models = await outcomes(
                sandbox,
                relay,
                asked(
                    relay,
                    path="/v1/messages?beta=true",
                    body=json.dumps(said),
                    headers={"anthropic-version": "2023-06-01"},
                ),
                asked(relay, path="/v1/models", method="GET"),
            )
        assert "message_stop" in answer["text"]
        assert relay.usage == Usage(100, 10, 5)
        assert server.requests[-1].json["max_tokens"] == 9
        assert "claude-model" in models["text"]


GOOGLE = "/v1beta/models/gemini-model:streamGenerateContent?alt=sse"
SAID = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})
WRONG_KEY = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
    "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}}  # fmt: skip
QUOTA = "You exceeded your current quota, please check your plan and billing details."


async def test_googles_protocol_passes_with_the_key_as_it_wants_it(sandbox: Sandbox) -> None:
    with ModelServer([ANSWER, ANSWER], key=KEY, strict=False) as server:
        async with opened(sandbox, server, "gemini") as relay:
            token = {"x-goog-api-key": relay.token, "Authorization": ""}
            answer, whole, listed, other, unlisted = await outcomes(
                sandbox,
                relay,
                asked(relay, path=GOOGLE, body=SAID, headers=token),
                asked(relay, path=GOOGLE.replace("stream", "").replace("G", "g"), body=SAID),
                asked(relay, path="/v1beta/models", method="GET"),
                asked(relay, path=GOOGLE.replace("gemini-model", "another"), body=SAID),
                asked(relay, path="/v1beta/files", body=SAID),
            )
            assert relay.usage == Usage(200, 20, 10)
    assert '"finishReason": "STOP"' in answer["text"]
    assert answer["whole"]
    assert json.loads(whole["text"])["candidates"][0]["content"]["parts"] == [{"text": ANSWER.text}]
    assert "models/gemini-model" in listed["text"]
    assert [one["status"] for one in (other, unlisted)] == [400, 404]
    assert [request.headers["x-goog-api-key"] for request in server.requests] == [KEY] * 2
    assert relay.token not in str(server.requests)


@pytest.mark.parametrize(
    ("reply", "status", "expected", "said"),
    [
        (Raw(json.dumps(WRONG_KEY).encode(), 400, "application/json"), 401,
         ModelAuthenticationError, "GEMINI_API_KEY"),
        (HttpError(429, QUOTA), 429, ModelRateLimitError, "asks to wait"),
        (HttpError(503, "Overloaded"), 503, ModelUnavailableError, "failed"),
        (Disturbed(ANSWER, Cut(after=4)), 200, ModelStreamError, "broke off"),
    ],
    ids=["key", "quota", "overloaded", "cut"],
)  # fmt: skip
async def test_what_googles_service_fails_with_decides(
    sandbox: Sandbox, reply: Reply, status: int, expected: type[Exception], said: str
) -> None:
    with ModelServer(lambda _: reply, strict=False) as server:
        async with opened(sandbox, server, "gemini") as relay:
            (answer,) = await outcomes(sandbox, relay, asked(relay, path=GOOGLE, body=SAID))
            failure = relay.failure()
    assert answer["status"] == status
    assert isinstance(failure, expected)
    assert said in str(failure)


async def test_whoever_lacks_the_token_or_asks_for_anything_else_is_refused(
    sandbox: Sandbox,
) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        async with opened(sandbox, server) as relay:
            refused = await outcomes(
                sandbox,
                relay,
                asked(relay, token="wrong"),
                asked(relay, token=""),
                asked(relay, token=KEY),
                asked(relay, path="/v1/files"),
                asked(relay, path="/v1/responses/x"),
                asked(relay, path="/v1/messages"),
                asked(relay, path="http://elsewhere.example/v1/responses"),
                asked(relay, method="GET"),
                asked(relay, method="DELETE"),
                asked(relay, body="no json"),
                asked(relay, body=body("another-model")),
                asked(relay, body=body(tools=[{"type": "web_search"}])),
                asked(relay, body=body(background=True)),
            )
        assert [one["status"] for one in refused] == [401] * 3 + [404] * 6 + [400] * 4
        assert server.requests == []


async def test_a_body_without_end_is_refused_early(sandbox: Sandbox) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        async with opened(sandbox, server) as relay:
            told, untold, after = await outcomes(
                sandbox,
                relay,
                asked(relay, huge=1 << 30),
                asked(relay, huge="chunked"),
                asked(relay),
            )
            failure = relay.failure()
        assert told["sent"] < 64 << 20
        assert untold["sent"] < 128 << 20
        assert {told["status"], untold["status"]} <= {0, 413}
        assert after["status"] == 200
        assert failure is None
        assert len(server.requests) == 1


async def test_what_is_too_large_decides_where_nothing_better_comes(sandbox: Sandbox) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        async with opened(sandbox, server) as relay:
            await outcomes(sandbox, relay, asked(relay, huge=1 << 30))
            assert isinstance(relay.failure(), ContextTooLongError)


FAULTS: dict[str, tuple[Reply, int, type[Exception]]] = {
    "401": (HttpError.unauthorized(), 401, ModelAuthenticationError),
    "429": (HttpError.rate_limited(retry_after=3), 429, ModelRateLimitError),
    "500": (HttpError(500, "Broken"), 500, ModelUnavailableError),
    "redirect": (HttpError(307, "Elsewhere"), 502, Exception),
    "no answer": (Raw(b"<html>hello</html>", content_type="text/html"), 200, ModelStreamError),
    "cut": (Disturbed(ANSWER, Cut(after=4)), 200, ModelStreamError),
    "error event": (Disturbed(ANSWER, ErrorEvent(after=4)), 200, Exception),
    "spent": (over_budget(), 400, ModelRateLimitError),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_the_service_fails_with_decides(sandbox: Sandbox, fault: str) -> None:
    reply, status, expected = FAULTS[fault]
    with ModelServer(lambda _: reply) as server:
        async with opened(sandbox, server) as relay:
            (answer,) = await outcomes(sandbox, relay, asked(relay))
            assert answer["status"] == status
            assert answer["whole"] is (fault not in ("cut", "no answer", "error event"))
            assert isinstance(relay.failure(), expected)
            if fault == "429":
                assert answer["headers"]["retry-after"] == "3"


async def test_silence_is_bounded(sandbox: Sandbox) -> None:
    with ModelServer(lambda _: Disturbed(ANSWER, Stall(after=3, seconds=30))) as server:
        async with opened(sandbox, server, silence=0.5) as relay:
            answer, again = await outcomes(sandbox, relay, asked(relay), asked(relay))
            assert not answer["whole"]
            assert again["status"] == 400
            assert isinstance(relay.failure(), ModelUnavailableError)


async def test_retries_without_end_are_told_to_stop(sandbox: Sandbox) -> None:
    with ModelServer(lambda _: HttpError(500, "Broken")) as server:
        async with opened(sandbox, server) as relay:
            answers = await outcomes(sandbox, relay, *[asked(relay)] * 8)
        assert [one["status"] for one in answers] == [500] * 4 + [400] * 4
        assert len(server.requests) == 4


@pytest.mark.parametrize("limits", [{"max_steps": 2}, {"max_tokens": 210}])
async def test_the_runs_bounds_hold_for_any_agent(sandbox: Sandbox, limits: dict[str, int]) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        async with opened(sandbox, server, **limits) as relay:
            answers = await outcomes(sandbox, relay, *[asked(relay)] * 3)
            assert [one["status"] for one in answers] == [200, 200, 400]
            assert "bound" in answers[2]["text"]
            assert isinstance(relay.failure(), RunLimitError)


async def test_who_hangs_up_before_the_end_pays_for_it(sandbox: Sandbox) -> None:
    slow = Disturbed(ANSWER, Stall(after=5, seconds=20))
    with ModelServer(lambda _: slow) as server:
        async with opened(sandbox, server) as relay:
            await outcomes(sandbox, relay, asked(relay, most=200))
            await asyncio.to_thread(server.wait_for_hangup)
            assert relay.usage.total > 0


async def test_after_the_turn_nothing_is_served_and_no_process_is_left(sandbox: Sandbox) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        before = await processes(sandbox)
        async with opened(sandbox, server) as relay:
            assert (await outcomes(sandbox, relay, asked(relay)))[0]["status"] == 200
        (after,) = await outcomes(sandbox, relay, asked(relay))
        assert after["status"] == 0
        async with asyncio.timeout(15):
            while await processes(sandbox) != before:  # what was told to end takes a moment
                pass
        async with opened(sandbox, server) as other:
            earlier = asked(other, token=relay.token)
            assert (await outcomes(sandbox, other, earlier))[0]["status"] == 401
        assert len(server.requests) == 1


async def processes(sandbox: Sandbox) -> int:
    ran = await sandbox.run("ls -d /proc/[0-9]* | wc -l")
    return int(ran.stdout)


async def test_an_answer_under_way_ends_with_the_turn(sandbox: Sandbox) -> None:
    slow = Disturbed(ANSWER, Stall(after=5, seconds=20))
    with ModelServer(lambda _: slow) as server:
        async with opened(sandbox, server) as relay:
            asking = asyncio.ensure_future(outcomes(sandbox, relay, asked(relay)))
            await asyncio.to_thread(server.wait_for_requests, 1)
        (answer,) = await asking
        assert not answer["whole"]


async def test_the_key_is_nowhere_in_the_sandbox(sandbox: Sandbox) -> None:
    def repeats(_: Any) -> HttpError:
        return HttpError(400, f"Your key {KEY} is odd")

    with ModelServer(repeats) as server:
        async with opened(sandbox, server) as relay:
            (answer,) = await outcomes(sandbox, relay, asked(relay))
            found = await places_of(sandbox, KEY)
            assert await places_of(sandbox, relay.token), "what is there is found"
        assert "[key]" in answer["text"]
        assert KEY not in json.dumps(answer)
        assert found == []


async def test_many_requests_at_once_are_all_served_some_after_the_others(
    sandbox: Sandbox,
) -> None:
    with ModelServer(lambda _: ANSWER) as server:
        async with opened(sandbox, server) as relay:
            await outcomes(sandbox, relay)
            ask = "python3 .client/ask.py $URL .client/one.json > out$N.json & "
            one = json.dumps([asked(relay)]).encode()
            await sandbox.write_file("/home/user/.client/one.json", one)
            many = "".join(ask.replace("$N", str(n)) for n in range(6))
            ran = await sandbox.run(f"{many} wait; cat out*.json", envs={"URL": relay.url})
        assert ran.stdout.count('"status": 200') == 6
        assert relay.usage == Usage(600, 60, 30)


async def test_a_large_answer_waits_for_its_reader(sandbox: Sandbox) -> None:
    large = replace(ANSWER, text="x" * 2_000_000)
    with ModelServer(lambda _: large) as server:
        async with opened(sandbox, server) as relay:
            (answer,) = await outcomes(sandbox, relay, asked(relay))
            assert answer["whole"]
            assert relay.failure() is None
