"""What can be set, and what a model service and a sandbox service are.

Which of them is used, and why, is decided in ``choices``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from vibekit_jupyter.settings.home import host_name
from vibekit_jupyter.settings.kinds import agent_name, bound, effort_name, label, mode_name, seconds
from vibekit_jupyter.settings.mappings import given
from vibekit_jupyter.settings.policy import NO_POLICY, Policy
from vibekit_jupyter.settings.table import TABLE
from vibekit_jupyter.settings.vendors import (
    AGENTS,
    EFFORTS,
    MODES,
    VENDORS,
    AgentName,
    Approve,
    Mode,
    VendorName,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.settings.audit import AuditSettings

__all__ = [
    "AGENTS",
    "EFFORTS",
    "LOCAL_PREFIX",
    "MODES",
    "UNUSED_KEY",
    "VENDORS",
    "AgentName",
    "Mode",
    "Model",
    "ModelSettings",
    "OnExit",
    "Service",
    "Settings",
    "VendorName",
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
    "settings_of",
]

OnExit = Literal["pause", "keep"]
QUEUE: float = TABLE["queue"].default
MAX_STEPS: int = TABLE["max_steps"].default
SILENCE: float = TABLE["silence"].default

# Where a value comes from that nobody set.
BUILT_IN = "built in"
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

    agent: VendorName
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
        from vibekit_jupyter.settings.headers import secrets_in

        return sorted({self.api_key, *secrets_in(self.headers)}, key=len, reverse=True)

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine; proxies are bypassed then."""
        return is_loopback(self.base_url)

    @property
    def other_host(self) -> str:
        """The host that is asked, where it is not the vendor's own; empty where it is."""
        host, vendor = (
            urlsplit(url).netloc.rpartition("@")[2].lower()
            for url in (self.base_url, VENDORS[self.agent].default_url)
        )
        return "" if host == vendor else host


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
    key_file: str | None = None
    key_command: tuple[str, ...] | None = None

    @property
    def names_a_service(self) -> bool:
        """Whether it says where to go or with which key, even if wrongly."""
        said = (self.base_url, self.api_key, self.key_file, self.key_command)
        return any(each is not None for each in said)


