"""pandas frames as Arrow tables, and back: what Arrow does not keep stands in our metadata."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.arrow_files import arrow, batch_rows, with_metadata, write_ipc
from vibekit_jupyter.workbench.data.json_values import UnfitValueError, to_json
from vibekit_jupyter.workbench.data.known_types import type_name
from vibekit_jupyter.workbench.data.object_columns import as_one_array, to_arrow
from vibekit_jupyter.workbench.data.pandas_types import check_dtype, check_index, told_dtype
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Column", "PandasTable", "pandas_table"]

LONGEST_LABEL: Final = 200


@dataclass(frozen=True)
class Column:
    """A column, or a level of the index, as it is written.

    Attributes
    ----------
    name
        In the file.
    rows
        Returns the Arrow array of some rows.
    told
        What brings it back, where Arrow alone does not.
    """

    name: str
    rows: Callable[[int, int], Any]
    type: Any
    told: dict[str, Any] | None


@dataclass(frozen=True)
class PandasTable:
    """A frame as it is written: a schema, and its rows in batches."""

    schema: Any
    columns: list[Column] = field(repr=False)
    rows: int
    size: int

    def batches(self) -> Iterator[Any]:
        """Yield the rows, a few MiB at a time."""
        pa = arrow("Sending a table")
        step = batch_rows(self.size, self.rows)
        plain = self.schema.remove_metadata()
        for first in range(0, self.rows, step):
            last = min(first + step, self.rows)
            arrays = [column.rows(first, last) for column in self.columns]
            if arrays:
                yield pa.RecordBatch.from_arrays(arrays, schema=plain)
        if not self.columns:  # a table without columns has rows still
            empty = pa.Table.from_struct_array(pa.array([{}] * self.rows, pa.struct([])))
            yield from empty.to_batches()

    def parts(self, *, compressed: bool) -> Iterator[bytes]:
        """Yield the bytes of its file."""
        return write_ipc(self.schema, self.batches, compressed=compressed)


def pandas_table(variable: str, frame: Any, kind: str = "pandas.DataFrame") -> PandasTable:
    """Return a frame as it is written.

    Raises
    ------
    DataError
        There is something in it that would not come back.
    """
    import pandas as pd

    told: dict[str, Any] = {"version": 1, "kind": kind, **_of_frame(variable, frame)}
    clean = pd.DataFrame(frame)  # what was set on the object itself stays behind
    names, labels = _labels(variable, clean.columns)
    told.update(labels)
    columns = [
        _column(variable, name, _of_label(variable, label), clean.iloc[:, at])
        for at, (name, label) in enumerate(zip(names, clean.columns, strict=True))
    ]
    sample = clean.iloc[:0].copy()
    sample.columns = pd.Index(names, name=_text_or_none(clean.columns.names[0]))
    if any(_text_or_none(name) is None for name in sample.index.names):
        sample.index = sample.index.set_names([None] * sample.index.nlevels)
    index = clean.index
    check_index(variable, index)
    schema = arrow("Sending a table").Schema.from_pandas(
        sample, preserve_index=None if type(index) is pd.RangeIndex else True
    )
    written = schema.names[len(names) :]
    if written:
        columns += _levels(variable, index, written)
        told["index"] = [column.told for column in columns[len(names) :]]
        if index.nlevels > 1:
            freqs = [getattr(level, "freq", None) for level in index.levels]
            told["freqs"] = [freq and freq.freqstr for freq in freqs]
    if (freq := getattr(index, "freq", None)) is not None and type(index) is not pd.PeriodIndex:
        told["freq"] = freq.freqstr
    told["names"] = _json(variable, "the names of its index", list(index.names))
    told["columns"] = {
        column.name: column.told for column in columns[: len(names)] if column.told is not None
    }
    pa = arrow("Sending a table")
    fields = [pa.field(column.name, column.type) for column in columns]
    schema = pa.schema(fields, _readable(schema.metadata, columns, index))
    size = int(clean.memory_usage(index=False).sum()) + len(clean) * 8 * len(written)
    return PandasTable(with_metadata(schema, told), columns, len(clean), size)


def _of_frame(variable: str, frame: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if type(frame.attrs) is not dict:
        raise cannot_send(variable, "its attrs are no dictionary: make them one")
    if frame.attrs:
        told["attrs"] = _json(variable, "its attrs", frame.attrs)
    if not frame.flags.allows_duplicate_labels:
        told["duplicates"] = False
    return told


def _json(variable: str, what: str, value: Any) -> Any:
    try:
        return to_json(value)
    except UnfitValueError as error:
        raise cannot_send(variable, f"{what} hold what is no JSON ({error})") from None


def _labels(variable: str, labels: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the columns in the file, and what brings their labels back."""
    check_index(variable, labels, "the labels of its columns")
    plain = type(labels).__name__ == "Index" and all(type(label) is str for label in labels)
    if plain and labels.is_unique and all(map(_is_unicode, labels)):
        told: dict[str, Any] = {"dtype": str(labels.dtype)}
        if labels.name is not None and type(labels.name) is not str:
            told["columns_name"] = _json(variable, "the name of its columns", labels.name)
        return list(labels), {"labels": told}
    names = _unique([_as_name(label) for label in labels])
    return names, {"labels": _told_labels(variable, labels)}


