"""The kinds of settings: what a value of each may be, in a file, a variable and an option.

The readers take what a file or a mapping holds, and raise for what is no such value.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError, said
from vibekit_jupyter.settings.optional_fields import fields
from vibekit_jupyter.settings.vendors import (
    ALL_AGENTS,
    APPROVALS,
    EFFORTS,
    MODES,
    Mode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "AGENT",
    "APPROVE",
    "ARGV",
    "BOUND",
    "COMMAND",
    "DOLLARS",
    "DOMAIN",
    "EFFORT",
    "ENVIRONMENT",
    "FIELDS",
    "HEADERS",
    "LABEL",
    "LIFETIME",
    "MCP",
    "MODE",
    "ON_EXIT",
    "PATH",
    "PRICES",
    "SECONDS",
    "SECRET",
    "SWITCH",
    "TEXT",
    "URL",
    "Kind",
    "agent_name",
    "bound",
    "effort_name",
    "is_host",
    "is_http",
    "known",
    "label",
    "lifetime",
    "mode_name",
    "one_of",
    "seconds",
]

Narrowed = Literal["list", "most", "switch", "never"]
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?")
MOST_STEPS = 1_000_000_000
# 30 days: more is a slip of the hand, and what waits for it may not take the number.
MOST_SECONDS = 2_592_000.0


@dataclass(frozen=True)
class Kind:
    """What the values of a setting are.

    Attributes
    ----------
    words
        What a value is, for the table in the docs.
    read
        Takes the setting's name and a value; returns the value, or raises ``ConfigurationError``.
    parse
        Makes such a value of a variable's or an option's text; raises ``ValueError``.
    policy
        How a policy narrows it: to one of a list, to at most a number, off, or never.
    choices
        All values there are, where they can be told.
    metavar
        What stands for a value in a help text.
    number
        What makes a number of an option's text, None for a text.
    """

    words: str
    read: Callable[[str, Any], Any]
    parse: Callable[[str], Any] = str
    policy: Narrowed = "list"
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    number: type[int | float] | None = None

    @property
    def is_secret(self) -> bool:
        """Whether a value must never be shown."""
        return self.read is _secret


def known(word: str, words: Iterable[str]) -> str:
    """Return the hint for a word that is none of those: the nearest one, or all."""
    import difflib

    words = list(words)
    swapped = [each for each in words if sorted(each) == sorted(word.lower())]
    near = swapped or difflib.get_close_matches(word.lower(), words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(words) or 'nothing'}."


def mode_name(text: str) -> Mode:
    """Return the mode of this name, or raise ``ConfigurationError``."""
    if text not in MODES:
        raise ConfigurationError(f"There is no mode {text!r}.", hint=known(str(text), MODES))
    return text


def effort_name(text: str | None) -> str | None:
    """Return the effort of this name (None is the model's own), or raise ``ConfigurationError``."""
    if text is not None and text not in EFFORTS:
        raise ConfigurationError(f"There is no effort {text!r}.", hint=known(str(text), EFFORTS))
    return text


def agent_name(text: str) -> str:
    """Return the agent of this name, or raise ``AgentNotInitializedError``."""
    if text not in ALL_AGENTS:
        raise AgentNotInitializedError(
            f"there is no agent {str(text)[:40]!r}.", hint=known(str(text), ALL_AGENTS)
        )
    return text


def bound(name: str, value: Any) -> int | None:
    """Return a bound of runs, or raise ``ConfigurationError``; None is not set."""
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_STEPS):
        raise ConfigurationError(
            f"{name} is {said(value)}.", hint="It is a whole number of 1 and more."
        )
    return value


def seconds(name: str, value: Any) -> float | None:
    """Return a time, or raise ``ConfigurationError``; None is not set."""
    return _amount(name, value, "It is in seconds, and more than none; up to 30 days.")


def lifetime(name: str, value: Any) -> float | None:
    """Return how long a sandbox runs, or raise ``ConfigurationError``; None is not set."""
    return _amount(name, value, "It is from 1 second to 30 days (2592000).", least=1.0)


def _amount(name: str, value: Any, hint: str, *, least: float = 0.0) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not max(least, 1e-9) <= value <= MOST_SECONDS:
        raise ConfigurationError(f"{name} is {said(value)}.", hint=hint)
    return float(value)


def _text(name: str, value: Any) -> str:
    # What stands there may hold a key: it is not repeated.
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        what = "empty" if isinstance(value, str) and not value.strip() else "no text of one line"
        raise ConfigurationError(f"{name} is {what}.", hint="Write a text in quotes.")
    return value


def _secret(name: str, value: Any) -> str:
    return _text(name, value)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {said(value)}.", hint="It is true or false.")
    return value


