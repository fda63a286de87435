"""Secrets, taken out of everything that is shown or written down.

A secret is found as it is, as Python and JSON write it in quotes, and in base64 at whatever offset;
also when a stream brings it in pieces: the end of a piece that may be the beginning of a secret
waits for the next one.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from vibekit_jupyter.events import (
    CommandOutput,
    FileShown,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
)
from vibekit_jupyter.settings.config import VENDORS
from vibekit_jupyter.settings.headers import secrets_in
from vibekit_jupyter.settings.keys import known_of, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.settings.config import Settings

__all__ = ["Redactor", "secrets_of"]

T = TypeVar("T")

REDACTED = "[redacted]"
# Shorter strings stand in too many harmless words.
SHORTEST = 8
SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)


def secrets_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterable[str]:
    """Yield what must never be shown: what the layers of settings say, and the environment.

    A program that prints a key is not run for it: what it prints is known once it is used.
    """
    yield from settings.secrets
    for name, path in settings.key_files:
        yield from known_of(name, path)
    yield from (model.api_key for model in settings.models.values() if model.api_key)
    for model in settings.models.values():
        yield from secrets_in(model.headers.items())
    for server in settings.mcp.values():
        yield from secrets_in((server.get("headers") or {}).items())
    yield from filter(None, [settings.e2b.get("api_key")])
    yield from remembered()
    known = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    for name, value in environ.items():
        if name in known or SECRET_VARIABLE.search(name):
            yield value


class Redactor:
    """Takes secrets out of texts, of events, and of whatever holds texts.

    Parameters
    ----------
    secrets
        What to take out; those of fewer than 8 characters are left alone. A key that is read
        later, when it is first used, is taken out from then on.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._held: dict[object, tuple[Event, str]] = {}
        self._secrets = set(secrets)
        self._read: Iterable[str] | None = None
        self._learn()

    def _learn(self) -> None:
        if self._read == (read := remembered()):
            return
        self._read = read
        long_enough = (each for each in {*self._secrets, *read} if len(each) >= SHORTEST)
        found = {spelling for secret in long_enough for spelling in _spellings(secret)}
        self._spellings = sorted(found, key=len, reverse=True)
        self._whole = re.compile("|".join(map(re.escape, self._spellings))) if found else None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        self._learn()
        # Looking for each is much faster than the pattern, and most texts have none.
        if self._whole is None or not any(spelling in text for spelling in self._spellings):
            return text
        return self._whole.sub(REDACTED, text)

    def value(self, value: T) -> T:
        """Return the same structure of dataclasses, dicts, lists and texts without secrets."""
        self._learn()
        return value if self._whole is None else self._value(value)

    def _value(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self._value(key): self._value(item) for key, item in value.items()}
            case list() | tuple():
                return type(value)(map(self._value, value))
            case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
                changed = {name: self._value(item) for name, item in vars(value).items()}
                return value if changed == vars(value) else dataclasses.replace(value, **changed)
            case _:
                return value

    def cut_causes(self, error: BaseException) -> None:
        """Take from an error's causes those that tell a secret, with what caused them.

        Groups of errors go, too: IPython tells a frontend of no error that has one behind it.
        """
        known: set[int] = set()
        behind: list[BaseException] = [error]
        while behind:
            parent = behind.pop()
            known.add(id(parent))
            for name in ("__cause__", "__context__"):
                child = getattr(parent, name)
                if child is None or id(child) in known:
                    continue
                if isinstance(child, BaseExceptionGroup) or self._is_told_by(child):
                    setattr(parent, name, None)
                else:
                    behind.append(child)

    def _is_told_by(self, error: BaseException) -> bool:
        words = "".join(traceback.format_exception_only(error)) + repr(error.args)
        return self.text(words) != words

    def event(self, event: Event) -> Iterator[Event]:
        """Yield what may be told when this event has come.

        The pieces of a stream come without its secrets; what had to wait of a stream comes
        before the event that ends it.
        """
        self._learn()
        if self._whole is None:
            yield event
        elif not event.recorded:
            yield self._value(event)  # it ends no stream
        elif isinstance(event, TextDelta | ThinkingDelta | CommandOutput):
            yield from self._piece(event)
        else:
            yield from self._rest(event)
            yield self._value(self._shown(event) if isinstance(event, FileShown) else event)

    def _shown(self, event: FileShown) -> FileShown:
        content = base64.b64decode(event.data).decode(errors="surrogateescape")
        data = self.text(content).encode(errors="surrogateescape")
        return dataclasses.replace(event, data=base64.b64encode(data).decode())

    def _piece(self, event: TextDelta | ThinkingDelta | CommandOutput) -> Iterator[Event]:
        stream = (event.call_id, event.stream) if isinstance(event, CommandOutput) else type(event)
        _, before = self._held.pop(stream, (event, ""))
        text = self.text(before + event.text)
        begun = self._beginning(text)
        if begun < len(text):
            self._held[stream] = (event, text[begun:])
        if begun > 0:
            yield dataclasses.replace(event, text=text[:begun])

    def _beginning(self, text: str) -> int:
        """Return where the end of a text begins that may be the beginning of a secret."""
        first = len(text)
        for spelling in self._spellings:
            start = text.find(spelling[0], max(0, len(text) - len(spelling) + 1))
            while -1 < start < first:
                if spelling.startswith(text[start:]):
                    first = start
                start = text.find(spelling[0], start + 1)
        return first

    def _rest(self, event: Event) -> Iterator[Event]:
        for stream, (last, text) in list(self._held.items()):
            if isinstance(event, RunFinished) or not isinstance(last, CommandOutput):
                ended = True
            else:
                ended = isinstance(event, ToolCallFinished) and event.call_id == last.call_id
            if ended:
                del self._held[stream]
                yield dataclasses.replace(last, text=text)  # type: ignore[call-arg]  # only deltas are held


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as it is, in quotes, and the part of its base64 that no neighbour changes."""
    yield secret
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    data = secret.encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        # The first characters hold bits of what is before, the last one of what comes after.
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - bool((offset + len(data)) % 3)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
