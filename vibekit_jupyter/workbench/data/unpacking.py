"""From a file of the sandbox's to a value, by its suffix: bounded first, loaded then, never run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data import unpacked_arrays, unpacked_tables
from vibekit_jupyter.workbench.data.charts import chart_from
from vibekit_jupyter.workbench.data.json_values import from_json, read_json
from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.memory import check_room
from vibekit_jupyter.workbench.data.pictures import PICTURES, picture_of
from vibekit_jupyter.workbench.data.refusals import cannot_read, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["KNOWN", "PICKLES", "check_suffix", "unpack"]

PICKLES: Final = ("pkl", "pickle", "joblib", "dill", "pt", "pth")
TEXT: Final = ("txt", "md", "html", "svg")
JSON_FACTOR: Final = 20  # what a list of numbers takes, over its text
TEXT_FACTOR: Final = 4


def check_suffix(shown: str, path: str) -> str:
    """Return a file's suffix.

    Parameters
    ----------
    shown, path
        What the file is called, and where it is from the home folder on.

    Raises
    ------
    DataError
        No such file is loaded.
    """
    suffix = shown.rpartition(".")[2].lower()
    pull = f"%vibekit_files pull {path}"
    if suffix in PICKLES:
        raise DataError(
            f"{shown!r} is a pickle: it runs code when it is loaded.", hint=f"It is at {pull}."
        )
    if suffix not in KNOWN:
        known = ", ".join(KNOWN)
        raise DataError(
            f"{shown!r} is no file that is loaded into a variable.",
            hint=f"Get it with {pull}, or ask for one of: {known}.",
        )
    return suffix


def unpack(path: Path, shown: str) -> tuple[Any, str, str]:
    """Return what a file holds, what that is in a few words, and what the person should know.

    Parameters
    ----------
    path
        Where it is on this machine; it may be removed afterwards.
    shown
        What it is called in the sandbox.

    Raises
    ------
    DataError
        It is not what its name says, too large, or needs a library that is not there.
    """
    suffix = shown.rpartition(".")[2].lower()
    what, load = KNOWN[suffix]
    try:
        return load(path, shown)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  (what a library says may hold values)
        raise cannot_read(shown, what) from _named(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # polars has one that is no Exception
            raise
        raise cannot_read(shown, what) from None


def _named(error: Exception) -> Exception | None:
    return error if isinstance(error, OSError) else None


def _text(path: Path, shown: str) -> tuple[Any, str, str]:
    check_room(shown, TEXT_FACTOR * path.stat().st_size)
    text = path.read_bytes().decode()
    return text, f"{len(text):,} characters", ""


def _bytes(path: Path, shown: str) -> tuple[Any, str, str]:
    check_room(shown, path.stat().st_size)
    data = path.read_bytes()
    return data, f"{len(data):,} bytes", ""


def _json(path: Path, shown: str) -> tuple[Any, str, str]:
    check_room(shown, JSON_FACTOR * path.stat().st_size)
    told = json.loads(path.read_bytes())
    if (chart := chart_from(told)) is not None:
        return chart
    value = from_json(told)
    return value, _counted(value), ""


def _json_lines(path: Path, shown: str) -> tuple[Any, str, str]:
    check_room(shown, JSON_FACTOR * path.stat().st_size)
    with path.open("rb") as file:
        value = [read_json(line) for line in file if line.strip()]
    return value, _counted(value), ""


def _counted(value: Any) -> str:
    return f"{len(value):,} items" if isinstance(value, dict | list) else type(value).__name__


def _tensors(path: Path, shown: str) -> tuple[Any, str, str]:
    if not has("safetensors"):
        raise missing_package("safetensors", f"Reading {shown!r}")
    from vibekit_jupyter.workbench.data.tensors import tensors_of

    check_room(shown, path.stat().st_size)
    return tensors_of(path, shown)


def _grid(path: Path, shown: str) -> tuple[Any, str, str]:
    for package in ("xarray", "scipy"):
        if not has(package):
            raise missing_package(package, f"Reading {shown!r}")
    from vibekit_jupyter.workbench.data.grids import grid_of

    grid = grid_of(path, shown)
    return grid, f"xarray.{type(grid).__name__}", ""


def _model(path: Path, shown: str) -> tuple[Any, str, str]:
    from vibekit_jupyter.workbench.data.models import model_of

    check_room(shown, path.stat().st_size)
    return model_of(path, shown)


KNOWN: Final[dict[str, tuple[str, Callable[[Path, str], tuple[Any, str, str]]]]] = {
    "arrow": ("a table", unpacked_tables.arrow_file),
    "feather": ("a table", unpacked_tables.arrow_file),
    "parquet": ("a table", unpacked_tables.parquet),
    "csv": ("a table", unpacked_tables.csv),
    "tsv": ("a table", unpacked_tables.csv),
    "json": ("JSON", _json),
    "jsonl": ("lines of JSON", _json_lines),
    "npy": ("an array", unpacked_arrays.npy),
    "npz": ("arrays", unpacked_arrays.npz),
    **dict.fromkeys(PICTURES, ("a picture", picture_of)),
    **dict.fromkeys(TEXT, ("text", _text)),
    "bin": ("bytes", _bytes),
    "nc": ("a NetCDF file", _grid),
    "safetensors": ("tensors", _tensors),
    "skops": ("a model", _model),
}
