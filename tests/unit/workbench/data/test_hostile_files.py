"""Whatever stands in a file of the sandbox, it is loaded within bounds or refused in a sentence."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from vibekit_jupyter.errors import DataError, printable
from vibekit_jupyter.workbench.data.memory import room
from vibekit_jupyter.workbench.data.unpacking import KNOWN, check_suffix, unpack

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path, name: str) -> str:
    with pytest.raises(DataError) as raised:
        unpack(path, name)
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def write(path: Path, table: Any, compression: str | None = None, times: int = 1) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as file,
    ):
        for _ in range(times):
            file.write_table(table)
    return path


def ours(told: Any, **columns: Any) -> Any:
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    return pa.table(columns or {"a": [1, 2]}).replace_schema_metadata({b"vibekit": text})


def test_a_small_file_that_unpacks_to_more_than_the_memory_is_refused(tmp_path: Path) -> None:
    zeros = pa.table({"a": np.zeros(32 * 1024**2)})
    path = write(tmp_path / "x.arrow", zeros, "zstd", times=room() // 2**28 + 2)
    assert path.stat().st_size < 5_000_000
    assert "in this kernel's memory there is room for" in refusal(path, "x.arrow")


def test_rows_without_bytes_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow", pa.table({"a": pa.nulls(2**31 - 1)}), times=4)
    assert path.stat().st_size < 5000
    assert "in this kernel's memory there is room for" in refusal(path, "x.arrow")


def test_runs_that_stand_for_many_rows_are_refused(tmp_path: Path) -> None:
    runs = pa.RunEndEncodedArray.from_arrays([10**9], ["x"])
    assert "run_end" in refusal(write(tmp_path / "x.arrow", pa.table({"a": runs})), "x.arrow")


HEADER = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}


def npy(header: dict[str, Any], data: bytes = b"\0" * 80) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        {**HEADER, "shape": (10**30, 10**30)},
        {**HEADER, "shape": (-1,)},
        {**HEADER, "descr": "|O", "shape": (1,)},
        {**HEADER, "shape": (1,)},
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_header_is_held_against_its_file(
    tmp_path: Path, header: dict[str, Any], suffix: str
) -> None:
    path = tmp_path / f"x.{suffix}"
    data = npy(header)
    if suffix == "npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", data)
        if header["shape"] == (1,) and header["descr"] == "<f8":
            return  # what comes after it is left unread
    refusal(path, f"x.{suffix}")


class Bomb:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('a pickle ran')",)


def test_no_pickle_is_loaded_whatever_it_is_in(tmp_path: Path) -> None:
    bomb = np.array([Bomb()], object)
    np.save(tmp_path / "x.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "x.npz", bomb)
    np.savez(tmp_path / "y.npz", manifest=bomb)
    np.savez(tmp_path / "z.npz", format=bomb, shape=bomb, data=bomb)
    (tmp_path / "x.arrow").write_bytes(pickle.dumps(Bomb()))
    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type",
                b"ARROW:extension:metadata": pickle.dumps(Bomb())}  # fmt: skip
    field = pa.field("a", pa.int64(), metadata=metadata)
    write(tmp_path / "y.arrow", pa.table([pa.array([1])], pa.schema([field])))
    for name in ("x.npy", "x.npz", "y.npz", "z.npz", "x.arrow"):
        refusal(tmp_path / name, name)
    with contextlib.suppress(DataError):
        unpack(tmp_path / "y.arrow", "y.arrow")
    for suffix in ("pkl", "pickle", "joblib", "pt"):
        with pytest.raises(DataError, match="is a pickle: it runs code when it is loaded"):
            check_suffix(f"x.{suffix}", f"out/x.{suffix}")


METADATA = [
    b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"kind": 5}', {"kind": "pandas.X"},
    {"kind": "pandas.DataFrame"},
    {"kind": "pandas.DataFrame", "columns": 5, "names": [None]},
    {"kind": "pandas.DataFrame", "columns": {"a": 5}, "names": [None]},
    {"kind": "pandas.DataFrame", "names": [None],
     "columns": {"a": {"object": "exec", "missing": "os"}}},
    {"kind": "pandas.DataFrame", "columns": {"a": {"masked": "__import__"}}, "names": [None]},
    {"kind": "pandas.DataFrame", "columns": {"a": {"string": "x", "missing": []}}, "names": [None]},
    {"kind": "pandas.DataFrame", "names": [None], "index": [None] * 9},
    {"kind": "pandas.DataFrame", "names": [None], "index": [{"arrow": True}]},
    {"kind": "pandas.DataFrame", "names": 10**9},
    {"kind": "pandas.DataFrame", "names": [None], "labels": {"range": [0, 10**15, 1]}},
    {"kind": "pandas.DataFrame", "names": [None], "labels": {"ipc": "AAAA"}},
    {"kind": "pandas.DataFrame", "names": [None], "labels": {"json": 5}},
    {"kind": "pandas.DataFrame", "names": [None], "freq": "os.system('true')"},
    {"kind": "pandas.DataFrame", "names": [None], "attrs": {"$type": "set", "value": [[]]}},
    {"kind": "pandas.Series", "names": [None]},
    {"kind": "pyarrow.Table"},
]  # fmt: skip


@pytest.mark.parametrize("told", METADATA, ids=lambda told: str(told)[:40])
def test_metadata_of_a_stranger_does_no_harm(tmp_path: Path, told: Any) -> None:
    path = write(tmp_path / "x.arrow", ours(told))
    told_in_one_sentence = pytest.RaisesExc(DataError, match="cannot be read as a table")
    try:
        value, _, _ = unpack(path, "x.arrow")
    except DataError as error:
        if not told_in_one_sentence.matches(error):
            raise
    else:
        assert isinstance(value, pd.DataFrame | pd.Series | pa.Table | pl.DataFrame)


@pytest.mark.parametrize("told", [b"{", b'{"index_columns": 5}', b'{"columns": [{}]}', b"[]"])
def test_metadata_of_pandas_does_no_harm_either(tmp_path: Path, told: bytes) -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({b"pandas": told})
    assert "cannot be read" in refusal(write(tmp_path / "x.arrow", table), "x.arrow")


def test_a_range_of_a_stranger_makes_no_memory(tmp_path: Path) -> None:
    told = {
        "index_columns": [{"kind": "range", "name": None, "start": 0, "stop": 10**12, "step": 1}],
        "columns": [],
        "column_indexes": [],
        "pandas_version": "3",
    }
    table = pa.table({"a": [1]}).replace_schema_metadata({b"pandas": json.dumps(told).encode()})
    value, _, _ = unpack(write(tmp_path / "x.arrow", table), "x.arrow")
    assert len(value) == 1


def test_a_file_with_broken_bytes_is_a_table_or_a_sentence(tmp_path: Path) -> None:
    table = pa.table({
        "n": [1, 2, None], "s": ["a", None, "bcd"], "l": [[1], [], None],
        "d": pa.array(["x", "y", "x"]).dictionary_encode(),
    })  # fmt: skip
    chance = random.Random(7)  # noqa: S311
    for compression in (None, "lz4", "zstd"):
        whole = write(tmp_path / "whole.arrow", table, compression).read_bytes()
        for _ in range(150):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            path = tmp_path / "x.arrow"
            path.write_bytes(broken[: chance.choice([len(broken), len(broken) - 7])])
            with contextlib.suppress(DataError):
                repr(unpack(path, "x.arrow")[0])


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("1", (1, 1)).save(tmp_path / "x.png")
    data = bytearray((tmp_path / "x.png").read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "x.png").write_bytes(data)
    refusal(tmp_path / "x.png", "x.png")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.json", b"[" * 200_000),
        ("x.json", b"9" * 10_000),
        ("x.jsonl", b"{}\n{"),
        ("x.nc", b"CDF\x01" + b"\xff" * 40),
        ("x.safetensors", b"\xff" * 20),
        ("x.parquet", b"PAR1" + b"\xff" * 40 + b"PAR1"),
        ("x.csv", b""),
        ("x.npz", b"PK\x05\x06" + b"\0" * 10),
        ("x.jpg", b"\xff\xd8\xff" + b"\0" * 100),
    ],
)
def test_what_is_not_what_its_name_says_is_a_sentence(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    refusal(path, name)


@pytest.mark.parametrize("suffix", KNOWN)
def test_an_empty_file_is_a_sentence_or_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    if suffix in ("txt", "md", "html", "svg", "bin", "jsonl"):
        assert not unpack(path, f"x.{suffix}")[0]
    else:
        refusal(path, f"x.{suffix}")


def test_a_name_of_a_stranger_is_printable() -> None:
    assert printable("a\n\x1b[31m\u202eb" + "x" * 100).isprintable()
