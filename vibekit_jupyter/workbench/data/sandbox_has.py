"""What a sandbox has to read data with: asked once a connection, by a plain command."""

from __future__ import annotations

import importlib.resources
import json
import re
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import SandboxError
from vibekit_jupyter.workbench.data.parcel import SandboxHas

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["sandbox_has"]

PACKAGES: Final = (
    *("numpy", "pandas", "pyarrow", "polars", "scipy", "xarray", "geopandas"),
    *("scikit-learn", "skops"),
)
TIMEOUT: Final = 20.0
MOST_ANSWERED: Final = 100_000
# The Python that an agent's commands find: what it says is a stranger's word in any case.
COMMAND: Final = 'exec python3 -I -c "$VIBEKIT_SCRIPT"'

_told: weakref.WeakKeyDictionary[Sandbox, SandboxHas] = weakref.WeakKeyDictionary()


async def sandbox_has(sandbox: Sandbox) -> SandboxHas:
    """Ask a sandbox what it has; one without Python has nothing.

    Raises
    ------
    SandboxError, SessionNotFoundError
        It could not be asked.
    """
    if sandbox not in _told:
        near, mark = sandbox.service.is_local, uuid.uuid4().hex
        envs = {
            "VIBEKIT_SCRIPT": _script(),
            "VIBEKIT_ASKED": json.dumps({"packages": PACKAGES}),
            "VIBEKIT_MARK": mark,
        }
        answer = await sandbox.run(COMMAND, envs=envs, timeout=TIMEOUT, keep=MOST_ANSWERED)
        if answer.timed_out:
            raise SandboxError(
                f"The sandbox did not say within {TIMEOUT:.0f} s what it has to read data with.",
                hint="Try again in a moment.",
                session_id=sandbox.id,
            )
        try:
            _, told, _ = answer.stdout.split(mark)
            _told[sandbox] = _read(json.loads(told), near=near)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            _told[sandbox] = SandboxHas(near=near)
    return _told[sandbox]


def _read(told: Any, *, near: bool) -> SandboxHas:
    """Read what the sandbox told, which may be anything."""
    packages = {
        name: version[:40]
        for name in PACKAGES
        if isinstance(version := told["packages"].get(name), str)
    }
    python = str(told["python"])
    if re.fullmatch(r"\d\.\d{1,3}", python) is None:
        raise ValueError("not a version")
    return SandboxHas(packages, python, _size(told["file_limit"]), _size(told["free"]), near)


def _size(number: object) -> int | None:
    return number if type(number) is int and 0 <= number < 2**63 else None


def _script() -> str:
    folder = importlib.resources.files("vibekit_jupyter.workbench.data")
    return folder.joinpath("has_script.py").read_text()
