"""Every way a model service can fail ends in one of our errors, which says what to do."""

from __future__ import annotations

import socket
import traceback

import pytest

from tests.functional.agents.support import KEY, answer_once, ask, model_at
from tests.support.model_server import (
    Cut,
    Disturbed,
    ErrorEvent,
    Garbage,
    HttpError,
    ModelServer,
    Raw,
    Reply,
    Stall,
)
from tests.support.raw_server import RawServer, response
from tests.support.replies import over_budget
from vibekit_jupyter import agents, errors
from vibekit_jupyter.agents.progress import telling
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.settings.config import AGENTS, AgentName, Model

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("agent", AGENTS)]

NO_RETRY = (("x-should-retry", "false"),)
HELLO = Answer("Hello, I am a model.", thinking="Hm.")


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (
            HttpError.unauthorized(),
            errors.ModelAuthenticationError,
            "refused the key (401): Incorrect",
        ),
        (HttpError(403, "No."), errors.ModelAuthenticationError, "refused access (403): No."),
        (
            HttpError(404, "No endpoints found that support tool use."),
            errors.ModelNotFoundError,
            "(404): No endpoints found that support tool use.",
        ),
        (
            Raw(b"<html>Blocked by the web filter</html>", 403),
            errors.ModelAuthenticationError,
            "Blocked by the web filter",
        ),
        (HttpError(402, "Pay."), errors.ModelRateLimitError, "no credit left (402)"),
        (HttpError.no_such_model(), errors.ModelNotFoundError, "does not know"),
        (HttpError(400, "Bad tool."), errors.ModelRequestError, "(400): Bad tool."),
        (HttpError(413, "Too large."), errors.ContextTooLongError, "--fresh"),
        (HttpError(422, "Hm."), errors.ModelRequestError, "(422)"),
        (HttpError.context_too_long(), errors.ContextTooLongError, "does not fit"),
        (HttpError(429, "Slow.", None, NO_RETRY), errors.ModelRateLimitError, "a little later"),
        (HttpError.quota_used_up(), errors.ModelRateLimitError, ""),
        (HttpError(500, "Oh.", None, NO_RETRY), errors.ModelUnavailableError, "failed (500): Oh."),
        (HttpError(503, "Oh.", None, NO_RETRY), errors.ModelUnavailableError, "failed (503)"),
        (HttpError(529, "Oh.", None, NO_RETRY), errors.ModelUnavailableError, "failed (529)"),
        (Raw(b"<html>Hello</html>"), errors.ModelStreamError, "not an answer"),
        (Raw(b"<html>Gone</html>", 404), errors.ModelNotFoundError, "(404)"),
        (Raw(b"", 200, "text/event-stream"), errors.ModelStreamError, "not an answer"),
        (Disturbed(HELLO, ErrorEvent(0, code="x")), errors.ModelStreamError, "in an error: "),
        (Disturbed(HELLO, ErrorEvent(4, "Hm", "x")), errors.ModelStreamError, "in an error: Hm."),
        (
            Disturbed(HELLO, ErrorEvent(4, code="x", failed=True)),
            errors.ModelStreamError,
            "in an error: ",
        ),
        (
            Disturbed(HELLO, ErrorEvent(3, "Slow", "rate_limit_exceeded", failed=True)),
            errors.ModelRateLimitError,
            "asks to wait",
        ),
        (
            Disturbed(HELLO, ErrorEvent(3, "Busy", "overloaded_error")),
            errors.ModelUnavailableError,
            "Busy",
        ),
        (Disturbed(HELLO, Cut(0)), errors.ModelStreamError, "broke off"),
        (Disturbed(HELLO, Cut(4)), errors.ModelStreamError, "broke off"),
        (Disturbed(HELLO, Garbage(4)), errors.ModelStreamError, "not an answer"),
        (
            Disturbed(HELLO, Garbage(3, b"event: message_start\ndata: [1]\n\n")),
            errors.ModelStreamError,
            "not an answer",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "") if isinstance(value, type) else None,
)
async def test_a_failure_says_what_to_do(
    agent: AgentName, reply: Reply, kind: type[errors.ModelError], words: str
) -> None:
    with ModelServer([reply] * 3) as server, pytest.raises(errors.ModelError) as caught:
        await answer_once(server, agent)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


async def test_a_service_that_is_not_there_is_unavailable(agent: AgentName) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with ModelServer() as server:
            model = model_at(server, agent, base_url=f"http://127.0.0.1:{port}/v1")
        vendor = agents.load(model)
        with pytest.raises(errors.ModelUnavailableError, match=r"127\.0\.0\.1.*cannot be reached"):
            await ask(vendor, "Hello")
        await vendor.aclose()


@pytest.mark.parametrize("after", [0, 5])
async def test_silence_has_a_bound(agent: AgentName, after: int) -> None:
    with ModelServer([Disturbed(HELLO, Stall(after, 30))] * 3) as server:
        with pytest.raises(errors.ModelUnavailableError, match=r"silent for 0\.3 s"):
            await answer_once(server, agent, silence=0.3)
        assert len(server.requests) == 1


