"""Google's protocol: the path names the model, and each name has two spellings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vibekit_jupyter.agents.relay.answer import PassingAnswer
from vibekit_jupyter.agents.relay.protocols import UnfitError, checked, error_body, route_of
from vibekit_jupyter.results import Usage

PATH = "/v1beta/models/the-model:streamGenerateContent?alt=sse"
CONTENTS = [{"role": "user", "parts": [{"text": "Hello"}]}]


def asked(body: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    route = route_of(PATH, "gemini")
    assert route is not None
    spelled = json.dumps({"contents": CONTENTS, **body}).encode()
    return checked(spelled, route, ("the-model",), most)


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/models/the-model:streamGenerateContent",
        "/v1beta/models/the-model:streamGenerateContent?alt=json",
        "/v1beta/models/the-model:embedContent",
        "/v1beta/models/the-model:generateContent/x",
        "/v1beta/models/a/b:generateContent",
        "/v1beta/models/../files:generateContent",
        "/v1beta/cachedContents",
        "/v1beta/files",
        "/v1/responses",
        "/v1/messages",
    ],
)
def test_other_paths_lead_nowhere(target: str) -> None:
    assert route_of(target, "gemini") is None
    assert route_of(PATH, "codex") is None
    assert route_of(PATH, "claude") is None


def test_a_model_cannot_lead_to_another_path() -> None:
    route = route_of("/v1beta/models/..%2F..%2Ffiles:generateContent", "gemini")
    assert route is not None
    assert ".." not in route.path.replace("..%2F..%2Ffiles", "")
    with pytest.raises(UnfitError, match="not allowed"):
        checked(b"{}", route, ("the-model",), None)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"google_search": {}}]},
        {"tools": [{"functionDeclarations": []}, {"urlContext": {}}]},
        {"tools": [{"functionDeclarations": [], "codeExecution": {}}]},
        {"tools": {"googleSearch": {}}},
        {"tools": ["googleSearch"]},
        {"cachedContent": "cachedContents/1"},
        {"model": "models/another"},
        {"generationConfig": [1]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://elsewhere.example"}}]}]},
        {"contents": {"parts": {"file_data": {"file_uri": "https://elsewhere.example"}}}},
        {
            "contents": [
                {"parts": [{"functionResponse": {"name": "x", "parts": [{"fileData": {}}]}}]}
            ]
        },
    ],
    ids=str,
)
def test_what_the_service_does_itself_and_what_is_not_known_is_not_sent_on(
    body: dict[str, Any],
) -> None:
    with pytest.raises(UnfitError):
        asked(body)


def test_an_agents_own_tools_and_what_they_returned_are_sent_on() -> None:
    body = {
        "tools": [{"functionDeclarations": [{"name": "fileData"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "toolConfig": {},
        "contents": [
            {"parts": [{"functionResponse": {"name": "x", "response": {"fileData": "text"}}}]}
        ],
    }
    sent = asked(body)
    assert {name: sent[name] for name in body} == body


@pytest.mark.parametrize("config", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("bound", ["maxOutputTokens", "max_output_tokens"])
def test_answers_are_bounded_however_that_is_spelled(config: str, bound: str) -> None:
    assert asked({}, 50)["generationConfig"] == {"maxOutputTokens": 50}
    sent = asked({config: {bound: 99, "temperature": 1}}, 50)
    assert sent["generationConfig"] == {bound: 50, "temperature": 1}
    assert "generation_config" not in sent


def test_a_question_of_length_is_not_an_answer() -> None:
    route = route_of("/v1beta/models/the-model:countTokens", "gemini")
    assert route is not None
    assert route.counts
    assert not route.streams


def test_tokens_for_tools_and_thoughts_count() -> None:
    passing = PassingAnswer("gemini", streams=False)
    usage = {"promptTokenCount": 10, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 3}
    usage |= {"thoughtsTokenCount": 4, "cachedContentTokenCount": 5}
    passing.feed(json.dumps({"candidates": [], "usageMetadata": usage}).encode())
    passing.finish()
    assert passing.usage == Usage(12, 5, 7)


def test_a_blocked_prompt_is_an_end_and_an_error_in_the_stream_is_none() -> None:
    blocked, failed = (PassingAnswer("gemini", streams=True) for _ in range(2))
    blocked.feed(b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\r\n\r\n')
    failed.feed(b'data: {"error":{"code":503,"message":"Busy","status":"UNAVAILABLE"}}\n\n')
    for passing in (blocked, failed):
        passing.finish()
    assert (blocked.ended, blocked.error) == (True, None)
    assert (failed.ended, failed.error["code"]) == (False, 503)


def test_a_refusal_is_told_in_the_vendors_words() -> None:
    told = json.loads(error_body("gemini", 429, "Wait"))
    assert told == {"error": {"code": 429, "message": "Wait", "status": "RESOURCE_EXHAUSTED"}}
