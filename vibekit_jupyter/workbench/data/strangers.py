"""Whether all that an object of a library's is made of is that library's, or plain.

A library's own methods may be called then: no code of a person's runs by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.json_values import is_plain
from vibekit_jupyter.workbench.data.known_types import class_of, is_exactly, name_of_class

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_of", "stranger_in"]

MOST: Final = 1_000_000  # objects that are looked at


def is_of(value: object, *libraries: str) -> bool:
    """Tell whether a value's class is one of these libraries', by the modules that are loaded."""
    module = type.__dict__["__module__"].__get__(type(value))
    name = name_of_class(type(value))
    is_theirs = type(module) is str and module.partition(".")[0] in libraries
    return is_theirs and class_of(module, name) is type(value)


def stranger_in(value: object, *libraries: str) -> str:
    """Return the name of a class in a value that is neither plain nor of these libraries.

    Empty where all is known.
    """
    waiting, seen = [value], dict[int, object]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if len(seen) > MOST:
            return "more objects than are looked at"
        inner = _inside(one, libraries)
        if inner is None:
            return name_of_class(type(one))
        waiting += inner
    return ""


def _inside(one: Any, libraries: Sequence[str]) -> Sequence[object] | None:  # noqa: PLR0911  (a case a type)
    """Return what an object is made of; None where it is a stranger."""
    if type(one) is dict:
        return [*one.keys(), *one.values()]
    if type(one) in (list, tuple, set, frozenset):
        return [*one]
    if is_plain(one) or type(one) in (type(Ellipsis), slice):
        return []
    if type(one) is type:
        known = one.__module__ in ("builtins", "numpy")
        return [] if known and class_of(one.__module__, one.__name__) is one else None
    if is_exactly(one, "numpy", "ndarray"):
        return one.ravel().tolist() if one.dtype.hasobject else []
    if is_exactly(one, "pandas", "DataFrame", "Series"):
        return _objects(one)
    if is_exactly(one, "polars", "DataFrame") or is_exactly(one, "pyarrow", "Table"):
        return []
    if is_of(one, "numpy"):
        return []
    if not is_of(one, *libraries):
        return None
    try:
        return [object.__getattribute__(one, "__dict__")]
    except AttributeError:
        return []


def _objects(table: Any) -> Sequence[object]:
    """Return what stands in a pandas table as Python's objects."""
    columns = [table] if table.ndim == 1 else [table.iloc[:, at] for at in range(table.shape[1])]
    parts = [table.index, *([table.name] if table.ndim == 1 else [table.columns]), *columns]
    found: list[object] = []
    for part in parts:
        if not hasattr(type(part), "to_numpy"):
            found.append(part)
        elif part.dtype == object:
            found += part.to_numpy().tolist()
    return found
