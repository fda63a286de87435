"""What the site allows a session, a new one and one from before the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.settings.config import Service, Settings
    from vibekit_jupyter.settings.policy import Policy

__all__ = ["check_session", "check_timeout", "lasting", "reaches_internet"]


def check_session(policy: Policy, wanted: Session) -> None:
    """Raise ``ConfigurationError`` where a session is made in a way that is not allowed."""
    if wanted.internet:
        policy.check_use("internet", "The session asks for the internet")
    policy.check("e2b.template", wanted.template, "as asked for the session")
    policy.check("project", wanted.project or None, "as asked for the session")


def check_timeout(policy: Policy, seconds: float | None) -> None:
    """Raise ``ConfigurationError`` where a session is asked to run for longer than is allowed."""
    if seconds is not None and policy.says("timeout"):
        most = policy.most("timeout")
        if seconds > most.allowed:
            raise ConfigurationError(
                f"timeout is {seconds:g} (as asked for the session), and your administrator "
                f"allows {most.allowed:g} here ({most.file})."
            )


def lasting(settings: Settings, session: Session | None) -> float:
    """Return after how many seconds a session's sandbox pauses: its own, as far as allowed."""
    timeout: float = settings.value("timeout")
    if session is None or session.timeout is None:
        return timeout
    if settings.policy.says("timeout"):
        return min(session.timeout, float(settings.policy.most("timeout").allowed))
    return session.timeout


def reaches_internet(policy: Policy, wanted: Session, service: Service) -> bool:
    """Whether a new sandbox reaches the internet.

    On this machine it is off unless asked for; far away it is the service's.
    """
    return policy.allows("internet") and (wanted.internet or not service.is_local)
