"""What is sent on is what was checked: one model, no tools that the service runs, bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vibekit_jupyter.agents.relay.protocols import ROUTES, UnfitError, checked, route_of

MODELS = ("the-model",)


def asked(route: str = "/v1/responses", most: int | None = None, **body: Any) -> dict[str, Any]:
    spelled = json.dumps({"model": "the-model", **body}).encode()
    return checked(spelled, ROUTES[route], MODELS, most)


@pytest.mark.parametrize(
    "target",
    ["/v1/files", "/v1/responses/", "/v1/responses/x", "//v1/responses", "/v1/../v1/files", ""],
)
def test_other_paths_lead_nowhere(target: str) -> None:
    assert route_of(target, "codex") is None


def test_a_path_is_the_vendors_own_and_its_query_is_none_of_it() -> None:
    assert route_of("/v1/messages?beta=true", "claude") is not None
    assert route_of("/v1/messages", "codex") is None
    assert route_of("/v1/chat/completions", "codex") is not None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'"x"', b"\xff"])
def test_what_is_no_request_is_not_sent_on(body: bytes) -> None:
    with pytest.raises(UnfitError):
        checked(body, ROUTES["/v1/responses"], MODELS, None)


@pytest.mark.parametrize(
    "body",
    [
        {"model": "another"},
        {"model": ["the-model"]},
        {"model": None},
        {"background": True},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "mcp", "server_url": "https://elsewhere.example"}]},
        {"mcp_servers": [{"url": "https://elsewhere.example"}]},
        {"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]},
        {"tools": [{"type": "namespace", "tools": [{"type": "code_interpreter"}]}]},
    ],
)
def test_another_model_and_what_the_service_does_itself_are_not_sent_on(
    body: dict[str, Any],
) -> None:
    with pytest.raises(UnfitError):
        asked(**body)


def test_of_a_name_that_is_there_twice_one_is_sent() -> None:
    body = b'{"model": "another", "model": "the-model"}'
    assert checked(body, ROUTES["/v1/responses"], MODELS, None) == {"model": "the-model"}


def test_answers_are_bounded_whatever_is_asked() -> None:
    assert asked(most=100)["max_output_tokens"] == 100
    assert asked(most=100, max_output_tokens=7)["max_output_tokens"] == 7
    assert asked("/v1/messages", most=100, max_tokens=9000)["max_tokens"] == 100
    assert asked("/v1/chat/completions", most=100, max_tokens=9000)["max_tokens"] == 100
    assert asked("/v1/chat/completions", most=100, max_tokens="x")["max_tokens"] == 100


def test_a_chat_says_what_it_took() -> None:
    body = asked("/v1/chat/completions", stream=True, stream_options="odd")
    assert body["stream_options"] == {"include_usage": True}


def test_the_agents_own_tools_are_sent_on() -> None:
    tools = [{"type": "function", "name": "run"}, {"name": "Bash", "input_schema": {}}]
    assert asked(tools=tools)["tools"] == tools
