"""GeoPandas as GeoParquet: read back whole and compared before it goes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.workbench.data.equality import different_column
from vibekit_jupyter.workbench.data.known_types import has, is_exactly
from vibekit_jupyter.workbench.data.pandas_types import check_index
from vibekit_jupyter.workbench.data.parcel import Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send, missing_package

if TYPE_CHECKING:
    from pathlib import Path

    from vibekit_jupyter.workbench.data.parcel import SandboxHas

__all__ = ["geo_of", "pack_geo", "same_geo"]


def pack_geo(name: str, frame: Any, there: SandboxHas) -> Parcel:
    """Make a GeoDataFrame ready."""
    import geopandas
    import pandas as pd

    from vibekit_jupyter.workbench.data.tables import check_types, extent_of

    if not has("pyarrow"):
        raise missing_package("pyarrow", f"Sending {name!r} as GeoParquet")
    if "pyarrow" not in there:
        raise cannot_send(
            name, f"this sandbox has no pyarrow: send {name}.to_json(), which is text"
        )
    check_index(name, frame.columns, "the labels of its columns")
    if not frame.columns.is_unique:
        raise cannot_send(name, "two of its columns have one label: rename one")
    if not (shapes := _shapes(frame)):
        raise cannot_send(name, f"it has no geometry: send pandas.DataFrame({name})")
    check_types(name, pd.DataFrame(frame[[key for key in frame.columns if key not in shapes]]))
    for label in shapes:
        kinds = {*map(type, frame[label].to_numpy())}
        if not all(kind is type(None) or kind.__module__.startswith("shapely.") for kind in kinds):
            raise cannot_send(name, f"column {label[:60]!r} holds what is no geometry")
    file = io.BytesIO()
    try:
        frame.to_parquet(file)
        different = different_geo(frame, geopandas.read_parquet(io.BytesIO(file.getvalue())))
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        different = "it"
    if different:
        raise cannot_send(
            name, f"GeoParquet would not bring {different} back as it is: make it numbers or text"
        )
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


def geo_of(path: Path) -> Any:
    """Return the GeoDataFrame that a GeoParquet file holds."""
    import geopandas

    return geopandas.read_parquet(path)


def _shapes(frame: Any) -> list[Any]:
    return [label for label in frame.columns if str(frame.dtypes[label]) == "geometry"]


def different_geo(left: Any, right: Any) -> str:  # noqa: PLR0911  (a case a part)
    """Return which part of two GeoDataFrames differs, geometries by their bytes."""
    import pandas as pd

    if type(left) is not type(right) or list(left.columns) != list(right.columns):
        return "it"
    if left.attrs != right.attrs or not left.index.equals(right.index):
        return "its index or its attrs"
    if left._geometry_column_name != right._geometry_column_name:  # noqa: SLF001
        return "the name of its geometry"
    shapes = _shapes(left)
    for label in shapes:
        if not is_exactly(right[label], "geopandas", "GeoSeries"):
            return f"column {str(label)[:60]!r}"
        if left[label].crs != right[label].crs:
            return f"the CRS of column {str(label)[:60]!r}"
        if left[label].to_wkb().tolist() != right[label].to_wkb().tolist():
            return f"column {str(label)[:60]!r}"
    rest = [label for label in left.columns if label not in shapes]
    return different_column(pd.DataFrame(left[rest]), pd.DataFrame(right[rest])) or ""


def same_geo(left: Any, right: Any) -> bool:
    """Tell whether two GeoDataFrames are the same."""
    return not different_geo(left, right)
