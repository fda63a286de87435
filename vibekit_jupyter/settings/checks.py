"""What has to hold before something is done: for a session's id, for a model, for a sandbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError, UnconfinedError
from vibekit_jupyter.settings.vendors import ACP_AGENTS, DEMO_MODEL

if TYPE_CHECKING:
    from vibekit_jupyter.settings.config import Service, Settings

__all__ = [
    "check_confined",
    "check_demo",
    "check_demo_model",
    "check_mode",
    "check_model_name",
    "check_prompt",
    "check_session_id",
]

LONGEST_NAME = 300


def check_session_id(session_id: object) -> None:
    """Raise ``ConfigurationError`` for what can be no session's id and no name of one."""
    if not isinstance(session_id, str):
        raise ConfigurationError(
            f"A session's id is a text, not {type(session_id).__name__}.",
            hint="get_session() returns the current one's.",
        )
    if not session_id.strip() or any("\ud800" <= char <= "\udfff" for char in session_id):
        raise ConfigurationError(
            f"The session id is {'malformed' if session_id.strip() else 'empty'}.",
            hint="Give an id or a name.",
        )


def check_demo(settings: Settings, e2b: Service | None) -> None:
    """Raise where the demo model would answer unasked in a sandbox that E2B bills."""
    if e2b is not None and not e2b.is_local and not settings.demo:
        raise AgentNotInitializedError(
            "no model is configured, and the demo model does not run unasked in sandboxes that "
            "E2B bills.",
            hint="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or ask for it: "
            "%vibekit_config --demo on",
        )


def check_demo_model(name: str | None) -> None:
    """Raise where another model than the demo model was asked for by name."""
    if name and name != DEMO_MODEL:
        raise AgentNotInitializedError(
            f"there is no model {name[:40]!r}, for no model service is configured: only the demo "
            "model is there.",
            hint="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or leave the model's name out.",
        )


def check_model_name(name: object) -> None:
    """Raise ``ConfigurationError`` for what no request could carry as a model's name."""
    if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ConfigurationError(
            f"{str(name)[:40]!a} cannot be a model's name.",
            hint="Give the name by which the model service knows it.",
        )


def check_confined(service: Service, settings: Settings) -> None:
    """Raise where what a real model writes would run unconfined on this machine."""
    if service.confinement != "none":
        return
    settings.policy.check_use("unconfined", "What a model writes would run unconfined here")
    if os.environ.get("VIBEKIT_ALLOW_UNCONFINED") != "1":
        raise UnconfinedError(
            "What a model writes would run unconfined on this machine: "
            f"{service.confinement_reason}",
            hint="Use E2B (set E2B_API_KEY), or set VIBEKIT_ALLOW_UNCONFINED=1 where nothing can "
            "be lost, such as in a container that is thrown away.",
        )


def check_prompt(prompt: object) -> None:
    """Raise ``ConfigurationError`` for what is no text, or an empty one."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ConfigurationError("The prompt is empty.", hint="Write what the agent should do.")


def check_mode(agent: str, mode: str) -> None:
    """Raise where nothing would keep an agent from changing what it is only to look at."""
    if mode == "ask" and agent in ACP_AGENTS:
        raise ConfigurationError(
            f"{agent} is a program in the sandbox, which nothing keeps from changing files there: "
            "it has no mode ask.",
            hint="Ask codex or claude, or leave the mode out.",
        )
