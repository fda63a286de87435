"""A file of settings, read: what it says, or in one sentence why it is refused."""

from __future__ import annotations

import codecs
import functools
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.places import shown, user_file
from vibekit_jupyter.settings.policy import Rule, read_rule
from vibekit_jupyter.settings.table import TABLE, setting
from vibekit_jupyter.settings.vendors import VENDORS

__all__ = ["File", "read"]

FileLayer = Literal["project", "user", "site"]

# Nobody writes as much; a parser may need long for it.
MOST: Final = 256 * 1024
# Our table's name; its letters may be written by their numbers.
_OURS: Final = (b"vibekit", b"\\u", b"\\U")
_GROUPS: Final = frozenset(each.group for each in TABLE.values())


@dataclass(frozen=True)
class File:
    """One file that was looked at.

    Attributes
    ----------
    path
        As a person writes it.
    layer
        Whose it is.
    values
        What it sets, by the settings' names.
    rules
        The lines of its policy.
    warnings
        What is not as it should be, in a sentence each.
    error
        Why it is refused, None where it is not.
    found
        Whether it is there.
    """

    path: str
    layer: FileLayer
    values: Mapping[str, Any] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    warnings: Sequence[str] = ()
    error: ConfigurationError | None = None
    found: bool = True


def read(path: Path, layer: FileLayer) -> File:
    """Read a file. Nothing is raised: what is wrong with it stands in ``error``."""
    name = shown(path)
    try:
        text, warnings = _text_of(path, name, layer)
        return _Reading(name, layer, text).file(warnings)
    except FileNotFoundError:
        if not os.path.islink(path):  # noqa: PTH114  # a tenth of the time of Path
            return File(name, layer, found=False)
        error = ConfigurationError(f"{name} is a link that leads nowhere.", hint=_HINTS[layer])
    except IsADirectoryError:
        error = ConfigurationError(f"{name} is no ordinary file.", hint=_HINTS[layer])
    except NotADirectoryError:
        return File(name, layer, found=False)
    except OSError as caught:
        error = ConfigurationError(f"{name} cannot be read: {caught.strerror}.", hint=_HINTS[layer])
    except ConfigurationError as caught:
        error = caught
    return File(name, layer, error=error)


_HINTS: Final = {
    "project": "Correct it, or take it away.",
    "user": "Correct it, or take it away.",
    "site": "It may hold a policy: nothing runs until your administrator has corrected it.",
}


def _text_of(path: Path, name: str, layer: FileLayer) -> tuple[str, list[str]]:
    """Return a file's text, empty where a project says nothing to us, and warnings."""
    # A pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123  # it is open
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{name} is no ordinary file.", hint=_HINTS[layer])
        _check_link(path, name, layer)
        data = file.read(min(status.st_size, MOST) + 1)  # what it asks for is made room for
    if len(data) > MOST:
        raise ConfigurationError(
            f"{name} is larger than {MOST // 1024} KiB, and a file of settings is not.",
            hint=_HINTS[layer],
        )
    if layer == "project" and not any(word in data for word in _OURS):
        return "", []
    warnings = [
        f"{shown(each)} can be changed by everybody on this machine: take that away (chmod o-w)."
        for each in (path, path.parent)
        if _is_open(os.stat(each))  # noqa: PTH116
    ]
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode(), warnings
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{name}, line {line}: it is not TOML, for it is not UTF-8.", hint=_HINTS[layer]
        ) from None


def _check_link(path: Path, name: str, layer: FileLayer) -> None:
    """Raise where a link leads out of the folder (of the home folder, for a user's own)."""
    if not os.path.islink(path):  # noqa: PTH114
        return
    target = path.resolve()
    folders = [path.parent, *([Path.home()] if layer == "user" else [])]
    if not any(target.is_relative_to(folder.resolve()) for folder in folders):
        raise ConfigurationError(
            f"{name} is a link to elsewhere ({target}).", hint="Put the file itself there."
        )


def _is_open(status: os.stat_result) -> bool:
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return bool(status.st_mode & stat.S_IWOTH) and not is_sticky


