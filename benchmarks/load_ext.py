#!/usr/bin/env python3
"""What ``%load_ext vibekit_jupyter`` costs in a fresh IPython, beyond what IPython itself does.

A project's, a user's and a site's file of settings are in place.

The control loads an empty extension; the peer is ``jupyter_ai_magic_commands``, installed into
an environment of its own (``--peer`` names the Python of one that has it). All three take turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from report import Figure, compiled_in, median, report

PROJECT = Path(__file__).resolve().parents[1]
ROUNDS = 11
PEER_ROUNDS = 3
LOAD = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell("None")
began = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
print(f"took {time.perf_counter() - began}")
"""


def write_settings(folder: Path) -> dict[str, str]:
    """Write a project's, a user's and a site's file of settings; return what points to them."""
    (folder / "pyproject.toml").write_text('[tool.vibekit]\nagent = "codex"\nmax_steps = 40\n')
    for name, text in (
        ("user", 'model = "gpt-5"\n'),
        ("site", '[policy]\nmax_steps = 100\nagent = ["codex", "claude"]\n'),
    ):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "vibekit.toml").write_text(text)
    return {
        "JUPYTER_CONFIG_DIR": str(folder / "user"),
        "JUPYTER_CONFIG_PATH": str(folder / "site"),
    }


def load(python: str, extension: str, folder: Path) -> float:
    """Load an extension in a fresh IPython; return how many seconds it took."""
    environment = {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(folder), str(PROJECT)]),
        **compiled_in(folder),
        **write_settings(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the peer asks the internet without it
    }
    done = subprocess.run(
        [python, "-c", LOAD, extension],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.rpartition("took ")[2].splitlines()[0])


def install_peer(folder: Path) -> str:
    """Install the peer into an environment of its own; return that one's Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "ipython", "jupyter_ai_magic_commands"], check=True
    )
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has the peer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty_extension.py").write_text("def load_ipython_extension(ipython): pass\n")
        peer = arguments.peer or install_peer(folder / "peer")
        times: dict[str, list[float]] = {"empty": [], "ours": [], "peer": []}
        for number in range(ROUNDS + 1):
            empty = load(sys.executable, "empty_extension", folder)
            ours = load(sys.executable, "vibekit_jupyter", folder)
            if number == 0:
                continue  # it compiled what was not compiled yet
            times["empty"].append(empty)
            times["ours"].append(ours)
            if number <= PEER_ROUNDS + 1:
                times["peer"].append(load(peer, "jupyter_ai_magic_commands", folder))
    empty, ours = median(times["empty"]), median(times["ours"])
    theirs = median(times["peer"][1:])
    return report(
        "load_ext",
        [
            Figure("%load_ext of an empty extension", empty, "ms"),
            Figure("%load_ext vibekit_jupyter", ours, "ms"),
            Figure("beyond IPython", ours - empty, "ms", most=35),
            Figure("%load_ext jupyter_ai_magic_commands", theirs, "ms"),
            Figure("times faster than the peer", theirs / ours, "x", least=20),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
