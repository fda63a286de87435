"""The scripted model server behaves towards the real SDKs as the vendors' servers do."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.support.model_server import (
    Cut,
    Disturbed,
    ErrorEvent,
    Garbage,
    HttpError,
    ModelServer,
    Raw,
    Stall,
    UnknownEvent,
)
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall
from vibekit_jupyter.demo_model.wire.neutral import seal

ANSWER = Answer("Two files: é, 漢字 and 🦀.", "Let me look.", (ToolCall("ls", {"path": "."}),))
TOOLS: Any = [{"name": "ls", "input_schema": {"type": "object", "properties": {}}}]


def openai_client(server: ModelServer, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0, **options)


def anthropic_client(server: ModelServer, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.anthropic_url, api_key="k", max_retries=0, **options)


def respond(client: openai.OpenAI, given: Any = "hi") -> list[Any]:
    with client.responses.create(model="m", input=given, stream=True, store=False) as stream:
        return list(stream)


def message(client: anthropic.Anthropic, given: Any = "hi") -> Any:
    turns: Any = [{"role": "user", "content": given}] if isinstance(given, str) else given
    with client.messages.stream(
        model="m",
        max_tokens=100,
        messages=turns,
        tools=TOOLS,
    ) as stream:
        return stream.get_final_message()


def test_openais_sdk_streams_the_whole_answer() -> None:
    with ModelServer([ANSWER, ANSWER]) as server, openai_client(server) as client:
        final = respond(client)[-1].response
        plain: Any = client.responses.create(model="m", input="hi")
    for response in (final, plain):
        reasoning, said, call = response.output
        assert reasoning.summary[0].text == ANSWER.thinking
        assert said.content[0].text == ANSWER.text
        assert (call.name, json.loads(call.arguments)) == ("ls", {"path": "."})


def test_anthropics_sdk_streams_the_whole_answer() -> None:
    with ModelServer([ANSWER, ANSWER]) as server, anthropic_client(server) as client:
        streamed = message(client)
        plain: Any = client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
    for answer in (streamed, plain):
        thinking, said, call = answer.content
        assert thinking.thinking == ANSWER.thinking
        assert said.text == ANSWER.text
        assert (call.name, call.input) == ("ls", {"path": "."})
        assert answer.stop_reason == "tool_use"


def test_an_async_sdk_of_each_vendor_streams_too() -> None:
    import anyio

    async def ask() -> tuple[str, str]:
        async with (
            openai.AsyncOpenAI(base_url=server.openai_url, api_key="k") as one,
            anthropic.AsyncAnthropic(base_url=server.anthropic_url, api_key="k") as two,
        ):
            stream = await one.responses.create(model="m", input="hi", stream=True)
            texts = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            async with two.messages.stream(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
            ) as messages:
                return "".join(texts), await messages.get_final_text()

    with ModelServer([ANSWER, ANSWER]) as server:
        assert anyio.run(ask) == (ANSWER.text, ANSWER.text)


def test_both_sdks_list_the_models() -> None:
    with ModelServer(models=["a", "b"]) as server:
        with openai_client(server) as one:
            assert [model.id for model in one.models.list()] == ["a", "b"]
        with anthropic_client(server) as two:
            assert [model.id for model in two.models.list()] == ["a", "b"]


def test_a_refusal_and_a_full_answer_are_told_apart() -> None:
    script = [Answer("No.", stop_reason="refusal"), Answer("Lo", stop_reason="max_tokens")] * 2
    with ModelServer(script) as server:
        with openai_client(server) as one:
            refusal, incomplete = respond(one)[-1].response, respond(one)[-1].response
            assert refusal.output[0].content[0].refusal == "No."
            assert incomplete.incomplete_details.reason == "max_output_tokens"
        with anthropic_client(server) as two:
            assert [message(two).stop_reason for _ in "ab"] == ["refusal", "max_tokens"]


def test_requests_are_kept_byte_for_byte() -> None:
    prompt = 'it\'s "quoted" `x` $(y) {z} \\n\n\r\t \u2028 \x00 🦀' * 1000
    with ModelServer(lambda request: Answer(request.prompt)) as server:
        with openai_client(server) as one:
            assert respond(one, prompt)[-1].response.output_text == prompt
        with anthropic_client(server) as two:
            assert message(two, prompt).content[0].text == prompt
    assert server.prompts == [prompt, prompt]
    assert json.loads(server.requests[0].body)["input"] == prompt
    assert server.requests[0].headers["authorization"] == "Bearer k"
    assert server.requests[1].headers["anthropic-version"]


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (HttpError.context_too_long(), ("BadRequestError", "BadRequestError")),
        (HttpError.unauthorized(), ("AuthenticationError", "AuthenticationError")),
        (HttpError.no_such_model(), ("NotFoundError", "NotFoundError")),
        (HttpError.rate_limited(3), ("RateLimitError", "RateLimitError")),
        (HttpError.broken(), ("InternalServerError", "InternalServerError")),
        (HttpError.overloaded(), ("InternalServerError", "OverloadedError")),
    ],
)
def test_a_status_error_is_the_sdks_own_error(error: HttpError, kinds: tuple[str, str]) -> None:
    with ModelServer([error, error]) as server:
        with openai_client(server) as one, pytest.raises(openai.APIStatusError) as first:
            respond(one)
        with anthropic_client(server) as two, pytest.raises(anthropic.APIStatusError) as second:
            message(two)
    assert (type(first.value).__name__, type(second.value).__name__) == kinds
    assert first.value.code == error.code
    for caught in (first.value, second.value):
        assert error.message in caught.message
        assert caught.response.headers.get("retry-after") == dict(error.headers).get("Retry-After")


def test_an_error_in_the_stream_is_the_vendors_error() -> None:
    faults = [ErrorEvent(4), ErrorEvent(4, failed=True), ErrorEvent(4)]
    with ModelServer([Disturbed(ANSWER, fault) for fault in faults]) as server:
        with openai_client(server) as one:
            assert respond(one)[-1].type == "error"
            failed = respond(one)[-1]
            assert (failed.type, failed.response.error.code) == ("response.failed", "server_error")
        with anthropic_client(server) as two, pytest.raises(anthropic.APIStatusError):
            message(two)


def test_a_cut_connection_is_an_error() -> None:
    with ModelServer([Disturbed(ANSWER, Cut(4))] * 2) as server:
        with openai_client(server) as one, pytest.raises(openai.APIConnectionError):
            respond(one)
        with anthropic_client(server) as two, pytest.raises(httpx2.HTTPError):
            message(two)


def test_a_stall_runs_into_the_clients_timeout() -> None:
    with ModelServer([Disturbed(ANSWER, Stall(4, 60))] * 2) as server:
        with openai_client(server, timeout=0.2) as one, pytest.raises(openai.APITimeoutError):
            respond(one)
        with anthropic_client(server, timeout=0.2) as two, pytest.raises(httpx2.TimeoutException):
            message(two)
        server.wait_for_hangup()


def test_garbage_in_the_stream_is_an_error_for_the_sdks() -> None:
    with ModelServer([Disturbed(ANSWER, Garbage(4))] * 2) as server:
        with openai_client(server) as one, pytest.raises(json.JSONDecodeError):
            respond(one)
        with anthropic_client(server) as two, pytest.raises(json.JSONDecodeError):
            message(two)


def test_unknown_events_do_not_stop_the_sdks() -> None:
    with ModelServer([Disturbed(ANSWER, UnknownEvent(4))] * 2) as server:
        with openai_client(server) as one:
            assert "surprise.event" in [event.type for event in respond(one)]
        with anthropic_client(server) as two:
            assert message(two).content[1].text == ANSWER.text


def test_a_proxys_page_is_sent_as_it_stands() -> None:
    page = Raw(b"<html>hello</html>", 503)
    with (
        ModelServer([page]) as server,
        openai_client(server) as client,
        pytest.raises(openai.InternalServerError),
    ):
        respond(client)


def test_a_wrong_key_and_no_key_are_401() -> None:
    with ModelServer([], key="right") as server:
        with openai_client(server) as one, pytest.raises(openai.AuthenticationError):
            respond(one)
        assert httpx2.post(f"{server.openai_url}/responses", json={"input": "x"}).status_code == 401


def test_a_client_that_hangs_up_is_noticed() -> None:
    with ModelServer([Disturbed(ANSWER, Stall(3, 60))]) as server, openai_client(server) as client:
        stream = client.responses.create(model="m", input="hi", stream=True)
        next(iter(stream))
        server.wait_for_requests(1)
        stream.close()
        server.wait_for_hangup()


def test_a_script_that_ran_out_fails_the_test() -> None:
    def ask_too_often() -> None:
        with (
            ModelServer([]) as server,
            openai_client(server) as client,
            contextlib.suppress(openai.BadRequestError),
        ):
            respond(client)

    with pytest.raises(AssertionError, match="the script has 0 replies"):
        ask_too_often()


def test_no_thread_is_left_behind() -> None:
    with ModelServer([ANSWER]) as server, openai_client(server) as client:
        respond(client)
    assert "model-server" not in [thread.name for thread in threading.enumerate()]


CALL = {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "a"}
USER = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "hello"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal("")}


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ([USER, CALL], "No tool output found for function call c1"),
        ([USER, CALL, USER], "No tool output found for function call c1"),
        ([USER, OUTPUT], "No tool call found for function call output with call_id c1"),
        ([USER, CALL, OUTPUT, OUTPUT], "No tool call found"),
        ([USER, CALL, OUTPUT, CALL, OUTPUT], "Duplicate call_id c1"),
        ([{"role": "tool", "content": "x"}], "role"),
        ([{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}], "output_text"),
        ([USER, {"type": "reasoning", "id": "rs_1", "summary": []}], "not persisted"),
        ([USER, {"type": "shell_call", "call_id": "c"}], "shell_call"),
        ([USER, REASONING, USER], "without its required following item"),
        ([USER, REASONING], "without its required following item"),
        ([USER, REASONING, REASONING, SAID], "Duplicate item found with id rs_1"),
        ([USER, {"role": "assistant", "content": ""}, USER], "content' is empty"),
        ([USER, {"role": "assistant", "content": [{"type": "output_text"}]}], "content[0].text"),
        ([USER, {**CALL, "name": "a b"}, OUTPUT], "does not match"),
        ([USER, CALL, {**OUTPUT, "output": None}], "expected a string"),
    ],
)
def test_openais_rules_are_held(items: list[Any], complaint: str) -> None:
    with ModelServer([ANSWER]) as server, openai_client(server) as client:
        with pytest.raises(openai.BadRequestError, match=re.escape(complaint)):
            respond(client, items)
        assert complaint in server.violations[0]
        assert respond(client, [USER, CALL, OUTPUT, USER])[-1].type == "response.completed"


USE = {"type": "tool_use", "id": "t1", "name": "ls", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "a"}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


HI = turn("user", {"type": "text", "text": "hi"})
HELLO = turn("assistant", {"type": "text", "text": "hello"})
THINKING = {"type": "thinking", "thinking": "x", "signature": seal("x")}


@pytest.mark.parametrize(
    ("turns", "complaint"),
    [
        ([HI, HI], "roles must alternate"),
        ([HELLO, HI], "first message must use the user role"),
        ([HI, turn("assistant", USE)], "without `tool_result`"),
        ([HI, turn("assistant", USE), HI], "without `tool_result`"),
        ([HI, turn("assistant", USE), turn("user", HI["content"][0], RESULT)], "must come before"),
        ([HI, turn("assistant", USE), turn("user", RESULT, RESULT)], "single result"),
        ([turn("user", RESULT)], "unexpected `tool_use_id`"),
        ([HI, HELLO, turn("user", RESULT)], "unexpected `tool_use_id`"),
        ([HI, turn("assistant"), HI], "non-empty content"),
        ([turn("user", {"type": "text", "text": ""})], "must be non-empty"),
        ([HI, turn("assistant", {**USE, "id": "a b"}), HI], "should match pattern"),
        ([HI, turn("assistant", {"type": "thinking", "thinking": "x", "signature": "y"}), HI],
         "Invalid `signature`"),
        ([HI, turn("assistant", THINKING), HI], "final block in an assistant message cannot be"),
        ([HI, turn("assistant", HELLO["content"][0], THINKING), HI], "cannot be `thinking`"),
        ([HI, HELLO], "must end with a user message"),
        ([HI, turn("assistant", {**USE, "name": "a b"}), turn("user", RESULT)], "name: String"),
        ([HI, turn("assistant", {"type": "server_tool_use"}), HI], "does not match any of"),
    ],
)  # fmt: skip
def test_anthropics_rules_are_held(turns: list[Any], complaint: str) -> None:
    fine = [HI, turn("assistant", USE), turn("user", RESULT, HI["content"][0]), HELLO, HI]
    with ModelServer([ANSWER]) as server, anthropic_client(server) as client:
        with pytest.raises(anthropic.BadRequestError, match=complaint):
            message(client, turns)
        assert complaint in server.violations[0]
        assert message(client, fine).content[1].text == ANSWER.text


def test_what_the_sdks_gave_is_taken_back() -> None:
    def script(request: Request) -> Answer:
        results = [result for message in request.messages for result in message.tool_results]
        return Answer(f"It said {results[0].text}.") if results else ANSWER

    with ModelServer(script) as server:
        with openai_client(server) as one:
            output = respond(one)[-1].response.output
            again = [
                USER,
                *(item.to_dict() for item in output),
                {"type": "function_call_output", "call_id": output[-1].call_id, "output": "a.py"},
            ]
            assert respond(one, again)[-1].response.output_text == "It said a.py."
        with anthropic_client(server) as two:
            content = message(two).content
            result = {**RESULT, "tool_use_id": content[-1].id, "content": "a.py"}
            turns = [HI, {"role": "assistant", "content": content}, turn("user", result)]
            assert message(two, turns).content[0].text == "It said a.py."
    assert server.violations == []
