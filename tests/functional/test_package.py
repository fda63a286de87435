"""What the package promises to whoever imports, installs or loads it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import vibekit_jupyter

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "vibekit_jupyter"
HEAVY = ("aiohttp", "anthropic", "anywidget", "e2b", "ipywidgets", "numpy", "openai", "pandas")

LOAD = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell("1")
namespace, environment = set(shell.user_ns), dict(os.environ)
events = []
WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
QUIET = ("import", "exec", "compile", "marshal.", "object.", "sys.", "code.", "os.listdir",
         "os.scandir", "cpython.", "builtins.", "array.")

def record(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if flags & WRITE:
            events.append(["open", str(path)])
    elif not event.startswith(QUIET):
        events.append([event, repr(arguments)])

sys.addaudithook(record)
shell.run_line_magic("load_ext", "vibekit_jupyter")
seen = list(events)
print(json.dumps({
    "modules": sorted(sys.modules),
    "events": seen,
    "new_names": sorted(set(shell.user_ns) - namespace),
    "environment_changed": dict(os.environ) != environment,
}))
"""

IMPORT_ALL = """
import importlib, pkgutil, sys

sys.modules["IPython"] = None
import vibekit_jupyter

names = [each.name for each in pkgutil.walk_packages(vibekit_jupyter.__path__, "vibekit_jupyter.",
                                                     onerror=lambda name: None)]
for name in names:
    # A script for sandboxes, and the entries of processes, are run and never imported.
    if not name.startswith("vibekit_jupyter.notebook") and not name.endswith(
        ("__main__", "fetch_script", "find_script", "has_script", "look_script", "python_script",
         "sandbox_script")
    ):
        importlib.import_module(name)
        print(name)
"""


def run_python(code: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=REPOSITORY,
        env={"PATH": "", "HOME": str(home), "IPYTHONDIR": str(home / "ipython")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def loaded(tmp_path: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads(run_python(LOAD, tmp_path).splitlines()[-1])
    return answer


def test_the_names_it_exports_are_those_it_shows() -> None:
    exported = vibekit_jupyter.__all__
    assert exported == sorted(exported)
    assert dir(vibekit_jupyter) == exported
    for name in exported:
        assert getattr(vibekit_jupyter, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = vibekit_jupyter.no_such_name


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    source = REPOSITORY / project["tool"]["hatch"]["version"]["path"]
    found = re.search(r'__version__ = "([^"]+)"', source.read_text())
    assert found
    assert found[1] == vibekit_jupyter.__version__
    others = [
        path
        for path in PACKAGE.rglob("*.py")
        if path != source and re.search(r"^__version__ *=", path.read_text(), re.MULTILINE)
    ]
    assert others == []
    with contextlib.suppress(PackageNotFoundError):  # run from the tree
        assert version("vibekit-jupyter") == vibekit_jupyter.__version__


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    assert "## [Unreleased]" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_load_ext_imports_no_sdk_and_no_widget(loaded: dict[str, list[str]]) -> None:
    roots = {name.partition(".")[0] for name in loaded["modules"]}
    assert not roots.intersection(HEAVY)


def test_load_ext_opens_no_socket_starts_no_process_writes_no_file(
    loaded: dict[str, list[str]],
) -> None:
    assert loaded["events"] == []


def test_load_ext_changes_neither_namespace_nor_environment(loaded: dict[str, object]) -> None:
    assert loaded["new_names"] == []
    assert loaded["environment_changed"] is False


def test_everything_but_the_notebook_works_without_ipython(tmp_path: Path) -> None:
    imported = run_python(IMPORT_ALL, tmp_path).split()
    assert "vibekit_jupyter.client" in imported
    assert "vibekit_jupyter.agents.codex" in imported
    assert "vibekit_jupyter.local_sandbox.server" in imported
    assert "vibekit_jupyter.demo_model.server" in imported
