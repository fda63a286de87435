"""xarray's grids come back identical, with their types and attributes, or are refused by part."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.data_trips import ALL, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.grids import grid_of
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path


class Evil:
    """Whoever asks it anything runs its code."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SystemExit(f"the value's own code ran: {name}")

    def __repr__(self) -> str:
        raise SystemExit("the value's own code ran")

    __eq__ = __hash__ = __array__ = __repr__  # type: ignore[assignment]


class Numbers(np.ndarray):
    """An array with code of its own."""

    def __array_finalize__(self, _: object) -> None:
        pass

    def astype(self, *_: object, **__: object) -> NoReturn:
        raise SystemExit("the value's own code ran")


def dataset(values: Any, **attrs: Any) -> Any:
    return xr.Dataset({"a": ("x", values, attrs)})


def cells(**more: Any) -> Any:
    return xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "y"), **more)


SAME: dict[str, Any] = {
    "array": cells(coords={"x": [1.5, 2.5]}, name="a", attrs={"units": "K"}),
    "no name": cells(), "empty name": cells(name=""), "a name of two parts": cells(name="a/b"),
    **{
        kind: dataset(np.array([0, 1], kind))
        for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i4", ">f8", "?")
    },
    "no numbers": dataset([np.nan, -0.0]), "infinite": dataset([np.inf, -np.inf]),
    "text": dataset(np.array(["a", "bé"])), "objects of text": dataset(np.array(["a", "é"], "O")),
    "bytes": dataset(np.array([b"a", b"bc"])), "wide text": dataset(np.array(["a"], "U9")),
    **{
        unit: dataset(np.array(["2020-01-01T01:02:03", "NaT"], f"M8[{unit}]"))
        for unit in ("s", "ms", "us", "ns")
    },
    "a nanosecond": dataset(np.array(["2020-01-01T00:00:00.123456789"], "M8[ns]")),
    "durations": dataset(np.array([1, 2], "m8[ns]")),
    "days": cells(coords={"x": pd.date_range("2020", periods=2, unit="us")}),
    "numbers of days": cells(coords={"x": [10, 20], "y": list("abc")}),
    "beside": cells(coords={"c": ("x", [1, 2]), "s": 5}),
    "attributes": dataset([1.0], n=1, x=1.5, t="é\n", l=[1, 2], b=True, m=np.float64(2.0)),
    "its own": xr.Dataset(attrs={"n": 2, "long": "x" * 5000}),
    "nothing": xr.Dataset(), "one value": xr.DataArray(5.0),
    "no rows": xr.DataArray(np.zeros((0, 3))),
}  # fmt: skip


@pytest.mark.parametrize("grid", SAME.values(), ids=SAME.keys())
def test_a_grid_comes_back_identical(grid: Any) -> None:
    back = trip(grid)
    assert type(back) is type(grid)
    assert back.identical(grid)
    pairs = [(grid, back)]
    pairs += [(grid.coords[key], back.coords[key]) for key in grid.coords]
    if isinstance(grid, xr.Dataset):
        pairs += [(grid[key], back[key]) for key in grid.data_vars]
    for went, came in pairs:
        assert getattr(went, "dtype", None) == getattr(came, "dtype", None)
        assert [*map(type, went.attrs.values())] == [*map(type, came.attrs.values())]


def test_how_a_file_was_packed_does_not_round_what_goes() -> None:
    grid = dataset([1.25, 2.5])
    grid["a"].encoding = {"dtype": "i2", "scale_factor": 1.0}
    assert trip(grid)["a"].to_numpy().tolist() == [1.25, 2.5]


def evil_cells() -> Any:
    cells = np.empty(1, object)
    cells[0] = Evil()
    return cells


def multi() -> Any:
    both = pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["p", "q"])
    return dataset([1.0, 2.0]).assign_coords(xr.Coordinates.from_pandas_multiindex(both, "x"))


