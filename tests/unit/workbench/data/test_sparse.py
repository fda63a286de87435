"""Sparse matrices come back as they are, entry for entry, or are refused with the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from tests.support.data_trips import ALL, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.packing import pack

DENSE = np.array([[0.0, 1.0], [2.0, 0.0]])
FORMS = ("csr", "csc", "coo", "bsr", "dia")


def parts_of(matrix: Any) -> list[Any]:
    names = ("data", "indices", "indptr", "offsets", "row", "col")
    arrays = [getattr(matrix, name) for name in names if hasattr(matrix, name)]
    return [(array.dtype, array.tobytes()) for array in arrays]


MATRICES = {
    **{f"{form}_{kind}": getattr(sp, f"{form}_{kind}")(DENSE)
       for form in FORMS for kind in ("matrix", "array")},
    **{f"of {kind}": sp.csr_array(DENSE.astype(kind)) for kind in ("?", "i1", "u8", "f4", "c16")},
    "an entry twice": sp.coo_array(([1.0, 2.0], ([0, 0], [0, 0])), shape=(2, 2)),
    "unsorted": sp.csr_array(([1.0, 2.0], [1, 0], [0, 2, 2]), shape=(2, 2)),
    "nothing": sp.csc_matrix((0, 5)), "a row": sp.csr_array(np.array([0.0, 1.0])),
}  # fmt: skip


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_a_sparse_matrix_comes_back_as_it_went(matrix: Any) -> None:
    back = trip(matrix)
    assert (type(back), back.shape, back.dtype) == (type(matrix), matrix.shape, matrix.dtype)
    assert parts_of(back) == parts_of(matrix)


def of_a_class() -> Any:
    matrix = sp.csr_array(DENSE)
    matrix.data = matrix.data.view(type("Numbers", (np.ndarray,), {}))
    return matrix


def of_objects() -> Any:
    matrix = sp.csr_array(DENSE)
    matrix.data = np.array([object(), object()])
    return matrix


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: sp.lil_matrix(DENSE), r"of type lil_matrix: send v\.tocsr\(\)"),
        (lambda: sp.dok_array(DENSE), r"of type dok_array: send v\.tocsr\(\)"),
        (lambda: sp.coo_array(np.ones((2, 2, 2))), "it has 3 dimensions"),
        (of_a_class, r"its data are no array of NumPy's own: send v\.copy\(\)"),
        (of_objects, "holds Python objects"),
        (type("Mine", (sp.csr_array,), {}), r"of type Mine: send v\.tocsr\(\)"),
    ],
)
def test_what_would_change_is_refused(make: Any, told: str) -> None:
    matrix = make(DENSE) if isinstance(make, type) else make()
    with pytest.raises(DataError, match=told):
        pack("v", matrix, ALL)
