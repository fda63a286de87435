"""Which model and which sandbox service are used, of what the layers say, and why.

Without a vendor's key or URL it is what needs no account: the demo model, the local sandbox
server. What the site's policy does not allow is an error here, for magics and for ``VibeKit``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from vibekit_jupyter.errors import AgentNotInitializedError, VibeKitError
from vibekit_jupyter.settings import keys
from vibekit_jupyter.settings.checks import check_model_name
from vibekit_jupyter.settings.config import (
    AGENTS,
    UNUSED_KEY,
    VENDORS,
    Model,
    ModelSettings,
    Service,
    agent_name,
    service_id,
)
from vibekit_jupyter.settings.headers import secrets_in
from vibekit_jupyter.settings.kinds import is_host, is_http
from vibekit_jupyter.settings.vendors import ACP_AGENTS, CHAT_AGENTS, OWN_AGENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.settings.config import AgentName, Settings, VendorName

__all__ = [
    "DOMAIN",
    "agent_in_use",
    "agent_named",
    "agent_to_ask",
    "automatic",
    "choose_agent",
    "choose_e2b",
    "choose_model",
    "vendor_of",
    "with_model",
]


PLACES: Final = ("domain", "api_url", "sandbox_url")
# What E2B and its SDK take where nothing is said.
DOMAIN: Final = "e2b.app"
TEMPLATE: Final = "base"


def choose_agent(settings: Settings) -> str:
    """Return the agent to use when an operation names none.

    Raises
    ------
    AgentNotInitializedError
        None is named, or there is none of that name.
    ConfigurationError
        The policy does not allow it.
    """
    if settings.agent is None:
        raise AgentNotInitializedError(
            "no agent was given.", hint='Use VibeKit(agent={"type": "codex"}) or "claude".'
        )
    agent = agent_name(settings.agent) if settings.agent != "auto" else automatic(settings)
    settings.check("agent", agent)
    return agent


def agent_to_ask(settings: Settings) -> str:
    """Return the agent to use, which can be started: see :func:`choose_agent`."""
    agent = choose_agent(settings)
    if agent == OWN_AGENT and not settings.agent_command:
        raise AgentNotInitializedError(
            "nothing says how your own agent is started.",
            hint="Give its command: %vibekit_config --agent-command COMMAND",
        )
    return agent


def agent_named(settings: Settings) -> str:
    """Return what the agent in use is called, empty where none can be used; never raises."""
    try:
        return choose_agent(settings)
    except VibeKitError:
        return ""


def vendor_of(settings: Settings, agent: str) -> VendorName:
    """Return the vendor whose models an agent asks, and whose settings hold for it."""
    vendor = next((name for name in AGENTS if name == agent), None) or ACP_AGENTS.get(agent)
    return vendor or automatic(settings)


def agent_in_use(settings: Settings) -> VendorName:
    """Return the vendor that is meant where a setting of its model is changed; never raises."""
    return vendor_of(settings, settings.agent or "")


def automatic(settings: Settings) -> AgentName:
    """Return the agent where nobody chose one: the first that is allowed and configured."""
    allowed = [name for name in AGENTS if settings.policy.has("agent", name)] or AGENTS
    return next((name for name in allowed if _is_configured(settings, name)), allowed[0])


def choose_model(settings: Settings, name: str, *, unlock: bool = True) -> Model | None:
    """Return the model service to ask, or None for the demo model.

    Parameters
    ----------
    name
        The agent's.
    unlock
        Read the key's file, or run the program that prints it. Without, such a key is empty.

    Raises
    ------
    AgentNotInitializedError
        This agent's vendor is not configured while the other one is, or a credential or URL
        is empty or malformed.
    ConfigurationError
        The model's name can be none, the policy does not allow it, or a key cannot be read.
    """
    agent = vendor_of(settings, name)
    if settings.demo or not any(_is_configured(settings, each) for each in {*AGENTS, agent}):
        if agent not in AGENTS or name in CHAT_AGENTS:
            protocol = f"the protocol of {VENDORS[agent].title}"
            protocol = "Chat Completions" if name in CHAT_AGENTS else protocol
            raise AgentNotInitializedError(
                f"the demo model does not speak {protocol}, which {name} asks for.",
                hint=f"Set {VENDORS[agent].key_variables[0]}, or use another agent.",
            )
        settings.policy.check_use("demo", "The demo model would answer")
        return None
    vendor = VENDORS[agent]
    own = settings.models.get(agent, ModelSettings())
    if own.name:
        check_model_name(own.name)
    model = own.name or vendor.default_model
    settings.check(f"{agent}.model", model)
    settings.policy.check("model", model, settings.origin(f"{agent}.model"))
    if not own.names_a_service:
        raise AgentNotInitializedError(
            f"there is no key for {vendor.title}, which {name} needs.",
            hint=f"Set {vendor.key_variables[0]}, or use the other agent.",
        )
    if own.base_url is not None:
        _check_url(own.base_url, vendor.title, settings.origin(f"{agent}.base_url"))
    settings.check(f"{agent}.base_url", own.base_url or vendor.default_url)
    key, source = _key(settings, agent, vars(own), unlock=unlock)
    if key is not None and (key or unlock or own.api_key is not None):
        _check_key(key, vendor.title, source)
    url = own.base_url
    if url is not None and agent != "codex":  # who asks adds the version
        parts = urlsplit(url)
        path = parts.path.rstrip("/").removesuffix("/v1" if agent == "claude" else "/v1beta")
        url = urlunsplit(parts._replace(path=path))
    reason = "without a key" if key is None else f"with the key {source}"
    headers = tuple(own.headers.items())
    for secret in secrets_in(headers):
        keys.remember(secret)
    return Model(
        agent=agent,
        name=model,
        base_url=url or vendor.default_url,
        api_key=UNUSED_KEY if key is None else key,
        source=reason
        if url is None
        else f"{reason}, at the URL {settings.origin(f'{agent}.base_url')}",
        bearer=settings.origin(f"{agent}.api_key") == "from ANTHROPIC_AUTH_TOKEN",
        without=own.without,
        headers=headers,
    )


def _key(
    settings: Settings, group: str, own: Mapping[str, Any], *, unlock: bool
) -> tuple[Any, str]:
    """Return a key and where it is from, as the end of a sentence; None where there is none."""
    if (key := own.get("api_key")) is not None:
        return key, settings.origin(f"{group}.api_key")
    if path := own.get("key_file"):
        settings.check(f"{group}.key_file", path)
        key = keys.from_file(f"{group}.key_file", path) if unlock else ""
        return key, f"from {path} ({settings.origin(f'{group}.key_file')})"
    if argv := own.get("key_command"):
        key = keys.from_command(f"{group}.key_command", argv) if unlock else ""
        return key, f"from {argv[0]} ({settings.origin(f'{group}.key_command')})"
    return None, ""


def with_model(settings: Settings, name: str, **changes: Any) -> Settings:
    """Return the settings with changes to what is set for an agent's model.

    Raises
    ------
    ConfigurationError
        The name can be none.
    """
    if changes.get("name"):
        check_model_name(changes["name"])
    agent = vendor_of(settings, name)
    model = dataclasses.replace(settings.models.get(agent, ModelSettings()), **changes)
    return dataclasses.replace(settings, models={**settings.models, agent: model})


def choose_e2b(settings: Settings, *, unlock: bool = True) -> Service | None:
    """Return the E2B service to use, or None for the local sandbox server.

    Parameters
    ----------
    unlock
        Read the key's file, or run the program that prints it. Without, such a key is empty.

    Raises
    ------
    AgentNotInitializedError
        E2B was asked for, and its key is missing, empty or malformed.
    ConfigurationError
        The policy does not allow it, or a key cannot be read.
    """
    given = settings.e2b
    has_key = any(given.get(name) is not None for name in ("api_key", "key_file", "key_command"))
    if _environment(settings, has_key=has_key) == "local":
        return None
    if not has_key:
        raise AgentNotInitializedError(
            "there is no key for E2B.",
            hint="Set E2B_API_KEY, or use the local sandbox: %vibekit_config --environment local",
        )
    settings.check("e2b.template", given.get("template") or TEMPLATE)
    domain = given.get("domain") or DOMAIN
    places = {name: given[name] for name in PLACES if given.get(name)}
    if url := os.environ.get("E2B_SANDBOX_URL"):  # the SDK takes it where nothing is set
        places.setdefault("sandbox_url", url)
    if "api_url" not in places:
        places |= {"domain": domain, "api_url": f"https://api.{domain}"}
    _check_places(settings, places)
    api_url = places["api_url"]
    key, source = _key(settings, "e2b", given, unlock=unlock)
    if key or unlock or given.get("api_key") is not None:
        _check_key(key, "E2B", source)
    return Service(
        id=service_id(api_url),
        title="E2B"
        if domain == DOMAIN and not given.get("api_url")
        else urlsplit(api_url).netloc.rpartition("@")[2],
        api_key=key,
        api_url=api_url,
        sandbox_url=places.get("sandbox_url"),
        domain=given.get("domain") or None,
        template=given.get("template") or None,
        request_timeout=float(given.get("request_timeout", Service.request_timeout)),
        source=f"with the key {source}",
        key_mark=hashlib.sha256(b"vibekit " + key.encode()).hexdigest()[:12],
    )


def _check_places(settings: Settings, places: Mapping[str, str]) -> None:
    """Raise where sandboxes would be elsewhere than is allowed.

    A cluster is said by its domain, or by URLs: what a policy says of one way holds for the others
    that it says nothing of.
    """
    policy = settings.policy
    for name, place in places.items():
        origin = settings.origin(f"e2b.{name}")
        if name == "domain" and not is_host(place):
            raise AgentNotInitializedError(
                f"the domain for E2B ({origin}) is not a host's name.",
                hint="It looks like sandboxes.example.org.",
            )
        if name != "domain":
            _check_url(place, "E2B", f"e2b.{name} {origin}")
        settings.check(f"e2b.{name}", place)
        if policy.says(f"e2b.{name}"):
            continue
        host = place if name == "domain" else urlsplit(place).netloc.rpartition("@")[2].lower()
        hosts = [host.split(".", count)[-1] for count in range(host.count(".") + 1)]
        urls = [place, *(f"https://api.{each}" for each in hosts)]
        for other, forms in (("e2b.domain", hosts), ("e2b.api_url", urls)):
            if policy.says(other) and not any(policy.has(other, form) for form in forms):
                policy.check(other, forms[0], origin)


def _environment(settings: Settings, *, has_key: bool) -> str:
    """Return where sandboxes are: as set, else by whether there is a key for E2B."""
    if settings.environment is not None:
        settings.check("environment", settings.environment)
        return settings.environment
    if has_key:
        origins = map(settings.origins.get, ("e2b.api_key", "e2b.key_file", "e2b.key_command"))
        origin = next(filter(None, origins), "")
        settings.policy.check("environment", "e2b", f"for there is a key {origin}")
        return "e2b"
    return "local" if settings.policy.has("environment", "local") else "e2b"


def _is_configured(settings: Settings, agent: VendorName) -> bool:
    return settings.models.get(agent, ModelSettings()).names_a_service


def _check_key(key: object, title: str, source: str) -> None:
    # A header carries printable ASCII; a space or a newline in a key is a slip of the paste.
    if not isinstance(key, str) or not key or not all("!" <= char <= "~" for char in key):
        what = "empty" if isinstance(key, str) and not key.strip() else "malformed"
        raise AgentNotInitializedError(
            f"the key for {title} ({source}) is {what}.",
            hint="Keys are printable ASCII without spaces; copy it again from the vendor's page.",
        )


def _check_url(url: object, title: str, source: str) -> None:
    if not is_http(url):
        raise AgentNotInitializedError(
            f"the URL for {title} ({source}) is not an http(s) URL.",
            hint="It looks like http://localhost:11434/v1.",
        )
