"""List, pack and unpack files, many of them with one command.

This runs in the sandbox, by its own python3 (3.8 and up, nothing installed), and is never
imported: see ``in_sandbox``. It is asked by the environment variable ``VIBEKIT_ASKED``, and
answers with one line of ASCII JSON between two marks.
"""

from __future__ import annotations

import base64
import errno
import fnmatch
import json
import os
import stat
import sys
import time
import zlib

TYPE_CHECKING = False  # the import of typing is not worth its time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_VISITED = 1_000_000
MOST_STATED = 500
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def real(path: str) -> str:
    """Return where a path is: without a file system of its own, a sandbox has it elsewhere."""
    for top, there in (("/home/user", "HOME"), ("/tmp", "TMPDIR")):
        if path == top or path.startswith(top + "/"):
            return (os.environ.get(there) or top) + path[len(top) :]
    return path


class Lister:
    """Finds what patterns match, and what is in the folders among that."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.most = asked["most"]
        self.skip = asked["skip"]
        self.hidden = asked["hidden"]
        self.found: list[list[Any]] = []
        self.nameless = self.visited = 0
        self.more = False

    def match(self, index: int, base: str, pattern: list[str], literal: str) -> None:
        """Take down what one word means."""
        if literal and os.path.lexists(real(literal)):
            folder, name = os.path.split(literal)
            self.take((index, True), os.path.join(real(folder), name), name, pattern)
        elif os.path.isdir(real(base)):
            self.walk((index, False), real(base), "", pattern, past_folders({0}, pattern))

    def walk(self, word: Any, folder: str, seen: str, pattern: list[str], reached: Any) -> None:
        """Look through a folder; ``reached`` is None below what has matched."""
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            self.visited += 1
            if self.more or self.visited > MOST_VISITED:
                self.more = True
                return
            if reached is None and name.startswith(".") and not self.hidden:
                continue
            path = os.path.join(folder, name)
            told = seen + "/" + name if seen else name
            after = None if reached is None else step(name, reached, pattern)
            if after is None or len(pattern) in after:
                self.take(word, path, told, pattern)
            elif after and os.path.isdir(path) and not os.path.islink(path):
                self.walk(word, path, told, pattern, after)

    def take(self, word: Any, path: str, told: str, pattern: list[str]) -> None:
        """Take an entry down, and what is in it; ``word`` is which one asks, and how."""
        try:
            found = os.lstat(path)
            os.fsencode(told).decode()
        except OSError:
            return
        except UnicodeDecodeError:
            self.nameless += 1
            return
        if len(self.found) >= self.most:
            self.more = True
            return
        kind = kind_of(found.st_mode)
        row = [*word, told, kind, found.st_size, found.st_mtime_ns, found.st_ctime, path]
        self.found.append(row)
        if kind == "folder" and os.path.basename(told) not in self.skip:
            self.walk(word, path, told, pattern, None)


def kind_of(mode: int) -> str:
    """Return what an entry is, in a word."""
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def past_folders(reached: Any, pattern: list[str]) -> Any:
    """Return where a pattern may go on: ``**`` may be no folder at all."""
    for at, part in enumerate(pattern):
        if at in reached and part == "**":
            reached = {*reached, at + 1}
    return reached


def step(name: str, reached: Any, pattern: list[str]) -> Any:
    """Return where a pattern may go on after a name; what is hidden has to be asked for."""
    after = set()
    for at in reached:
        if at >= len(pattern):
            continue
        part, hidden = pattern[at], name.startswith(".")
        if part == "**":
            if not hidden:
                after.add(at)
        elif (not hidden or part.startswith(".")) and fnmatch.fnmatchcase(name, part):
            after.add(at + 1)
    return past_folders(after, pattern)


def marks(found: list[list[Any]], since: float | None) -> Iterator[str]:
    """Yield what became of each entry since then: new, changed, or nothing."""
    changed = (
        [] if since is None else [row[-1] for row in found if row[3] == "file" and row[6] >= since]
    )
    born: dict[str, float] = {}
    for start in range(0, len(changed), MOST_STATED):
        paths = changed[start : start + MOST_STATED]
        born.update(zip(paths, births(paths)))
    for row in found:
        if row[-1] not in born:
            yield ""
        else:
            yield "+" if born[row[-1]] >= (since or 0) else "~"


def births(paths: list[str]) -> list[float]:
    """Return when each file was made, 0 where the file system does not say."""
    import subprocess

    command = ["stat", "--printf", "%.9W\\n", "--", *paths]
    try:
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
        return [float(line) if line != b"-" else 0.0 for line in lines]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return [0.0] * len(paths)


def listed(asked: dict[str, Any]) -> dict[str, Any]:
    """Find what is asked for."""
    lister = Lister(asked)
    for index, (base, pattern, literal) in enumerate(asked["wanted"]):
        lister.match(index, base, pattern, literal)
    seconds = asked["seconds"]
    since = None if seconds is None else time.time() - seconds
    told = [[*row[:6], mark] for row, mark in zip(lister.found, marks(lister.found, since))]
    packed = base64.b64encode(zlib.compress(json.dumps(told).encode(), 1)).decode()
    return {"found": packed, "more": lister.more, "nameless": lister.nameless}


def packed(asked: dict[str, Any]) -> dict[str, Any]:
    """Put files into one archive; each is read up to the size that it was listed with."""
    import tarfile

    missed = []
    with open(real(asked["list"])) as file:
        names = json.load(file)
    with open(real(asked["tar"]), "xb") as tar:
        for index, (path, size) in enumerate(names):
            try:
                data = whole(real(path), size)
            except OSError:
                missed.append(index)
                continue
            info = tarfile.TarInfo(str(index))
            info.size = len(data)
            tar.write(info.tobuf(tarfile.GNU_FORMAT))
            tar.write(data)
            tar.write(bytes(-len(data) % 512))
        tar.write(bytes(1024))
    return {"missed": missed}


def whole(path: str, size: int) -> bytes:
    """Return the first bytes of a file, through no link."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(opened, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        data = b""
        while len(data) < size:
            block = file.read(size - len(data))
            if not block:
                break
            data += block
        return data


