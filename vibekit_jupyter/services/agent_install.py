"""Install an agent: its packages by npm, with a Node from PyPI, both by their hashes.

What is made is made beside the folder that it will be, and becomes it in one step: an install
that is killed leaves nothing that counts. One install goes on at a time, the others wait.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import json
import os
import platform
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import AgentInstallError
from vibekit_jupyter.services.agent_folders import (
    OWN,
    AgentFolder,
    agents_folder,
    own_program,
)
from vibekit_jupyter.services.agent_recipes import (
    NODE,
    NPM_CI,
    PIP_INSTALL,
    RECIPES,
    adapter_lock_of,
    lock_of,
)
from vibekit_jupyter.services.install_failures import last_words, why_failed
from vibekit_jupyter.settings.home import open_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vibekit_jupyter.services.agent_recipes import Recipe

    Say = Callable[[str], None]

__all__ = ["install_agent"]

NEW: Final = ".new-"
SAID: Final = 20  # lines of a program that failed
MEGABYTE: Final = 1_000_000
FETCHED: Final = re.compile(r"http fetch GET 200 \S*/([^/\s]+)\.tgz")


def install_agent(
    name: str, *, own: bool = False, say: Say = lambda _: None, stopped: Callable[[], bool] = bool
) -> AgentFolder:
    """Install an agent, or return the one that is there. Blocks; call it in a thread.

    Parameters
    ----------
    own
        Take the person's own program, as it is on ``PATH`` now.
    say
        Called with how far it is.
    stopped
        Asked again and again whether to break off.

    Raises
    ------
    AgentInstallError
        It cannot be installed; nothing of it is left.
    ConfigurationError
        The folder for it cannot be used.
    """
    recipe = RECIPES[name]
    if sys.platform != "linux" or platform.machine() not in recipe.machines:
        raise AgentInstallError(
            f"{name} cannot be installed here: it is known for Linux on "
            f"{' and '.join(recipe.machines)}.",
            hint="Use another agent.",
        )
    open_home()
    folders = agents_folder()
    try:
        folders.mkdir(mode=0o755, exist_ok=True)
        with _alone(folders, say, stopped):
            install = _Install(folders, recipe, say, stopped)
            return install.own() if own else install.pinned()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folders, recipe) from error
        raise AgentInstallError(
            f"{name} was not installed: {error.strerror or error} ({folders}).",
            hint="Look at the folder's owner and permissions.",
        ) from error


@contextlib.contextmanager
def _alone(folders: Path, say: Say, stopped: Callable[[], bool]) -> Iterator[None]:
    with (folders.parent / "agents.lock").open("w", encoding="ascii") as file:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    say("another install is going on: waiting for it")
                waited = True
                _check(stopped)
                time.sleep(0.2)
        for left in folders.glob(f"{NEW}*"):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise AgentInstallError(
            "The install was stopped; nothing of it is left.", hint="Run it again when you like."
        )


class _Install:
    """One install, alone in its folder."""

    def __init__(
        self, folders: Path, recipe: Recipe, say: Say, stopped: Callable[[], bool]
    ) -> None:
        self._folders, self._recipe = folders, recipe
        self._say, self._stopped = say, stopped

    def pinned(self) -> AgentFolder:
        """Install the pinned version."""
        recipe = self._recipe
        path = self._folders / recipe.folder
        self._node()
        if not path.is_dir():
            with self._made(path) as made:
                self._npm(made, dict(lock_of(recipe.name)), recipe.megabytes)
        return AgentFolder(recipe.name, recipe.version, path)

    def own(self) -> AgentFolder:
        """Take the person's own program, and install what it needs beside it."""
        recipe = self._recipe
        program = own_program(recipe.command)
        if program is None or (recipe.needs_node and not recipe.own):
            raise AgentInstallError(
                f"There is no program {recipe.command} on PATH that can be taken as it is.",
                hint=f"Leave --own out: {recipe.name} {recipe.version} is installed then.",
            )
        path = self._folders / f"{recipe.name}-{OWN}"
        if recipe.needs_node:
            self._node()
        with self._made(path) as made:
            if recipe.needs_node:
                self._npm(made, dict(adapter_lock_of(recipe.name)), 80)
            self._say(f"{program} is taken")
            (made / "bin").mkdir()
            _take(program, made / "bin" / recipe.command)
        return AgentFolder(recipe.name, OWN, path)

    def _node(self) -> None:
        path = self._folders / NODE.folder
        if (path / NODE.program).is_file():
            return
        if importlib.util.find_spec("pip") is None:
            raise AgentInstallError(
                "Node cannot be installed: this Python has no pip.",
                hint=f"Give it one: {sys.executable} -m ensurepip",
            )
        with self._made(path) as made:
            self._room(2 * NODE.megabytes)
            self._say(f"Node {NODE.version}, from PyPI")
            hashes = " ".join(f"--hash={each}" for each in NODE.hashes)
            wanted = made / "requirements.txt"
            wanted.write_text(f"{NODE.package}=={NODE.version} {hashes}\n", encoding="ascii")
            pip = [sys.executable, "-m", "pip", *PIP_INSTALL]
            self._run([*pip, "--target", str(made), "-r", str(wanted)], "pip")
            wanted.unlink()

    def _npm(self, made: Path, lock: dict[str, Any], megabytes: int) -> None:
        self._room(2 * megabytes)
        self._node()
        root = lock["packages"][""]
        (made / "package.json").write_text(json.dumps(root), encoding="ascii")
        (made / "package-lock.json").write_text(json.dumps(lock), encoding="ascii")
        self._say(f"{self._recipe.name}, {megabytes} MB, from npm")
        node = self._folders / NODE.folder
        npm = [str(node / NODE.program), str(node / NODE.npm), *NPM_CI]
        self._run([*npm, "--prefix", str(made)], "npm")

    def _room(self, megabytes: int) -> None:
        if shutil.disk_usage(self._folders).free < megabytes * MEGABYTE:
            raise _full(self._folders, self._recipe)

    @contextlib.contextmanager
    def _made(self, path: Path) -> Iterator[Path]:
        """Make a folder that takes its place when all is in it."""
        made = self._folders / f"{NEW}{secrets.token_hex(6)}"
        made.mkdir(mode=0o755)
        try:
            yield made
            _open_to_all(made)
            old = self._folders / f"{NEW}old-{secrets.token_hex(6)}"
            with contextlib.suppress(FileNotFoundError):
                path.rename(old)
            made.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _run(self, command: Sequence[str], what: str) -> None:
        """Run a program to its end, and tell what it fetched."""
        output, written = os.pipe()
        said: list[str] = []
        try:
            process = subprocess.Popen(
                command,
                cwd=self._folders,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
                umask=0o022,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(written)
        try:
            for line in _lines(output, self._stopped):
                said = [*said[-SAID:], line]
                if fetched := FETCHED.search(line):
                    self._say(f"{fetched[1][:60]} is here")
            if process.wait() != 0:
                raise self._failed(what, "\n".join(said))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            os.close(output)

    def _failed(self, what: str, said: str) -> AgentInstallError:
        name = self._recipe.name
        match why_failed(said):
            case "full":
                return _full(self._folders, self._recipe)
            case "altered":
                return AgentInstallError(
                    f"{name} was not installed: what {what} got is not what is known here.",
                    hint="Somebody may have changed it on its way: look at the registry in use.",
                )
            case "network":
                return AgentInstallError(
                    f"{name} was not installed: {what} did not reach its registry.",
                    hint=f"Look at the network, and at what {what} is configured for.",
                )
        return AgentInstallError(
            f"{name} was not installed: {what} failed ({last_words(said)}).", hint="Run it again."
        )


def _lines(output: int, stopped: Callable[[], bool]) -> Iterator[str]:
    rest = b""
    while True:
        _check(stopped)
        if not select.select([output], [], [], 0.2)[0]:
            continue
        data = os.read(output, 65536)
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        if not data:
            if rest:
                yield rest.decode(errors="replace")
            return


def _take(program: Path, place: Path) -> None:
    """Copy a program: an update of the person's own leaves ours as it is."""
    shutil.copyfile(program, place)
    place.chmod(0o755)


def _open_to_all(folder: Path) -> None:
    """Let a sandbox's user read what this one installed, whatever its umask."""
    folder.chmod(0o755)
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            if not path.is_symlink():
                mode = path.stat().st_mode
                wanted = mode | 0o444 | (0o111 if mode & 0o100 else 0)
                if wanted != mode:
                    path.chmod(wanted)


def _full(folders: Path, recipe: Recipe) -> AgentInstallError:
    free = round(shutil.disk_usage(folders).free / MEGABYTE)
    return AgentInstallError(
        f"{recipe.name} was not installed: the disk has no room for it ({free} MB are free, and "
        f"it needs about {2 * (recipe.megabytes + NODE.megabytes)} MB meanwhile).",
        hint=f"Make room in {folders}, or set VIBEKIT_HOME to a folder with more of it.",
    )