async def test_silence_before_the_first_byte_has_a_bound(agent: AgentName) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        port = mute.getsockname()[1]
        with ModelServer() as server:
            model = model_at(server, agent, base_url=f"http://127.0.0.1:{port}/v1")
        vendor = agents.load(model)
        with pytest.raises(errors.ModelUnavailableError, match=r"silent for 0\.3 s"):
            await ask(vendor, "Hello", silence=0.3)
        await vendor.aclose()


async def test_a_refusal_that_passes_is_retried_before_anything_was_shown(
    agent: AgentName,
) -> None:
    with ModelServer([HttpError.rate_limited(), HttpError.broken(), Answer("ok")]) as server:
        answer = await answer_once(server, agent)
        assert answer.message.text == "ok"


@pytest.mark.parametrize(
    ("reply", "words", "quoted"),
    [
        (over_budget(), "budget at the model service", "Current cost: 10.51, Max budget: 10.0"),
        (over_budget(400), "budget at the model service", "Budget has been exceeded!"),
        (
            over_budget(429, "ExceededTokenBudget: Current spend for token: 2.0; Max: 1.0", None),
            "budget at the model service",
            "Current spend for token: 2.0",
        ),
        (
            over_budget(402, "This key has reached its monthly spending limit.", None),
            "budget at the model service",
            "monthly spending limit",
        ),
        (
            over_budget(429, "Your allowance is used up. Please contact the AI team."),
            "budget at the model service",
            "Please contact the AI team.",
        ),
        (
            over_budget(400, "ExceededBudget: User=ada over budget. Spend=2.0, Budget=1.0", None),
            "budget at the model service",
            "Spend=2.0",
        ),
        (
            over_budget(400, "Budget has been exceeded! Received Model Group=r1-reasoning", None),
            "budget at the model service",
            "Model Group=r1-reasoning",
        ),
        (
            over_budget(429, "No deployments available - crossed budget: 0.36 >= 1d", None),
            "budget at the model service",
            "0.36 >= 1d",
        ),
        (HttpError.quota_used_up(), "no credit left (429)", "check your plan and billing details"),
        (HttpError.no_credit(), "no credit left (400)", "go to Plans & Billing"),
        (
            HttpError(400, "You have reached your specified API usage limits."),
            "no credit left (400)",
            "specified API usage limits",
        ),
        (
            Disturbed(HELLO, ErrorEvent(3, "Budget has been exceeded!", "budget_exceeded")),
            "budget at the model service",
            "Budget has been exceeded!",
        ),
    ],
)
async def test_a_budget_that_is_used_up_is_told_as_that_and_asked_once(
    agent: AgentName, reply: Reply, words: str, quoted: str
) -> None:
    told: list[object] = []
    with ModelServer([reply] * 3) as server, telling(told.append):
        with pytest.raises(errors.ModelRateLimitError) as caught:
            await answer_once(server, agent)
        assert len(server.requests) == 1
    assert words in str(caught.value)
    assert quoted in str(caught.value)
    assert "a little later" not in str(caught.value)
    assert told == []  # no retry is announced either


async def test_nothing_is_asked_twice_once_an_answer_began(agent: AgentName) -> None:
    with ModelServer([Disturbed(HELLO, Cut(4)), Answer("again")]) as server:
        with pytest.raises(errors.ModelStreamError):
            await answer_once(server, agent)
        assert len(server.requests) == 1


async def test_the_hint_names_the_variable_and_the_other_agent(agent: AgentName) -> None:
    variable, other = {
        "codex": ("OPENAI_API_KEY", "claude"),
        "claude": ("ANTHROPIC_API_KEY", "codex"),
    }[agent]
    with (
        ModelServer([HttpError.unauthorized()]) as server,
        pytest.raises(errors.ModelAuthenticationError) as caught,
    ):
        await answer_once(server, agent)
    assert str(caught.value) == (
        "The model service refused the key (401): Incorrect API key provided. "
        f"Set {variable}, "
        f"or choose another agent with --agent {other}."
    )


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_key_that_a_server_repeats_is_not_shown(agent: AgentName, status: int) -> None:
    refusal = HttpError(status, f"Incorrect key provided: {KEY}.", None, NO_RETRY)
    with ModelServer([refusal]) as server, pytest.raises(errors.ModelError) as caught:
        await answer_once(server, agent)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert KEY not in repr(caught.value)


async def test_a_cause_is_chained(agent: AgentName) -> None:
    with (
        ModelServer([HttpError.no_such_model()]) as server,
        pytest.raises(errors.ModelNotFoundError) as caught,
    ):
        await answer_once(server, agent)
    assert type(caught.value.__cause__).__name__ == "NotFoundError"


async def test_a_query_in_a_base_url_stays_a_query(agent: AgentName) -> None:
    with RawServer(response(b"{}", status=404)) as server:
        url = f"{server.url}/v1?api-version=7&x=" if agent == "codex" else f"{server.url}?a=7"
        vendor = agents.load(Model(agent, "m", url, KEY, "of the test"))
        with pytest.raises(errors.ModelNotFoundError):
            await ask(vendor, "Hello")
        await vendor.aclose()
    path = "/v1/responses?api-version=7&x=" if agent == "codex" else "/v1/messages?a=7"
    assert server.requests[0].split()[1] == path
