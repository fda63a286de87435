"""What a value is, without asking it: only the exact types of what is known are looked into."""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["compact", "scalar", "type_name"]

MOST_COLUMNS: Final = 12
LAST_COLUMNS: Final = 4
MOST_LABEL: Final = 40
MOST_NAME: Final = 80
# Whose types say what they are; anybody else's would run his own code.
TRUSTED: Final = ("numpy", "pandas", "polars", "pyarrow")


def type_name(value: object, *, whole: bool = False) -> str:
    """Return the name of a value's type; a class's own idea of it is not asked for.

    Parameters
    ----------
    whole
        With its module, unless it is a builtin or of the notebook.
    """
    kind = type(value)
    # A name may be text of a class of its own, too.
    name = str.__str__(type.__dict__["__qualname__"].__get__(kind))
    module = type.__dict__["__module__"].__get__(kind)
    if whole and type(module) is str and module not in ("builtins", "__main__"):
        name = f"{module}.{name}"
    return _label(name, MOST_NAME)


def scalar(value: object) -> object:
    """Return a NumPy number as Python's own; anything else as it is."""
    numpy = sys.modules.get("numpy")
    generic = getattr(numpy, "generic", None)
    kind = type(value)
    if generic is None or not _is_of(kind, "numpy") or not issubclass(kind, generic):
        return value
    plain = value.item()  # type: ignore[attr-defined]  # NumPy's own
    return plain if type(plain) in (bool, int, float, str) else value


def compact(value: object) -> str | None:
    """Return a frame or an array in few words; None of anything else.

    Shape, columns and their types: never a value.
    """
    kind = type(value)
    for module, name, words in _KNOWN:
        if kind is getattr(sys.modules.get(module), name, None):
            return words(f"{module}.{name}", value)
    return None


def _frame(name: str, frame: Any) -> str:
    return _table(name, frame.shape, list(frame.columns), list(frame.dtypes))


def _arrow(name: str, table: Any) -> str:
    return _table(name, table.shape, list(table.schema.names), list(table.schema.types))


def _series(name: str, series: Any) -> str:
    return f"{name}, {len(series):,} rows, {_label(series.name)} {_dtype(series.dtype)}"


def _array(name: str, array: Any) -> str:
    return f"{name}, {_dtype(array.dtype)} {array.shape}"


_KNOWN: Final = (
    ("pandas", "DataFrame", _frame),
    ("pandas", "Series", _series),
    ("polars", "DataFrame", _frame),
    ("polars", "Series", _series),
    ("pyarrow", "Table", _arrow),
    ("numpy", "ndarray", _array),
)


def _table(name: str, shape: tuple[int, int], labels: list[Any], types: list[Any]) -> str:
    """Return a line a column: of very many, the first and the last."""
    head = f"{name}, {shape[0]:,} rows x {shape[1]:,} columns"
    ends = zip(_ends(labels), _ends(types), strict=True)
    lines = [f"- {_label(label)} {_dtype(kind)}" for label, kind in ends]
    if (more := len(labels) - len(lines)) > 0:
        lines.insert(MOST_COLUMNS - LAST_COLUMNS, f"- … {more:,} more columns")
    return "\n".join([head, *lines])


def _ends(columns: list[Any]) -> list[Any]:
    if len(columns) <= MOST_COLUMNS:
        return columns
    return columns[: MOST_COLUMNS - LAST_COLUMNS] + columns[-LAST_COLUMNS:]


def _label(label: object, most: int = MOST_LABEL) -> str:
    """Return a label in one line; of one that is no plain value, its type."""
    plain = label if type(label) is str else ""
    if type(label) in (bool, int, float, type(None)):
        plain = str(label)
    elif type(label) is not str:
        return type_name(label)
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in plain[:most])
    return shown if len(plain) <= most else f"{shown[: most - 1]}…"


def _dtype(kind: object) -> str:
    own = type(kind) if not isinstance(kind, type) else kind
    return _label(str(kind)) if _is_of(own, *TRUSTED) else type_name(kind)


def _is_of(kind: type, *packages: str) -> bool:
    module = type.__dict__["__module__"].__get__(kind)
    return type(module) is str and module.split(".")[0] in packages
