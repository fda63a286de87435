"""Tensors of PyTorch as safetensors: contiguous ones, and never by torch's own pickles."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.workbench.data.known_types import has, is_exactly, loaded
from vibekit_jupyter.workbench.data.parcel import whole
from vibekit_jupyter.workbench.data.refusals import cannot_read, cannot_send, missing_package

if TYPE_CHECKING:
    from pathlib import Path

    from vibekit_jupyter.workbench.data.parcel import Parcel

__all__ = ["are_tensors", "pack_tensors", "tensors_of"]

OURS: Final = "vibekit"
ONE: Final = "tensor"
NUMPYS: Final = {"BOOL", "F16", "F32", "F64", "C64"} | {
    f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64)
}


def are_tensors(value: object) -> bool:
    """Tell whether it is a tensor of PyTorch's, or a dictionary of some by name."""
    if type(value) is not dict or loaded("torch") is None:
        return is_exactly(value, "torch", "Tensor")
    if not value or not all(type(key) is str for key in value):
        return False
    return all(is_exactly(each, "torch", "Tensor") for each in value.values())


def pack_tensors(name: str, value: Any) -> Parcel:
    """Make a tensor, or a dictionary of some, ready."""
    if not has("safetensors"):
        raise missing_package("safetensors", f"Sending {name!r}")
    from safetensors.torch import load, save

    tensors = value if type(value) is dict else {ONE: value}
    for key, tensor in tensors.items():
        _check(name, tensor, f"{key[:40]!r}" if tensors is value else "it")
    told = {"kind": "dict" if tensors is value else "tensor", "order": [*tensors]}
    try:
        data = save(tensors, metadata={OURS: json.dumps(told)})
        back = load(data)
        same = all(_same(tensor, back[key]) for key, tensor in tensors.items())
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        same = False
    if not same:
        raise cannot_send(name, ".safetensors cannot hold it: send each tensor's .clone()")
    one = next(iter(tensors.values()))
    extent = f"{len(tensors):,} tensors" if tensors is value else f"{tuple(one.shape)}"
    kind = "a dictionary of tensors" if tensors is value else f"torch.Tensor {one.dtype}"
    return whole(name, f"{name}.safetensors", kind, extent, data,
                 reading="safetensors.torch.load_file")  # fmt: skip


def _check(name: str, tensor: Any, what: str) -> None:
    torch = loaded("torch")
    assert torch is not None  # noqa: S101 - the tensor is its
    kind = torch.Tensor  # by its class: a tensor may have anything under a name of its own
    if object.__getattribute__(tensor, "__dict__"):
        raise cannot_send(name, f"{what} has attributes of its own: send its .clone()")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise cannot_send(name, f"{what} is sparse or quantized: send its .to_dense()")
    if tensor.device.type != "cpu":
        raise cannot_send(name, f"{what} is on {tensor.device.type[:20]}: send its .cpu()")
    if tensor.requires_grad:
        raise cannot_send(name, f"{what} has a gradient to be kept: send its .detach()")
    if not kind.is_contiguous(tensor):
        raise cannot_send(name, f"{what} is not contiguous: send its .contiguous()")
    if kind.is_conj(tensor) or kind.is_neg(tensor):
        raise cannot_send(name, f"{what} is a view of another one: send its .clone()")


def _same(left: Any, right: Any) -> bool:
    import torch

    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    ours, theirs = (each.reshape(-1).view(torch.uint8) for each in (left, right))
    return bool(torch.equal(ours, theirs))


def tensors_of(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load tensors: of PyTorch where they were, else arrays by name."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        told = file.metadata() or {}
        ours = told.get(OURS, "")
        kinds = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
    if ours or (told.get("format") == "pt" and loaded("torch")):
        if not has("torch"):
            raise missing_package("torch", f"Reading {shown!r}")
        reader = import_module("safetensors.torch")
    else:
        if odd := sorted(kinds - NUMPYS):
            why = f"NumPy has no numbers of type {odd[0][:10]}: import torch first"
            raise cannot_read(shown, "tensors", why)
        reader = import_module("safetensors.numpy")
    tensors: dict[str, Any] = dict(reader.load_file(path))
    try:
        order = json.loads(ours)
        kind, order = order["kind"], order["order"]
    except (LookupError, RecursionError, TypeError, ValueError):
        kind, order = "dict", []
    if kind == "tensor" and list(tensors) == [ONE]:
        one = tensors[ONE]
        return one, f"{one.dtype} {tuple(one.shape)}", ""
    known = isinstance(order, list) and all(type(key) is str for key in order)
    if known and sorted(order) == sorted(tensors):
        tensors = {key: tensors[key] for key in order}
    return tensors, f"{len(tensors):,} tensors", ""
