"""A model is loaded only where nothing in its file is in doubt; else it stays a file."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.data_trips import ALL, trip
from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.known_types import has
from vibekit_jupyter.workbench.data.models import _print_of, _versions
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.parcel import SandboxHas
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

THERE = SandboxHas({"skops": "0.16", "scikit-learn": "1.9"}, "3.11")


def schema(version: str, name: str = "log1p", module: str = "numpy") -> dict[str, Any]:
    """What a file says of a FunctionTransformer."""

    def told(value: object) -> dict[str, Any]:
        return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
                "content": json.dumps(value), "is_json": True, "__id__": 1}  # fmt: skip

    func = {"__class__": name, "__module__": module, "__loader__": "FunctionNode", "__id__": 3}
    state = {"func": func, "_sklearn_version": told(version)}
    content = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode",
               "content": state, "__id__": 4,
               "key_types": {"__class__": "list", "__module__": "builtins", "content": [],
                             "__loader__": "ListNode", "__id__": 5}}  # fmt: skip
    return {"__class__": "FunctionTransformer", "__id__": 6, "protocol": 2, "content": content,
            "__module__": "sklearn.preprocessing._function_transformer",
            "__loader__": "ObjectNode", "_skops_version": "0.16.0"}  # fmt: skip


def file_of(path: Path, told: object, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", told if isinstance(told, str) else json.dumps(told))
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def test_which_scikit_learn_made_a_file_is_read_from_it() -> None:
    assert [*_versions(schema("1.5.2"))] == ["1.5.2"]
    assert [*_versions({"a": [schema("1\n2"), 5, None]})] == [r"1\n2"]
    assert [*_versions({"_sklearn_version": {"content": "1\n2"}})] == ["1\ufffd2"]


STRANGE: dict[str, tuple[Any, str]] = {
    "another version": (schema("0.0.1"), "made by scikit-learn 0.0.1, and this kernel has"),
    "no version": ({"__class__": "dict"}, "made by scikit-learn an unknown version"),
    "no json": ("{", "cannot be read as a model"),
    "too deep": ("[" * 100_000, "cannot be read as a model"),
}


@pytest.mark.parametrize(("told", "why"), STRANGE.values(), ids=STRANGE.keys())
def test_what_is_in_doubt_stays_a_file(tmp_path: Path, told: Any, why: str) -> None:
    path = file_of(tmp_path / "m.skops", told)
    if not has("skops"):
        why = r"needs (scikit-learn|skops)\. Install it: pip install"
    with pytest.raises(DataError, match=why) as raised:
        unpack(path, "m.skops")
    assert "\n" not in str(raised.value)


def test_no_constructor_of_a_strangers_is_called(tmp_path: Path) -> None:
    if not has("skops"):
        return  # refused above, whatever is in it
    from importlib.metadata import version

    for name, module in (("system", "os"), ("log1p", "no_such_module"), ("eval", "builtins")):
        path = file_of(tmp_path / "m.skops", schema(version("scikit-learn"), name, module))
        with pytest.raises(DataError, match=rf"it holds {module}\.{name}, which skops does not"):
            unpack(path, "m.skops")


def test_files_of_one_model_are_the_same_but_for_the_ids_of_its_objects() -> None:
    def made(number: int, value: float) -> bytes:
        array = io.BytesIO()
        np.save(array, np.array([value]))
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(f"{number}.npy", array.getvalue())
            told = {"__id__": number, "file": f"{number}.npy", "x": [{"__id__": number + 1}]}
            again = {"__loader__": "CachedNode", "__id__": number}
            archive.writestr("schema.json", json.dumps({**told, "again": again}))
        return file.getvalue()

    assert _print_of(made(5, 1.0)) == _print_of(made(7, 1.0))
    assert _print_of(made(5, 1.0)) != _print_of(made(5, 2.0))


def test_a_model_goes_and_comes_back_or_stays_a_file(tmp_path: Path) -> None:
    if not has("skops"):
        return  # the rest is as above
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer

    x = np.random.default_rng(1).random((40, 3))
    y = x[:, 0] > 0.5
    model = LogisticRegression().fit(x, y)
    assert trip(model, THERE).predict(x).tolist() == model.predict(x).tolist()
    forest = RandomForestClassifier(3).fit(x, y)
    with pytest.raises(DataError, match="which skops does not trust"):
        trip(forest, THERE)
    with pytest.raises(DataError, match="this sandbox has no skops"):
        pack("v", model, ALL)
    with pytest.raises(DataError, match="it holds what is of type function"):
        pack("v", FunctionTransformer(lambda rows: rows), THERE)
    with pytest.raises(DataError, match=r"\(Mine\): there is no file format"):
        pack("v", type("Mine", (LogisticRegression,), {})(), THERE)
