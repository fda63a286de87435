"""Tensors are safetensors and nothing else: arrays by name, or PyTorch's where they were."""

from __future__ import annotations

import json
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save

from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.tensors import are_tensors
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path


def test_tensors_of_numpys_come_as_arrays_by_name(tmp_path: Path) -> None:
    arrays = {"b": np.arange(3.0), "a": np.ones((2, 2), np.int8)}
    path = tmp_path / "t.safetensors"
    path.write_bytes(save(arrays))
    back, what, _ = unpack(path, "t.safetensors")
    assert (what, sorted(back)) == ("2 tensors", ["a", "b"])
    assert back["a"].dtype == np.int8
    assert back["b"].tolist() == [0.0, 1.0, 2.0]


def file_of(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_numbers_that_numpy_has_not_are_named(tmp_path: Path) -> None:
    header = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    path = file_of(tmp_path / "x", header, bytes(4))
    with pytest.raises(DataError, match="NumPy has no numbers of type BF16: import torch first"):
        unpack(path, "t.safetensors")


def test_a_tensor_of_pytorchs_comes_back_as_one_or_torch_is_named(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"vibekit": json.dumps({"kind": "tensor", "order": ["tensor"]})},
        "tensor": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    }
    path = file_of(tmp_path / "x", header, struct.pack("<2f", 1.0, 2.0))
    if has("torch"):
        assert unpack(path, "t.safetensors")[0].tolist() == [1.0, 2.0]
        return
    with pytest.raises(DataError, match=r"needs torch\. Install it: pip install torch"):
        unpack(path, "t.safetensors")


@pytest.mark.parametrize(
    "header",
    [{}, {"w": 5}, {"w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}},
     {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}},
     {"w": {"dtype": "exec", "shape": [1], "data_offsets": [0, 4]}},
     {"__metadata__": {"vibekit": "{"}}, {"__metadata__": {"vibekit": 5}}],
    ids=str,
)  # fmt: skip
def test_a_header_of_a_stranger_does_no_harm(tmp_path: Path, header: dict[str, Any]) -> None:
    path = file_of(tmp_path / "x", header, bytes(4))
    try:
        value, _, _ = unpack(path, "t.safetensors")
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert value == {}


def test_nothing_is_a_tensor_where_nobody_has_torch() -> None:
    assert are_tensors({"a": np.ones(1)}) is False
    assert are_tensors({}) is False
    if not has("torch"):
        assert "torch" not in sys.modules
