"""Which files there are in a sandbox, or changed lately, and what can be shown of them.

This runs in the sandbox, by its own python3 (3.8 and up, nothing installed), and is never
imported: see ``look``. It is asked by the environment variable ``VIBEKIT_ASKED``, and
answers with one line of ASCII JSON between two marks.
"""

from __future__ import annotations

import base64
import collections
import io
import json
import os
import sys
import time

TYPE_CHECKING = False  # the import of typing is not worth its time
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_VISITED = 100_000
NOT_LOOKED_INTO = ("node_modules", "__pycache__", "venv", "site-packages")
ROWS = 10


def changed(folders: collections.deque[str], since: float) -> Iterator[tuple[float, str, int]]:
    """Yield (time, path, size) of the files below folders that changed since then.

    Where there are too many, folders remain in ``folders``.
    """
    visited = 0
    while folders and visited < MOST_VISITED:
        try:
            entries = list(os.scandir(folders.popleft()))
        except OSError:
            continue
        visited += len(entries)
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in NOT_LOOKED_INTO:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    # What was unpacked or moved here keeps its mtime.
                    if found.st_ctime >= since:
                        yield found.st_ctime, entry.path, found.st_size
            except OSError:
                continue


def births(paths: list[str]) -> list[float]:
    """Return when each file was made, 0 where the file system does not say."""
    if not paths:
        return []
    import subprocess

    command = ["stat", "--printf", "%.9W\\n", "--", *paths]
    try:
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
        return [float(line) if line != b"-" else 0.0 for line in lines]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return [0.0] * len(paths)


def whole(path: str, size: int, most: int) -> bytes | None:
    """Return what is in a file, None where it is too large or cannot be read."""
    if size > most:
        return None
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError:
        return None


def content(path: str, size: int, most: int) -> bytes | None:
    """Return what is shown of a file, None where it is too large or cannot be read."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".csv", ".tsv", ".parquet"):
        return whole(path, size, most)
    try:
        if suffix == ".parquet":
            rows = parquet_head(path)
            return rows if len(rows) <= most else None
        with open(path, "rb") as file:
            head = file.read(most)
        if size > most:
            head = b"".join(io.BytesIO(head).readlines()[: 1 + ROWS])
        return tabs_to_commas(head) if suffix == ".tsv" else head
    except Exception:  # noqa: BLE001  (a file of whatever kind; it is named, and not shown)
        return None


def parquet_head(path: str) -> bytes:
    """Return the first rows as CSV, read by whichever library is there."""
    import site

    site.main()
    sys.path.append(site.getusersitepackages())
    try:
        from pyarrow import parquet
    except ImportError:
        import polars as pl

        return bytes(pl.scan_parquet(path).head(ROWS).collect().write_csv().encode())
    with parquet.ParquetFile(path) as file:
        rows = next(file.iter_batches(batch_size=ROWS)).to_pylist()
        return as_csv([file.schema_arrow.names, *(row.values() for row in rows)])


def tabs_to_commas(head: bytes) -> bytes:
    """Return tab-separated values as comma-separated ones."""
    import csv

    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = head.decode(encoding, "replace")
    return as_csv(csv.reader(io.StringIO(text), delimiter="\t"))


def as_csv(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as comma-separated values."""
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def real(path: str, top: str, home: str) -> str:
    """Return where a path is: without a file system of its own, a sandbox has it elsewhere."""
    if path.startswith(f"{top}/"):
        return home + path[len(top) :]
    if path.startswith("/tmp/"):  # noqa: S108  (the sandbox's)
        return (os.environ.get("TMPDIR") or "/tmp") + path[4:]  # noqa: S108
    return path


def main() -> None:
    """Answer what is asked."""
    asked = json.loads(os.environ["VIBEKIT_ASKED"])
    top, home = asked["top"], os.environ["HOME"]
    now = time.time()
    every = asked["seconds"] is None
    folders = collections.deque([home])
    found = sorted(changed(folders, 0 if every else now - asked["seconds"]), reverse=True)
    listed = found[: asked["files"]]
    room = asked["room"]
    files = []
    paths = [path for _, path, _ in listed]
    for (at, path, size), born in zip(listed, [0] * len(paths) if every else births(paths)):  # noqa: B905  (3.10 and up)
        most = asked["most"].get(os.path.splitext(path)[1].lower(), asked["most_else"])
        data = (whole if every else content)(path, size, min(most, room))
        room -= len(data or b"")
        files.append(
            {
                "path": os.fsencode(top + path[len(home) :]).decode(errors="replace"),
                "size": size,
                "changed": at,
                "born": born,
                "data": None if data is None else base64.b64encode(data).decode(),
            }
        )
    missing = [path for path in asked["known"] if not os.path.lexists(real(path, top, home))]
    more = len(found) - len(listed) + len(folders)
    answer = {"now": now, "files": files, "more": more, "missing": missing}
    mark = os.environ["VIBEKIT_MARK"]
    sys.stdout.write(mark + json.dumps(answer) + mark)


main()
