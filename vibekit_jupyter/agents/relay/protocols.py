"""The protocols that agents speak to their model: which paths, and what is checked of a request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs, quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vibekit_jupyter.settings.vendors import VendorName

__all__ = ["Route", "UnfitError", "checked", "error_body", "models_body", "route_of", "tools_of"]

Protocol = Literal["responses", "chat", "messages", "gemini"]
# Where a bound of output tokens stands; the first one is put in where none is.
BOUNDS: Final[Mapping[Protocol, tuple[str, ...]]] = {
    "responses": ("max_output_tokens",),
    "chat": ("max_completion_tokens", "max_tokens"),
    "messages": ("max_tokens",),
    "gemini": ("maxOutputTokens", "max_output_tokens"),
}
# What a service does by itself goes around the sandbox's walls: it asks other hosts.
HOSTED: Final = (
    *("mcp", "web_search", "web_fetch", "file_search", "code_interpreter", "code_execution"),
    "image_generation",
)
GEMINI: Final = re.compile(
    r"/v1beta/models/(?P<model>[^/:?]+):"
    r"(?P<action>generateContent|streamGenerateContent|countTokens)"
)
# This protocol takes each name in two spellings. What is not here asks for the service's own tools
# and stores, or is not known.
GEMINI_FIELDS: Final = {
    *("contents", "tools", "generationConfig", "systemInstruction", "system_instruction"),
    *("toolConfig", "tool_config", "safetySettings", "safety_settings"),
}
GEMINI_TOOL: Final = {"functionDeclarations", "function_declarations"}
GEMINI_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class Route:
    """A path that is forwarded.

    Attributes
    ----------
    path
        Below the service's base URL.
    counts
        It asks how long a request is, and for no answer.
    model, streams
        What its path says of the request; None where the body says it.
    """

    protocol: Protocol
    path: str
    vendor: VendorName
    counts: bool = False
    model: str | None = None
    streams: bool | None = None


ROUTES: Final[Mapping[str, Route]] = {
    "/v1/responses": Route("responses", "/responses", "codex"),
    "/v1/chat/completions": Route("chat", "/chat/completions", "codex"),
    "/v1/messages": Route("messages", "/v1/messages", "claude"),
    "/v1/messages/count_tokens": Route(
        "messages", "/v1/messages/count_tokens", "claude", counts=True
    ),
}


class UnfitError(Exception):
    """A request that is not sent on; the message says why.

    Attributes
    ----------
    request
        As far as it could be read.
    """

    def __init__(self, message: str, request: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.request = request or {}


def route_of(target: str, vendor: VendorName) -> Route | None:
    """Return where a request goes; None where that is nowhere."""
    path, _, query = target.partition("?")
    if vendor == "gemini":
        return _gemini_route(path, query)
    route = ROUTES.get(path)
    return route if route is not None and route.vendor == vendor else None


def _gemini_route(path: str, query: str) -> Route | None:
    found = GEMINI.fullmatch(path)
    if found is None:
        return None
    model, action = unquote(found["model"]), found["action"]
    streams = action == "streamGenerateContent"
    if streams and parse_qs(query).get("alt") != ["sse"]:
        return None  # the other form is one long list
    path = f"/v1beta/models/{quote(model, safe='')}:{action}"
    return Route("gemini", path, "gemini", action == "countTokens", model, streams)


def checked(
    body: bytes, route: Route, models: tuple[str, ...], most_output: int | None
) -> dict[str, Any]:
    """Return a request as it is sent on: what is read here is what the service reads.

    Raises
    ------
    UnfitError
        It is none, is for another model, or asks for what is done outside of the sandbox.
    """
    try:
        asked = json.loads(body)
    except (RecursionError, ValueError):
        raise UnfitError("The request is no JSON.") from None
    if not isinstance(asked, dict):
        raise UnfitError("The request is no JSON object.")
    model = asked.get("model") if route.model is None else route.model
    if model not in models:
        raise UnfitError(
            f"The model {str(model)[:60]!a} is not allowed here: ask {models[0]!a}.", asked
        )
    if route.protocol == "gemini":
        return asked if route.counts else _gemini(asked, most_output)
    if asked.get("background"):
        raise UnfitError("Answers in the background are not allowed here.", asked)
    kinds = [tool.get("type") for tool in tools_of(asked)]
    hosted = [kind for kind in kinds if isinstance(kind, str) and kind.startswith(HOSTED)]
    if hosted or asked.get("mcp_servers"):
        kind = hosted[0] if hosted else "mcp"
        raise UnfitError(
            f"Tools that the service runs itself are not allowed here: {kind[:40]!a}.", asked
        )
    if not route.counts:
        _bound(asked, BOUNDS[route.protocol], most_output)
    if route.protocol == "chat" and asked.get("stream"):
        # Else nobody says what the answer took.
        options = asked.get("stream_options")
        given = options if isinstance(options, dict) else {}
        asked["stream_options"] = {**given, "include_usage": True}
    return asked


def _gemini(asked: dict[str, Any], most_output: int | None) -> dict[str, Any]:
    if "generation_config" in asked:
        asked.setdefault("generationConfig", asked.pop("generation_config"))
    if others := asked.keys() - GEMINI_FIELDS:
        raise UnfitError(f"{min(others)[:40]!a} is not allowed here.", asked)
    tools = asked.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UnfitError("The tools are no list.", asked)
    for tool in tools:
        if others := tool.keys() - GEMINI_TOOL:
            raise UnfitError(
                f"Tools that the service runs itself are not allowed here: {min(others)[:40]!a}.",
                asked,
            )
    if any("fileData" in part or "file_data" in part for part in _parts(asked)):
        raise UnfitError("Files that the service fetches itself are not allowed here.", asked)
    config = asked.setdefault("generationConfig", {})
    if not isinstance(config, dict):
        raise UnfitError("The generationConfig is no object.", asked)
    _bound(config, BOUNDS["gemini"], most_output)
    return asked


def _parts(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of what is said, and of what tools returned."""
    contents = asked.get("contents")
    holders = [*contents] if isinstance(contents, list) else [contents]
    while holders:
        holder = holders.pop()
        parts = holder.get("parts") if isinstance(holder, dict) else None
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict):
                yield part
                holders += [part.get("functionResponse"), part.get("function_response")]


