"""What an interpreter is taught: all that it imports, nothing that speaks to a sandbox."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from vibekit_jupyter.workbench.code.teaching import lesson

OWN = lesson().package
DATA = f"{OWN}.workbench.data"


def imported(text: str) -> list[str]:
    """Return what a module imports as it is imported itself."""
    names = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
    return names


def test_all_that_is_imported_of_ours_is_there() -> None:
    texts = lesson().texts
    for text in texts.values():
        for name in re.findall(rf"^ *(?:from|import) ({OWN}[.\w]*)", text, re.MULTILINE):
            assert name in texts
    assert not any("vibekit_jupyter" in text for text in texts.values())
    assert lesson().module in texts


def test_only_data_and_errors_are_taught() -> None:
    modules = {name for name, text in lesson().texts.items() if text}
    assert {name for name in modules if not name.startswith(f"{DATA}.")} == {
        f"{OWN}.errors",
        f"{OWN}.results",  # what errors.py names in its annotations
    }
    assert not {f"{DATA}.{name}" for name in ("sending", "fetching", "sandbox_has")} & modules


@pytest.mark.parametrize("name", sorted(name for name, text in lesson().texts.items() if text))
def test_nothing_installed_is_imported_before_it_is_needed(name: str) -> None:
    if name.endswith(".npz_frames"):
        return  # it is for frames of pandas, and imported for them
    for module in imported(lesson().texts[name]):
        top = module.partition(".")[0]
        assert top == OWN or top in sys.stdlib_module_names
