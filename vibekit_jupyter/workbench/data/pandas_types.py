"""What pandas' columns and labels may be made of: its own types, all of them exactly."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from vibekit_jupyter.workbench.data.json_values import is_plain
from vibekit_jupyter.workbench.data.known_types import class_of, name_of_class, type_name
from vibekit_jupyter.workbench.data.refusals import cannot_send

__all__ = ["MASKED", "check_dtype", "check_index", "told_dtype"]

INDEXES: Final = (
    *("Index", "RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex"),
    *("PeriodIndex", "CategoricalIndex", "IntervalIndex"),
)
MASKED: Final = (
    *("boolean", "Float32", "Float64"),
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
)
# Of pandas; what another library made might run code of its own.
DTYPES: Final = (
    *("DatetimeTZDtype", "PeriodDtype", "IntervalDtype", "CategoricalDtype", "StringDtype"),
    *("BooleanDtype", "ArrowDtype", *(f"{name}Dtype" for name in MASKED[1:])),
)


def check_index(variable: str, index: Any, what: str = "its index") -> None:
    """Refuse an index of a class, or with labels, whose own code might run.

    Raises
    ------
    DataError
        It is one.
    """
    if type(index) not in [class_of("pandas", name) for name in INDEXES]:
        raise cannot_send(variable, f"{what} is of type {type_name(index)}: reset_index() first")
    for level in index.levels if index.nlevels > 1 else [index]:
        if level.dtype == object:
            for label in level:
                if not _is_label(label):
                    name = type_name(label)
                    raise cannot_send(variable, f"{what} has one of type {name}: make it text")
    for name in index.names:
        if not _is_label(name):
            raise cannot_send(variable, f"{what} has a name of type {type_name(name)}")


def _is_label(label: object) -> bool:
    if type(label) is tuple:
        return all(map(_is_label, label))
    missing = ("NAType", "NaTType")
    return type_name(label) in missing or (
        is_plain(label) and type(label) not in (list, dict, set, frozenset)
    )


def check_dtype(variable: str, what: str, way: str, dtype: Any) -> None:
    """Refuse a column of a type that Arrow has not, or that is not pandas' own.

    Raises
    ------
    DataError
        It is one.
    """
    import numpy as np

    if isinstance(dtype, np.dtype):
        if dtype.kind in "biuMm" or dtype in (np.float16, np.float32, np.float64):
            return
        out = f"make it another type ({way}.astype(float))"
        if dtype.kind == "c":
            out = f"make two columns of {way}.to_numpy().real and .imag"
        raise cannot_send(variable, f"{what} is of type {str(dtype)[:40]}: {out}")
    if type(dtype) not in [class_of("pandas", name) for name in DTYPES]:
        name = name_of_class(type(dtype))
        out = f"make it another type ({way}.astype(...))"
        if name == "SparseDtype":
            out = f"make it dense ({way}.sparse.to_dense())"
        raise cannot_send(variable, f"{what} is of type {name}: {out}")
    if (categories := getattr(dtype, "categories", None)) is not None:
        check_index(variable, categories, what)
        if not isinstance(categories.dtype, np.dtype | _string_dtype()):
            raise cannot_send(
                variable,
                f"{what} has categories of type {str(categories.dtype)[:60]}: "
                f"make it text ({way}.astype(str))",
            )


def _string_dtype() -> Any:
    return class_of("pandas", "StringDtype")


def told_dtype(dtype: Any, *, in_index: bool) -> dict[str, Any] | None:  # noqa: PLR0911
    """Return what brings a column's type back; None where Arrow does."""
    match type(dtype).__name__:
        case "StringDtype":
            missing = "NA" if type_name(dtype.na_value) == "NAType" else "nan"
            return {"string": dtype.storage, "missing": missing}
        case "ArrowDtype":
            return {"arrow": True}
        case "DatetimeTZDtype" if dtype.tz is dt.UTC:
            return {"zone": "utc"}
        case "CategoricalDtype" if dtype.categories.dtype == object and len(dtype.categories):
            return {"categories": "object"}
        case "CategoricalDtype" if (freq := getattr(dtype.categories, "freq", None)) is not None:
            return {"categories": "freq", "freq": freq.freqstr}
        case _ if in_index and str(dtype) in MASKED:
            return {"masked": str(dtype)}
        case _:
            return None
