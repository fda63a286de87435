"""The walls between the wings: import-linter's contracts hold, and each of them can be broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

BREACHES = {
    "settings/home.py": "from vibekit_jupyter.sandbox.connection import Sandbox",
    "errors.py": "from vibekit_jupyter.settings import config",
    "sandbox/connection.py": "from vibekit_jupyter.services.process import own_mark",
    "agents/loop.py": "from vibekit_jupyter.sessions.registry import Registry",
    "sessions/book.py": "from vibekit_jupyter.runs.run import Run",
    "workbench/data/sending.py": "from vibekit_jupyter.runs.redact import Redactor",
    "sessions/names.py": "from vibekit_jupyter.workbench.data.packing import pack",
    "workbench/files/names.py": "from vibekit_jupyter.runs.redact import Redactor",
    "runs/records.py": "from vibekit_jupyter.client import VibeKit",
    "workbench/code/told.py": "from vibekit_jupyter.runs.redact import Redactor",
    "runs/lesson.py": "from vibekit_jupyter.workbench.code.told import Shown",
    "workbench/code/run.py": "from vibekit_jupyter.client import VibeKit",
    "workbench/code/driver_shell.py": "import IPython",
    "client.py": "from vibekit_jupyter.notebook import get_client",
    "services/process.py": "from vibekit_jupyter.local_sandbox.levels import LEVELS",
    "notebook/show.py": "from vibekit_jupyter.demo_model.server import main",
    "demo_model/code.py": "from vibekit_jupyter.local_sandbox.levels import LEVELS",
    "local_sandbox/store.py": "from vibekit_jupyter.local_sandbox.server import serve",
    "local_sandbox/app.py": "from vibekit_jupyter.settings.config import Service",
    "runs/redact.py": "import IPython",
    "agents/calls.py": "import ipywidgets",
    "runs/look.py": "import e2b",
    "agents/service.py": "import openai",
    "settings/choices.py": "import anthropic",
    "new_wing.py": "",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The package and its contracts, apart."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(
        REPOSITORY / "vibekit_jupyter",
        tmp_path / "vibekit_jupyter",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_hold(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("place", BREACHES)
def test_an_import_through_a_wall_is_found(house: Path, place: str) -> None:
    file = house / "vibekit_jupyter" / place
    text = file.read_text() if file.exists() else ""
    file.write_text(f"{text}\n{BREACHES[place]}\n")
    done = lint_imports(house)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
