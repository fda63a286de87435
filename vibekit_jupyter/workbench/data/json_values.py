"""Plain Python values as JSON that brings the same values back.

What JSON has no word for is tagged: ``{"$type": "tuple", "value": [1, 2]}``. Only exact types go:
a subclass has code of its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import pathlib
import uuid
import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TAG", "UnfitValueError", "from_json", "is_plain", "read_json", "to_json"]

TAG: Final = "$type"
MOST_BITS: Final = 14_000  # Python reads no longer numbers from text
PATHS: Final = (pathlib.PurePosixPath, pathlib.PosixPath)


class UnfitValueError(ValueError):
    """A value has no form in JSON; the message says where it is, and what."""


def read_json(text: bytes | str) -> Any:
    """Read JSON of ours or of anybody's."""
    return from_json(json.loads(text))


def to_json(value: object, where: str = "") -> Any:
    """Return what ``json.dumps`` takes and :func:`from_json` turns into an equal value.

    Raises
    ------
    UnfitValueError
        There is no such form.
    """
    try:
        return _to_json(value, where)
    except RecursionError:
        raise UnfitValueError(f"{where or 'it'} is nested too deeply, or holds itself") from None


def is_plain(value: object) -> bool:
    """Tell whether a value is of one of the types that go as JSON, whatever is in it."""
    return type(value) in _PLAIN or type(value) in _TAGGED or type(value) in (dict, list, float)


_PLAIN: Final = (str, bool, type(None), int)


def _to_json(value: Any, where: str) -> Any:
    kind: Any = type(value)
    if kind in (str, bool, type(None)):
        return value
    if kind is int:
        if value.bit_length() > MOST_BITS:
            raise UnfitValueError(f"{where or 'it'} is a number of too many digits")
        return value
    if kind is float:
        return value if math.isfinite(value) else _tagged("float", repr(value))
    if kind is list:
        return [_to_json(item, f"{where}[{at}]") for at, item in enumerate(value)]
    if kind is dict:
        return _dict(value, where)
    if kind not in _TAGGED:
        raise UnfitValueError(f"{where or 'it'} is of type {type_name(value)}")
    tag, spell = _TAGGED[kind]
    spelled = spell(value)
    if isinstance(spelled, list):
        spelled = [_to_json(item, f"{where}[{at}]") for at, item in enumerate(spelled)]
    return _tagged(tag, spelled)


def _dict(value: dict[Any, Any], where: str) -> Any:
    if all(type(key) is str for key in value) and TAG not in value:
        return {key: _to_json(item, f"{where}[{key[:40]!r}]") for key, item in value.items()}
    pairs = [
        [_to_json(key, f"a key of {where or 'it'}"), _to_json(item, f"a value of {where or 'it'}")]
        for key, item in value.items()
    ]
    return _tagged("dict", pairs)


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {TAG: tag, "value": value}


def _moment(value: dt.datetime | dt.time) -> list[Any]:
    zone = value.tzinfo
    if zone is None:
        return [value.isoformat(), None, value.fold]
    naive = value.replace(tzinfo=None).isoformat()
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        return [naive, zone.key, value.fold]
    if type(zone) is dt.timezone:
        offset = zone.utcoffset(None)
        if zone.tzname(None) == dt.timezone(offset).tzname(None):  # else it has a name of its own
            return [naive, offset, value.fold]
    raise UnfitValueError("a time zone there is neither a name nor an offset")


def _zone(told: Any) -> dt.tzinfo | None:
    if told is None:
        return None
    if isinstance(told, str):
        return zoneinfo.ZoneInfo(told)
    return dt.timezone(told) if told else dt.UTC


_TAGGED: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    tuple: ("tuple", list),
    set: ("set", list),
    frozenset: ("frozenset", list),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    complex: ("complex", lambda value: [value.real, value.imag]),
    dt.datetime: ("datetime", _moment),
    dt.time: ("time", _moment),
    dt.date: ("date", dt.date.isoformat),
    dt.timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: ("decimal", str),
    uuid.UUID: ("uuid", str),
    **{path: (path.__name__, str) for path in PATHS},
}
_UNTAGGED: Final[dict[str, Callable[[Any], Any]]] = {
    "float": float,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": lambda told: base64.b64decode(told, validate=True),
    "complex": lambda told: complex(*told),
    "datetime": lambda told: dt.datetime.fromisoformat(told[0]).replace(
        tzinfo=_zone(told[1]), fold=told[2]
    ),
    "time": lambda told: dt.time.fromisoformat(told[0]).replace(
        tzinfo=_zone(told[1]), fold=told[2]
    ),
    "date": dt.date.fromisoformat,
    "timedelta": lambda told: dt.timedelta(*told),
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "dict": dict,
    **{path.__name__: path for path in PATHS},
}


def from_json(value: Any) -> Any:
    """Return the value that :func:`to_json` made this of; other people's JSON stays as it is."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: from_json(item) for key, item in value.items()}
    make = _UNTAGGED.get(told[TAG]) if set(told) == {TAG, "value"} and _is_text(told[TAG]) else None
    if make is None:
        return told
    try:
        return make(told["value"])
    except Exception:  # noqa: BLE001  (a stranger's tag is a dictionary like any other)
        return told


def _is_text(value: object) -> bool:
    return isinstance(value, str)
