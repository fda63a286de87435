"""What a process finds around it: none of the developer's own keys, URLs and proxies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["REPOSITORY", "clean_environment", "is_setting", "take_settings_away"]

REPOSITORY = Path(__file__).parents[2]
VENDOR_PREFIXES = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_GEMINI_", "E2B_", "VIBEKIT_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def is_setting(name: str) -> bool:
    """Whether an environment variable would change what is used."""
    return name.startswith(VENDOR_PREFIXES) or name.upper() in PROXIES


def take_settings_away(patch: pytest.MonkeyPatch) -> None:
    """Take all settings out of this process's environment, until the patch is undone."""
    for name in filter(is_setting, list(os.environ)):
        patch.delenv(name)


def clean_environment() -> dict[str, str]:
    """Return an environment for a process that imports this checkout, without settings."""
    kept = {name: value for name, value in os.environ.items() if not is_setting(name)}
    path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path)}
