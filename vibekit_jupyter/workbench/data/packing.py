"""From a variable to a parcel, by the exact class of its value; what has no file is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.json_values import is_plain
from vibekit_jupyter.workbench.data.known_types import class_of, is_exactly, type_name
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.workbench.data.parcel import Parcel, SandboxHas

__all__ = ["check_kind", "pack"]

PICTURES: Final = (
    *(("PIL.Image", "Image"), ("PIL.PngImagePlugin", "PngImageFile")),
    *(("PIL.JpegImagePlugin", "JpegImageFile"), ("PIL.GifImagePlugin", "GifImageFile")),
    *(("PIL.BmpImagePlugin", "BmpImageFile"), ("PIL.WebPImagePlugin", "WebPImageFile")),
    ("PIL.TiffImagePlugin", "TiffImageFile"),
)
# Of these libraries there is a class that goes: which one, and how to come to it.
WAYS: Final = (
    ("geopandas", "GeoSeries", "send {name}.to_frame()"),
    ("geopandas", "GeoDataFrame", "send geopandas.GeoDataFrame({name})"),
    ("pandas", "Index", "send {name}.to_frame()"),
    ("pandas", "Timestamp", "send {name}.to_pydatetime()"),
    ("pandas", "Timedelta", "send {name}.to_pytimedelta()"),
    ("pandas", "DataFrame", "send pandas.DataFrame({name})"),
    ("pandas", "Series", "send pandas.Series({name})"),
    ("polars", "LazyFrame", "send {name}.collect()"),
    ("polars", "Series", "send {name}.to_frame()"),
    ("polars", "DataFrame", "send polars.DataFrame({name})"),
    ("pyarrow", "RecordBatch", "send pyarrow.table({name})"),
    ("pyarrow", "ChunkedArray", "send pyarrow.table({{'values': {name}}})"),
    ("pyarrow", "Array", "send pyarrow.table({{'values': {name}}})"),
    ("numpy.ma", "MaskedArray", "send {name}.data and {name}.mask"),
    ("numpy", "ndarray", "send numpy.asarray({name})"),
    ("numpy", "generic", "send {name}.item()"),
    ("scipy.sparse", "spmatrix", "send {name}.tocsr()"),
    ("scipy.sparse", "sparray", "send {name}.tocsr()"),
    ("torch.nn.parameter", "Parameter", "send {name}.detach()"),
    ("torch", "Tensor", "send {name}.as_subclass(torch.Tensor)"),
    ("torch.nn", "Module", "send dict({name}.state_dict())"),
    ("plotly.basedatatypes", "BaseFigure", "send plotly.graph_objects.Figure({name})"),
    ("altair", "TopLevelMixin", "send its .to_dict()"),
    ("pydantic", "BaseModel", "send {name}.model_dump()"),
    ("enum", "Enum", "send {name}.value"),
    ("builtins", "dict", "send dict({name})"),
    ("builtins", "list", "send list({name})"),
    ("builtins", "tuple", "send tuple({name})"),
    ("builtins", "str", "send str({name})"),
    ("builtins", "bytes", "send bytes({name})"),
    ("builtins", "bytearray", "send bytes({name})"),
    ("builtins", "memoryview", "send bytes({name})"),
)
SAVE_IT: Final = "there is no file format for it. Save it yourself and use %vibekit_files push"

Packer = "Callable[[str, Any, SandboxHas], Parcel]"


def check_kind(name: str, value: object) -> None:
    """Refuse a value for which there is no file format, before anything is asked or sent.

    Raises
    ------
    DataError
        There is none.
    """
    _packer(name, value)


def pack(name: str, value: object, there: SandboxHas) -> Parcel:
    """Make a variable ready for a sandbox.

    Raises
    ------
    DataError
        There is no file format for it, or it would not come back as it is.
    """
    return _packer(name, value)(name, value, there)


def _packer(name: str, value: object) -> Callable[[str, Any, SandboxHas], Parcel]:
    for find in (_table, _array, _of_library, _plain):
        if (found := find(value)) is not None:
            return found
    raise _refusal(name, value)


def _table(value: object) -> Callable[[str, Any, SandboxHas], Parcel] | None:
    if is_exactly(value, "pandas", "DataFrame", "Series"):
        from vibekit_jupyter.workbench.data.tables import pack_pandas

        return pack_pandas
    if is_exactly(value, "polars", "DataFrame"):
        from vibekit_jupyter.workbench.data.polars_tables import pack_polars

        return pack_polars
    if is_exactly(value, "pyarrow", "Table"):
        from vibekit_jupyter.workbench.data.tables import pack_arrow

        return pack_arrow
    if is_exactly(value, "geopandas", "GeoDataFrame"):
        from vibekit_jupyter.workbench.data.geo_frames import pack_geo

        return pack_geo
    if is_exactly(value, "xarray", "Dataset", "DataArray"):
        from vibekit_jupyter.workbench.data.grids import pack_grid

        return lambda name, grid, _: pack_grid(name, grid)
    return None


def _array(value: object) -> Callable[[str, Any, SandboxHas], Parcel] | None:
    from vibekit_jupyter.workbench.data import arrays

    if arrays.is_array(value):
        return lambda name, array, _: arrays.pack_array(name, array)
    if is_exactly(value, "scipy.sparse", *arrays.SPARSE):
        return lambda name, matrix, _: arrays.pack_sparse(name, matrix)
    if type(value) is dict and value and _are_arrays(value):
        return lambda name, parts, _: arrays.pack_arrays(name, parts)
    return None


def _are_arrays(value: dict[Any, Any]) -> bool:
    from vibekit_jupyter.workbench.data.arrays import is_array

    return all(map(is_array, value.values())) and all(type(key) is str for key in value)


def _plain(value: object) -> Callable[[str, Any, SandboxHas], Parcel] | None:
    from vibekit_jupyter.workbench.data import pictures, small_values

    if type(value) is str:
        return lambda name, text, _: small_values.pack_text(name, text)
    if type(value) is bytes:
        return lambda name, data, _: small_values.pack_bytes(name, data)
    if is_plain(value):
        return lambda name, plain, _: small_values.pack_json(name, plain)
    if any(is_exactly(value, module, cls) for module, cls in PICTURES):
        return lambda name, picture, _: pictures.pack_picture(name, picture)
    if is_exactly(value, "matplotlib.figure", "Figure"):
        return lambda name, figure, _: pictures.pack_figure(name, figure)
    return None


def _of_library(value: object) -> Callable[[str, Any, SandboxHas], Parcel] | None:
    from vibekit_jupyter.workbench.data import charts, models, tensors

    if is_exactly(value, *charts.PLOTLY):
        return lambda name, figure, _: charts.pack_plotly(name, figure)
    if is_exactly(value, *charts.ALTAIR):
        return lambda name, chart, _: charts.pack_altair(name, chart)
    if tensors.are_tensors(value):
        return lambda name, tensor, _: tensors.pack_tensors(name, tensor)
    if models.is_model(value):
        return models.pack_model
    return None


def _refusal(name: str, value: object) -> Exception:
    """Return the refusal of a value; of its class, not of itself, is asked what it derives from."""
    parents = type.mro(type(value))
    for module, cls, way in WAYS:
        if (known := class_of(module, cls)) is not None and known in parents:
            return cannot_send(
                f"{name}", f"it is of type {type_name(value)}: {way.format(name=name)}"
            )
    if any("dataclass" in key for key in type.__dict__["__dict__"].__get__(type(value))):
        return cannot_send(
            name, f"it is of type {type_name(value)}: send dataclasses.asdict({name})"
        )
    from vibekit_jupyter.errors import DataError

    return DataError(f"cannot send {name!r} ({type_name(value)}): {SAVE_IT}.")
