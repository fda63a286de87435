"""How many tokens an answer took, in each protocol's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.wire_text import count
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["usage_of_chat", "usage_of_gemini", "usage_of_messages", "usage_of_responses"]


def usage_of_responses(usage: Any) -> Usage:
    """Read what an answer of OpenAI Responses tells of itself."""
    return _read(usage, "input_tokens", "output_tokens", "input_tokens_details")


def usage_of_chat(usage: Any) -> Usage:
    """Read what an answer of Chat Completions tells of itself."""
    return _read(usage, "prompt_tokens", "completion_tokens", "prompt_tokens_details")


def usage_of_messages(counts: Mapping[str, int]) -> Usage:
    """Read what the events of an answer of Anthropic Messages count together."""
    cached = counts.get("cache_read_input_tokens", 0)
    fresh = counts.get("input_tokens", 0) + counts.get("cache_creation_input_tokens", 0)
    return Usage(fresh + cached, cached, counts.get("output_tokens", 0))


def usage_of_gemini(usage: Any) -> Usage:
    """Read what an answer of Google's generateContent tells of itself."""
    if not isinstance(usage, dict):
        return Usage()
    told = {name: count(usage.get(name)) for name in usage}
    return Usage(
        told.get("promptTokenCount", 0) + told.get("toolUsePromptTokenCount", 0),
        told.get("cachedContentTokenCount", 0),
        told.get("candidatesTokenCount", 0) + told.get("thoughtsTokenCount", 0),
    )


def _read(usage: Any, taken: str, given: str, details: str) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    more = usage.get(details)
    cached = more.get("cached_tokens") if isinstance(more, dict) else 0
    return Usage(count(usage.get(taken)), count(cached), count(usage.get(given)))
