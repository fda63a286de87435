"""The fields of a request that a compatible model service may not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vibekit_jupyter.errors import ConfigurationError

__all__ = ["OPTIONAL_FIELDS", "fields"]

# Of either vendor's protocol.
OPTIONAL_FIELDS = (
    "include",
    "store",
    "prompt_cache_key",
    "max_output_tokens",
    "reasoning",
    "cache_control",
    "thinking",
    "output_config",
)


def fields(given: Any) -> tuple[str, ...]:
    """Return optional fields of requests, by name or in a text with commas between.

    Raises
    ------
    ConfigurationError
        There is no such field.
    """
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Iterable):
        names = [given]
    wanted = list(dict.fromkeys(filter(None, (str(name).strip() for name in names))))
    if unknown := [name for name in wanted if name not in OPTIONAL_FIELDS]:
        raise ConfigurationError(
            f"There is no optional field {unknown[0][:40]!r}.",
            hint=f"Known: {', '.join(OPTIONAL_FIELDS)}.",
        )
    return tuple(wanted)