def unpacked(asked: dict[str, Any]) -> dict[str, Any]:
    """Take files out of an archive; each gets its name when it is whole."""
    import tarfile

    top, failed, done, full = real(asked["to"]), [], 0, False
    part = ".vibekit-%s.part" % os.urandom(8).hex()
    made: set[str] = set()
    with tarfile.open(real(asked["tar"]), "r|") as tar:
        for number, member in enumerate(tar):
            try:
                if member.isdir():
                    os.makedirs(os.path.join(top, member.name), exist_ok=True)
                else:
                    file = tar.extractfile(member)
                    path = os.path.join(top, member.name)
                    if (folder := os.path.dirname(path)) not in made:
                        os.makedirs(folder, exist_ok=True)
                        made.add(folder)
                    write(path, os.path.join(folder, part), file.read() if file else b"")
                done += 1
            except OSError as error:
                failed.append([number, os.strerror(error.errno or errno.EIO)])
                if error.errno in FULL:
                    full = True
                    break
    return {"done": done, "failed": failed, "full": full}


def write(path: str, part: str, data: bytes) -> None:
    """Write a file beside its place, and put it there."""
    try:
        with open(part, "xb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        os.replace(part, path)
    except BaseException:
        if os.path.lexists(part):
            os.unlink(part)
        raise


def main() -> None:
    """Answer what is asked."""
    asked = json.loads(os.environ["VIBEKIT_ASKED"])
    verbs = {"list": listed, "pack": packed, "unpack": unpacked}
    try:
        answer = verbs[asked["do"]](asked)
    except OSError as error:
        answer = {"failed": os.strerror(error.errno or errno.EIO), "full": error.errno in FULL}
    mark = os.environ["VIBEKIT_MARK"]
    sys.stdout.write(mark + json.dumps(answer) + mark)


main()
