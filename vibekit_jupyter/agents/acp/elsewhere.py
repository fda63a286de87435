"""An agent in a sandbox of another service: what its template has, the rest installed there.

What the sandbox tells of it is a stranger's word: it says what is started there, and no more.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.launch import Found
from vibekit_jupyter.agents.progress import tell
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import AgentInstallError, printable
from vibekit_jupyter.events import Notice
from vibekit_jupyter.services.agent_recipes import (
    NODE,
    NPM_CI,
    PIP_INSTALL,
    adapter_lock_of,
    lock_of,
)
from vibekit_jupyter.services.install_failures import last_words, why_failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.services.agent_recipes import Recipe

__all__ = ["found_elsewhere"]

# Seconds: for all of an install, and beyond that for the sandbox to say so.
WITHIN: Final = 600.0
GRACE: Final = 20.0
COMMAND: Final = 'exec python3 -I -c "$VIBEKIT_SCRIPT"'
MOST_LINE: Final = 20_000
MOST_PATH: Final = 4096
MOST_TOLD: Final = 40
# What E2B calls the templates that have these programs.
TEMPLATES: Final = {"codex-cli": "codex", "claude-code": "claude", "opencode": "opencode"}


async def found_elsewhere(
    sandbox: Sandbox, title: str, recipe: Recipe, *, within: float = WITHIN
) -> Found:
    """Return where a sandbox has an agent; what is missing is installed, which is told.

    Parameters
    ----------
    title
        What a person calls it.
    within
        Seconds that an install may take.

    Raises
    ------
    AgentInstallError
        It is not there, and could not be installed; nothing of it is left.
    SandboxError, SessionNotFoundError
        The sandbox could not be asked.
    """
    look = _Look(title, recipe, within)
    await sandbox.run(
        COMMAND, envs=look.envs, timeout=within + GRACE, on_output=look.hear, keep=1_000
    )
    return look.found()


class _Look:
    """What is asked, and what the sandbox told of it so far."""

    def __init__(self, title: str, recipe: Recipe, within: float) -> None:
        self._title, self._recipe = title, recipe
        self._within = within
        self._mark = secrets.token_hex(16)
        self._rest = ""
        self._told = 0
        self._began = 0.0
        self._answer: dict[str, Any] = {"cannot": "silent"}

    @property
    def envs(self) -> dict[str, str]:
        """What the script is started with."""
        recipe = self._recipe
        asked = {
            **dataclasses.asdict(recipe),
            "folder": recipe.folder,
            "has_adapter": bool(recipe.own),
            "adapter_lock": adapter_lock_of(recipe.name) if recipe.own else None,
            "node": {**dataclasses.asdict(NODE), "folder": NODE.folder},
            "npm_ci": NPM_CI,
            "pip_install": PIP_INSTALL,
            "lock": lock_of(recipe.name),
            "within": self._within,
        }
        script = importlib.resources.files("vibekit_jupyter.agents.acp").joinpath("fetch_script.py")
        return {
            "VIBEKIT_SCRIPT": script.read_text(encoding="ascii"),
            "VIBEKIT_ASKED": json.dumps(asked, separators=(",", ":")),
            "VIBEKIT_MARK": self._mark,
        }

    def hear(self, stream: str, text: str) -> None:
        """Take a piece of what the sandbox says."""
        if stream != "stdout":
            return
        for said in self._lines(text):
            if "words" in said or "cannot" in said:
                self._answer = said
            else:
                self._tell(said)

    def _lines(self, text: str) -> Iterator[dict[str, Any]]:
        *lines, self._rest = (self._rest + text).split("\n")
        self._rest = self._rest[-MOST_LINE:]
        for line in lines:
            if line.startswith(self._mark) and len(line) < MOST_LINE:
                try:
                    said = json.loads(line[len(self._mark) :])
                except (ValueError, RecursionError):
                    continue
                if isinstance(said, dict):
                    yield said

    def _tell(self, said: dict[str, Any]) -> None:
        self._told += 1
        if self._told > MOST_TOLD:
            return
        title, recipe = self._title, self._recipe
        if said.get("waits") is True:
            tell(Notice(f"{title} is just being installed in this sandbox: waiting for it."))
        elif isinstance(said.get("begins"), str):
            self._began = self._began or time.monotonic()
            what = f"{title} ({recipe.version}, about {recipe.megabytes} MB)"
            if said.get("is_adapter") is True:
                what = f"The adapter of {title} ({recipe.version})"
            elif said["begins"] != recipe.name:
                what = f"Node ({NODE.version}, about {NODE.megabytes} MB)"
            tell(Notice(f"{what} is being installed in this sandbox, where it stays."))
        elif type(fetched := said.get("fetched")) is int:
            seconds = time.monotonic() - self._began
            tell(Notice(f"{fetched} packages are there after {seconds:.0f} s."))

    def found(self) -> Found:
        """Return what the sandbox answered.

        Raises
        ------
        AgentInstallError
            It has no such agent.
        """
        words, own = self._answer.get("words"), self._answer.get("own", "")
        if isinstance(words, list) and words and all(map(_is_path, [*words, own or "/"])):
            if self._began:
                seconds = time.monotonic() - self._began
                tell(Notice(f"{self._title} is installed: it took {seconds:.0f} s."))
            return Found(tuple(words), own)
        raise self._cannot(str(self._answer.get("cannot")), str(self._answer.get("said", "")))

    def _cannot(self, what: str, said: str) -> AgentInstallError:
        template = TEMPLATES.get(self._recipe.name)
        such = f", such as E2B's {template}" if template else ""
        use = f"use a template that has it{such}: %vibekit_session new --template NAME"
        why, instead = self._why(what, said)
        hint = f"{instead}, or {use}" if instead else f"U{use[1:]}"
        return AgentInstallError(
            f"{self._title} is not in this sandbox, and was not installed there: {why}.", hint=hint
        )

    def _why(self, what: str, said: str) -> tuple[str, str]:
        """Return why it cannot be had, and what would help."""
        words = printable(well_formed(last_words(said)))
        ours = {
            "node": ("the sandbox has no Node 22, and no pip to get one with", ""),
            "machine": (f"it is known for Linux on {' and '.join(self._recipe.machines)}", ""),
            "late": (f"that took longer than {self._within:g} s", "Run it again"),
            "silent": ("the sandbox has no python3 that says what is there", ""),
            "files": (f"its files cannot be written ({words})", ""),
        }
        theirs = {
            "full": ("the sandbox's disk has no room for it", "Make room"),
            "altered": (f"what {what} got is not what is known here", "Look at its registry"),
            "network": (f"{what} did not reach its registry", "Give the session the internet"),
            "": (f"{what} failed ({words})", "Run it again"),
        }
        if what in ("npm", "pip"):
            return theirs[why_failed(said)]
        return ours.get(what, ours["silent"])


def _is_path(word: object) -> bool:
    if not isinstance(word, str) or len(word) > MOST_PATH:
        return False
    return word.startswith("/") and word.isprintable()
