"""Look for an agent in a sandbox, and install there what is missing, whole or not at all.

This runs in the sandbox, by its own python3 (3.8 and up, nothing installed), and is never
imported: see ``elsewhere``. It is asked by the environment variable ``VIBEKIT_ASKED``, and tells
lines of ASCII JSON, each after the mark that it is asked with: others may write there, too.
"""

from __future__ import annotations

import fcntl
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

TYPE_CHECKING = False  # the import of typing is not worth its time
if TYPE_CHECKING:
    from typing import Any

ASKED = json.loads(os.environ.pop("VIBEKIT_ASKED"))
MARK = os.environ.pop("VIBEKIT_MARK")
FOLDERS = os.path.join(os.path.expanduser("~"), ".vibekit", "agents")
NEW = ".new-"
# A login shell of a program alone does not always have them.
MORE = ("~/.local/bin", "/usr/local/bin", "/usr/bin", "/bin")
OLDEST_NODE = 22
MOST_SAID = 3000  # characters of a program that failed
BETWEEN = 30.0  # seconds, of two words on how far it is
ENDS_AT = time.monotonic() + ASKED["within"]


class CannotError(Exception):
    """It is not to be had: which way, and what a program said of it."""


def tell(**said: Any) -> None:
    """Write a line for the kernel."""
    sys.stdout.write("\n" + MARK + json.dumps(said) + "\n")
    sys.stdout.flush()


def path_of(*first: str) -> str:
    """Return where programs are looked for."""
    folders = [*first, *os.environ.get("PATH", "").split(":"), *map(os.path.expanduser, MORE)]
    return ":".join(dict.fromkeys(each for each in folders if each.startswith("/")))


