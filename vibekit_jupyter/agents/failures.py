"""Every way a model service can fail, as one of our errors that says what to do."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx2

from vibekit_jupyter.agents.spent import is_budget, is_spent
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import (
    ContextTooLongError,
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelRequestError,
    ModelStreamError,
    ModelUnavailableError,
)
from vibekit_jupyter.sandbox.bounded_answer import too_long
from vibekit_jupyter.settings.config import AGENTS, VENDORS, Model
from vibekit_jupyter.settings.network import certificate_fault

__all__ = ["Failures", "status_of"]

# Vendors and compatible servers have no common code for it, so their words have to do.
TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size|limit)|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
BOUND = re.compile(r"max.(output.|completion.)?tokens", re.IGNORECASE)
# An error inside a stream has a code where a response has a status.
STATUS_OF_CODE = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "budget_exceeded": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class Failures:
    """The errors of one model service.

    Parameters
    ----------
    model
        Whose key is never shown.

    Attributes
    ----------
    sent
        The optional fields of the request that was refused.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.sent: tuple[str, ...] = ()

    def of(self, error: Exception, *, silence: float, streaming: bool) -> ModelError:
        """Return what an SDK's error means; ``streaming``: the answer had begun."""
        if long := too_long(error):
            return ModelStreamError(
                f"The model service at {self._host} {long}.",
                hint="Run the cell again, or check that the base URL is right.",
            )
        code, message = _said(error)
        status = status_of(error)
        if status is not None and status != 200:
            return self._refusal(status, code, message, _retry_after(error))
        if _is_timeout(error):
            return ModelUnavailableError(
                f"The model service at {self._host} was silent for {silence:g} s.",
                hint="Run the cell again, or wait for longer: %vibekit_config --silence SECONDS.",
            )
        if message is not None:
            return self._error_in_stream(code, message)
        if streaming:
            return self.broken_off()
        return self._unreachable(error)

    def stream_error(self, error: object) -> ModelError:
        """Return the error that a stream ended in, of what its last event tells of it."""
        return self._error_in_stream(*_words(error))

    def _error_in_stream(self, code: str | None, message: str | None) -> ModelError:
        status = STATUS_OF_CODE.get(code or "")
        if code and re.fullmatch("[45][0-9]{2}", code):
            status = int(code)
        if status is None and is_spent(code, message):
            status = 429
        if status is not None:
            return self._refusal(status, code, message)
        return ModelStreamError(
            f"The model's answer ended in an error: {self._quote(message)}.",
            hint="Run the cell again.",
        )

    def broken_off(self, *, began: bool = True) -> ModelStreamError:
        """Return the error of a stream that ended before its answer did, or had none."""
        if not began:
            return self.no_answer()
        return ModelStreamError(
            "The model's answer broke off: the connection was cut.", hint="Run the cell again."
        )

    def no_answer(self) -> ModelStreamError:
        """Return the error of a server that speaks another protocol."""
        return ModelStreamError(
            f"The model service at {self._host} sent something that is not an answer.",
            hint="Check that its base URL is right, then run the cell again.",
        )

    def _refusal(  # noqa: PLR0911  (a table: one row for each kind of refusal)
        self, status: int, code: str | None, message: str | None, retry_after: str = ""
    ) -> ModelError:
        said = self._quote(message)
        vendor = VENDORS[self.model.agent]
        other = next(agent for agent in AGENTS if agent != self.model.agent)
        if is_budget(code, message):
            return ModelRateLimitError(
                f"Your budget at the model service {self._host} is used up ({status}): {said}.",
                hint="Ask your administrator, or wait until it opens again.",
            )
        # Google says so of each minute's limit, too.
        if status == 402 or (self.model.agent != "gemini" and is_spent(code, message)):
            return ModelRateLimitError(
                f"The account at {vendor.title} has no credit left ({status}): {said}.",
                hint=f"Add credit there, or choose another agent with --agent {other}.",
            )
        if status in (401, 403):
            what = "the key" if status == 401 else "access"
            return ModelAuthenticationError(
                f"The model service refused {what} ({status}): {said}.",
                hint=f"Set {vendor.key_variables[0]}, or choose another agent with "
                f"--agent {other}.",
            )
        if status == 404:
            return ModelNotFoundError(
                f"The model service at {self._host} does not know {self.model.name!r} (404): "
                f"{said}.",
                hint="Choose another model with --model, or check the base URL: it ends in /v1 "
                "for codex and not for claude.",
            )
        if status == 429:
            wait = f"in {retry_after} s" if retry_after else "a little later"
            return ModelRateLimitError(
                f"The model service asks to wait (429): {said}.", hint=f"Run the cell again {wait}."
            )
        if status == 413 or (
            status < 500 and (code == "context_length_exceeded" or TOO_LONG.search(message or ""))
        ):
            return ContextTooLongError(
                f"The conversation does not fit into {self.model.name}'s context: {said}.",
                hint="Start anew with --fresh, or choose a model with a larger context.",
            )
        if status >= 500 or status == 408:
            return ModelUnavailableError(
                f"The model service at {self._host} failed ({status}): {said}.",
                hint="Run the cell again a little later.",
            )
        return ModelRequestError(
            f"The model service refused the request ({status}): {said}.",
            hint=self._what_to_leave_out(message or ""),
        )

    def _unreachable(self, error: Exception) -> ModelUnavailableError:
        if fault := certificate_fault(error):
            return ModelUnavailableError(
                f"The certificate of the model service at {self._host} {fault[0]}.", hint=fault[1]
            )
        return ModelUnavailableError(
            f"The model service at {self._host} cannot be reached.",
            hint="Check the network and the base URL (%vibekit_config shows it).",
        )

    def _what_to_leave_out(self, message: str) -> str:
        if BOUND.search(message):
            return "Set a bound that it takes: %vibekit_config --max-output-tokens N."
        if self.sent:
            return (
                "Choose another model with --model; or leave out what the service does not know of "
                f"{', '.join(self.sent)}: %vibekit_config --without {self.sent[-1]}."
            )
        return "Choose another model with --model, or check the base URL."

    @property
    def _host(self) -> str:
        return urlsplit(self.model.base_url).netloc.rpartition("@")[2]

    def _quote(self, message: str | None) -> str:
        """Return a server's words as the end of a sentence: one short line without the key."""
        plain = re.sub(r"<[^<>]*>", " ", message or "")  # of a proxy's page
        words = " ".join(well_formed(plain).split()) or "it did not say why"
        for secret in self.model.secrets:
            words = words.replace(secret, "[key]")
        return (words if len(words) <= 300 else words[:299] + "…").rstrip(".")


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that an SDK's error carries."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _is_timeout(error: BaseException) -> bool:
    # The SDKs' own timeouts have the HTTP library's as their cause.
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return not isinstance(error, httpx2.ConnectTimeout)
    return error.__cause__ is not None and _is_timeout(error.__cause__)


def _retry_after(error: Exception) -> str:
    given = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
    return given if re.fullmatch(r"\d{1,6}", given) else ""


def _said(error: Exception) -> tuple[str | None, str | None]:
    """Return a server's code and words: ``{"error": {...}}``, or what is in it, or text."""
    body = getattr(error, "body", None)
    return _words(body.get("error", body) if isinstance(body, dict) else body)


def _words(error: object) -> tuple[str | None, str | None]:
    if not isinstance(error, dict):
        return None, error if isinstance(error, str) else None
    code, kind = error.get("code"), error.get("type")
    if not code or is_spent(str(kind)):  # LiteLLM's code is the status, and its type says why
        code = kind
    message = error.get("message")
    return str(code) if code else None, str(message) if message else None
