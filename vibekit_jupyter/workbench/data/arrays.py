"""NumPy arrays as .npy and .npz, sparse matrices as scipy's .npz; never a pickle in them."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import is_exactly, loaded
from vibekit_jupyter.workbench.data.parcel import PIECE, Parcel
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SPARSE", "is_array", "pack_array", "pack_arrays", "pack_sparse"]

SPARSE: Final = tuple(
    f"{form}_{kind}" for form in ("csr", "csc", "coo", "bsr", "dia") for kind in ("matrix", "array")
)


def is_array(value: object) -> bool:
    """Tell whether it is a NumPy array, and no subclass."""
    return is_exactly(value, "numpy", "ndarray")


def check_array(name: str, array: Any, what: str = "it") -> None:
    """Refuse an array that .npy cannot hold without pickle, or not as it is."""
    dtype = array.dtype
    if dtype.hasobject:
        raise cannot_send(
            name, f"{what} holds Python objects: make it numbers or text (.astype(str))"
        )
    if dtype.kind not in "biufcmMSUV":
        raise cannot_send(
            name, f"{what} is of type {str(dtype)[:40]}, which .npy has not: make it .astype('U')"
        )
    if dtype.kind == "V":
        head = _trip(array.reshape(-1)[:1])
        if (
            head is None
            or head.dtype != dtype
            or head.dtype.isalignedstruct != dtype.isalignedstruct
        ):
            raise cannot_send(name, f"{what} has fields that .npy does not keep: make it a table")
    if dtype.metadata:
        raise cannot_send(name, f"{what} has a dtype with metadata: make it .astype({dtype.str!r})")


def _trip(part: Any) -> Any:
    import numpy as np

    file = io.BytesIO()
    try:
        np.save(file, part, allow_pickle=False)
        return np.load(io.BytesIO(file.getvalue()), allow_pickle=False)
    except (ValueError, TypeError, UserWarning):
        return None


def pack_array(name: str, array: Any) -> Parcel:
    """Make an array ready."""
    check_array(name, array)
    shape = " × ".join(f"{length:,}" for length in array.shape) or "a single value"
    return Parcel(
        name,
        f"{name}.npy",
        f"numpy {str(array.dtype)[:60]} {array.shape}",
        shape,
        int(array.nbytes) + 128,
        partial(_npy, array),
        reading="np.load",
    )


def _npy(array: Any) -> Iterator[bytes]:
    """Yield an array's file, a few MiB at a time."""
    import numpy as np

    header = io.BytesIO()
    told = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(header, told) if len(str(told)) < 60_000 else (
        np.lib.format.write_array_header_2_0(header, told)
    )
    yield header.getvalue()
    if array.flags.c_contiguous or array.flags.f_contiguous:
        turned = array.T if told["fortran_order"] else array
        flat: Any = turned.reshape(-1).view(np.uint8) if turned.nbytes else b""
        for first in range(0, len(flat), PIECE):
            yield bytes(flat[first : first + PIECE])
        return
    step = max(1, PIECE * len(array) // max(array.nbytes, 1))
    for first in range(0, len(array), step):
        yield array[first : first + step].tobytes()


def pack_arrays(name: str, arrays: dict[str, Any]) -> Parcel:
    """Make a dictionary of arrays ready."""
    import numpy as np

    for key, array in arrays.items():
        check_array(name, array, f"{key[:40]!r}")
        if not key or "/" in key or "\\" in key or "\0" in key or not key.isprintable():
            raise cannot_send(name, f"{key[:40]!r} cannot be the name of an array in a file")
    file = io.BytesIO()
    with np.errstate(all="ignore"):
        np.savez(file, **{f"{key}": array for key, array in arrays.items()}) if (
            "file" not in arrays
        ) else _refuse_file(name)
    data = file.getvalue()
    return Parcel(
        name,
        f"{name}.npz",
        "a dictionary of NumPy arrays",
        f"{len(arrays):,} arrays",
        len(data),
        lambda: iter([data]),
        reading="np.load",
        columns=lambda _: [
            f"{key[:40]!r} {str(array.dtype)[:40]} {array.shape}"
            for key, array in list(arrays.items())[:12]
        ],
    )


def _refuse_file(name: str) -> None:
    raise cannot_send(name, "'file' cannot be the name of an array in a file")


def pack_sparse(name: str, matrix: Any) -> Parcel:
    """Make a sparse matrix of scipy's ready."""
    sparse = loaded("scipy.sparse")
    assert sparse is not None  # noqa: S101 - the matrix is its
    for part, array in _parts_of(matrix).items():
        if not is_array(array):
            raise cannot_send(name, f"its {part} are no array of NumPy's own: send {name}.copy()")
        check_array(name, array)
    if matrix.format == "coo" and len(matrix.shape) != 2:
        raise cannot_send(
            name,
            f"it has {len(matrix.shape)} dimensions, which .npz does not keep: reshape it to 2",
        )
    file = io.BytesIO()
    sparse.save_npz(file, matrix, compressed=False)
    data = file.getvalue()
    if not _same_matrix(matrix, sparse.load_npz(io.BytesIO(data))):
        raise cannot_send(name, f".npz would not bring it back as it is: send {name}.tocsr()")
    shape = " × ".join(f"{length:,}" for length in matrix.shape)
    return Parcel(
        name,
        f"{name}.npz",
        f"scipy.sparse {str(matrix.dtype)[:40]} {matrix.shape}, {matrix.nnz:,} stored",
        shape,
        len(data),
        lambda: iter([data]),
        reading="scipy.sparse.load_npz",
    )


def _parts_of(matrix: Any) -> dict[str, Any]:
    """Return the arrays that a sparse matrix is made of."""
    names = {"coo": ("row", "col") if len(matrix.shape) == 2 else (), "dia": ("offsets",)}
    parts = ("data", *names.get(matrix.format, ("indices", "indptr")))
    return {part: getattr(matrix, part) for part in parts}


def _same_matrix(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or left.shape != right.shape:
        return False
    theirs = _parts_of(right)
    return all(
        array.dtype == theirs[part].dtype and array.tobytes() == theirs[part].tobytes()
        for part, array in _parts_of(left).items()
    )
