"""What a scripted model server answers, and everything that goes wrong with an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from vibekit_jupyter.demo_model.wire import Answer, Request

__all__ = [
    "Cut",
    "Disturbed",
    "ErrorEvent",
    "Fault",
    "Garbage",
    "HttpError",
    "Live",
    "Pace",
    "Raw",
    "Reply",
    "Script",
    "Stall",
    "UnknownEvent",
    "over_budget",
]


@dataclass(frozen=True)
class Cut:
    """The connection is cut after ``after`` events."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Nothing comes for some seconds after ``after`` events; then the answer goes on."""

    after: int
    seconds: float


@dataclass(frozen=True)
class Pace:
    """Some seconds pass before each event."""

    seconds: float


@dataclass(frozen=True)
class Garbage:
    """Bytes that are no event stand between the events."""

    after: int
    data: bytes = b"event: response.output_text.delta\ndata: {not json\n\n"


@dataclass(frozen=True)
class UnknownEvent:
    """An event of a kind that nobody knows stands between the events."""

    after: int
    data: dict[str, Any] = field(
        default_factory=lambda: {"type": "surprise.event", "sequence_number": -1, "detail": 1}
    )


@dataclass(frozen=True)
class ErrorEvent:
    """The stream ends in the vendor's error event after ``after`` events.

    With ``failed`` it is OpenAI's other way to say so, the event ``response.failed``.
    """

    after: int
    message: str = "The server had an error while processing your request."
    code: str | None = None
    failed: bool = False


Fault = Cut | Stall | Pace | Garbage | UnknownEvent | ErrorEvent


@dataclass(frozen=True)
class Disturbed:
    """An answer on whose way faults happen."""

    answer: Answer
    faults: tuple[Fault, ...]

    def __init__(self, answer: Answer, *faults: Fault) -> None:
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "faults", faults)


@dataclass(frozen=True)
class HttpError:
    """A status other than 200, with the vendor's JSON body.

    ``code`` is OpenAI's ``error.code``; Anthropic's ``error.type`` follows the status.
    """

    status: int
    message: str
    code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def context_too_long(cls) -> Self:
        """The conversation does not fit."""
        return cls(
            400,
            "Your input exceeds the context window of this model: prompt is too long.",
            "context_length_exceeded",
        )

    @classmethod
    def unauthorized(cls) -> Self:
        """The key is wrong."""
        return cls(401, "Incorrect API key provided.", "invalid_api_key")

    @classmethod
    def no_such_model(cls, model: str = "gpt-none") -> Self:
        """The model is unknown."""
        return cls(404, f"The model `{model}` does not exist.", "model_not_found")

    @classmethod
    def rate_limited(cls, retry_after: float = 0) -> Self:
        """Too many requests; ``retry_after`` in seconds."""
        return cls(
            429,
            "Rate limit reached.",
            "rate_limit_exceeded",
            (("Retry-After", f"{retry_after:g}"),),
        )

    @classmethod
    def quota_used_up(cls) -> Self:
        """OpenAI's account has no money left; nothing but its words tells it from a rate limit."""
        return cls(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
        )

    @classmethod
    def no_credit(cls) -> Self:
        """Anthropic's account has no money left."""
        return cls(
            400,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits.",
        )

    @classmethod
    def broken(cls) -> Self:
        """The server failed."""
        return cls(500, "The server had an error while processing your request.")

    @classmethod
    def overloaded(cls) -> Self:
        """The server has too much to do (Anthropic's own status)."""
        return cls(529, "Overloaded")


@dataclass(frozen=True)
class Raw:
    """Any status and bytes, as a proxy in between would send them."""

    body: bytes
    status: int = 200
    content_type: str = "text/html"


def over_budget(
    status: int = 429,
    message: str = "Budget has been exceeded! Current cost: 10.51, Max budget: 10.0",
    kind: str | None = "budget_exceeded",
) -> Raw:
    """LiteLLM refuses, to the SDKs of both vendors alike; its code is the status."""
    error = {"message": message, "type": kind, "param": None, "code": str(status)}
    return Raw(json.dumps({"error": error}).encode(), status, "application/json")


@dataclass(frozen=True)
class Live:
    """A stream of events whose bytes are made while they are sent."""

    body: Callable[[], AsyncIterator[bytes]]


Reply = Answer | Disturbed | HttpError | Raw | Live
Script = Sequence[Reply] | Callable[[Request], Reply]
