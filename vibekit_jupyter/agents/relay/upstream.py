"""The one model service that a relay asks, with the kernel's key, as our own clients ask it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

import httpx2

from vibekit_jupyter._version import __version__
from vibekit_jupyter.agents.bounded_http import http_client
from vibekit_jupyter.agents.failures import Failures
from vibekit_jupyter.agents.sdk_client import where
from vibekit_jupyter.agents.service import CONNECT_TIMEOUT
from vibekit_jupyter.agents.spent import is_budget, is_spent
from vibekit_jupyter.sandbox.bounded_answer import AnswerTooLongError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vibekit_jupyter.agents.relay.protocols import Route
    from vibekit_jupyter.errors import ModelError
    from vibekit_jupyter.settings.config import Model
    from vibekit_jupyter.settings.vendors import VendorName

__all__ = ["CAUGHT", "RefusalError", "Upstream"]

CAUGHT: Final = (httpx2.HTTPError, httpx2.InvalidURL, AnswerTooLongError, TimeoutError)
# Of what an agent says in its headers, the protocol's versions are passed on.
PASSED: Final = ("anthropic-version", "anthropic-beta", "openai-beta")
# Of what the service says in its headers.
RETURNED: Final = ("content-type", "retry-after")
MOST_MESSAGE: Final = 2_000
NO_KEY: Final = "API_KEY_INVALID"
AGENT: Final = f"vibekit-jupyter/{__version__}"


class RefusalError(Exception):
    """The service refused; it looks as the SDKs' errors do to what reads them.

    Attributes
    ----------
    status_code, body, response
        The status, the JSON of the body, the answer.
    is_final
        No waiting helps.
    """

    def __init__(self, response: httpx2.Response, vendor: VendorName) -> None:
        super().__init__(response.text)
        self.status_code = response.status_code
        self.response = response
        self.body: Any = response.text
        with contextlib.suppress(RecursionError, ValueError):
            self.body = json.loads(response.text)
        # Google asks for patience in the words in which others say that the money is spent, and
        # calls a wrong key a wrong request.
        is_google = vendor == "gemini"
        self.is_final = (is_budget if is_google else is_spent)(str(self))
        if is_google and self.status_code == httpx2.codes.BAD_REQUEST and NO_KEY in response.text:
            self.status_code = httpx2.codes.UNAUTHORIZED

    def words(self) -> tuple[str, str | None]:
        """Return the service's sentence, and its code where it gives one."""
        error = self.body.get("error", self.body) if isinstance(self.body, dict) else self.body
        if not isinstance(error, dict):
            return str(error)[:MOST_MESSAGE], None
        code = error.get("code") or error.get("type")
        plain = isinstance(code, str) and code.replace("_", "").isalnum() and len(code) <= 60
        return str(error.get("message") or "")[:MOST_MESSAGE], code if plain else None


class Upstream:
    """A connection to the model service.

    Parameters
    ----------
    silence
        Seconds without a byte after which it counts as failed.
    """

    def __init__(self, model: Model, silence: float) -> None:
        self.model = model
        self._silence = silence
        self._failures = Failures(model)
        self._client = http_client(model, httpx2.AsyncClient)
        self._timeout = httpx2.Timeout(silence, connect=min(silence, CONNECT_TIMEOUT))
        said = where(model.base_url)
        self._urls: dict[str, httpx2.URL] = {}
        self._base, self._query = said["base_url"].rstrip("/"), said["default_query"]

    @contextlib.asynccontextmanager
    async def answer(
        self, route: Route, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, and give its answer as it begins.

        Raises
        ------
        RefusalError
            It is none.
        """
        # The client's own way to make one takes longer than all the rest.
        request = httpx2.Request(
            "POST",
            self._url(route.path),
            content=body,
            headers=self._headers(headers),
            extensions={"timeout": self._timeout.as_dict()},
        )
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if response.status_code != httpx2.codes.OK:
                await response.aread()
                raise RefusalError(response, self.model.agent)
            yield response
        finally:
            await response.aclose()

    def failure(self, error: Exception, *, streaming: bool = False) -> ModelError:
        """Return what an error means, without a word of the key."""
        return self._failures.of(error, silence=self._silence, streaming=streaming)

    def stream_error(self, told: Any) -> ModelError:
        """Return the error that an answer's last event tells of."""
        return self._failures.stream_error(told)

    def broken_off(self, *, began: bool) -> ModelError:
        """Return the error of an answer that did not come to its end."""
        return self._failures.broken_off(began=began)

    def without_secrets(self, text: str) -> str:
        """Return a service's words without what it must not repeat."""
        for secret in self.model.secrets:
            text = text.replace(secret, "[key]")
        return text

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _url(self, path: str) -> httpx2.URL:
        if (url := self._urls.get(path)) is None:
            url = self._urls[path] = httpx2.URL(f"{self._base}{path}", params=self._query or None)
        return url

    def _headers(self, said: Mapping[str, str]) -> dict[str, str]:
        passed = {name: str(said[name]) for name in PASSED if name in said}
        passed = {
            name: value for name, value in passed.items() if value.isascii() and value.isprintable()
        }
        key = self.model.api_key
        if self.model.agent == "codex" or self.model.bearer:
            own = {"authorization": f"Bearer {key}"}
        elif self.model.agent == "gemini":
            own = {"x-goog-api-key": key}
        else:
            own = {"x-api-key": key}
        if self.model.agent == "claude":
            passed.setdefault("anthropic-version", "2023-06-01")
        own |= {"content-type": "application/json", "user-agent": AGENT, "accept": "*/*"}
        return {**passed, **own, **{name.lower(): value for name, value in self.model.headers}}


def returned(response: httpx2.Response) -> dict[str, str]:
    """Return those of an answer's headers that are passed on."""
    found = {name: response.headers.get(name, "")[:100] for name in RETURNED}
    return {name: value for name, value in found.items() if value and value.isprintable()}
