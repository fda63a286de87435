"""What is true of the sandbox at hand, and what its folder says to coding agents."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import re
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.places import HOME
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox.clean_python import ask_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["GUIDES", "Surroundings", "surroundings"]

# What a folder tells coding agents in, as they all read it.
GUIDES: Final = ("AGENTS.md", "CLAUDE.md")
MOST_OF_GUIDE: Final = 32_000  # bytes
# Seconds that a run waits for what is only good to know.
PATIENCE: Final = 3.0
PACKAGES: Final = (
    *("numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "statsmodels", "torch"),
    *("matplotlib", "seaborn", "plotly", "PIL", "requests", "bs4", "openpyxl", "pytest"),
)

# What each of them answered, as long as somebody is connected to it.
_python: weakref.WeakKeyDictionary[Sandbox, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Surroundings:
    """What the model is told, and the names of the guides that are in it."""

    text: str
    read: Sequence[str] = ()


async def surroundings(sandbox: Sandbox, *, internet: bool | None) -> Surroundings:
    """Look around in a sandbox. What cannot be found out is not told.

    Parameters
    ----------
    internet
        Whether its commands reach the internet, None where nobody knows.
    """
    python, *guides = await asyncio.gather(
        _of_python(sandbox), *(_guide(sandbox, name) for name in GUIDES)
    )
    lines = [_INTERNET[internet], python]
    facts = "".join(f"- {line}\n" for line in lines if line)
    parts = [f"About this sandbox:\n{facts}"] if facts else []
    read: list[str] = []
    seen: set[str] = set()
    for name, text in zip(GUIDES, guides, strict=True):
        if text and text not in seen:  # one is often a link to the other
            parts.append(f"What {HOME}/{name} says to coding agents:\n\n{text}\n")
            read.append(name)
        seen.add(text)
    return Surroundings("\n".join(parts), read)


_INTERNET: Final = {
    True: "Commands reach the internet.",
    False: "There is no internet: nothing can be downloaded or installed from it.",
    None: "",
}


async def _guide(sandbox: Sandbox, name: str) -> str:
    """Return what a guide says, empty where there is none."""
    # What is wrong with the sandbox, the run itself tells.
    with contextlib.suppress(OSError, SandboxError, SessionNotFoundError):
        async with asyncio.timeout(PATIENCE):
            data = await sandbox.read_file(f"{HOME}/{name}", most=MOST_OF_GUIDE + 1)
        text = well_formed(data[:MOST_OF_GUIDE].decode(errors="replace")).replace("\0", "").strip()
        return f"{text}\n[cut]" if text and len(data) > MOST_OF_GUIDE else text
    return ""


async def _of_python(sandbox: Sandbox) -> str:
    """Return which Python there is and what it has, asked once."""
    if sandbox not in _python:
        try:
            told = await ask_python(sandbox, _script(), {"packages": PACKAGES}, timeout=PATIENCE)
            _python[sandbox] = _as_line(told)
        except (SandboxError, SessionNotFoundError, TimeoutError):
            return ""
        except (LookupError, TypeError, ValueError):
            _python[sandbox] = "There is no python3."
    return _python[sandbox]


def _as_line(told: Any) -> str:
    """Read what the sandbox told, which may be anything."""
    version = re.fullmatch(r"\d\.\d{1,3}", told["version"])
    if version is None:
        raise ValueError("not a version")
    there = [name for name in PACKAGES if name in told["packages"]]
    has = f"has {', '.join(there)}" if there else "has its standard library alone"
    missing = [name for name in ("numpy", "pandas", "matplotlib") if name not in there]
    lacks = f", and not {', '.join(missing)}" if there and missing else ""
    return f"Python {version[0]} {has}{lacks}."


def _script() -> str:
    folder = importlib.resources.files("vibekit_jupyter.agents")
    return folder.joinpath("python_script.py").read_text()