@dataclass(frozen=True)
class Settings:
    """What holds for an operation, of all layers. Keys are kept in memory only.

    Attributes
    ----------
    agent
        One of ``ALL_AGENTS``; ``auto`` is codex, or claude where only Anthropic is configured;
        None makes every operation raise ``AgentNotInitializedError``.
    agent_command
        What the agent ``own`` is started with.
    models
        The settings of each agent's model.
    mode
        ``code``, or ``ask`` for runs that cannot change anything.
    approve
        Whether a person is asked before a tool changes something: ``always``, ``never``, or where
        it is ``risky``.
    effort
        How hard the model thinks, one of ``EFFORTS``; None leaves it to the model.
    max_steps, max_tokens
        Where a run stops: after so many answers of the model, after so many tokens in and out;
        None is no bound of tokens.
    max_output_tokens
        Where an answer stops; None leaves it to the vendor.
    max_cost
        Where a run stops, in dollars; None is no bound.
    mcp
        The MCP servers whose tools agents may use, by name; see ``mcp``.
    prices
        The table ``[prices]``: ``{"MODEL": {"input", "cached", "output"}}``, see ``prices``.
    has_fixed_prices
        They are a site's that bounds what runs cost: ``VIBEKIT_PRICES`` says nothing.
    budget_day, budget_month
        What a user's runs may cost in a day and in a month (UTC), in dollars.
    audit
        Where runs are written down for whoever runs the site.
    silence
        Seconds without a word of the model service after which a run fails.
    environment
        ``e2b`` or ``local``; None decides by ``E2B_API_KEY``.
    e2b
        What the table has in ``e2b``, where set.
    demo
        The demo model was asked for.
    on_exit
        What becomes of the sandboxes that a kernel used when it ends: ``pause``, where no other
        kernel uses them, or ``keep``.
    queue
        Seconds to wait while the sandbox service makes no more sandboxes.
    project
        What new sessions are filed under.
    more
        Settings of the table that have no attribute here, by their names.
    origins
        Where each value comes from, as the end of a sentence: ``from OPENAI_BASE_URL``.
    policy
        What the site's files allow.
    notes
        What the person should know of it: numbers that were lowered, files to look after.
    secrets
        The keys, passwords and secret headers that any layer says, used or not; never shown.
    key_files
        The files of keys that any layer names, by their settings' names.
    """

    agent: str | None = None
    agent_command: tuple[str, ...] = ()
    models: Mapping[VendorName, ModelSettings] = field(default_factory=dict)
    mode: Mode = "code"
    approve: Approve = "never"
    effort: str | None = None
    max_steps: int = MAX_STEPS
    max_tokens: int | None = None
    max_output_tokens: int | None = None
    max_cost: float | None = None
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    mcp: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    has_fixed_prices: bool = False
    budget_day: float | None = None
    budget_month: float | None = None
    audit: AuditSettings | None = None
    silence: float = SILENCE
    environment: Literal["e2b", "local"] | None = None
    e2b: Mapping[str, Any] = field(default_factory=dict, repr=False)
    demo: bool = False
    on_exit: OnExit = "pause"
    queue: float = QUEUE
    project: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    policy: Policy = field(default=NO_POLICY, repr=False, compare=False)
    notes: tuple[str, ...] = field(default=(), repr=False, compare=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    key_files: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False, compare=False)

    def value(self, name: str) -> Any:
        """Return what holds for a setting that has no attribute here, by its name."""
        return self.more.get(name, TABLE[name].default)

    def origin(self, name: str) -> str:
        """Return where a value comes from, as the end of a sentence."""
        return self.origins.get(name, BUILT_IN)

    def check(self, name: str, value: Any = None) -> None:
        """Raise ``ConfigurationError`` where the policy does not allow a value that is used."""
        self.policy.check(name, value, self.origin(name))


_FIELDS = {each.name for each in dataclasses.fields(Settings)}
_MODEL_FIELDS = {each.name for each in dataclasses.fields(ModelSettings)} | {"model"}


def read_settings(agent: Any = None, environment: Any = None) -> Settings:
    """Read the constructor's mappings, without what the other layers say.

    Raises
    ------
    ConfigurationError
        A key or a value that is not known. (Missing or malformed credentials are not looked
        at here: using them raises ``AgentNotInitializedError``.)
    """
    return settings_of(given(agent, environment))


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Return settings of values by the table's names; what is not named is as by default."""
    tops = {name: value for name, value in values.items() if name in _FIELDS}
    models = {
        agent: ModelSettings(**_model_fields(agent, values))
        for agent in VENDORS
        if any(name.startswith(f"{agent}.") for name in values)
    }
    budgets = {
        f"budget_{key}": amount
        for key, amount in _of_group("budget", values).items()
        if f"budget_{key}" in _FIELDS
    }
    audit = None
    if said := _of_group("audit", values):
        from vibekit_jupyter.settings.audit import AuditSettings

        audit = AuditSettings(**said)
    return Settings(
        **tops,
        **budgets,
        models=models,
        e2b=_of_group("e2b", values),
        audit=audit,
        more={name: value for name, value in values.items() if not _has_field(name)},
    )


def _has_field(name: str) -> bool:
    group, _, key = name.rpartition(".")
    match group:
        case "":
            return key in _FIELDS
        case "budget":
            return f"budget_{key}" in _FIELDS
        case "audit" | "e2b":
            return True
        case _:
            return key in _MODEL_FIELDS


def _of_group(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.partition(".")[2]: value
        for name, value in values.items()
        if name.startswith(f"{group}.")
    }


def _model_fields(agent: str, values: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in _of_group(agent, values).items() if key in _MODEL_FIELDS}
    return {("name" if key == "model" else key): value for key, value in own.items()}


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
