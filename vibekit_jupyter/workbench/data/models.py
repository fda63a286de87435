"""Models of scikit-learn as .skops: in where they come back equal, out where nothing is in doubt.

A .skops file is a list of constructors. One of a sandbox's is loaded only if skops trusts all of
them by itself and the same scikit-learn made it; else it stays a file.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import zipfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import DataError, printable
from vibekit_jupyter.workbench.data.known_types import class_of, has
from vibekit_jupyter.workbench.data.parcel import whole
from vibekit_jupyter.workbench.data.refusals import cannot_send, missing_package
from vibekit_jupyter.workbench.data.strangers import is_of, stranger_in
from vibekit_jupyter.workbench.data.unpacked_arrays import check_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vibekit_jupyter.workbench.data.parcel import Parcel, SandboxHas

__all__ = ["is_model", "model_of", "pack_model"]

SCHEMA: Final = "schema.json"
LIBRARIES: Final = ("sklearn", "scipy")
SAFE: Final = (0, 13)  # what skops trusts by itself had holes before
PULL: Final = "%vibekit_files pull brings the file; look at it, and load it yourself."


def is_model(value: object) -> bool:
    """Tell whether it is an estimator of scikit-learn's own."""
    base = class_of("sklearn.base", "BaseEstimator")
    return base is not None and base in type.mro(type(value)) and is_of(value, "sklearn")


def pack_model(name: str, model: Any, there: SandboxHas) -> Parcel:
    """Make a model ready."""
    if not has("skops"):
        raise missing_package("skops", f"Sending {name!r}, a model,")
    for package in ("skops", "scikit-learn"):
        if package not in there:
            raise cannot_send(
                name, f"this sandbox has no {package} to read a model with: have the agent train it"
            )
    if stranger := stranger_in(model, *LIBRARIES):
        raise cannot_send(
            name,
            f"it holds what is of type {stranger}: have it made in the sandbox",
        )
    import skops.io

    try:
        data = skops.io.dumps(model)
        # All of it is this kernel's own, and looked at above.
        back = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
        same = type(back) is type(model) and _print_of(skops.io.dumps(back)) == _print_of(data)
    except Exception:  # noqa: BLE001  (what a library says may hold values)
        same = False
    if not same:
        raise cannot_send(name, "skops would not bring it back as it is: send the data")
    kind = f"{type(model).__name__} of scikit-learn {version('scikit-learn')}"
    return whole(name, f"{name}.skops", kind, "a model", data, reading="skops.io.load")


def _print_of(data: bytes) -> bytes:
    """Return what two files of the same model have in common: all but the ids of their objects."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        places = dict[object, int]()
        count = itertools.count()

        def plain(part: Any) -> Any:
            if isinstance(part, list):
                return [plain(each) for each in part]
            if not isinstance(part, dict):
                return part
            told = {key: each for key, each in part.items() if key != "__id__"}
            if told.get("__loader__") == "CachedNode":
                return {**told, "again": places.get(part["__id__"])}
            if "__id__" in part:
                places[part["__id__"]] = next(count)
            told = {key: plain(each) for key, each in told.items()}
            if isinstance(file := told.get("file"), str):
                data = archive.read(file)
                told["file"] = _digest(data if not file.endswith(".npy") else _values(data))
            return told

        return json.dumps(plain(json.loads(archive.read(SCHEMA)))).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _values(data: bytes) -> bytes:
    """Return what stands in an array's file: between the fields of a record stands anything."""
    import numpy as np

    array = np.load(io.BytesIO(data), allow_pickle=False)
    parts = [array[field] for field in array.dtype.names or ()] or [array]
    told = f"{array.dtype.descr}{array.shape}".encode()
    return told + b"".join(part.tobytes() for part in parts)


def model_of(path: Path, shown: str) -> tuple[Any, str, str]:
    """Load a model, where nothing in its file is in doubt."""
    for package in ("sklearn", "skops"):
        if not has(package):
            install = {"sklearn": "scikit-learn"}.get(package, package)
            raise missing_package(install, f"Reading {shown!r}")
    if tuple(map(int, version("skops").split(".")[:2])) < SAFE:
        raise _left(shown, f"skops {version('skops')} is too old to tell whether it is harmless")
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_members(archive, shown)
        schema = json.loads(archive.read(SCHEMA))
    made, here = {*_versions(schema)}, version("scikit-learn")
    if made != {here}:
        others = " and ".join(sorted(made - {here})) or "an unknown version"
        raise _left(shown, f"it was made by scikit-learn {others}, and this kernel has {here}")
    import skops.io

    if untrusted := sorted(map(str, skops.io.get_untrusted_types(data=data))):
        raise _left(shown, f"it holds {printable(untrusted[0][:80])}, which skops does not trust")
    model = skops.io.loads(data, trusted=[])
    if not is_model(model):
        raise _left(shown, "it is no model of scikit-learn's")
    return model, f"{type(model).__name__}, scikit-learn {here}", ""


def _left(shown: str, why: str) -> DataError:
    return DataError(f"{shown!r} is not loaded: {why}.", hint=PULL)


def _versions(schema: Any) -> Iterator[str]:
    """Yield by which scikit-learn each of a file's models was made."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            told = part.get("_sklearn_version")
            if isinstance(told, dict):
                yield printable(str(told.get("content")).strip('"')[:80])
