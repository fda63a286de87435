"""Which model and which sandbox service are used, and why.

Order: what the constructor or a magic says, then the vendor's environment variables, then
the parts that need no account (the demo model, the local sandbox server). An empty
environment variable counts as unset.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from vibekit_jupyter.errors import AgentNotInitializedError, VibeKitError
from vibekit_jupyter.settings.checks import check_model_name
from vibekit_jupyter.settings.config import (
    AGENTS,
    DEMO_MODEL,
    SILENCE,
    UNUSED_KEY,
    VENDORS,
    Model,
    ModelSettings,
    Service,
    agent_name,
    service_id,
)
from vibekit_jupyter.settings.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.settings.config import AgentName, Settings

__all__ = ["choose_agent", "choose_e2b", "choose_model", "describe", "with_model"]


def choose_agent(settings: Settings, environ: Mapping[str, str] = os.environ) -> AgentName:
    """Return the agent to use when an operation names none."""
    if settings.agent is None:
        raise AgentNotInitializedError(
            "no agent was given.", hint='Use VibeKit(agent={"type": "codex"}) or "claude".'
        )
    if settings.agent == "auto":
        return next((name for name in AGENTS if _is_configured(settings, name, environ)), AGENTS[0])
    return agent_name(settings.agent)


def choose_model(
    settings: Settings, agent: AgentName, environ: Mapping[str, str] = os.environ
) -> Model | None:
    """Return the model service to ask, or None for the demo model.

    Raises
    ------
    AgentNotInitializedError
        This agent's vendor is not configured while the other one is, or a credential or URL
        is empty or malformed.
    ConfigurationError
        The model's name can be none.
    """
    if settings.demo or not any(_is_configured(settings, name, environ) for name in AGENTS):
        return None
    vendor = VENDORS[agent]
    own = settings.models.get(agent, ModelSettings())
    if own.name:
        check_model_name(own.name)
    url_source = "as set" if own.base_url is not None else f"from {vendor.url_variable}"
    url = own.base_url if own.base_url is not None else environ.get(vendor.url_variable) or None
    variable = next((name for name in vendor.key_variables if environ.get(name)), None)
    key = own.api_key
    if key is None and variable:
        key = environ[variable]
    if key is None and url is None:
        raise AgentNotInitializedError(
            f"there is no key for {vendor.title}, which {agent} needs.",
            hint=f"Set {vendor.key_variables[0]}, or use the other agent.",
        )
    if key is not None:
        _check_key(key, vendor.title, "as set" if own.api_key is not None else f"from {variable}")
    if url is not None:
        _check_url(url, vendor.title, url_source)
        if agent == "claude":  # its SDK adds /v1 itself
            parts = urlsplit(url)
            path = parts.path.rstrip("/").removesuffix("/v1")
            url = urlunsplit(parts._replace(path=path))
    if own.api_key is not None:
        source = "with the key that was set"
    elif key is not None:
        source = f"with the key from {variable}"
    else:
        source = "without a key"
    return Model(
        agent=agent,
        name=own.name or vendor.default_model,
        base_url=url or vendor.default_url,
        api_key=key or UNUSED_KEY,
        source=source if url is None else f"{source}, at the URL {url_source}",
        bearer=own.api_key is None and variable == "ANTHROPIC_AUTH_TOKEN",
        without=own.without,
        headers=tuple(headers_of(own.headers).items()),
    )


def with_model(settings: Settings, agent: AgentName, **changes: Any) -> Settings:
    """Return the settings with changes to what is set for an agent's model.

    Raises
    ------
    ConfigurationError
        The name can be none.
    """
    if changes.get("name"):
        check_model_name(changes["name"])
    model = dataclasses.replace(settings.models.get(agent, ModelSettings()), **changes)
    return dataclasses.replace(settings, models={**settings.models, agent: model})


def choose_e2b(settings: Settings, environ: Mapping[str, str] = os.environ) -> Service | None:
    """Return the E2B service to use, or None for the local sandbox server.

    Raises
    ------
    AgentNotInitializedError
        E2B was asked for, and its key is missing, empty or malformed.
    """
    given = settings.e2b
    key = given.get("api_key", environ.get("E2B_API_KEY") or None)
    if settings.environment == "local" or (settings.environment is None and key is None):
        return None
    if key is None:
        raise AgentNotInitializedError(
            "there is no key for E2B.",
            hint="Set E2B_API_KEY, or use the local sandbox: %vibekit_config --environment local",
        )
    source = "as set" if "api_key" in given else "from E2B_API_KEY"
    _check_key(key, "E2B", source)
    options = {
        name: given.get(name) or environ.get(f"E2B_{name.upper()}") or None
        for name in ("api_url", "sandbox_url", "domain")
    }
    for name in ("api_url", "sandbox_url"):
        if url := options[name]:
            _check_url(url, "E2B", f"{name} as set")
    domain = options["domain"] or "e2b.app"
    api_url = options["api_url"] or f"https://api.{domain}"
    return Service(
        id=service_id(api_url),
        title="E2B" if domain == "e2b.app" and not options["api_url"] else urlsplit(api_url).netloc,
        api_key=key,
        api_url=api_url,
        sandbox_url=options["sandbox_url"],
        domain=options["domain"],
        template=given.get("template") or environ.get("E2B_TEMPLATE") or None,
        request_timeout=float(given.get("request_timeout", Service.request_timeout)),
        source=f"with the key {source}",
        key_mark=hashlib.sha256(b"vibekit " + key.encode()).hexdigest()[:12],
    )


def describe(
    settings: Settings, environ: Mapping[str, str] = os.environ
) -> Sequence[tuple[str, str, str]]:
    """Return what is used and why, as rows (what, value, reason), without keys or requests."""
    rows: list[tuple[str, str, str]] = []
    try:
        agent = choose_agent(settings, environ)
        rows.append(("agent", agent, "as set" if settings.agent == agent else "by default"))
        model = choose_model(settings, agent, environ)
        if model is None:
            reason = "as set" if settings.demo else "as neither OpenAI nor Anthropic is configured"
            rows.append(("model", DEMO_MODEL, reason))
        else:
            rows.append(("model", model.name, model.source))
            rows.append(("model service", model.base_url, ""))
            if model.without:
                rows.append(("left out of requests", ", ".join(model.without), "as set"))
            if model.headers:
                names = ", ".join(name for name, _ in model.headers)
                rows.append(("sent along", f"the headers {names}", "as set"))
    except VibeKitError as error:
        rows.append(("model", "not usable", str(error)))
    rows.append(("mode", settings.mode, ""))
    if settings.effort is not None:
        rows.append(("effort", settings.effort, "as set"))
    rows.append(("a run's bound", _bound(settings), ""))
    if settings.max_output_tokens is not None:
        rows.append(("an answer's bound", f"{settings.max_output_tokens} tokens", "as set"))
    if settings.silence != SILENCE:
        rows.append(("a model's silence", f"{settings.silence:g} s at most", "as set"))
    try:
        service = choose_e2b(settings, environ)
        if service is None:
            reason = "as set" if settings.environment == "local" else "as no E2B key is set"
            rows.append(("sandboxes", "local sandbox", reason))
        else:
            rows.append(("sandboxes", f"{service.title} ({service.api_url})", service.source))
    except VibeKitError as error:
        rows.append(("sandboxes", "not usable", str(error)))
    return rows


def _bound(settings: Settings) -> str:
    tokens = f", {settings.max_tokens} tokens" if settings.max_tokens is not None else ""
    return f"{settings.max_steps} steps{tokens}"


def _is_configured(settings: Settings, agent: AgentName, environ: Mapping[str, str]) -> bool:
    vendor = VENDORS[agent]
    own = settings.models.get(agent, ModelSettings())
    return own.names_a_service or any(
        environ.get(name) for name in (*vendor.key_variables, vendor.url_variable)
    )


def _check_key(key: object, title: str, source: str) -> None:
    # A header carries printable ASCII; a space or a newline in a key is a slip of the paste.
    if not isinstance(key, str) or not key or not all("!" <= char <= "~" for char in key):
        what = "empty" if isinstance(key, str) and not key.strip() else "malformed"
        raise AgentNotInitializedError(
            f"the key for {title} ({source}) is {what}.",
            hint="Keys are printable ASCII without spaces; copy it again from the vendor's page.",
        )


def _check_url(url: object, title: str, source: str) -> None:
    parts = None
    if isinstance(url, str) and all("!" <= char <= "~" for char in url):
        try:
            parts = urlsplit(url)
            _ = parts.port  # raises for a port that is no number
        except ValueError:
            parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AgentNotInitializedError(
            f"the URL for {title} ({source}) is not an http(s) URL.",
            hint="It looks like http://localhost:11434/v1.",
        )
