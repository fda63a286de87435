"""Agents are installed whole or not at all, and what went wrong is one sentence."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.raw_server import RawServer
from tests.support.surroundings import clean_environment
from tests.support.waiting import wait_for
from vibekit_jupyter.errors import AgentInstallError
from vibekit_jupyter.local_sandbox.bubblewrap_binary import find_bubblewrap
from vibekit_jupyter.services.agent_folders import agent_folder, agents_folder, known_agents
from vibekit_jupyter.services.agent_install import install_agent
from vibekit_jupyter.services.agent_recipes import NODE, RECIPES, adapter_lock_of, lock_of

INSTALL = "from vibekit_jupyter.services.agent_install import install_agent; install_agent('goose')"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries that cannot be reached, without any configuration of the machine's."""
    set_registry(monkeypatch, "http://127.0.0.1:9")


def set_registry(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)


def left() -> list[str]:
    return sorted(path.name for path in agents_folder().iterdir())


@pytest.mark.parametrize("name", RECIPES)
def test_each_package_of_an_agent_is_known_by_its_bytes(name: str) -> None:
    packages = {place: one for place, one in lock_of(name)["packages"].items() if place}
    assert packages
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert any(RECIPES[name].program.startswith(place) for place in packages)
    version = [one["version"] for place, one in packages.items()
               if RECIPES[name].program.startswith(f"{place}/")]  # fmt: skip
    assert RECIPES[name].version in version


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.own])
def test_an_adapter_alone_is_as_whole_as_npm_wants_it(name: str) -> None:
    packages = adapter_lock_of(name)["packages"]
    assert not any(own in place for place in packages for own in RECIPES[name].own)
    assert len(packages) < len(lock_of(name)["packages"])
    for one in packages.values():
        wanted = {**one.get("dependencies", {}), **one.get("optionalDependencies", {})}
        assert all(f"node_modules/{each}" in packages for each in wanted)


@pytest.mark.usefixtures("nowhere")
def test_without_a_network_nothing_is_left_and_a_sentence_says_so() -> None:
    with pytest.raises(AgentInstallError, match="did not reach its registry"):
        install_agent("goose")
    assert left() == []
    assert agent_folder("goose") is None


@pytest.mark.usefixtures("nowhere")
def test_a_stopped_install_leaves_nothing() -> None:
    with pytest.raises(AgentInstallError, match="stopped"):
        install_agent("goose", stopped=lambda: True)
    assert left() == []


def test_a_killed_install_counts_for_nothing_and_is_cleared_away(
    monkeypatch: pytest.MonkeyPatch, vibekit_home: Path
) -> None:
    silence = threading.Event()

    def silent() -> object:
        silence.wait(30)
        return iter(())

    with RawServer(silent) as server:  # type: ignore[arg-type]  # it never yields
        set_registry(monkeypatch, server.url)
        environment = {**clean_environment(), "VIBEKIT_HOME": str(vibekit_home)}
        process = subprocess.Popen([sys.executable, "-c", INSTALL], env=environment)
        wait_for(lambda: bool(server.requests), 60)
        process.kill()
        process.wait()
        assert all(name.startswith(".new-") for name in left())
        assert left()
        assert agent_folder("goose") is None
        silence.set()
    set_registry(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(AgentInstallError):
        install_agent("goose")
    assert left() == []


@pytest.mark.usefixtures("nowhere")
def test_of_two_installs_one_waits_for_the_other(vibekit_home: Path) -> None:
    agents_folder().mkdir(parents=True)
    said: list[str] = []
    with (vibekit_home / "agents.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: suppressed(said))
        second.start()
        wait_for(lambda: bool(said), 30)
        assert "waiting" in said[0]
    second.join(60)
    assert not second.is_alive()
    assert len(said) > 1


def suppressed(said: list[str]) -> None:
    with pytest.raises(AgentInstallError):
        install_agent("goose", say=said.append)


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    ran = subprocess.run(
        [
            *(find_bubblewrap(), "--dev-bind", "/", "/"),
            *("--size", "50000000", "--tmpfs", str(small)),
            *(sys.executable, "-c", INSTALL),
        ],
        env={**clean_environment(), "VIBEKIT_HOME": str(small / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "AgentInstallError: goose was not installed: the disk has no room" in ran.stderr


def with_program(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, source: Path) -> None:
    folder.mkdir()
    shutil.copy(source, folder / name)
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_ones_own_program_is_taken_as_it_is_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_program(monkeypatch, tmp_path / "bin", "goose", Path("/bin/true"))
    folder = install_agent("goose", own=True)
    assert folder.version == "own"
    assert (folder.path / "bin" / "goose").read_bytes() == Path("/bin/true").read_bytes()
    assert agent_folder("goose") == folder
    assert left() == ["goose-own"]
    (listed,) = [one for one in known_agents() if one.name == "goose"]
    assert listed.installed == folder
    assert listed.own == tmp_path / "bin" / "goose"


def test_a_script_that_starts_something_else_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexec /elsewhere/goose\n")
    with_program(monkeypatch, tmp_path / "bin", "goose", script)
    with pytest.raises(AgentInstallError, match="no program goose on PATH"):
        install_agent("goose", own=True)
    assert left() == []


def test_an_agent_counts_only_with_the_node_that_it_needs(vibekit_home: Path) -> None:
    recipe = RECIPES["codex-cli"]
    (agents_folder() / recipe.folder).mkdir(parents=True)
    assert agent_folder("codex-cli") is None
    node = agents_folder() / NODE.folder / NODE.program
    node.parent.mkdir(parents=True)
    node.touch()
    found = agent_folder("codex-cli")
    assert found is not None
    assert found.version == recipe.version
