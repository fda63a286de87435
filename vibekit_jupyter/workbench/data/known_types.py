"""Which type a value is of, told without running any code of the value's own."""

from __future__ import annotations

import keyword
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, cast

from vibekit_jupyter.errors import DataError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["check_name", "class_of", "has", "is_exactly", "loaded", "no_variable", "type_name"]

LONGEST_NAME: Final = 60


def loaded(module: str) -> ModuleType | None:
    """Return a module that the person has imported; nothing is imported for it."""
    return sys.modules.get(module)


def has(package: str) -> bool:
    """Tell whether a package can be imported, without importing it."""
    import importlib.util

    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def class_of(module: str, name: str) -> type | None:
    """Return a class of a module that is loaded; None where it is not."""
    there = loaded(module)
    found = None if there is None else vars(there).get(name)
    return found if isinstance(found, type) else None


def is_exactly(value: object, module: str, *names: str) -> bool:
    """Tell whether a value's class is one of these, and no subclass of it."""
    return any(type(value) is class_of(module, name) for name in names)


def type_name(value: object) -> str:
    """Return the name of a value's class; a metaclass of the person's is not asked."""
    return name_of_class(type(value))


def name_of_class(cls: type) -> str:
    """Return a class's name, cut and printable."""
    # A name may be text of a class of its own, too.
    name = str.__str__(cast("Any", type.__dict__["__name__"]).__get__(cls))
    return printable(name)[:LONGEST_NAME]


def check_name(name: str) -> str:
    """Return a name that a variable and its file may have.

    Raises
    ------
    DataError
        It is no name.
    """
    if type(name) is not str or not name.isidentifier() or keyword.iskeyword(name):
        shown = name[:LONGEST_NAME] if type(name) is str else type_name(name)
        raise DataError(
            f"{shown!r} is not the name of a variable.", hint="Names alone go in and out."
        )
    if name.startswith("_") or len(name) > LONGEST_NAME or not name.isascii():
        raise DataError(
            f"{name[:LONGEST_NAME]!r} cannot be the name of a file.",
            hint=f"Use one of ASCII letters that begins with one, of at most {LONGEST_NAME}.",
        )
    return name


def no_variable(name: str, there: Iterable[str], where: str = "") -> DataError:
    """Return the error for a variable that is not there."""
    public = [other for other in there if type(other) is str and not other.startswith("_")]
    near = get_close_matches(name, public, 1)
    return DataError(
        f"There is no variable {name!r}{where}.",
        hint=f"Did you mean {near[0]!r}?" if near else "Make it in a cell first.",
    )
