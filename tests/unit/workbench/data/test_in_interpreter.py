"""Variables of an interpreter: each is what was sent, and comes back as it is, or is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from tests.support.data_cases import CASES
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.equality import different_column, same_values
from vibekit_jupyter.workbench.data.in_interpreter import Variables, actions
from vibekit_jupyter.workbench.data.needs import here, pack_variable
from vibekit_jupyter.workbench.data.parcel import SandboxHas
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

ALL = tuple(here())
NO_ARROW = tuple(package for package in ALL if package != "pyarrow")
NO_PANDAS = tuple(package for package in ALL if package != "pandas")
PLAIN: dict[str, Any] = {
    "text": "é\r\n\0",
    "bytes": b"\0\xff",
    "number": 2**70,
    "nan": float("inf"),
    "nothing": None,
    "tagged": {"a": (1, {2}), 3: Decimal("2.50"), "when": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    "list": [1, "x", None, [True]],
}
ARRAYS: dict[str, Any] = {
    "float32": np.arange(6, dtype="f4").reshape(2, 3),
    "Fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "complex": np.array([1 + 2j]),
    "text": np.array(["é", ""]),
    "single": np.array(5),
    "large": np.arange(1_000_000),
}


def send(names: dict[str, Any], folder: Path, value: Any, packages: tuple[str, ...]) -> Variables:
    """Put a value into the names of an interpreter, as ``v``, by a file."""
    there = SandboxHas(dict.fromkeys(packages, ""), "3.11")
    parcel = pack_variable("v", value, there)
    data = b"".join(parcel.parts())
    (folder / "data").mkdir()
    (folder / "data" / parcel.file).write_bytes(data)
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    told = {"file": parcel.file, "kind": parcel.kind, "size": len(data), "digest": digest}
    variables = Variables(names, folder)
    variables.load({"v": told})
    # What is loaded is nobody else's to write in.
    (folder / "data" / parcel.file).write_bytes(b"")
    assert [path.name for path in (folder / "data").iterdir()] == [parcel.file]
    return variables


def trip(folder: Path, value: Any, packages: tuple[str, ...] = ALL) -> tuple[Any, Any]:
    """Return what a value is in an interpreter, and what it is when it has come back."""
    names: dict[str, Any] = {}
    variables = send(names, folder, value, packages)
    written = variables.save(["v"], packages, near=True)["v"]["file"]
    back, _, _ = unpack(folder / "out" / written, written)
    assert [path.name for path in (folder / "out").iterdir()] == [written]
    return names["v"], back


@pytest.mark.parametrize("packages", [ALL, NO_ARROW], ids=["all", "without pyarrow"])
@pytest.mark.parametrize("case", CASES)
def test_a_frame_is_the_same_there_and_back_or_is_refused(
    case: str, packages: tuple[str, ...], tmp_path: Path
) -> None:
    frame = CASES[case]
    try:
        both = trip(tmp_path, frame, packages)
    except DataError as error:
        assert str(error).startswith("cannot send 'v': ")  # noqa: PT017  (the other end is as good)
        return
    for value in both:
        assert different_column(frame, value) is None


@pytest.mark.parametrize("packages", [ALL, NO_ARROW], ids=["all", "without pyarrow"])
@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2]),
        pd.Series(["a", None], name="s"),
        pd.Series(pd.date_range("2020", periods=2, tz="UTC"), index=["x", "y"], name=3),
        pd.Series(["a", "b"], dtype="category"),
    ],
    ids=["plain", "text", "zoned", "category"],
)
def test_a_series_stays_one(
    series: pd.Series[Any], packages: tuple[str, ...], tmp_path: Path
) -> None:
    for value in trip(tmp_path, series, packages):
        pd.testing.assert_series_equal(series, value)


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_value_is_the_same_there_and_back(case: str, tmp_path: Path) -> None:
    for value in trip(tmp_path, PLAIN[case]):
        assert same_values([value], [PLAIN[case]])


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_is_the_same_there_and_back(case: str, tmp_path: Path) -> None:
    for value in trip(tmp_path, ARRAYS[case]):
        assert value.dtype == ARRAYS[case].dtype
        np.testing.assert_array_equal(value, ARRAYS[case])


@pytest.mark.parametrize("packages", [ALL, NO_ARROW], ids=["all", "without pyarrow"])
def test_a_polars_frame_stays_one(packages: tuple[str, ...], tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "c": pl.Series(["x", "y"], dtype=pl.Categorical)})
    for value in trip(tmp_path, frame, packages):
        assert isinstance(value, pl.DataFrame)
        assert value.equals(frame)
        assert value.schema == frame.schema


def test_an_arrow_table_stays_one(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, 2], pa.timestamp("s"))})
    for value in trip(tmp_path, table):
        assert value.equals(table)


def test_a_picture_stays_one_and_a_figure_becomes_one(tmp_path: Path) -> None:
    picture = Image.new("RGB", (3, 2), (1, 2, 3))
    for value in trip(tmp_path, picture):
        assert (value.mode, value.tobytes()) == ("RGB", picture.tobytes())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (object(), r"cannot return 'v' \(object\): .* use %vibekit_files pull\."),
        (pd.Index([1]), r"cannot return 'v': it is of type Index: return v\.to_frame\(\)\."),
        (CASES["int and str"], r"cannot return 'v': column 'a' holds int and str together: make"),
        ({"a": object()}, r"cannot return 'v': .* return it by itself, or as text\."),
        (np.array([object()]), r"cannot return 'v': it holds Python objects"),
    ],
    ids=["object", "index", "mixed", "dictionary", "objects"],
)
def test_what_has_no_file_does_not_come_back_and_the_way_out_is_named(
    value: Any, told: str, tmp_path: Path
) -> None:
    variables = Variables({"v": value, "w": 1}, tmp_path)
    with pytest.raises(DataError, match=told):
        variables.save(["w", "v"], ALL, near=True)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (pd.DataFrame({"a": [1]}), "this kernel has no pandas: install it there"),
        (pd.Series([1]), "this kernel has no pandas: install it there"),
    ],
)
def test_what_the_kernel_cannot_take_is_refused_there(
    value: Any, told: str, tmp_path: Path
) -> None:
    variables = Variables({"v": value}, tmp_path)
    with pytest.raises(DataError, match=told):
        variables.save(["v"], NO_PANDAS, near=True)


@pytest.mark.parametrize(
    ("value", "lacks"),
    [
        (pd.DataFrame({"a": [1]}), "pandas"),
        (pl.DataFrame({"a": [1]}), "polars"),
        (pa.table({"a": [1]}), "pyarrow"),
        (np.zeros(1), "numpy"),
        ({"a": np.zeros(1)}, "numpy"),
        (Image.new("L", (1, 1)), "pillow"),
    ],
)
def test_what_would_be_no_variable_there_is_not_sent(value: Any, lacks: str) -> None:
    there = {package: "" for package in ALL if package != lacks}
    with pytest.raises(DataError, match=f"cannot send 'v': this sandbox has (no|neither).*{lacks}"):
        pack_variable("v", value, SandboxHas(there, "3.11"))


def test_a_variable_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    variables = Variables({"summary": 1}, tmp_path)
    with pytest.raises(DataError, match=r"'sumary' in the sandbox's Python\. Did you mean 'summ"):
        variables.save(["summary", "sumary"], ALL, near=True)
    assert not (tmp_path / "out").exists()


def test_one_that_cannot_be_loaded_leaves_all_as_they_were(tmp_path: Path) -> None:
    names: dict[str, Any] = {"a": "old", "b": "old"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.json").write_text("1")
    (tmp_path / "data" / "b.json").write_text("2")
    one = {"kind": "", "size": 1, "digest": ""}
    with pytest.raises(DataError, match="'b' was replaced on its way"):
        Variables(names, tmp_path).load(
            {"a": {**one, "file": "a.json"}, "b": {**one, "file": "b.json", "digest": "00"}}
        )
    with pytest.raises(DataError, match="'b' could not be loaded in the sandbox: No such file"):
        Variables(names, tmp_path).load(
            {"a": {**one, "file": "a.json"}, "b": {**one, "file": "c.json"}}
        )
    assert names == {"a": "old", "b": "old"}


def test_a_variable_of_another_kind_takes_the_place_of_its_file(tmp_path: Path) -> None:
    names: dict[str, Any] = {"v": 1}
    variables = Variables(names, tmp_path)
    variables.save(["v"], ALL, near=True)
    (tmp_path / "out" / "v.csv").write_text("somebody's own")
    names["v"] = "text"
    variables.save(["v"], ALL, near=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["v.csv", "v.txt"]


def test_where_nothing_can_be_written_that_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "v.json" / "in the way").mkdir(parents=True)
    with pytest.raises(DataError, match="'v' could not be written in the sandbox: Is a directory"):
        Variables({"v": 1}, tmp_path).save(["v"], ALL, near=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v.json"]


def test_a_cell_that_fails_writes_nothing(tmp_path: Path) -> None:
    failure = ZeroDivisionError()
    cell = actions({"v": 1}, lambda _: failure)["cell"]
    asked = {"inputs": {}, "code": "", "outputs": ["v"], "packages": ALL, "near": True}
    assert cell(asked) is failure
    assert actions({}, lambda _: None)["cell"](asked).keys() == {"refused"}