def _argv(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(map(_is_word, value)):
        raise ConfigurationError(
            f"{name} is no list of words.",
            hint='Write the program and its arguments: ["/usr/local/bin/key", "--for", "e2b"].',
        )
    return tuple(value)


def _command_line(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        return _argv(name, value)
    import shlex

    try:
        return _argv(name, shlex.split(value))
    except ValueError as error:
        raise ConfigurationError(
            f"{name} cannot be split into words: {error}.", hint="Look at its quotation marks."
        ) from error


def _is_word(word: object) -> bool:
    return isinstance(word, str) and "\0" not in word


def _command(name: str, value: Any) -> tuple[str, ...]:
    words = _argv(name, value)
    # A part of a path would lead to whatever is so called in the notebook's folder.
    if os.sep in _text(name, words[0]) and not Path(words[0]).is_absolute():
        raise ConfigurationError(
            f"{name} begins with {said(words[0])}.",
            hint="Write the program's whole path, or its name alone.",
        )
    return words


def _url(name: str, value: Any) -> str:
    if not is_http(_text(name, value)):
        # It may hold a password: it is not repeated.
        raise ConfigurationError(
            f"{name} is no http(s) URL.", hint="It looks like http://localhost:11434/v1."
        )
    return str(value)


def is_host(text: object) -> bool:
    """Whether a text is the name of a host, with a port or without."""
    return isinstance(text, str) and _HOST.fullmatch(text) is not None


def _domain(name: str, value: Any) -> str:
    if not is_host(_text(name, value)):
        raise ConfigurationError(
            f"{name} is no host's name.", hint="It looks like sandboxes.example.org."
        )
    return str(value)


def is_http(url: object) -> bool:
    """Whether a request could be sent to a URL."""
    if not isinstance(url, str) or not all("!" <= char <= "~" and char != "\\" for char in url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _path(name: str, value: Any) -> str:
    path = _text(name, value)
    if not path.startswith(("~", "/")) and not Path(path).is_absolute():
        raise ConfigurationError(
            f"{name} is {said(path)}.", hint="Write the whole path, from / or ~ on."
        )
    return path


def label(what: str, text: object) -> str:
    """Return a name that a person gave, or raise ``ConfigurationError``.

    It can be typed, seen and told apart; an empty one is checked by who needs it.
    """
    if isinstance(text, str) and len(text) <= 100 and text == text.strip() and text.isprintable():
        return text
    raise ConfigurationError(
        f"{str(text)[:40]!a} cannot be {what}.",
        hint="A name has up to 100 printable characters, and no space at its ends.",
    )


def _label(name: str, value: Any) -> str:
    return label(f"a {name}'s name", _text(name, value))


# What few settings need is imported where it is read: %load_ext makes the table.
def _dollars(name: str, value: Any) -> float | None:
    from vibekit_jupyter.settings.prices import money

    return money(name, value)


def _prices(_: str, value: Any) -> Mapping[str, Mapping[str, float]]:
    from vibekit_jupyter.settings.prices import check_prices

    return check_prices(value)


def _headers(_: str, value: Any) -> Mapping[str, str]:
    from vibekit_jupyter.settings.headers import headers_of

    return headers_of(value)


def _mcp(_: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
    from vibekit_jupyter.settings.mcp_table import check_servers

    return check_servers(value)


def _fields(_: str, value: Any) -> tuple[str, ...]:
    return fields(value)


def one_of(words: tuple[str, ...], what: str) -> Kind:
    """Return the kind of which these words are all values."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ConfigurationError(
                f"{name} is {said(value)}, and there is no such {what}.",
                hint=known(said(value).strip("'"), words),
            )
        return value

    return Kind(" or ".join(words), read, choices=words)


def _parse_switch(text: str) -> bool:
    words: Mapping[str, bool] = {"on": True, "true": True, "1": True}
    return {**words, "off": False, "false": False, "0": False}.get(text.lower(), text)  # type: ignore[arg-type]  # read() refuses the text


def _parse_whole(text: str) -> Any:
    return int(text) if text.isascii() and text.isdigit() else text


def _parse_number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


AGENT = one_of(ALL_AGENTS, "agent")
MODE = one_of(MODES, "mode")
APPROVE = one_of(APPROVALS, "way")
EFFORT = one_of(EFFORTS, "effort")
ENVIRONMENT = one_of(("e2b", "local"), "environment")
TEXT = Kind("a text", _text, metavar="NAME")
LABEL = Kind("a name", _label, metavar="NAME")
DOMAIN = Kind("a host's name", _domain, metavar="NAME")
URL = Kind("a URL", _url, metavar="URL")
PATH = Kind("a whole path", _path, metavar="PATH")
SECRET = Kind("a key", _secret, policy="never", metavar="KEY")
BOUND = Kind("a whole number of 1 and more", bound, _parse_whole, "most", metavar="N", number=int)
SECONDS = Kind("seconds", seconds, _parse_number, "most", metavar="SECONDS", number=float)
LIFETIME = Kind("seconds", lifetime, _parse_number, "most", metavar="SECONDS", number=float)
DOLLARS = Kind("dollars", _dollars, _parse_number, "most", metavar="DOLLARS", number=float)
SWITCH = Kind("true or false", _switch, _parse_switch, "switch", ("on", "off"))
ARGV = Kind("a list of words", _command, policy="never", metavar="WORDS")
COMMAND = Kind("a program and its arguments", _command_line, policy="never", metavar="COMMAND")
PRICES = Kind("a table of prices", _prices, policy="never")
ON_EXIT = one_of(("pause", "keep"), "way")
HEADERS = Kind("a table of headers", _headers, policy="never")
MCP = Kind("a table of servers", _mcp, policy="switch")
FIELDS = Kind("a list of fields", _fields, policy="never", metavar="FIELDS")
