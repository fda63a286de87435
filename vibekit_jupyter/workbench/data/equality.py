"""Whether what came back is what went, strictly: by type, by value, and by how it is spelled."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["different_column", "same_values"]


def same_values(left: Iterable[Any], right: Iterable[Any]) -> bool:
    """Tell whether values are the same in turn; all of them are of exact, known types."""
    try:
        return all(_same(one, other) for one, other in zip(left, right, strict=True))
    except (RecursionError, ValueError):
        return False


def _same(one: Any, other: Any) -> bool:  # noqa: PLR0911  (a case a type)
    if type(one) is not type(other):
        return False
    if type(one).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(one, list | tuple):
        return same_values(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and same_values(one.values(), other.values())
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124  NaN
    if isinstance(one, Decimal):
        return str(one) == str(other)  # 2.5 is not 2.50
    if isinstance(one, dt.datetime | dt.time):
        return (
            one.replace(tzinfo=None, fold=0) == other.replace(tzinfo=None, fold=0)
            and one.fold == other.fold
            and type(one.tzinfo) is type(other.tzinfo)
            and str(one.tzinfo) == str(other.tzinfo)
        )
    return bool(one == other)


def different_column(left: Any, right: Any) -> str | None:
    """Return what of two pandas frames is not the same: a column, the index; None where all is.

    What is compared is ours, made of a person's frame and of its own file.
    """
    if type(left) is not type(right) or left.shape != right.shape:
        return "its shape"
    if not _same_index(left.columns, right.columns):
        return "the labels of its columns"
    for at, label in enumerate(left.columns):
        if not _same_array(left.iloc[:, at].array, right.iloc[:, at].array):
            return f"column {_quoted(label)}"
    if not _same_index(left.index, right.index):
        return "its index"
    if left.flags.allows_duplicate_labels != right.flags.allows_duplicate_labels:
        return "its flags"
    return None if _same(left.attrs, right.attrs) else "its attrs"


def _quoted(label: object) -> str:
    return repr(label)[:60] if type(label) in (str, int, float, bool, tuple, type(None)) else "?"


def _same_index(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or not same_values(left.names, right.names):
        return False
    if left.nlevels > 1:
        return len(left) == len(right) and all(
            _same_array(left.get_level_values(at).array, right.get_level_values(at).array)
            for at in range(left.nlevels)
        )
    if getattr(left, "freq", None) != getattr(right, "freq", None):
        return False
    if type(left).__name__ == "RangeIndex":
        return (left.start, left.stop, left.step) == (right.start, right.stop, right.step)
    return _same_array(left.array, right.array)


def _same_array(left: Any, right: Any) -> bool:  # noqa: PLR0911  (a case a type)
    if not _same_dtype(left.dtype, right.dtype) or len(left) != len(right):
        return False
    if left.dtype.name == "object":
        return same_values(left, right)
    if hasattr(left, "categories"):
        return _same_index(left.categories, right.categories) and list(left.codes) == list(
            right.codes
        )
    import pandas as pd

    if type(left).__name__ == "FloatingArray":
        # A number that is not one is not a value that is missing.
        known = (left.to_numpy(float, na_value=0.0), right.to_numpy(float, na_value=0.0))
        if not same_values(known[0].tolist(), known[1].tolist()):
            return False
        return bool(left.isna().tolist() == right.isna().tolist())
    if type(left).__name__ == "ArrowExtensionArray":
        ours, theirs = left.__arrow_array__(), right.__arrow_array__()
        return bool(ours.equals(theirs)) or same_values(ours.to_pylist(), theirs.to_pylist())
    return bool(pd.Series(left).equals(pd.Series(right)))


def _same_dtype(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or left != right:
        return False
    for name in ("tz", "storage", "na_value", "ordered", "closed", "freq"):
        ours, theirs = getattr(left, name, None), getattr(right, name, None)
        if type(ours) is not type(theirs) or str(ours) != str(theirs):
            return False
    categories = getattr(left, "categories", None)
    return categories is None or _same_index(categories, right.categories)
