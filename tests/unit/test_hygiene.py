"""The rules of the house that a linter does not know."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vibekit_jupyter

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(vibekit_jupyter.__file__).parent  # of a wheel, where one is tested
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400

# What speaks by printing: command lines, and the notebook's own output.
SPEAKERS = (
    *("admin/command_line.py", "demo_model/__main__.py", "local_sandbox/cli.py"),
    "notebook/",
)
# Started as processes and spoken to over HTTP: imported by nobody.
PROCESSES = ("vibekit_jupyter.demo_model", "vibekit_jupyter.local_sandbox")
SHELLS = {"system", "popen", "create_subprocess_shell", "getoutput", "getstatusoutput"}

modules = pytest.mark.parametrize(
    "module", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)


def calls(module: Path) -> Iterator[ast.Call]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


@modules
def test_a_module_can_be_read_in_one_sitting(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST


@modules
def test_a_library_does_not_print(module: Path) -> None:
    if str(module.relative_to(PACKAGE)).startswith(SPEAKERS):
        return
    assert [call.lineno for call in calls(module) if called(call) == "print"] == []


@modules
def test_no_command_goes_through_a_shell_of_this_machine(module: Path) -> None:
    for call in calls(module):
        assert called(call) not in SHELLS, f"line {call.lineno}"
        for keyword in call.keywords:
            assert keyword.arg != "shell", f"line {call.lineno}"


@modules
def test_servers_are_started_and_never_imported(module: Path) -> None:
    own = ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts)
    if own.startswith(PROCESSES):
        return
    assert [name for name in imports(module) if name.startswith(PROCESSES)] == []


@modules
def test_only_the_notebook_knows_ipython(module: Path) -> None:
    if module.is_relative_to(PACKAGE / "notebook") or module == PACKAGE / "__init__.py":
        return
    known = ("IPython", "ipywidgets", "anywidget", "vibekit_jupyter.notebook")
    assert [name for name in imports(module) if name.startswith(known)] == []


@pytest.mark.parametrize("mark", ["agents", "attack", "browser"])
def test_what_has_a_mark_lies_where_ci_looks_for_it(mark: str) -> None:
    script = (REPOSITORY / ".ci/run").read_text(encoding="utf-8")
    (folder,) = set(re.findall(rf"pytest -m {mark}\b[-\w ]* (tests/\w+)", script))
    marked = [
        path
        for path in (REPOSITORY / "tests").rglob("*.py")
        if f"pytest.mark.{mark}" in path.read_text(encoding="utf-8")
    ]
    assert marked
    assert [path for path in marked if not path.is_relative_to(REPOSITORY / folder)] == []


def test_links_in_documents_lead_to_files_that_are_there() -> None:
    for document in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                found = (document.parent / target).resolve()
                assert found.exists(), f"{document.name}: {target}"
                assert found.is_relative_to(REPOSITORY), f"{document.name}: {target}"


def test_nothing_names_the_folder_it_was_written_in() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    files = [REPOSITORY / name for name in tracked if name] or [
        *MODULES,
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("notebooks/*"),
    ]
    for path in files:
        if path.is_file():
            assert str(REPOSITORY) not in path.read_text(encoding="utf-8", errors="ignore"), path