def node() -> str:
    """Return a Node that is new enough; empty where there is none."""
    own = os.path.join(FOLDERS, ASKED["node"]["folder"], ASKED["node"]["program"])
    for folder in [*path_of().split(":"), os.path.dirname(own)]:
        program = os.path.join(folder, "node")
        if not os.access(program, os.X_OK):
            continue
        try:
            said = subprocess.run(
                [program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL, timeout=20, check=True
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            continue
        version = re.match(rb"v(\d{1,4})\.", said)
        if version and int(version.group(1)) >= OLDEST_NODE:
            return program
    return ""


def npm() -> list[str]:
    """Return the words that start npm; none where there is none."""
    there = shutil.which("npm", path=path_of())
    if there:
        return [there]
    own = os.path.join(FOLDERS, ASKED["node"]["folder"])
    if os.path.isfile(os.path.join(own, ASKED["node"]["npm"])):
        return [os.path.join(own, ASKED["node"][each]) for each in ("program", "npm")]
    return []


def found(command: str) -> dict[str, Any] | None:
    """Return how the agent is started; None where something is missing.

    ``command`` is the sandbox's own program of this agent, or empty.
    """
    if command and not ASKED["has_adapter"]:
        return {"words": [command], "own": ""}
    program = os.path.join(FOLDERS, folder_for(command), ASKED["program"])
    if not os.path.isfile(program):
        return None
    if not ASKED["needs_node"]:
        return {"words": [program], "own": ""}
    there = node()
    return {"words": [there, program], "own": command} if there else None


def folder_for(command: str) -> str:
    """Return the name of our folder: an adapter alone is not the whole agent."""
    name = str(ASKED["folder"])
    return name + "-adapter" if command and ASKED["has_adapter"] else name


def install(command: str) -> None:
    """Install what is missing; others of the same sandbox wait for it."""
    os.makedirs(FOLDERS, mode=0o755, exist_ok=True)
    with open(os.path.join(FOLDERS, ".lock"), "w", encoding="ascii") as lock:
        waits = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waits:
                    tell(waits=True)
                waits = True
                if time.monotonic() > ENDS_AT:
                    raise CannotError("late", "") from None
                time.sleep(0.2)
        for name in os.listdir(FOLDERS):
            if name.startswith(NEW):  # of one that was ended
                shutil.rmtree(os.path.join(FOLDERS, name), ignore_errors=True)
        if waits and found(command):
            return
        if platform.machine() not in ASKED["machines"]:
            raise CannotError("machine", platform.machine())
        has_node, has_npm = bool(node()) or not ASKED["needs_node"], bool(npm())
        if not (has_node and has_npm):
            make(ASKED["node"]["folder"], install_node)
        if not os.path.isfile(os.path.join(FOLDERS, folder_for(command), ASKED["program"])):
            tell(begins=ASKED["name"], is_adapter=bool(command and ASKED["has_adapter"]))
            make(folder_for(command), lambda made: install_packages(made, command))


def make(name: str, fill: Any) -> None:
    """Make a folder that takes its place when all is in it."""
    made = os.path.join(FOLDERS, NEW + secrets.token_hex(6))
    os.mkdir(made, 0o755)
    try:
        fill(made)
        place = os.path.join(FOLDERS, name)
        if os.path.lexists(place):
            os.rename(place, made + "-old")
        os.rename(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(made + "-old", ignore_errors=True)


def install_node(made: str) -> None:
    """Get Node, with its npm, from the Python package that brings it."""
    wanted = ASKED["node"]
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run(
        [*pip, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False
    ).returncode != 0:  # fmt: skip
        raise CannotError("node", "")
    tell(begins="Node " + wanted["version"])
    hashes = " ".join("--hash=" + each for each in wanted["hashes"])
    with open(os.path.join(made, "requirements.txt"), "w", encoding="ascii") as file:
        file.write("%s==%s %s\n" % (wanted["package"], wanted["version"], hashes))
    where = ["--retries", "1", "--target", made, "-r", file.name]
    run("pip", [*pip, *ASKED["pip_install"], *where])


def install_packages(made: str, command: str) -> None:
    """Get the agent's packages; what the sandbox has of its own is left out."""
    lock = ASKED["adapter_lock" if command and ASKED["has_adapter"] else "lock"]
    for name, content in (("package.json", lock["packages"][""]), ("package-lock.json", lock)):
        with open(os.path.join(made, name), "w", encoding="ascii") as file:
            json.dump(content, file)
    run("npm", [*npm(), *ASKED["npm_ci"], "--prefix", made])
    if not os.path.isfile(os.path.join(made, ASKED["program"])):
        raise CannotError("npm", "what it installed is not the agent")


def run(what: str, words: list[str]) -> None:
    """Run a program to its end, and tell how far it is."""
    # npm is started by a Node that is found, not by one that is too old for what it installs.
    first = os.path.dirname(node())
    environment = {**os.environ, "PATH": path_of(*([first] if first else []))}
    process = subprocess.Popen(
        words, cwd=FOLDERS, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # fmt: skip
    said, fetched, told_at = b"", 0, time.monotonic()
    try:
        with process.stdout as output:  # type: ignore[union-attr]  # it is a pipe
            while True:
                if time.monotonic() > ENDS_AT:
                    raise CannotError("late", "")
                if time.monotonic() > told_at + BETWEEN:
                    told_at = time.monotonic()
                    tell(fetched=fetched)
                if select.select([output], [], [], 0.5)[0]:
                    data = os.read(output.fileno(), 65536)
                    if not data:
                        break
                    fetched += data.count(b".tgz")
                    said = (said + data)[-4 * MOST_SAID :]
        if process.wait() != 0:
            raise CannotError(what, said.decode(errors="replace")[-MOST_SAID:])
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:  # it has ended
            pass
        process.wait()


def main() -> None:
    """Answer."""
    command = shutil.which(ASKED["command"], path=path_of()) or ""
    try:
        answer = found(command)
        if answer is None:
            install(command)
            answer = found(command)
        if answer is None:
            raise CannotError("node", "")
        tell(**answer)
    except CannotError as error:
        tell(cannot=error.args[0], said=error.args[1])
    except OSError as error:
        tell(cannot="files", said=str(error))


main()
