"""What it takes to make a variable of a file, where it comes to: a package for each kind."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.workbench.data.known_types import has, is_exactly
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.refusals import cannot_send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.workbench.data.parcel import Parcel, SandboxHas

__all__ = ["PACKAGES", "here", "import_for", "other_pandas", "pack_variable"]

PACKAGES: Final = (
    *("numpy", "pandas", "pyarrow", "polars", "scipy", "xarray", "geopandas", "pillow"),
    *("scikit-learn", "skops", "safetensors", "torch", "plotly", "altair"),
)
MODULES: Final = {"pillow": "PIL", "scikit-learn": "sklearn"}
TEXT_SINCE: Final = 3  # pandas has a type for text
# By the beginning of what a parcel is said to be.
NEEDS: Final = (
    ("pandas.", ("pandas",)),
    ("polars.", ("polars",)),
    ("pyarrow.", ("pyarrow",)),
    ("numpy ", ("numpy",)),
    ("a dictionary of NumPy arrays", ("numpy",)),
    ("scipy.sparse ", ("scipy",)),
    ("xarray.", ("xarray", "scipy")),
    ("geopandas.", ("geopandas", "pyarrow")),
    ("picture", ("pillow",)),
    ("plotly.", ("plotly",)),
    ("altair.", ("altair",)),
    ("torch.", ("torch", "safetensors")),
    ("a dictionary of tensors", ("torch", "safetensors")),
)


def here() -> Mapping[str, str]:
    """Return which of the packages this Python has; nothing is imported."""
    return {package: "" for package in PACKAGES if has(MODULES.get(package, package))}


def pack_variable(name: str, value: object, there: SandboxHas) -> Parcel:
    """Make a variable ready that is to be one again where it goes.

    Raises
    ------
    DataError
        There is no file format for it, it would not come back as it is, or what makes a variable
        of the file is not there.
    """
    if "pyarrow" not in there and not is_exactly(value, "polars", "DataFrame"):
        # polars reads Arrow's files, and makes frames of its own of them.
        without = {each: there.packages[each] for each in there.packages if each != "polars"}
        there = replace(there, packages=without)
    parcel = pack(name, value, there)
    for kind, packages in NEEDS:
        if parcel.kind.startswith(kind):
            for package in packages:
                if package not in there:
                    raise cannot_send(
                        name, f"this sandbox has no {package}: install it there, or send it as text"
                    )
    return parcel


def import_for(kind: str) -> None:
    """Import what a file of this kind is for, where the file itself does not say."""
    if kind.startswith("polars.") and has("polars"):
        import polars as pl  # noqa: F401


def other_pandas(there: SandboxHas) -> str:
    """Return what is to be said of frames where this Python's pandas has text and theirs not."""
    ours, theirs = here().get("pandas"), there.packages.get("pandas", "")
    if ours is None or not theirs:
        return ""
    ours = importlib.metadata.version("pandas")
    if (int(ours.split(".")[0]) < TEXT_SINCE) == theirs.startswith(tuple("012")):
        return ""
    return (
        f"pandas is {ours} here and {theirs} in the sandbox: in the older one text has no type of "
        "its own, and frames come and go with it as object."
    )
