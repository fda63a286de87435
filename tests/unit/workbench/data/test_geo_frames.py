"""GeoDataFrames come back with their CRS and missing shapes; without GeoPandas that is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.data_trips import ALL, NO_ARROW, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

POINT = bytes.fromhex("0101000000000000000000f03f0000000000000040")
TOLD = {"version": "1.0.0", "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}}}  # fmt: skip


def file_of(path: Path, shape: bytes, told: Any) -> Path:
    table = pa.table({"a": [1, 2], "geometry": pa.array([shape, None], pa.binary())})
    metadata = {b"geo": told if isinstance(told, bytes) else json.dumps(told).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_a_table_of_shapes_is_one_or_what_reads_it_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path / "g.parquet", POINT, TOLD)
    if not has("geopandas"):
        with pytest.raises(DataError, match=r"needs geopandas\. Install it: pip install geop"):
            unpack(path, "g.parquet")
        return
    frame, what, _ = unpack(path, "g.parquet")
    assert (type(frame).__name__, what) == ("GeoDataFrame", "2 × 2")
    assert frame.geometry.to_wkb().tolist() == [POINT, None]


@pytest.mark.parametrize("told", [b"", b"{", b"[]", {"columns": 5}, {**TOLD, "columns": {}}])
def test_what_a_stranger_tells_of_shapes_does_no_harm(tmp_path: Path, told: Any) -> None:
    for shape in (POINT, b"", b"\xff" * 9, POINT[:9]):
        path = file_of(tmp_path / "g.parquet", shape, told)
        with pytest.raises(DataError, match=r"geopandas|cannot be read as a table"):
            unpack(path, "g.parquet")


def test_a_geodataframe_comes_back_as_it_went_or_is_refused() -> None:
    if not has("geopandas"):
        return  # nobody has one then
    import geopandas as gpd
    import pandas as pd
    from shapely.geometry import Point

    frame = gpd.GeoDataFrame(
        {"n": [1, 2], "t": ["é", None]}, geometry=[Point(1, 2), None], crs=4326
    )
    more = frame.assign(other=gpd.GeoSeries([Point(0, 0, 1), Point()], crs=3857))
    for each in (frame, more, frame.iloc[:0], frame.to_crs(3857), frame.set_index("t")):
        back = trip(each)
        assert (type(back), back.crs, list(back.columns)) == (type(each), each.crs, [*each.columns])
        assert back.geometry.to_wkb().tolist() == each.geometry.to_wkb().tolist()
        assert back.index.equals(each.index)
    plain = gpd.GeoDataFrame({"a": [1]})
    doubled = pd.concat([frame, frame[["n"]]], axis=1)
    for value, why in (
        (plain, r"send pandas\.DataFrame\(v\)"), (doubled, "two of its columns have one label"),
        (frame.assign(x=[[1], [2]]), "holds what is no text"),
        (frame.geometry, r"send v\.to_frame\(\)"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=why):
            pack("v", value, ALL)
    with pytest.raises(DataError, match="this sandbox has no pyarrow"):
        pack("v", frame, NO_ARROW)
