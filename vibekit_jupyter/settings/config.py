"""What can be set, and what a model service and a sandbox service are.

Which of them is used, and why, is decided in ``choices``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError
from vibekit_jupyter.settings.headers import headers_of, secrets_in
from vibekit_jupyter.settings.home import host_name
from vibekit_jupyter.settings.optional_fields import fields

__all__ = [
    "AGENTS",
    "DEMO_MODEL",
    "EFFORTS",
    "LOCAL_PREFIX",
    "MODES",
    "ON_EXIT",
    "AgentName",
    "Mode",
    "Model",
    "ModelSettings",
    "OnExit",
    "Service",
    "Settings",
    "agent_name",
    "bound",
    "effort_name",
    "is_loopback",
    "label",
    "local_service_id",
    "mode_name",
    "read_settings",
    "seconds",
    "service_id",
]

AgentName = Literal["codex", "claude"]
Mode = Literal["code", "ask"]
OnExit = Literal["pause", "keep"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
MODES: tuple[Mode, ...] = get_args(Mode)
ON_EXIT: tuple[OnExit, ...] = get_args(OnExit)
# The words for it that both vendors have.
EFFORTS = ("low", "medium", "high", "xhigh", "max")
MAX_STEPS = 50
SILENCE = 600.0
QUEUE = 120.0


@dataclass(frozen=True)
class Vendor:
    """What one vendor calls its settings, and which model it is asked for by default."""

    title: str
    key_variables: tuple[str, ...]
    url_variable: str
    default_url: str
    default_model: str


VENDORS: dict[AgentName, Vendor] = {
    "codex": Vendor(
        "OpenAI",
        ("OPENAI_API_KEY",),
        "OPENAI_BASE_URL",
        "https://api.openai.com/v1",
        "gpt-6-astra",
    ),
    "claude": Vendor(
        "Anthropic",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
        "claude-opus-5-5",
    ),
}

DEMO_MODEL = "demo"
# What the id of a machine's own sandbox service begins with; the machine's name follows.
LOCAL_PREFIX = "local@"

# A local model server takes any key, and the SDKs insist on one.
UNUSED_KEY = "none-needed"


@dataclass(frozen=True)
class Model:
    """A model service to ask, with the model's name there.

    Attributes
    ----------
    agent
        ``codex`` speaks the OpenAI Responses protocol, ``claude`` Anthropic Messages.
    name
        The model's name at the service.
    base_url
        For ``codex`` it ends in ``/v1``, for ``claude`` it does not (the SDKs' rule).
    api_key
        Never shown.
    source
        Why this one, as the end of a sentence: ``from OPENAI_API_KEY``.
    demo
        It is the demo model.
    bearer
        The key goes out as a bearer token (``ANTHROPIC_AUTH_TOKEN``).
    without
        Optional fields of a request that are left out (``settings.optional_fields``).
    headers
        Sent with each request, beside the SDK's own. Never shown.
    """

    agent: AgentName
    name: str
    base_url: str
    api_key: str = field(repr=False)
    source: str
    demo: bool = False
    bearer: bool = False
    without: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> Sequence[str]:
        """What a service may repeat and nobody is shown, the longest first."""
        return sorted({self.api_key, *secrets_in(self.headers)}, key=len, reverse=True)

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine; proxies are bypassed then."""
        return is_loopback(self.base_url)


@dataclass(frozen=True)
class Service:
    """A sandbox service: E2B, a self-hosted cluster, or the local sandbox server.

    Attributes
    ----------
    id
        Where a session belongs: the API's URL, or ``local@HOST`` for the machine's own server,
        whose port changes. The key is no part of it, for keys are replaced.
    title
        As a person would call it.
    api_url, sandbox_url, domain
        Where the SDK connects; None leaves it to the SDK.
    api_key
        Never shown.
    template
        What new sandboxes are made from; None is the service's default.
    source
        Why this one, as the end of a sentence.
    key_mark
        A one-way fingerprint of the key; empty for the machine's own server.
    confinement, confinement_reason
        The local sandbox server's level, and why it is no better; None elsewhere.
    request_timeout
        Seconds after which a request without an answer has failed. The SDK asks some of them a
        second time.
    """

    id: str
    title: str
    api_key: str = field(repr=False)
    api_url: str | None = None
    sandbox_url: str | None = None
    domain: str | None = None
    template: str | None = None
    source: str = ""
    key_mark: str = ""
    confinement: str | None = None
    confinement_reason: str = ""
    request_timeout: float = 30.0

    @property
    def is_local(self) -> bool:
        """Whether its API is on this machine: nobody is billed, proxies are bypassed."""
        return self.api_url is not None and is_loopback(self.api_url)


@dataclass(frozen=True)
class ModelSettings:
    """What a person set for one agent's model; None means "not set"."""

    name: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    without: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def names_a_service(self) -> bool:
        """Whether it says where to go or with which key, even if wrongly."""
        return self.base_url is not None or self.api_key is not None


@dataclass(frozen=True)
class Settings:
    """What a person set, by constructor or by magic. Keys are kept in memory only.

    Attributes
    ----------
    agent
        ``codex`` or ``claude``; ``auto`` is codex, or claude where only Anthropic is
        configured; None makes every operation raise ``AgentNotInitializedError``.
    models
        The settings of each agent's model.
    mode
        ``code``, or ``ask`` for runs that cannot change anything.
    effort
        How hard the model thinks, one of ``EFFORTS``; None leaves it to the model.
    max_steps, max_tokens
        Where a run stops: after so many answers of the model, after so many tokens in and out;
        None is no bound of tokens.
    max_output_tokens
        Where an answer stops; None leaves it to the vendor.
    silence
        Seconds without a word of the model service after which a run fails.
    environment
        ``e2b`` or ``local``; None decides by ``E2B_API_KEY``.
    e2b
        ``api_key``, ``domain``, ``api_url``, ``sandbox_url``, ``template`` and
        ``request_timeout`` (seconds), where set.
    demo
        The demo model was asked for.
    on_exit
        What becomes of the sandboxes that a kernel used when it ends: ``pause``, where no other
        kernel uses them, or ``keep``.
    queue
        Seconds to wait while the sandbox service makes no more sandboxes.
    """

    agent: str | None = None
    models: Mapping[AgentName, ModelSettings] = field(default_factory=dict)
    mode: Mode = "code"
    effort: str | None = None
    max_steps: int = MAX_STEPS
    max_tokens: int | None = None
    max_output_tokens: int | None = None
    silence: float = SILENCE
    environment: Literal["e2b", "local"] | None = None
    e2b: Mapping[str, Any] = field(default_factory=dict, repr=False)
    demo: bool = False
    on_exit: OnExit = "pause"
    queue: float = QUEUE


# What the mappings of the constructor may hold (seed: Configuration requirements).
BOUNDS = ("max_steps", "max_tokens", "max_output_tokens")
AGENT_KEYS = ("type", "model", "mode", "effort", *BOUNDS, "silence")
MODEL_KEYS = ("api_key", "base_url", "name", "without", "headers")
E2B_KEYS = ("api_key", "domain", "api_url", "sandbox_url", "template", "request_timeout")


def read_settings(agent: Any = None, environment: Any = None) -> Settings:
    """Read the constructor's mappings.

    Raises
    ------
    ConfigurationError
        A key or a value that is not known. (Missing or malformed credentials are not looked
        at here: using them raises ``AgentNotInitializedError``.)
    """
    if isinstance(agent, str):
        agent = {"type": agent}
    agent = _mapping("agent", agent, AGENT_KEYS)
    model = agent.get("model")
    model = _mapping(
        "agent['model']", {"name": model} if isinstance(model, str) else model, MODEL_KEYS
    )
    environment = _mapping("environment", environment, ("e2b", "local"))
    if len(environment) > 1:
        raise ConfigurationError("environment names both e2b and local.", hint="Name one.")
    kind = next(iter(environment), None)
    e2b = _mapping("environment['e2b']", environment.get("e2b"), E2B_KEYS)
    seconds("request_timeout", e2b.get("request_timeout"))
    _mapping("environment['local']", environment.get("local"), ())
    settings = ModelSettings(
        model.get("name"),
        model.get("base_url"),
        model.get("api_key"),
        fields(model.get("without") or ()),
        headers_of(model.get("headers")),
    )
    return Settings(
        agent=agent.get("type"),
        # An unknown agent has no model settings; using it says that it is unknown.
        models={name: settings for name in AGENTS if name == agent.get("type")},
        mode=mode_name(agent.get("mode") or "code"),
        effort=effort_name(agent.get("effort")),
        max_steps=bound("max_steps", agent.get("max_steps")) or MAX_STEPS,
        max_tokens=bound("max_tokens", agent.get("max_tokens")),
        max_output_tokens=bound("max_output_tokens", agent.get("max_output_tokens")),
        silence=seconds("silence", agent.get("silence")) or SILENCE,
        environment=cast("Literal['e2b', 'local'] | None", kind),
        e2b={key: value for key, value in e2b.items() if value is not None},
    )


def _mapping(what: str, value: Any, keys: Iterable[str]) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{what} is {type(value).__name__}, not a mapping.")
    for key in value:
        if key not in keys:
            raise ConfigurationError(f"{what} has no {key!r}.", hint=_known(str(key), keys))
    return value


def _known(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(words) or 'nothing'}."


def mode_name(text: str) -> Mode:
    """Return the mode of this name, or raise ``ConfigurationError``."""
    if text not in MODES:
        raise ConfigurationError(f"There is no mode {text!r}.", hint=_known(str(text), MODES))
    return text


def effort_name(text: str | None) -> str | None:
    """Return the effort of this name (None is the model's own), or raise ``ConfigurationError``."""
    if text is not None and text not in EFFORTS:
        raise ConfigurationError(f"There is no effort {text!r}.", hint=_known(str(text), EFFORTS))
    return text


def bound(name: str, value: Any) -> int | None:
    """Return a bound of runs, or raise ``ConfigurationError``; None is not set."""
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError(
            f"{name} is {value!r}.", hint="It is a whole number of 1 and more."
        )
    return value


def seconds(name: str, value: Any) -> float | None:
    """Return a time, or raise ``ConfigurationError``; None is not set."""
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
        raise ConfigurationError(
            f"{name} is {value!r}.", hint="It is in seconds, and more than none."
        )
    return float(value)


def label(what: str, text: object) -> str:
    """Return a name that a person gave, or raise ``ConfigurationError``.

    It can be typed, seen and told apart; an empty one is checked by who needs it.
    """
    if isinstance(text, str) and len(text) <= 100 and text == text.strip() and text.isprintable():
        return text
    raise ConfigurationError(
        f"{str(text)[:40]!a} cannot be {what}.",
        hint="A name has up to 100 printable characters, and no space at its ends.",
    )


def agent_name(text: str) -> AgentName:
    """Return the agent of this name, or raise ``AgentNotInitializedError``."""
    if text not in AGENTS:
        raise AgentNotInitializedError(
            f"there is no agent {str(text)[:40]!r}.", hint=_known(str(text), AGENTS)
        )
    return text


def service_id(api_url: str) -> str:
    """Return the identity of the sandbox service at a URL, however the URL is spelled.

    Credentials and a query in it, which may hold a key, are left out.
    """
    parts = urlsplit(api_url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def local_service_id() -> str:
    """Return the identity of this machine's own sandbox service."""
    return f"{LOCAL_PREFIX}{host_name()}"


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine, by its host's name alone."""
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