class _Reading:
    """The text of one file, on its way to values."""

    def __init__(self, name: str, layer: FileLayer, text: str) -> None:
        self._name = name
        self._layer = layer
        self._text = text
        self._prefix = ("tool", "vibekit") if layer == "project" else ()

    def file(self, warnings: list[str]) -> File:
        tables = self._tables()
        policy = tables.pop("policy", None)
        if policy is not None and self._layer != "site":
            warnings.append(
                f"{self._at('policy')}: its [policy] is ignored: only a site's file has one."
            )
            policy = None
        if policy is not None and not isinstance(policy, Mapping):
            raise self._error("policy", ConfigurationError("policy is no table."))
        values = dict(self._values(tables))
        if "audit" in tables:
            self._told("audit", partial(_check_audit, values))
        rules = [
            self._told(f"policy.{name}", partial(read_rule, name, allowed, self._name))
            for name, allowed in _flat(policy or {}, "", lambda name: name in TABLE)
        ]
        return File(self._name, self._layer, values, rules, warnings)

    def _tables(self) -> dict[str, Any]:
        if not self._text.strip():
            return {}
        try:
            tables: Any = _parsed(self._text)
        except (ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
            why = why.partition(";")[0].replace(
                "at end of document", f"at line {_count(self._text)}"
            )
            told = re.search(r" \(at line (\d+)(, column \d+)?\)$", why)
            line = told[1] if told else _line_of(self._text, error)
            why = why[: told.start()] if told else why
            raise ConfigurationError(
                f"{self._name}, line {line}: it is not TOML ({why}).", hint=_HINTS[self._layer]
            ) from None
        for number, key in enumerate(self._prefix, 1):
            tables = tables.get(key, {})
            if not isinstance(tables, Mapping):
                place = self._place(self._prefix[:number])
                raise ConfigurationError(f"{place}: {key} is no table.", hint=_HINTS["project"])
        return dict(tables)

    def _values(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in _flat(tables, "", lambda name: name in TABLE):
            kind = self._told(name, partial(setting, name)).kind
            if kind.is_secret:
                raise self._error(
                    name,
                    ConfigurationError(
                        f"it holds a key ({name}), and a file of settings is no place for one.",
                        hint=f"Take it out, and name the key's own file in {TABLE[name].group}."
                        f"key_file of {shown(user_file())}.",
                    ),
                )
            if self._layer not in TABLE[name].layers:
                raise self._not_theirs(name)
            yield name, self._told(name, partial(kind.read, name, value))

    def _not_theirs(self, name: str) -> ConfigurationError:
        each = TABLE[name]
        if "user" not in each.layers:
            return ConfigurationError(
                f"{self._at(name)} sets {name}, which only a site's file may.", hint="Take it out."
            )
        leads = each.group in {*VENDORS, "e2b"} or each.kind is kinds.ENVIRONMENT
        why = "it says where your keys and data go" if leads else "it is yours to say"
        return ConfigurationError(
            f"{self._at(name)} sets {name}, which a project's file may not: {why}.",
            hint=f"Put it into {shown(user_file())}, or take it out.",
        )

    def _told(self, name: str, read: Callable[[], Any]) -> Any:
        """Return what a reader returns; what it raises is told with the file and the line."""
        try:
            return read()
        except ConfigurationError as error:
            raise self._error(name, error) from error.__cause__

    def _error(self, name: str, error: ConfigurationError) -> ConfigurationError:
        return ConfigurationError(
            f"{self._at(name, error.entry)}: {error.message}", hint=error.hint
        )

    def _at(self, name: str, entry: Sequence[str] = ()) -> str:
        return self._place((*self._prefix, *name.split("."), *entry))

    def _place(self, path: Sequence[str]) -> str:
        """Return the file and the line of a name, or of the table that it is in."""
        from vibekit_jupyter.settings.toml_lines import lines_of

        # A name may be written as one key in quotes.
        lines = {".".join(keys): line for keys, line in lines_of(self._text).items()}
        known = (lines.get(".".join(path[:end])) for end in range(len(path), 0, -1))
        line = next(filter(None, known), None)
        return self._name if line is None else f"{self._name}, line {line}"


def _count(text: str) -> int:
    return text.count("\n") + 1


def _line_of(text: str, error: Exception) -> int:
    """Return the line at which a text cannot be read, where the parser does not tell."""
    import bisect

    lines = text.split("\n")

    def fails(count: int) -> bool:
        try:
            _parsed.__wrapped__("\n".join(lines[:count]))
        except (ValueError, RecursionError) as raised:
            return type(raised) is type(error) and (
                isinstance(raised, RecursionError) or str(raised) == str(error)
            )
        return False

    return bisect.bisect_left(range(len(lines)), x=True, key=lambda index: fails(index + 1)) + 1


def _check_audit(values: Mapping[str, Any]) -> None:
    from vibekit_jupyter.settings.audit import AuditSettings

    said = {name: value for name, value in values.items() if TABLE[name].group == "audit"}
    AuditSettings(**{TABLE[name].key: value for name, value in said.items()})


@functools.lru_cache(maxsize=16)
def _parsed(text: str) -> Mapping[str, Any]:
    """Return what a file's text says. It is read at each operation, and seldom another one."""
    import tomllib  # %load_ext does not pay for it where there is no file

    return tomllib.loads(text)


def _flat(
    tables: Mapping[str, Any], prefix: str, is_name: Callable[[str], bool]
) -> Iterator[tuple[str, Any]]:
    """Yield a file's entries by dotted names; a setting may be a table itself."""
    for key, value in tables.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name in _GROUPS and not is_name(name):
            yield from _flat(value, f"{name}.", is_name)
        else:
            yield name, value
