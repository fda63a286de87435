"""Headers that a gateway before a model service wants, sent with each request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from vibekit_jupyter.errors import ConfigurationError

__all__ = ["headers_of", "secrets_in"]

NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
LONGEST: Final = 8192
KEYS: Final = ("authorization", "x-api-key")
# What the connection itself, or the vendor's protocol, says.
TAKEN: Final = (
    *("accept", "accept-encoding", "connection", "content-encoding", "content-length"),
    *("content-type", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
)
SECRET: Final = re.compile(
    r"auth|cookie|credential|jwt|key|passw|secret|session|signature|token", re.IGNORECASE
)
# A long word of letters and digits, whatever the header is called.
OPAQUE: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_.~-]{20,}")


def headers_of(given: Any, *, may_be_key: bool = False) -> Mapping[str, str]:
    """Return the headers of a mapping; None and an empty one are none.

    Parameters
    ----------
    may_be_key
        One that carries a key is a header like others.

    Raises
    ------
    ConfigurationError
        A name or a value cannot be sent, or is not a person's to set. No value is in the message.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"headers is {type(given).__name__}, not a mapping.",
            hint='It looks like {"X-Team": "analytics"}.',
        )
    known: set[str] = set()
    for name, value in given.items():
        try:
            _check(name, value, may_be_key=may_be_key)
        except ConfigurationError as error:
            error.entry = (str(name),)
            raise
        if name.lower() in known:
            raise ConfigurationError(
                f"The header {name!r} is there twice.", hint="Leave one of them out."
            )
        known.add(name.lower())
    return dict(given)


def _check(name: object, value: object, *, may_be_key: bool) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{str(name)[:40]!a} cannot be the name of a header.",
            hint="It has letters, digits and hyphens.",
        )
    if name.lower() in KEYS and not may_be_key:
        raise ConfigurationError(
            f"The header {name!r} carries the key.",
            hint="Give it as api_key; a bearer token for Anthropic's protocol as "
            "ANTHROPIC_AUTH_TOKEN.",
        )
    if name.lower() in TAKEN:
        raise ConfigurationError(
            f"The header {name!r} is the connection's own.", hint="Leave it out."
        )
    if not isinstance(value, str):
        raise ConfigurationError(
            f"The header {name!r} is {type(value).__name__}, not a text.",
            hint="Put its value in quotes.",
        )
    if value != value.strip() or len(value) > LONGEST or not all(" " <= c <= "~" for c in value):
        raise ConfigurationError(
            f"The value of the header {name!r} cannot be sent.",
            hint="It is one line of printable ASCII without a space at its ends, and up to "
            f"{LONGEST} characters long.",
        )


def secrets_in(headers: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Yield what must never be shown of headers: whole values, and the words of ``Bearer WORD``."""
    for name, value in headers:
        if SECRET.search(name) and value:
            yield value
            yield from value.split()[1:]
        else:
            yield from (word for word in value.split() if OPAQUE.fullmatch(word))
