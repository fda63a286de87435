"""Columns of Python objects: one exact type each, looked at from the first value to the last."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.arrow_files import arrow
from vibekit_jupyter.workbench.data.equality import same_values
from vibekit_jupyter.workbench.data.known_types import class_of, name_of_class
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MISSING", "as_one_array", "missing_value", "restored_objects", "to_arrow"]

SIMPLE: Final = (str, bytes, bool, int, float, dt.date)
"""Whatever they hold comes back; the others are looked at as they come back, each of them."""

COMPOUND: Final = (list, tuple, dict)
OTHER: Final = (dt.datetime, dt.time, dt.timedelta, Decimal, uuid.UUID)
MISSING: Final = ("None", "nan", "NA", "NaT")


def missing_value(name: str) -> Any:
    """Return what stands for a value that is missing."""
    if name in ("NA", "NaT"):
        import pandas as pd

        return getattr(pd, name)
    return float("nan") if name == "nan" else None


def to_arrow(variable: str, what: str, values: Any, way: str) -> tuple[Any, dict[str, str]]:
    """Return a column's values as an Arrow array, and what brings them back as they are.

    Parameters
    ----------
    variable, what, way
        What they are called in a refusal, and how a person reaches them.
    values
        A NumPy array of objects.

    Raises
    ------
    DataError
        They are of several types, or of one that no file holds.
    """
    pa = arrow("Sending a table")
    kinds = set(map(type, values))
    missing, kinds = _missing(variable, what, kinds, values, way)
    if len(kinds) > 1:
        named = " and ".join(sorted(map(name_of_class, kinds))[:3])
        hint = f"make it one type ({way}.astype(str))"
        raise cannot_send(variable, f"{what} holds {named} together: {hint}")
    kind = next(iter(kinds), None)
    told = {"object": "" if kind is None else kind.__name__, "missing": missing}
    wire = values
    if missing != "None":
        wire = values.copy()
        wire[[type(value) is not kind for value in values]] = None
    if kind in COMPOUND:
        _check_inside(variable, what, wire)
    elif kind not in (None, *SIMPLE, *OTHER):
        raise cannot_send(variable, f"{what} holds {_named(kind)}")
    fixed = {str: pa.large_string(), bytes: pa.large_binary()}.get(kind)  # type: ignore[arg-type]
    try:
        array = as_one_array(pa.array(wire, type=fixed, from_pandas=False))
        back = array.to_pylist() if kind not in (None, *SIMPLE) else None
    except (pa.ArrowException, OverflowError, UnicodeError, ValueError, TypeError, RecursionError):
        why = f"holds {_plural(kind)} of several forms"
        if kind is str:
            why = "holds text that is no Unicode (half a surrogate pair)"
        elif kind is int:
            why = "holds numbers of more than 64 bits"
        raise cannot_send(variable, f"{what} {why}: make it text ({way}.map(repr))") from None
    if back is not None and not same_values(_as_kind(back, kind), wire):
        raise cannot_send(
            variable,
            f"{what} holds {_plural(kind)} that would not come back as they are: "
            f"make them of one form, or text ({way}.map(str))",
        )
    return array, told


def _missing(
    variable: str, what: str, kinds: set[type], values: Any, way: str
) -> tuple[str, set[type]]:
    """Return how a value that is missing is spelled, and the types of the others."""
    spelled = {type(None): "None"}
    for name, cls in (("NA", "NAType"), ("NaT", "NaTType")):
        for module in ("pandas._libs.missing", "pandas._libs.tslibs.nattype"):
            if (missing := class_of(module, cls)) is not None:
                spelled[missing] = name
    found = {spelled[kind] for kind in kinds if kind in spelled}
    kinds = {kind for kind in kinds if kind not in spelled}
    # Beside others, a number that is not one stands for what is missing.
    if float in kinds and len(kinds) > 1 and all(map(_is_nan, values)):
        kinds.discard(float)
        found.add("nan")
    if len(found) > 1:
        raise cannot_send(
            variable,
            f"{what} spells what is missing {' and '.join(sorted(found))}: "
            f"make it one of them ({way}.where({way}.notna(), None))",
        )
    return next(iter(found), "None"), kinds


def _is_nan(value: Any) -> bool:
    return type(value) is not float or value != value  # noqa: PLR0124  (only that one is not itself)


def _check_inside(variable: str, what: str, values: Iterable[Any]) -> None:
    """Refuse a cell with something in it whose own code might run when it is compared."""
    waiting: list[Any] = [value for value in values if value is not None]
    known = {*SIMPLE, *OTHER, type(None)}
    seen = 0
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in (list, tuple):
            waiting += value
        elif kind is dict:
            waiting += [*value, *value.values()]
        elif kind not in known:
            raise cannot_send(variable, f"{what} has cells with {_named(kind)}")
        seen += 1
        if seen > 100_000_000:
            raise cannot_send(variable, f"{what} has cells without end")


def _named(kind: type | None) -> str:
    name = _plural(kind)
    if kind in (set, frozenset):
        return f"{name}, which no table holds: make them lists (.map(list))"
    if kind is complex:
        return f"{name}, which no table holds: make two columns of .real and .imag"
    if kind is class_of("numpy", "ndarray"):
        return f"{name}, which no table holds: make them lists (.map(list))"
    if kind in (class_of("pandas", "DataFrame"), class_of("pandas", "Series")):
        return f"{name}, which no table holds: send them by themselves"
    if kind is not None and issubclass(kind, class_of("numpy", "generic") or ()):
        return f"{name}, which come back as Python's own: make them so (.map(lambda v: v.item()))"
    return f"{name}, for which there is no file format: make it text or numbers"


def _plural(kind: type | None) -> str:
    return "nothing" if kind is None else name_of_class(kind)


def as_one_array(array: Any) -> Any:
    """Return an array that pyarrow may have cut in pieces as one."""
    pa = arrow("Sending a table")
    if isinstance(array, pa.ChunkedArray):
        if array.num_chunks == 1:
            return array.chunk(0)
        return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array


def _as_kind(values: list[Any], kind: type | None) -> list[Any]:
    """Return values as what they were: pyarrow knows one kind of sequence."""
    if kind is tuple:
        return [None if value is None else tuple(value) for value in values]
    return values


def restored_objects(column: Any, told: dict[str, Any]) -> Any:
    """Return a column's values as a NumPy array of the objects that they were.

    Parameters
    ----------
    column
        The Arrow array, of any file: what ``told`` says of it may not be so.
    """
    import numpy as np

    pa = arrow("Reading a table")
    if pa.types.is_dictionary(column.type):
        raise TypeError("a column of objects is not a category")
    values = column.to_pylist()
    if told.get("object") == "tuple":
        values = [tuple(value) if isinstance(value, list) else value for value in values]
    array = np.empty(len(values), object)
    missing = missing_value(told["missing"]) if told.get("missing") in MISSING else None
    for at, value in enumerate(values):
        array[at] = missing if value is None else value
    return array
