"""``%vibekit_config agents``: what is installed is listed, and one is installed on request."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from vibekit_jupyter.services.agent_recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "bin").mkdir()
    shutil.copy("/bin/true", folder / "bin" / "goose")
    environment = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    with Kernel(folder / "home", environment) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel


def test_every_agent_is_listed_with_what_it_takes(kernel: Kernel) -> None:
    cell = kernel.run("%vibekit_config agents")
    assert cell.status == "ok"
    for name, recipe in RECIPES.items():
        assert name in cell.text
        assert f"{recipe.version}, {recipe.megabytes} MB" in cell.text


def test_ones_own_is_installed_and_listed_as_that(kernel: Kernel) -> None:
    cell = kernel.run("%vibekit_config agents install goose --own")
    assert cell.status == "ok", cell.error
    assert "--agent goose" in cell.text
    assert "installed, your own" in kernel.run("%vibekit_config agents").text


def test_what_went_wrong_is_one_sentence(kernel: Kernel) -> None:
    cell = kernel.run("%vibekit_config agents install codex-cli")
    assert cell.status == "error"
    assert "did not reach its registry" in cell.text


@pytest.mark.parametrize("line", ["install", "list goose", "install nobody", "remove goose"])
def test_a_line_that_says_something_else_is_refused(kernel: Kernel, line: str) -> None:
    assert kernel.run(f"%vibekit_config agents {line}").status == "error"