REFUSED: dict[str, tuple[Any, str]] = {
    "complex": (dataset([1j]), r"its part 'a' \(complex128\): make its numbers float64"),
    "large": (dataset([2**40]), r"its part 'a' \(int64\): make its numbers float64"),
    "objects": (dataset(np.array([1, "x"], "O")), "'a' holds Python objects: make it numbers"),
    "missing text": (dataset(np.array(["a", None], "O")), "'a' holds Python objects"),
    "evil": (dataset(evil_cells()), "'a' holds Python objects"),
    "evil attribute": (dataset([1.0], k=Evil()), r"attribute 'k' of 'a' \(Evil\) has no place"),
    "no attribute": (dataset([1.0], k=None), r"\(NoneType\) has no place in NetCDF: make it text"),
    "packed": (dataset([1.0], scale_factor=2.0), "attribute 'scale_factor' of its part 'a'"),
    "times": (dataset([1.0], units="days since 2020-01-01"), "attribute 'units' .*: rename it"),
    "multi": (multi(), r"its index 'x' has no place in NetCDF: send v\.reset_index\('x'\)"),
    "no index": (
        cells(coords={"x": [1.0, 2.0]}).drop_indexes("x"), r"send v\.set_xindex\('x'\)",
    ),
    "one name twice": (
        xr.DataArray([1.0], dims="x", coords={"x": [1.0]}, name="x"), r"send v\.rename\('values'\)",
    ),
    "number as a name": (xr.Dataset({5: ("x", [1.0])}), "names that are no text"),
    "array of a class": (
        xr.Dataset({"a": xr.Variable("x", np.zeros(2).view(Numbers), fastpath=True)}),
        "its part 'a' is made of Numbers: load it first",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("grid", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_netcdf_would_change_is_refused_by_its_part(grid: Any, told: str) -> None:
    with pytest.raises(DataError, match=told) as raised:
        pack("v", grid, ALL)
    assert "\n" not in str(raised.value)


def test_what_was_done_to_a_file_since_is_not_undone(tmp_path: Path) -> None:
    path = tmp_path / "v.nc"
    path.write_bytes(b"".join(pack("v", dataset(np.array([1, 2]), n=1), ALL).parts()))
    with xr.open_dataset(path, engine="scipy") as opened:
        changed = opened.load()
    changed["a"] = changed["a"] + 0.5
    changed["a"].attrs["n"] = 7
    changed["b"] = ("x", [1.0, 2.0])
    changed.to_netcdf(path, engine="scipy")
    back = grid_of(path, "v.nc")
    assert back["a"].to_numpy().tolist() == [1.5, 2.5]
    assert back["a"].attrs["n"] == 7
    assert list(back) == ["a", "b"]


def test_an_array_that_got_company_comes_as_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "v.nc"
    path.write_bytes(b"".join(pack("v", cells(name="a"), ALL).parts()))
    with xr.open_dataset(path, engine="scipy") as opened:
        changed = opened.load()
    changed.assign(b=changed["a"] * 2).to_netcdf(path, engine="scipy")
    assert list(grid_of(path, "v.nc")) == ["a", "b"]


def test_a_netcdf_4_of_a_stranger_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DataError, match=r"no NetCDF-3: have it written .*engine='scipy'"):
        unpack(path, "x.nc")


@pytest.mark.parametrize(
    "told",
    ["", "{", "[]", "5", "[" * 9999, {"kind": "DataArray", "name": ["x"]}, {"types": 5},
     {"types": {"a": "U999999999"}}, {"types": {"a": "O"}}, {"types": {"a": "V8"}},
     {"types": {"a": "M8[s]"}}, {"types": {"a": 7}}, {"attrs": {"a": []}, "own": {"vibekit": 1}},
     {"attrs": {"a": {"n": {"$type": "set", "value": [[]]}}}}],
    ids=lambda told: str(told)[:30],
)  # fmt: skip
def test_what_a_stranger_tells_of_a_grid_does_no_harm(tmp_path: Path, told: Any) -> None:
    path = tmp_path / "x.nc"
    text = told if isinstance(told, str) else json.dumps(told)
    dataset([1.5, 2.5], n=1).assign_attrs(vibekit=text).to_netcdf(path, engine="scipy")
    try:
        value, _, _ = unpack(path, "x.nc")
    except DataError as error:
        assert len(str(error)) < 300  # noqa: PT017
    else:
        assert isinstance(value, xr.Dataset | xr.DataArray)


def test_a_grid_with_broken_bytes_is_a_grid_or_a_sentence(tmp_path: Path) -> None:
    grid = xr.Dataset({"a": ("x", np.arange(20)), "t": ("x", ["é"] * 20)}, attrs={"n": 1})
    whole = b"".join(pack("v", grid, ALL).parts())
    chance = random.Random(7)  # noqa: S311
    path = tmp_path / "x.nc"
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            unpack(path, "x.nc")
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
