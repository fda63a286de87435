"""Whether an agent that is a program may be started in a sandbox, and could work there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import SandboxError

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["check_level"]

HINT: Final = "Use --agent codex or claude, or a machine on which bubblewrap works."


def check_level(sandbox: Sandbox, title: str) -> None:
    """Raise ``SandboxError`` where nothing confines it, or where it could not ask its model."""
    if sandbox.service.confinement == "none":
        raise SandboxError(
            f"{title} is a program, and nothing confines it in this sandbox: it was not started.",
            hint=HINT,
        )
    if sandbox.service.confinement == "landlock":
        raise SandboxError(
            f"{title} asks its model through a program that listens, and a sandbox under landlock "
            "lets none: it was not started.",
            hint=HINT,
        )
