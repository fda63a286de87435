"""The kinds of settings: what a value of each may be, in a file, a variable and an option.

The readers take what a file or a mapping holds, and raise for what is no such value.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vibekit_jupyter.errors import AgentNotInitializedError, ConfigurationError
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
    "EFFORT",
    "ENVIRONMENT",
    "FIELDS",
    "HEADERS",
    "MCP",
    "MODE",
    "ON_EXIT",
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
    "known",
    "mode_name",
    "one_of",
    "seconds",
]

Narrowed = Literal["list", "most", "switch", "never"]


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
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError(
            f"{name} is {value!r}.", hint="It is a whole number of 1 and more."
        )
    return value


def seconds(name: str, value: Any) -> float | None:
    """Return a time, or raise ``ConfigurationError``; None is not set."""
    return _amount(name, value, "It is in seconds, and more than none.")


def _amount(name: str, value: Any, hint: str) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ConfigurationError(f"{name} is {value!r}.", hint=hint)
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
        raise ConfigurationError(f"{name} is {value!r}.", hint="It is true or false.")
    return value


def _argv(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(map(_is_word, value)):
        raise ConfigurationError(
            f"{name} is no list of words.",
            hint='Write the program and its arguments: ["/usr/local/bin/key", "--for", "e2b"].',
        )
    return tuple(value)


def _command(name: str, value: Any) -> tuple[str, ...]:
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
    from vibekit_jupyter.settings.mcp import check_servers

    return check_servers(value)


def _fields(_: str, value: Any) -> tuple[str, ...]:
    return fields(value)


def one_of(words: tuple[str, ...], what: str) -> Kind:
    """Return the kind of which these words are all values."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ConfigurationError(
                f"{name} is {str(value)[:40]!r}, and there is no such {what}.",
                hint=known(str(value), words),
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
URL = Kind("a URL", _text, metavar="URL")
SECRET = Kind("a key", _secret, policy="never", metavar="KEY")
BOUND = Kind("a whole number of 1 and more", bound, _parse_whole, "most", metavar="N", number=int)
SECONDS = Kind("seconds", seconds, _parse_number, "most", metavar="SECONDS", number=float)
DOLLARS = Kind("dollars", _dollars, _parse_number, "most", metavar="DOLLARS", number=float)
SWITCH = Kind("true or false", _switch, _parse_switch, "switch", ("on", "off"))
ARGV = Kind("a list of words", _argv, policy="never", metavar="WORDS")
COMMAND = Kind("a program and its arguments", _command, policy="never", metavar="COMMAND")
PRICES = Kind("a table of prices", _prices, policy="never")
ON_EXIT = one_of(("pause", "keep"), "way")
HEADERS = Kind("a table of headers", _headers, policy="never")
MCP = Kind("a table of servers", _mcp, policy="switch")
FIELDS = Kind("a list of fields", _fields, policy="never", metavar="FIELDS")