def tools_of(asked: Any, deep: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the tools that a request offers, wherever it does: some come as a part of its input."""
    if not isinstance(asked, dict) or not deep:
        return
    tools = asked.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            yield tool
            yield from tools_of(tool, deep - 1)
    given = asked.get("input")
    for item in given if isinstance(given, list) else ():
        if isinstance(item, dict) and "tools" in item:
            yield from tools_of(item, deep - 1)


def _bound(asked: dict[str, Any], names: tuple[str, ...], most: int | None) -> None:
    if most is None:
        return
    given = [name for name in names if asked.get(name) is not None] or names[:1]
    for name in given:
        number = asked.get(name, most)
        asked[name] = min(number, most) if isinstance(number, int) else most


def error_body(vendor: VendorName, status: int, message: str, code: str | None = None) -> bytes:
    """Return a refusal in the vendor's words."""
    kinds = {401: "authentication_error", 404: "not_found_error", 413: "request_too_large"}
    kinds |= {429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    if vendor == "gemini":
        said = GEMINI_STATUS.get(status, "INTERNAL" if status >= 500 else "FAILED_PRECONDITION")
        told = {"code": status, "message": message, "status": code or said}
        return json.dumps({"error": told}).encode()
    error = {"type": code or kind, "message": message}
    if vendor == "claude":
        return json.dumps({"type": "error", "error": error}).encode()
    return json.dumps({"error": {**error, "param": None, "code": code}}).encode()


def models_body(vendor: VendorName, models: tuple[str, ...]) -> bytes:
    """Return the list of the models allowed."""
    if vendor == "claude":
        listed = [{"type": "model", "id": name, "display_name": name} for name in models]
        return json.dumps({"data": listed, "has_more": False}).encode()
    if vendor == "gemini":
        return json.dumps({"models": [{"name": f"models/{name}"} for name in models]}).encode()
    return json.dumps(
        {"object": "list", "data": [{"object": "model", "id": name} for name in models]}
    ).encode()
