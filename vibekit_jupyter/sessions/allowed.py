"""What the site allows a new sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.settings.config import Service
    from vibekit_jupyter.settings.policy import Policy

__all__ = ["check_session", "reaches_internet"]


def check_session(policy: Policy, wanted: Session) -> None:
    """Raise ``ConfigurationError`` where a session asks for more than is allowed."""
    if wanted.internet:
        policy.check_use("internet", "The session asks for the internet")
    policy.check("e2b.template", wanted.template, "as asked for the session")


def reaches_internet(policy: Policy, wanted: Session, service: Service) -> bool:
    """Whether a new sandbox reaches the internet.

    On this machine it is off unless asked for; far away it is the service's.
    """
    return policy.allows("internet") and (wanted.internet or not service.is_local)