def _told_labels(variable: str, labels: Any) -> dict[str, Any]:
    import pandas as pd

    name = {"columns_name": _json(variable, "the name of its columns", labels.names[0])}
    if type(labels) is pd.RangeIndex:
        return {"range": [labels.start, labels.stop, labels.step], **name}
    if labels.nlevels == 1 and labels.dtype == object:
        return {"json": _json(variable, "the labels of its columns", list(labels)), **name}
    none = pd.Index([], dtype=object)
    table = pandas_table(variable, pd.DataFrame(index=labels, columns=none))
    return {"ipc": base64.b64encode(b"".join(table.parts(compressed=False))).decode()}


def _unique(names: list[str]) -> list[str]:
    taken: set[str] = set()
    unique = []
    for name in names:
        free, number = name, 0
        while free in taken:
            number += 1
            free = f"{name}.{number}"
        taken.add(free)
        unique.append(free)
    return unique


def _as_name(label: object) -> str:
    if type(label) is str:
        return label.encode(errors="replace").decode()
    if type(label) is tuple:
        return "_".join(map(_as_name, label))
    return str(label)[:LONGEST_LABEL]


def _is_unicode(text: str) -> bool:
    return text.isascii() or text.encode(errors="replace").decode() == text


def _text_or_none(name: object) -> str | None:
    return name if type(name) is str and _is_unicode(name) else None


def _of_label(variable: str, label: object) -> tuple[str, str]:
    """Return what a column is called in a refusal, and how a person reaches it."""
    shown = repr(label)[:60] if type(label) in (str, int, float, bool, tuple) else type_name(label)
    return f"column {shown}", f"{variable}[{shown}]"


def _levels(variable: str, index: Any, written: list[str]) -> list[Column]:
    import pandas as pd

    if index.nlevels == 1:
        values = [pd.Series(index)]
    else:
        values = [pd.Series(index.get_level_values(at)) for at in range(index.nlevels)]
    return [
        _column(variable, name, ("its index", f"{variable}.index"), value, in_index=True)
        for name, value in zip(written, values, strict=True)
    ]


def _column(
    variable: str, name: str, called: tuple[str, str], series: Any, *, in_index: bool = False
) -> Column:
    """Return a column as it is written; what it is made of is looked at, not copied."""
    dtype, (what, way) = series.dtype, called
    told: dict[str, Any] | None
    if dtype == object:  # noqa: E721  (a dtype, and no class)
        array, told = to_arrow(variable, what, series.to_numpy(), way)
        return Column(name, lambda first, last: array[first:last], array.type, told)
    check_dtype(variable, what, way, dtype)
    values = series.array
    told = told_dtype(dtype, in_index=in_index)

    import numpy as np

    def rows(first: int, last: int) -> Any:
        pa = arrow("Sending a table")
        part = values[first:last]
        if hasattr(part, "to_numpy") and type(part).__name__ == "NumpyExtensionArray":
            part = part.to_numpy()
        return as_one_array(pa.array(part, from_pandas=not isinstance(part, np.ndarray)))

    pa = arrow("Sending a table")
    try:
        kind = rows(0, 0).type
    except (pa.ArrowException, TypeError, ValueError):
        raise cannot_send(
            variable, f"{what} is of type {str(dtype)[:60]}: make it text ({way}.astype(str))"
        ) from None
    return Column(name, rows, kind, told)


def _readable(metadata: Any, columns: list[Column], index: Any) -> dict[bytes, bytes]:
    """Return pyarrow's own metadata, with what pandas could not read taken out of it."""
    told = json.loads(metadata[b"pandas"])
    arrows = {column.name for column in columns if (column.told or {}).get("arrow")}
    for column in told["columns"]:
        if column.get("field_name") in arrows:
            column["numpy_type"] = "object"
    if told["index_columns"] and isinstance(told["index_columns"][0], dict):
        told["index_columns"][0].update(start=index.start, stop=index.stop, step=index.step)
    told["attributes"] = {}
    return {b"pandas": json.dumps(told).encode()}
