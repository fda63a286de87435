"""Which model and which sandbox service are used, and why.

Order: what the constructor or a magic says, then the vendor's environment variables, then
the parts that need no account (the demo model, the local sandbox server). An empty
environment variable counts as unset.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast, get_args
from urllib.parse import urlsplit

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError

__all__ = ["AGENTS", "AgentName", "Mode", "Model", "Settings"]

AgentName = Literal["codex", "claude"]
Mode = Literal["code", "ask"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
MODES: tuple[Mode, ...] = get_args(Mode)


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
    """

    agent: AgentName
    name: str
    base_url: str
    api_key: str = field(repr=False)
    source: str
    demo: bool = False
    bearer: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine; proxies are bypassed then."""
        return urlsplit(self.base_url).hostname in {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class ModelSettings:
    """What a person set for one agent's model; None means "not set"."""

    name: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)

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
    environment
        ``e2b`` or ``local``; None decides by ``E2B_API_KEY``.
    e2b
        ``api_key``, ``domain``, ``api_url``, ``sandbox_url`` and ``template``, where set.
    demo
        The demo model was asked for.
    """

    agent: str | None = None
    models: Mapping[AgentName, ModelSettings] = field(default_factory=dict)
    mode: Mode = "code"
    environment: Literal["e2b", "local"] | None = None
    e2b: Mapping[str, str] = field(default_factory=dict, repr=False)
    demo: bool = False
