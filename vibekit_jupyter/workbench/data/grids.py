"""xarray as NetCDF-3: what it has no types for is told beside it, and put back where it fits.

A file is read back whole and compared before it goes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from vibekit_jupyter.workbench.data.grid_parts import (
    RESERVED,
    check_parts,
    restored,
    same_grid,
    told_of,
)
from vibekit_jupyter.workbench.data.known_types import has, is_exactly
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.parcel import Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_read, cannot_send, missing_package

__all__ = ["grid_of", "pack_grid"]

OURS: Final = "vibekit"
ARRAY: Final = "__vibekit_array__"
NETCDF_3: Final = (b"CDF\x01", b"CDF\x02")
WAY: Final = "make its numbers float64 or int32 and its text one type"


def pack_grid(name: str, grid: Any) -> Parcel:
    """Make an xarray Dataset or DataArray ready."""
    if not has("scipy"):
        raise missing_package("scipy", f"Sending {name!r} as NetCDF")
    is_array = is_exactly(grid, "xarray", "DataArray")
    whole = _as_dataset(name, grid) if is_array else grid
    check_parts(name, whole)
    told: dict[str, Any] = {"kind": "DataArray" if is_array else "Dataset", **told_of(whole)}
    if is_array:
        told["name"] = grid.name
    plain = whole.copy(deep=False).drop_encoding()
    plain.attrs = {**whole.attrs, OURS: json.dumps(told)}
    data = _netcdf(name, plain)
    if not _comes_back(grid, data):
        fault = _at_fault(whole)
        way = "rename it" if fault.startswith("the attribute") else WAY
        raise cannot_send(name, f"{fault} would not come back as it is: {way}")
    sizes = " × ".join(f"{length:,}" for length in grid.sizes.values())
    return Parcel(
        name,
        f"{name}.nc",
        f"xarray.{told['kind']}",
        sizes or "one value",
        len(data),
        lambda: iter([data]),
        reading="xr.open_dataset",
        columns=lambda _: [
            f"{key[:40]} {str(part.dtype)[:40]} {dict(part.sizes)}"
            for key, part in list(whole.variables.items())[:12]
        ],
    )


def _as_dataset(name: str, array: Any) -> Any:
    if array.name is not None and type(array.name) is not str:
        raise cannot_send(name, "its name is no text: rename it")
    if array.name in array.coords:
        raise cannot_send(
            name, f"it has the name of one of its coordinates: send {name}.rename('values')"
        )
    return array.to_dataset(name=array.name or ARRAY)


def _netcdf(name: str, whole: Any) -> bytes:
    try:
        return _written(whole)
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        raise cannot_send(name, f"NetCDF-3 cannot hold {_at_fault(whole)}: {WAY}") from None


def _written(whole: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.nc"
        whole.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
        return path.read_bytes()


def _comes_back(grid: Any, data: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.nc"
        path.write_bytes(data)
        try:
            return same_grid(grid, grid_of(path, "it"))
        except Exception:  # noqa: BLE001  (as above)
            return False


def _at_fault(whole: Any) -> str:
    """Return which of a Dataset's parts it is that cannot be written or read."""
    import xarray as xr

    for key, part in whole.variables.items():
        # Alone, under a name and dimensions of its own, it is no coordinate.
        dims = [f"d{at}" for at in range(part.ndim)]
        one = xr.Dataset({"v": xr.Variable(dims, part.values)})
        try:
            if _comes_back(one, _written(one.assign_attrs({OURS: json.dumps(told_of(one))}))):
                continue
        except Exception:  # noqa: BLE001, S110  (as above)
            pass
        return f"its part {key[:60]!r} ({str(part.dtype)[:40]})"
    for key, part in whole.variables.items():
        if taken := [attr for attr in RESERVED if attr in part.attrs]:
            return f"the attribute {taken[0]!r} of its part {key[:60]!r}"
    return "it"


def grid_of(path: Path, shown: str) -> Any:
    """Return what a NetCDF file holds: a Dataset, or the DataArray that it was."""
    with path.open("rb") as file:
        start = file.read(4)
    if start not in NETCDF_3:
        why = "it is no NetCDF-3: have it written with .to_netcdf(path, engine='scipy')"
        raise cannot_read(shown, "a NetCDF file", why)
    import xarray as xr

    check_room(shown, path.stat().st_size)
    with xr.open_dataset(path, engine="scipy") as opened:
        # Short numbers become long ones where the file says so.
        check_room(shown, opened.nbytes)
        whole = opened.load()
    try:
        told = json.loads(whole.attrs.pop(OURS, "{}"))
    except (RecursionError, TypeError, ValueError):
        told = {}
    whole = restored(whole, told if isinstance(told, dict) else {}, shown)
    if isinstance(told, dict) and told.get("kind") == "DataArray":
        name = told.get("name")
        key = name if isinstance(name, str) and name else ARRAY
        if list(whole.data_vars) == [key] and not whole.attrs:
            return whole[key].rename(name if isinstance(name, str) else None)
    return whole
