"""Which files there are below a folder of a sandbox, and which of their lines match.

This runs in the sandbox, by its own python3 (3.8 and up, nothing installed), and is never
imported: see ``finding``. It is asked by the environment variable ``VIBEKIT_ASKED``, and
answers with one line of ASCII JSON between two marks.
"""

from __future__ import annotations

import json
import os
import re
import sys

TYPE_CHECKING = False  # the import of typing is not worth its time
if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_VISITED = 200_000
MOST_OF_LINE = 300
NOT_LOOKED_INTO = ("node_modules", "__pycache__", "venv", "site-packages")


def as_pattern(glob: str) -> str:
    """Return a glob as a regular expression: one without a slash is about names alone."""
    parts = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]/]+\])", glob.lstrip("/"))
    body = "".join(
        parts.get(part) or (part if part.startswith("[") else re.escape(part)) for part in found
    )
    return body if "/" in glob else "(?:.*/)?" + body


def below(top: str) -> Iterator[str]:
    """Yield the paths of the files below a folder, in order; what is hidden is left out."""
    if os.path.isfile(top):
        yield top
        return
    for folder, folders, names in os.walk(top):
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        folders[:] = sorted(
            name for name in folders if name[0] != "." and name not in NOT_LOOKED_INTO
        )
        for name in sorted(names):
            if name[0] != ".":
                yield os.path.join(folder, name)


def lines_of(path: str, wanted: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbers and the pieces of a text file's lines that match."""
    with open(path, "rb") as file:
        if b"\0" in file.read(8192):
            return
        file.seek(0)
        for number, line in enumerate(file, 1):
            text = line.decode(errors="replace").rstrip("\r\n")
            match = wanted.search(text)
            if match:
                begin = max(0, match.start() - 100) if len(text) > MOST_OF_LINE else 0
                yield number, text[begin : begin + MOST_OF_LINE]


def main() -> None:
    """Answer what is asked."""
    asked = json.loads(os.environ["VIBEKIT_ASKED"])
    top, sandbox_home = asked["path"], asked["home"]
    # Without a file system of its own, a sandbox has its home elsewhere.
    if (top + "/").startswith(sandbox_home + "/"):
        top = os.environ["HOME"] + top[len(sandbox_home) :]
    elif (top + "/").startswith("/tmp/"):  # noqa: S108  (the sandbox's)
        top = (os.environ.get("TMPDIR") or "/tmp") + top[4:]  # noqa: S108
    glob = re.compile(as_pattern(asked["glob"])) if asked["glob"] else None
    flags = re.IGNORECASE if asked["ignore_case"] else 0
    wanted = re.compile(asked["pattern"], flags) if asked["pattern"] is not None else None
    found: list[tuple[str, int, str]] = []
    files = visited = 0
    for path in below(top):
        visited += 1
        if visited > MOST_VISITED or len(found) > asked["most"]:
            break
        name = os.path.relpath(path, top) if path != top else ""
        if glob and not glob.fullmatch(name or os.path.basename(path)):
            continue
        shown = os.fsencode(name).decode(errors="replace")
        try:
            if wanted is None:
                found.append((shown, os.path.getsize(path), ""))
                continue
            if not os.path.isfile(path):
                continue
            files += 1
            for number, text in lines_of(path, wanted):
                found.append((shown, number, text))
                if len(found) > asked["most"]:
                    break
        except OSError:
            continue
    answer = {"there": os.path.exists(top), "found": found, "files": files}
    answer["whole"] = visited <= MOST_VISITED and len(found) <= asked["most"]
    mark = os.environ["VIBEKIT_MARK"]
    sys.stdout.write(mark + json.dumps(answer) + mark)


main()
