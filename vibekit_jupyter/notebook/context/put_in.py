"""``{{name}}`` in a prompt: the value of a variable takes its place.

Only ``{{name}}`` and ``{{name.attr}}``, and only where the name is the person's: what Jinja, Go,
LaTeX or an f-string mean by their braces stays as it stands.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from pathlib import PosixPath, WindowsPath
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from vibekit_jupyter.notebook.arguments import PLACE
from vibekit_jupyter.notebook.context.kinds import compact, scalar, type_name
from vibekit_jupyter.notebook.context.tokens import estimated_tokens, shortened
from vibekit_jupyter.notebook.magic_errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vibekit_jupyter.runs.redact import Redactor

__all__ = ["PutIn"]

MOST: Final = 4_000  # characters
MOST_BITS: Final = 13_000  # of a number with about so many digits
MOST_SHOWN: Final = 24
VERBATIM: Final = "add --verbatim to send the braces as they stand."

_PLACE: Final = re.compile(PLACE)


class PutIn:
    """Puts values in, and remembers which.

    Parameters
    ----------
    namespace
        Where the names are looked up: the person's own.
    redactor
        Takes the secrets out of what is put in.
    """

    def __init__(self, namespace: Mapping[str, Any], redactor: Redactor) -> None:
        self._namespace = namespace
        self._redactor = redactor
        self._values: dict[str, tuple[str, bool]] = {}

    def __call__(self, text: str) -> str:
        """Return a text with the values in it.

        Raises
        ------
        UsageError
            A value cannot be put in.
        """
        return _PLACE.sub(self._value, text)

    def words(self, *, private: bool = False) -> Iterator[str]:
        """Yield what was put in, in few words each.

        Parameters
        ----------
        private
            Name it, and show no value.
        """
        for name, (value, is_short) in self._values.items():
            if is_short and not private and len(value) <= MOST_SHOWN and "\n" not in value:
                yield f"{{{{{name}}}}} = {shortened(value, MOST_SHOWN) or 'nothing'}"
            else:
                yield f"{{{{{name}}}}}, {estimated_tokens(value):,} tokens"

    def _value(self, match: re.Match[str]) -> str:
        name = match[0].strip("{}").strip()
        if name.partition(".")[0] not in self._namespace:
            return match[0]
        if name not in self._values:
            self._values[name] = self._text(name, self._look_up(name))
        return self._values[name][0]

    def _look_up(self, name: str) -> object:
        first, *attributes = name.split(".")
        value: object = self._namespace[first]
        for attribute in attributes:
            failure: Exception | None = None
            owner = value
            try:
                value = getattr(owner, attribute)
            except Exception as error:  # noqa: BLE001  (it is the person's code that runs here)
                failure = error
            # Raised out here: what somebody's code says may hold a secret, and is no cause.
            if isinstance(failure, AttributeError):
                raise UsageError(
                    f"{{{{{name}}}}}: a {type_name(owner)} has no attribute {attribute!r}. "
                    f"Correct it, or {VERBATIM}"
                )
            if failure is not None:
                raise UsageError(
                    f"{{{{{name}}}}} cannot be read: {attribute!r} raised {type_name(failure)}. "
                    f"Mend it, or {VERBATIM}"
                )
        return value

    def _text(self, name: str, value: object) -> tuple[str, bool]:
        """Return a value as text without secrets, and whether it is a plain one."""
        value = scalar(value)
        if type(value) is int and value.bit_length() > MOST_BITS:
            raise _too_long(name)
        plain = _plain(value)
        text = compact(value) if plain is None else plain
        if text is None:
            raise UsageError(
                f"{{{{{name}}}}} is a {type_name(value)}: only text, numbers and data are put in. "
                f"Name a part of it, like {{{{{name}.part}}}}, or {VERBATIM}"
            )
        text = self._redactor.text(text)
        if len(text) > MOST:
            raise _too_long(name)
        return text, plain is not None


def _too_long(name: str) -> UsageError:
    return UsageError(
        f"{{{{{name}}}}} has more than {MOST:,} characters. Put in a part of it, or give the agent "
        "a file."
    )


def _plain(value: object) -> str | None:
    """Return text, a number, a date or a path as text; None of anything else.

    A subclass is somebody's code, which would run: only the exact types are taken.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # it is
    if kind in (int, float, bool, type(None), date, PosixPath, WindowsPath):
        return str(value)
    if kind is datetime and type(value.tzinfo) in (type(None), timezone, ZoneInfo):  # type: ignore[attr-defined]  # it is
        return str(value)
    return None
