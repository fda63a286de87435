"""What is in an xarray grid: looked at before it goes, put back and compared when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.json_values import UnfitValueError, from_json, to_json
from vibekit_jupyter.workbench.data.known_types import class_of, name_of_class, type_name
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RESERVED", "check_parts", "restored", "same_grid", "told_of"]

PLAIN: Final = (str, bool, int, float)
RESERVED: Final = (
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "dtype"),
    *("units", "calendar"),
)
"""Attributes by which a file says what its numbers mean."""
CAST: Final = "biufMmU"


def check_parts(name: str, whole: Any) -> None:
    """Refuse what has code of its own, or what no file keeps, before anybody touches it."""
    for key, part in whole.variables.items():
        if type(key) is not str or not all(type(dim) is str for dim in part.dims):
            raise cannot_send(name, "it has names that are no text: rename them")
    _check_attrs(name, whole)
    _check_indexes(name, whole)
    _check_values(name, whole)


def _check_attrs(name: str, whole: Any) -> None:
    for where, attrs in _attrs_of(whole):
        for key, value in attrs.items():
            kinds = {*map(type, value)} if type(value) in (list, tuple) else {type(value)}
            known = all(kind in PLAIN or _is_of_numpy(kind) for kind in kinds)
            if type(key) is not str or not known:
                kind = " or ".join(sorted(map(name_of_class, kinds)))
                label = repr(key[:40]) if type(key) is str else "a label that is no text"
                raise cannot_send(
                    name, f"the attribute {label} of {where} ({kind}) has no place in NetCDF: "
                    "make it text or a number",
                )  # fmt: skip


def _check_indexes(name: str, whole: Any) -> None:
    known = class_of("xarray.core.indexes", "PandasIndex")
    for key, index in whole.xindexes.items():
        if type(index) is not known or key not in whole.dims:
            way = f"send {name}.reset_index({str(key)[:40]!r})"
            raise cannot_send(name, f"its index {str(key)[:60]!r} has no place in NetCDF: {way}")
    # A coordinate that names a dimension is its index in every file.
    for key in whole.coords:
        if key in whole.dims and key not in whole.xindexes:
            raise cannot_send(
                name, f"its coordinate {key[:60]!r} has no index, and would come back with one: "
                f"send {name}.set_xindex({key[:60]!r})",
            )  # fmt: skip


def _check_values(name: str, whole: Any) -> None:
    import numpy as np

    for key, part in whole.variables.items():
        data = part._data  # noqa: SLF001  (asked by its name, it runs code of what it is made of)
        module = type.__dict__["__module__"].__get__(type(data))
        if type(data) is not np.ndarray and not str(module).startswith("xarray."):
            way = "send {}.compute()" if str(module).startswith("dask.") else "load it first"
            raise cannot_send(
                name, f"its part {key[:60]!r} is made of {type_name(data)}: {way.format(name)}"
            )
        if part.dtype == object and not {*map(type, part.values.ravel().tolist())} <= {str, bytes}:
            raise cannot_send(
                name, f"its part {key[:60]!r} holds Python objects: make it numbers or text"
            )


def _attrs_of(whole: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "it", whole.attrs
    for key, part in whole.variables.items():
        yield repr(str.__str__(key)[:60]) if isinstance(key, str) else "a part", part.attrs


def _is_of_numpy(kind: type) -> bool:
    return kind is class_of("numpy", name_of_class(kind))


def told_of(whole: Any) -> dict[str, Any]:
    """Return what a file does not say of a Dataset: its types, and its attributes as they are."""
    return {
        "types": {key: part.dtype.str for key, part in whole.variables.items()},
        "attrs": {key: _told_attrs(part.attrs) for key, part in whole.variables.items()},
        "own": _told_attrs(whole.attrs),
    }


def _told_attrs(attrs: Any) -> dict[str, Any]:
    told = {}
    for key, value in attrs.items():
        try:
            told[key] = to_json(value)
        except UnfitValueError:
            continue  # a number of NumPy's is what a file holds
    return told


def restored(whole: Any, told: dict[str, Any], shown: str) -> Any:
    """Return a Dataset with the types and attributes that were told, where they say the same.

    Whoever worked on the file since may have changed what stands in it, and not what we told.
    """
    import xarray as xr

    types, attrs = _as_dict(told.get("types")), _as_dict(told.get("attrs"))
    parts = {}
    for key, part in whole.variables.items():
        kept = _restored_attrs(part.attrs, _as_dict(attrs.get(key)))
        parts[key] = xr.Variable(part.dims, _cast(part.values, types.get(key), shown), kept)
    return xr.Dataset(
        {key: parts[key] for key in whole.data_vars},
        {key: parts[key] for key in whole.coords},
        _restored_attrs(whole.attrs, _as_dict(told.get("own"))),
    )


def _as_dict(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _cast(values: Any, told: Any, shown: str) -> Any:
    """Return values of another type, where that changes none of them."""
    import numpy as np

    if not isinstance(told, str) or values.dtype.kind not in CAST + "O":
        return values
    try:
        dtype = np.dtype(told)
    except (TypeError, ValueError):
        return values
    if dtype == values.dtype or dtype.kind not in CAST:
        return values
    check_room(shown, dtype.itemsize * values.size)
    if values.dtype == object and {*map(type, values.ravel().tolist())} != {str}:
        return values
    try:
        with np.errstate(all="ignore"):
            cast = values.astype(dtype)
            back = cast.astype(values.dtype)
    except (OverflowError, TypeError, ValueError):
        return values
    return cast if np.array_equal(back, values, equal_nan=values.dtype.kind in "fmM") else values


def _restored_attrs(attrs: Any, told: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    kept = {}
    for key, value in attrs.items():
        ours = from_json(told[key]) if key in told else value
        kept[key] = ours if type(ours) in (*PLAIN, list, tuple) and np.array_equal(
            np.asarray(ours).ravel(), np.asarray(value).ravel()
        ) else value  # fmt: skip
    return kept


def same_grid(left: Any, right: Any) -> bool:
    """Tell whether two grids are the same, with their types and those of their attributes."""
    if type(left) is not type(right) or not left.identical(right):
        return False
    if not _same_attrs(left.attrs, right.attrs) or set(left.coords) != set(right.coords):
        return False
    parts = [(left.variable, right.variable)] if hasattr(left, "variable") else [
        (left.variables[key], right.variables[key]) for key in left.data_vars
    ]  # fmt: skip
    parts += [(left.coords[key].variable, right.coords[key].variable) for key in left.coords]
    return all(
        ours.dtype == theirs.dtype
        and _same_attrs(ours.attrs, theirs.attrs)
        and ours.dims == theirs.dims
        for ours, theirs in parts
    ) and all(
        type(index) is type(right.indexes[key]) and index.dtype == right.indexes[key].dtype
        for key, index in left.indexes.items()
    )


def _same_attrs(left: Any, right: Any) -> bool:
    import numpy as np

    return list(left) == list(right) and all(
        type(value) is type(right[key])
        and np.asarray(value).dtype == np.asarray(right[key]).dtype
        and np.array_equal(np.asarray(value), np.asarray(right[key]))
        for key, value in left.items()
    )
