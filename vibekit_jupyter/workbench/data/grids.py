"""xarray as NetCDF, GeoPandas as GeoParquet: read back whole and compared before they go."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.equality import different_column
from vibekit_jupyter.workbench.data.known_types import class_of, is_exactly, loaded
from vibekit_jupyter.workbench.data.parcel import Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send, missing_package

if TYPE_CHECKING:
    from vibekit_jupyter.workbench.data.parcel import SandboxHas

__all__ = ["OURS", "grid_of", "pack_geo", "pack_grid", "same_geo"]

OURS: Final = "vibekit"
ARRAY: Final = "__vibekit_array__"


def pack_grid(name: str, grid: Any) -> Parcel:
    """Make an xarray Dataset or DataArray ready."""
    if loaded("scipy") is None:
        try:
            import scipy  # noqa: F401
        except ImportError:
            raise missing_package("scipy", f"Sending {name!r} as NetCDF") from None
    is_array = is_exactly(grid, "xarray", "DataArray")
    told: dict[str, Any] = {"kind": "DataArray" if is_array else "Dataset"}
    whole = grid
    if is_array:
        if grid.name is not None and type(grid.name) is not str:
            raise cannot_send(name, "its name is no text: rename it")
        told["name"] = grid.name
        whole = grid.to_dataset(name=grid.name or ARRAY)
    whole = whole.copy(deep=False)
    whole.attrs = {**whole.attrs, OURS: json.dumps(told)}
    data = _netcdf(name, whole)
    if not _comes_back(grid, data):
        raise cannot_send(
            name, "NetCDF would change its types: make its numbers float64 or int32 and its text "
            "one type, or send its parts",
        )  # fmt: skip
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
            f"{str(key)[:40]} {str(part.dtype)[:40]} {dict(part.sizes)}"
            for key, part in list(whole.variables.items())[:12]
        ],
    )


def _netcdf(name: str, whole: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.nc"
        try:
            whole.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
        except (TypeError, ValueError, OverflowError, NotImplementedError, RuntimeError):
            raise cannot_send(
                name,
                "NetCDF-3 cannot hold it: make its numbers float64 or int32, and its attrs text",
            ) from None
        return path.read_bytes()


def _comes_back(grid: Any, data: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.nc"
        path.write_bytes(data)
        try:
            back = grid_of(path)
        except (TypeError, ValueError, KeyError, OverflowError):
            return False
    if type(back) is not type(grid) or not back.identical(grid):
        return False
    parts = [(back, grid)] if hasattr(grid, "dtype") else []
    parts += [(back[key], grid[key]) for key in grid.coords]
    parts += [(back[key], grid[key]) for key in getattr(grid, "data_vars", ())]
    return all(ours.dtype == theirs.dtype for ours, theirs in parts)


def grid_of(path: Path) -> Any:
    """Return what a NetCDF file holds: a Dataset, or the DataArray that it was."""
    import xarray as xr

    with xr.open_dataset(path, engine="scipy") as opened:
        whole = opened.load()
    told = json.loads(whole.attrs.pop(OURS, "{}"))
    for part in whole.variables.values():
        part.encoding.clear()
    whole.encoding.clear()
    if told.get("kind") == "DataArray":
        return whole[told["name"] or ARRAY].rename(told["name"])
    return whole


def pack_geo(name: str, frame: Any, there: SandboxHas) -> Parcel:
    """Make a GeoDataFrame ready."""
    from vibekit_jupyter.workbench.data.tables import check_types, extent_of

    if loaded("pyarrow") is None:
        try:
            import pyarrow as pa  # noqa: F401
        except ImportError:
            raise missing_package("pyarrow", f"Sending {name!r} as GeoParquet") from None
    if "pyarrow" not in there:
        raise cannot_send(
            name, f"this sandbox has no pyarrow: send {name}.to_json(), which is text"
        )
    plain = frame[[label for label in frame.columns if str(frame[label].dtype) != "geometry"]]
    import pandas as pd

    check_types(name, pd.DataFrame(plain))
    geopandas = loaded("geopandas")
    assert geopandas is not None  # noqa: S101 - the frame is its
    file = io.BytesIO()
    try:
        frame.to_parquet(file)
        back = geopandas.read_parquet(io.BytesIO(file.getvalue()))
        same = same_geo(frame, back)
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        same = False
    if not same:
        raise cannot_send(name, "GeoParquet would change its columns: make them numbers or text")
    data = file.getvalue()
    return Parcel(
        name,
        f"{name}.parquet",
        "geopandas.GeoDataFrame",
        extent_of(*frame.shape),
        len(data),
        lambda: iter([data]),
        reading="gpd.read_parquet",
        columns=lambda _: [
            f"{str(label)[:40]} {frame[label].dtype}" for label in frame.columns[:12]
        ],
    )


def same_geo(left: Any, right: Any) -> bool:
    """Tell whether two GeoDataFrames are the same, geometries by their bytes."""
    import pandas as pd

    if left.attrs != right.attrs or left._geometry_column_name != right._geometry_column_name:  # noqa: SLF001
        return False
    if list(left.columns) != list(right.columns) or type(left) is not type(right):
        return False
    shapes = [
        label for label in left.columns if type(left[label]) is class_of("geopandas", "GeoSeries")
    ]
    for label in shapes:
        if left[label].crs != right[label].crs:
            return False
        if left[label].to_wkb().tolist() != right[label].to_wkb().tolist():
            return False
    rest = [label for label in left.columns if label not in shapes]
    return different_column(pd.DataFrame(left[rest]), pd.DataFrame(right[rest])) is None
