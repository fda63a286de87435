"""What an administrator allows: ``[policy]`` in the site's files.

Each line only narrows. Several files hold at once, so there is no order among them, and a
folder that a user owns cannot loosen what another one says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.kinds import known
from vibekit_jupyter.settings.table import SWITCHES, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NO_POLICY", "Policy", "Rule", "combined", "read_rule"]


@dataclass(frozen=True)
class Rule:
    """One line of one file's policy.

    Attributes
    ----------
    name
        What it is about.
    allowed
        A list of patterns, a number that is the most, or whether a switch may be on.
    file
        The file that says so, as it is shown.
    """

    name: str
    allowed: Any
    file: str

    def matches(self, value: str) -> bool:
        """Whether a list has this value."""
        is_url = self.name in TABLE and TABLE[self.name].kind is kinds.URL
        fits = _fits_url if is_url else _fits
        return any(fits(value, pattern) for pattern in self.allowed)


@dataclass(frozen=True)
class Policy:
    """The rules of all files."""

    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)

    def check(self, name: str, value: Any, origin: str) -> None:
        """Raise where a value is not allowed.

        Parameters
        ----------
        name
            The setting.
        value
            What would be used; None is never looked at.
        origin
            Where it comes from, as the end of a sentence.

        Raises
        ------
        ConfigurationError
            A list does not have it, or a switch is off.
        """
        for rule in self.rules.get(name, ()) if value is not None else ():
            if isinstance(rule.allowed, bool):
                if value:
                    self.check_use(name, f"{name} is on ({origin})")
            elif isinstance(rule.allowed, tuple) and not rule.matches(str(value)):
                shown = _shown(str(value))
                raise _refused(f"{name} is {shown!r} ({origin})", rule, ", ".join(rule.allowed))

    def check_use(self, switch: str, what: str) -> None:
        """Raise where what a switch stands for is not allowed; ``what`` begins the sentence."""
        for rule in self.rules.get(switch, ()):
            if not rule.allowed:
                raise ConfigurationError(
                    f"{what}, which your administrator does not allow here ({rule.file}).",
                    hint="Leave it out, or ask them.",
                )

    def says(self, name: str) -> bool:
        """Whether a file says something of a setting."""
        return name in self.rules

    def allows(self, switch: str) -> bool:
        """Whether no file turns it off."""
        return all(rule.allowed for rule in self.rules.get(switch, ()))

    def has(self, name: str, value: str) -> bool:
        """Whether the lists of all files have a value."""
        return all(rule.matches(value) for rule in self.rules.get(name, ()))

    def most(self, name: str) -> Rule:
        """Return the rule with the lowest maximum, of a number that has one."""
        return min(self.rules[name], key=lambda rule: rule.allowed)

    def lock(self, name: str) -> str:
        """Return what is allowed, in a few words; empty where nothing is said."""
        rules = self.rules.get(name, ())
        if not rules:
            return ""
        if isinstance(rules[0].allowed, bool):
            return "" if self.allows(name) else "locked"
        if not isinstance(rules[0].allowed, tuple):
            return f"at most {self.most(name).allowed:g} here"
        words = [word for word in rules[0].allowed if "*" in word or self.has(name, word)]
        if len(words) == 1 and "*" not in words[0]:
            return "locked"
        return f"one of {', '.join(words)}"


NO_POLICY: Final = Policy()


def read_rule(name: str, allowed: Any, file: str) -> Rule:
    """Read one line of a policy.

    Raises
    ------
    ConfigurationError
        There is no such setting, it is not narrowed so, or nothing would be allowed.
    """
    narrowed = (
        TABLE[name].kind.policy if name in TABLE else "switch" if name in SWITCHES else "never"
    )
    if narrowed == "never":
        names = (*SWITCHES, *(each.name for each in TABLE.values() if each.kind.policy != "never"))
        raise ConfigurationError(
            f"a policy has no {name[:60]!r}.",
            hint=f"{known(name, names)} Until it is corrected, nothing runs.",
        )
    match narrowed:
        case "switch":
            allowed = kinds.SWITCH.read(f"policy.{name}", allowed)
        case "most":
            allowed = TABLE[name].kind.read(f"policy.{name}", allowed)
        case _:
            is_list = isinstance(allowed, list) and all(
                isinstance(word, str) and word for word in allowed
            )
            if not is_list or not allowed:
                what = "allows nothing" if allowed == [] else "is no list of texts"
                raise ConfigurationError(
                    f"policy.{name} {what}.", hint='Write what is allowed: ["codex"].'
                )
            allowed = tuple(allowed)
            _check_words(name, allowed)
    return Rule(name, allowed, file)


def _check_words(name: str, words: Sequence[str]) -> None:
    """Raise for a word that is no value: a slip there would allow nothing, or another thing."""
    choices = TABLE[name].kind.choices
    for word in words:
        if choices and not any(_fits(choice, word) for choice in choices):
            raise ConfigurationError(
                f"policy.{name} has {word[:40]!r}, and there is no such value.",
                hint=known(word, choices),
            )


def combined(rules: Sequence[Rule]) -> Policy:
    """Return the policy of several files.

    Raises
    ------
    ConfigurationError
        Together they allow nothing.
    """
    by_name: dict[str, list[Rule]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    policy = Policy(by_name)
    for name, several in by_name.items():
        if isinstance(several[0].allowed, tuple) and len(several) > 1:
            _check_some(policy, name, several)
    return policy


def _check_some(policy: Policy, name: str, rules: Sequence[Rule]) -> None:
    choices = TABLE[name].kind.choices
    words = choices or [word for rule in rules for word in rule.allowed]
    # What two wildcards have in common cannot be told; a value has to fit both all the same.
    wild = all(any("*" in word for word in rule.allowed) for rule in rules) and not choices
    if not wild and not any("*" not in word and policy.has(name, word) for word in words):
        files = " and ".join(dict.fromkeys(rule.file for rule in rules))
        raise ConfigurationError(
            f"{files} allow nothing together for {name}.",
            hint="Ask your administrator to correct one of them.",
        )


def _refused(what: str, rule: Rule, allowed: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what}, which your administrator does not allow here ({rule.file}): {allowed}."
    )


def _fits(value: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value, re.DOTALL) is not None


def _fits_url(value: str, pattern: str) -> bool:
    """Compare part by part: a wildcard for a host must not reach into the path, nor past an @.

    One at the end stands for the whole rest.
    """
    scheme, host, path, query = _parts(pattern if "://" in pattern else f"*://{pattern}")
    if pattern.endswith("*"):
        path, query = path or "*", "*"
    patterns = (scheme, host, path, query)
    return all(_fits(our, their) for our, their in zip(_parts(value), patterns, strict=True))


def _parts(url: str) -> tuple[str, str, str, str]:
    # A pattern has wildcards where a URL's parser wants none.
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].lower()
    scheme = scheme.lower()
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return scheme, host.removesuffix(port) if port else host, f"{slash}{path}".rstrip("/"), query


def _shown(value: str) -> str:
    """Return a value without the credentials that a URL may hold."""
    if "://" not in value:
        return value[:80]
    parts = urlsplit(value)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()[:200]
