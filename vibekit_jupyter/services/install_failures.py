"""Why an install failed, as pip and npm say it."""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["last_words", "why_failed"]

NO_NETWORK: Final = re.compile(
    r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ERR_SOCKET_TIMEOUT"
    r"|name resolution|NewConnectionError|ConnectTimeout|Connection (refused|reset)"
    r"|Network is unreachable|ProxyError|No matching distribution|Could not find a version",
)
FULL: Final = re.compile(r"ENOSPC|No space left|EDQUOT|quota exceeded", re.IGNORECASE)
ALTERED: Final = re.compile(r"EINTEGRITY|DO NOT MATCH THE HASHES", re.IGNORECASE)
# Where npm ends with a word on its log.
EMPTY: Final = re.compile(r"npm (error|ERR!)|.*complete log of this run.*")


def why_failed(said: str) -> Literal["full", "altered", "network", ""]:
    """Return why an install failed; empty where that is not known."""
    if FULL.search(said):
        return "full"
    if ALTERED.search(said):
        return "altered"
    return "network" if NO_NETWORK.search(said) else ""


def last_words(said: str) -> str:
    """Return the last line that a program wrote, in short."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    last = next((line for line in reversed(lines) if line and not EMPTY.fullmatch(line)), "")
    return last[:200] or "it did not say why"
