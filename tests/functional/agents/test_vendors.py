"""What each SDK sends and what comes back, against a server that holds to the protocols."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from tests.functional.agents.support import ask, model_at
from tests.support.model_server import Disturbed, HttpError, ModelServer, Pace, Reply, UnknownEvent
from vibekit_jupyter import agents
from vibekit_jupyter.agents.conversation import (
    AssistantMessage,
    Message,
    ToolResult,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.agents.vendor import Request
from vibekit_jupyter.demo_model.wire import Answer, ToolCall, Usage
from vibekit_jupyter.demo_model.wire import Request as Sent
from vibekit_jupyter.errors import ModelRequestError
from vibekit_jupyter.results import Usage as Counted
from vibekit_jupyter.settings.config import AGENTS, AgentName
from vibekit_jupyter.settings.optional_fields import OPTIONAL_FIELDS

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("agent", AGENTS)]

HOSTILE_PROMPTS = [
    "'single' \"double\" `back` $(rm -rf /) ${HOME} {braces} {{0}} %s \\n \\ !",
    "line one\n\nline three\r\nwith CRLF\ttab\n",
    "emoji 🧪👩‍🔬 and \u202eright to left\u202c, NUL \x00, escape \x1b[31m",
    "-leading dash",
    "x" * 1_000_000,
]


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS, ids=range(len(HOSTILE_PROMPTS)))
async def test_a_prompt_arrives_byte_exact(agent: AgentName, prompt: str) -> None:
    with ModelServer([Answer("ok")]) as server:
        vendor = agents.load(model_at(server, agent))
        await ask(vendor, prompt)
        await vendor.aclose()
    assert server.prompts == [prompt]
    assert server.requests[0].system == "Be brief."


async def test_an_answer_is_streamed_and_then_whole(agent: AgentName) -> None:
    scripted = Answer(
        "Let me look. 🧪",
        thinking="First, the files.",
        tool_calls=(ToolCall("list_files", {"path": "."}), ToolCall("read_file", {"path": "ü"})),
        usage=Usage(input=100, cached=40, output=7),
    )
    with ModelServer([scripted]) as server:
        vendor = agents.load(model_at(server, agent))
        answer, text, thinking = await ask(vendor, "Hello")
        await vendor.aclose()
    assert text == answer.message.text == "Let me look. 🧪"
    assert thinking == "First, the files."
    assert answer.stop == "tools"
    assert [call.name for call in answer.message.tool_calls] == ["list_files", "read_file"]
    assert json.loads(answer.message.tool_calls[1].arguments) == {"path": "ü"}
    assert answer.usage == Counted(100, 40, 7)


@pytest.mark.parametrize(
    ("reason", "stop"), [("max_tokens", "length"), ("refusal", "refusal"), ("end_turn", "done")]
)
async def test_it_is_known_why_an_answer_ended(agent: AgentName, reason: str, stop: str) -> None:
    with ModelServer([Answer("So", stop_reason=reason)]) as server:  # type: ignore[arg-type]  # parametrised
        vendor = agents.load(model_at(server, agent))
        answer, text, _ = await ask(vendor, "Hello")
        await vendor.aclose()
    assert answer.stop == stop
    assert text == answer.message.text == "So"


async def test_thinking_is_sent_back_verbatim_to_the_same_model(agent: AgentName) -> None:
    call = ToolCall("list_files", {"path": "."})
    script = [Answer(thinking="Hm. " * 50, text="Look.", tool_calls=(call,)), Answer("Done.")]
    with ModelServer(script) as server:
        vendor = agents.load(model_at(server, agent))
        first, _, _ = await ask(vendor, "Hello")
        (made,) = first.message.tool_calls
        results = ToolResults((ToolResult(made.call_id, "a.txt"),))
        await ask(vendor, [UserMessage("Hello"), first.message, results])
        await vendor.aclose()
    assert not server.violations
    replayed = server.requests[1].messages[1]
    assert replayed.thinking == "Hm. " * 50
    assert replayed.text == "Look."
    assert replayed.tool_calls[0].id == call.id
    assert server.requests[1].messages[2].tool_results[0].text == "a.txt"


async def test_another_model_gets_the_neutral_form(agent: AgentName) -> None:
    call = ToolCall("list_files", {"path": "."})
    script = [Answer(thinking="Mine.", text="Look.", tool_calls=(call,)), Answer("Done.")]
    with ModelServer(script) as server:
        vendor = agents.load(model_at(server, agent))
        first, _, _ = await ask(vendor, "Hello")
        await vendor.aclose()
        results = ToolResults((ToolResult(call.id, "a.txt"),))
        other = agents.load(model_at(server, agent, name="another"))
        await ask(other, [UserMessage("Hello"), first.message, results])
        await other.aclose()
    assert not server.violations
    assert server.requests[1].messages[1].thinking == ""
    assert server.requests[1].messages[1].tool_calls[0].arguments_object == {"path": "."}


async def test_arguments_that_are_no_json_reach_the_loop_as_they_are(agent: AgentName) -> None:
    call = ToolCall("run_command", '{"command": "ls')
    with ModelServer([Answer(tool_calls=(call,)), Answer("Sorry.")]) as server:
        vendor = agents.load(model_at(server, agent))
        first, _, _ = await ask(vendor, "Hello")
        assert first.message.tool_calls[0].arguments == '{"command": "ls'
        results = ToolResults((ToolResult(call.id, "no JSON", ok=False),))
        await ask(vendor, [UserMessage("Hello"), first.message, results])
        await vendor.aclose()
    assert not server.violations


async def test_the_ids_of_calls_are_such_that_both_vendors_take_them(agent: AgentName) -> None:
    other: AgentName = "claude" if agent == "codex" else "codex"
    odd = [ToolCall("list_files", {"path": "."}, id=id_) for id_ in ("functions.ls:0", "x" * 90)]
    script: list[Reply] = [
        Answer(tool_calls=tuple(odd)),
        Answer(tool_calls=tuple(odd)),
        Answer("One."),
        Answer("Two."),
    ]
    with ModelServer(script) as server:
        vendor = agents.load(model_at(server, agent))
        messages: list[Message] = [UserMessage("Hello")]
        for _ in range(2):
            answer, _, _ = await ask(vendor, messages)
            results = [ToolResult(call.call_id, "fine") for call in answer.message.tool_calls]
            messages += [answer.message, ToolResults(tuple(results))]
        await ask(vendor, messages)
        await vendor.aclose()
        stranger = agents.load(model_at(server, other))
        await ask(stranger, messages)
        await stranger.aclose()
    assert not server.violations


async def test_one_model_goes_on_after_messages_of_every_kind(agent: AgentName) -> None:
    messages: list[Message] = [
        UserMessage("One"),
        UserMessage("Two"),
        AssistantMessage(""),
        UserMessage("Three"),
        AssistantMessage("Three it is."),
        UserMessage("Four"),
    ]
    with ModelServer([Answer("ok")]) as server:
        vendor = agents.load(model_at(server, agent))
        await ask(vendor, messages)
        await vendor.aclose()
    assert not server.violations
    assert server.prompts == ["Four"]


async def test_an_event_of_an_unknown_kind_is_ignored(agent: AgentName) -> None:
    faults = [UnknownEvent(after) for after in range(8)]
    with ModelServer([Disturbed(Answer("Hello."), *faults)]) as server:
        vendor = agents.load(model_at(server, agent))
        answer, text, _ = await ask(vendor, "Hello")
        await vendor.aclose()
    assert text == answer.message.text == "Hello."


async def test_a_large_answer_takes_time_in_proportion_to_its_size(agent: AgentName) -> None:
    content = "0123456789abcde\n" * 640_000  # 10 MB
    call = ToolCall("write_file", {"path": "big", "content": content})
    with ModelServer([Answer("x" * 10_000_000, tool_calls=(call,))]) as server:
        vendor = agents.load(model_at(server, agent))
        answer, text, _ = await ask(vendor, "Hello")
        await vendor.aclose()
    assert len(text) == 10_000_000
    assert json.loads(answer.message.tool_calls[0].arguments)["content"] == content


async def test_closing_the_stream_hangs_up(agent: AgentName) -> None:
    with ModelServer([Disturbed(Answer("word " * 1000), Pace(0.05))]) as server:
        vendor = agents.load(model_at(server, agent))
        async with aclosing(vendor.answer(Request("", [UserMessage("Hi")]))) as stream:
            async for _ in stream:
                break
        server.wait_for_hangup()
        await vendor.aclose()


async def test_connections_are_used_again(agent: AgentName) -> None:
    with ModelServer([Answer("ok")] * 3) as server:
        vendor = agents.load(model_at(server, agent))
        for _ in range(3):
            await ask(vendor, "Hello")
        pool = vendor._client._client._transport._pool  # type: ignore[attr-defined]  # httpcore's pool
        assert len(pool.connections) == 1
        await vendor.aclose()


async def test_a_local_service_is_reached_around_proxies(
    agent: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ModelServer([Answer("ok")]) as server:
        vendor = agents.load(model_at(server, agent))
        await ask(vendor, "Hello")
        await vendor.aclose()


async def test_the_environment_does_not_change_where_a_request_goes(
    agent: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vendor_name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{vendor_name}_BASE_URL", "http://127.0.0.1:9")
        monkeypatch.setenv(f"{vendor_name}_API_KEY", "sk-other")
        monkeypatch.setenv(f"{vendor_name}_AUTH_TOKEN", "other")
    with ModelServer([Answer("ok")], key="sk-test-0123456789") as server:
        vendor = agents.load(model_at(server, agent))
        await ask(vendor, "Hello")
        await vendor.aclose()


@pytest.mark.parametrize(
    "name", ["include", "store", "prompt_cache_key", "reasoning", "cache_control", "output_config"]
)
async def test_a_parameter_that_a_server_does_not_know_is_not_sent_again(
    agent: AgentName, name: str
) -> None:
    def reply(request: Sent) -> Reply:
        if name in request.json:
            return HttpError(400, f"Unknown parameter: '{name}'.")
        return Answer("ok")

    with ModelServer(reply) as server:
        vendor = agents.load(model_at(server, agent))
        for _ in range(2):
            answer, _, _ = await ask(vendor, "Hello", effort="high", cache_key="k")
            assert answer.message.text == "ok"
        await vendor.aclose()
    refused = [name in request.json for request in server.requests]
    assert refused in ([True, False, False], [False, False])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reasoning", "Unrecognized request argument supplied: reasoning_effort"),
        ("reasoning", "This model does not support thinking."),
        ("reasoning", "Reasoning effort is not available here."),
        ("include", "Encrypted content is not supported with this model."),
        ("prompt_cache_key", "Prompt caching is not enabled."),
        ("thinking", "adaptive thinking is not supported on this model"),
        ("thinking", "Reasoning is not supported"),
        ("output_config", "This model does not support the effort parameter."),
        ("cache_control", "prompt caching is not supported"),
    ],
)
async def test_a_parameter_that_is_refused_in_words_is_not_sent_again(
    agent: AgentName, name: str, words: str
) -> None:
    def reply(request: Sent) -> Reply:
        return HttpError(400, words) if name in request.json else Answer("ok")

    with ModelServer(reply) as server:
        vendor = agents.load(model_at(server, agent))
        for _ in range(2):
            answer, _, _ = await ask(vendor, "Hello", effort="high", cache_key="k")
            assert answer.message.text == "ok"
        await vendor.aclose()
    assert sum(name in request.json for request in server.requests) <= 1


async def test_each_optional_parameter_can_be_left_out(agent: AgentName) -> None:
    with ModelServer([Answer("ok")] * 9) as server:
        for name in OPTIONAL_FIELDS:
            vendor = agents.load(model_at(server, agent, without=(name,)))
            await ask(vendor, "Hello", effort="high", cache_key="k", max_output_tokens=5)
            await vendor.aclose()
            assert name not in server.requests[-1].json
        vendor = agents.load(model_at(server, agent, without=OPTIONAL_FIELDS))
        await ask(vendor, "Hello", effort="high", cache_key="k", max_output_tokens=5)
        await vendor.aclose()
        sent = set(server.requests[-1].json)
    assert sent <= {"model", "instructions", "input", "stream", "system", "messages", "max_tokens"}


async def test_a_refusal_says_what_can_be_left_out(agent: AgentName) -> None:
    refusals = [HttpError(400, "Bad field."), HttpError(400, "max_tokens is larger than 8192.")]
    with ModelServer(refusals) as server:
        vendor = agents.load(model_at(server, agent))
        with pytest.raises(ModelRequestError, match="--without") as caught:
            await ask(vendor, "Hello", cache_key="k")
        for name in OPTIONAL_FIELDS:
            assert (name in str(caught.value)) == (name in server.requests[0].json)
        with pytest.raises(ModelRequestError, match="--max-output-tokens"):
            await ask(vendor, "Hello")
        await vendor.aclose()


async def test_a_request_is_lean_and_stateless(agent: AgentName) -> None:
    with ModelServer([Answer("ok")]) as server:
        vendor = agents.load(model_at(server, agent))
        await ask(vendor, "Hello", cache_key="c1")
        await vendor.aclose()
    sent = set(server.requests[0].json)
    if agent == "codex":
        assert sent == {
            "model", "instructions", "input", "store", "include", "prompt_cache_key", "stream",
        }  # fmt: skip
    else:
        assert sent == {"model", "system", "messages", "max_tokens", "cache_control", "stream"}
