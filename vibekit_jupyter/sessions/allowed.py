"""What the site allows a session, a new one and one from before the policy."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.sandbox.service import get_info

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.settings.config import Service, Settings
    from vibekit_jupyter.settings.policy import Policy

__all__ = ["Allowed", "as_allowed", "check_timeout", "lasting", "reaches_internet"]


class Allowed:
    """Whether sessions may be used, of which some are from before the policy."""

    def __init__(self) -> None:
        self._without_internet: set[str] = set()

    async def check(
        self, policy: Policy, service: Service, session_id: str, known: Session | None
    ) -> None:
        """Raise ``ConfigurationError`` where a session is not as the policy has it."""
        if known is not None:
            _check(policy, known)
        if policy.allows("internet") or session_id in self._without_internet:
            return
        # What was made elsewhere, or far away, is not in the registry.
        if known is None or not service.is_local:
            info = await get_info(service, session_id)
            if info.internet:
                policy.check_use("internet", "The session reaches the internet")
        self._without_internet.add(session_id)


def _check(policy: Policy, session: Session) -> None:
    if session.internet:
        policy.check_use("internet", "The session asks for the internet")
    policy.check("e2b.template", session.template, "as asked for the session")


def as_allowed(settings: Settings, wanted: Session, project: str = "") -> Session:
    """Return a session that is to be made, with its project and its time.

    Raises
    ------
    ConfigurationError
        It asks for more than is allowed.
    """
    project = wanted.project or project or settings.project
    _check(settings.policy, wanted)
    settings.policy.check("project", project or None, "as asked for the session")
    return dataclasses.replace(wanted, project=project, timeout=lasting(settings, wanted))


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
