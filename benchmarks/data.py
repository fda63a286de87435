"""How fast a frame goes in and comes out, and what memory that takes, against raw streams.

    python benchmarks/data.py [MEGABYTES]

Control in the same run: as many bytes as a file of this machine's, to the same server and back, by
the same SDK's streams. Memory is what the process had at most, beyond what it had before and,
coming out, beyond the frame.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.local_server import stop_local_server
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from vibekit_jupyter.sandbox.connection import Sandbox

MIB = 1024**2
COLUMNS = 16
TURNS = 3


def private() -> int:
    """Return how many bytes this process has that no file stands behind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


class Peak:
    """The most private memory while something runs, looked at every few milliseconds."""

    def __enter__(self) -> Self:
        self.before = self.most = private()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        # What it has returned is there now, and counts as what there is.
        self.more = self.most - max(self.before, private())

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, private())


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, int, Any]:
    """Return how long something takes, what memory it needs, and what it returns."""
    with Peak() as peak:
        begun = time.perf_counter()
        result = await work()
        took = time.perf_counter() - begun
    return took, peak.more, result


async def raw_up(sandbox: Sandbox, file: Path) -> None:
    """Send a file as it is."""

    def pieces() -> Iterator[bytes]:
        with file.open("rb") as opened:
            while data := opened.read(4 * MIB):
                yield data

    await sandbox.upload("/home/user/raw.bin", pieces())


async def raw_down(sandbox: Sandbox) -> None:
    """Take a file as it is."""
    with tempfile.TemporaryFile() as file:
        await sandbox.download("/home/user/raw.bin", file.write, most=sys.maxsize)


async def measure(size: int, folder: Path) -> list[Figure]:
    """Measure in turns, and keep the best of each."""
    client = VibeKit({"type": "codex"}, {"local": {}})
    rows = size // 8 // COLUMNS
    frame = pd.DataFrame(
        {f"c{at}": np.random.default_rng(at).random(rows) for at in range(COLUMNS)}
    )
    raw = folder / "raw.bin"
    with raw.open("wb") as opened:
        for at in range(COLUMNS):
            opened.write(frame[f"c{at}"].to_numpy().tobytes())
    await client.new("benchmark")
    sandbox = await client._workspace.current_sandbox()  # noqa: SLF001  (the control speaks to it alone)
    times: dict[str, list[float]] = {}
    memory: dict[str, list[int]] = {}
    for turn in range(TURNS):
        steps: dict[str, Callable[[], Awaitable[Any]]] = {
            "raw up": lambda: raw_up(sandbox, raw),
            "in": lambda: client.send(df=frame),
            "raw down": lambda: raw_down(sandbox),
            "out": lambda: client.fetch("df"),
        }
        for step, work in steps.items():
            if step == "out":
                await client.execute_command("mkdir -p out; mv data/df.arrow out/df.arrow")
            took, more, result = await timed(work)
            times.setdefault(step, []).append(took)
            memory.setdefault(step, []).append(more)
            if step == "out":
                pd.testing.assert_frame_equal(result, frame)
                del result
        del turn
    await client.kill()
    await client.aclose()
    best = {step: min(each) for step, each in times.items()}
    million = size / 1e6
    return [
        Figure("raw stream up", million / best["raw up"], "MB/s"),
        Figure("a frame in", million / best["in"], "MB/s"),
        Figure("  of the raw stream", best["raw up"] / best["in"], "x", least=0.8),
        Figure("  memory over its size", max(memory["in"]) / size, "x", most=0.3),
        Figure("raw stream down", million / best["raw down"], "MB/s"),
        Figure("a frame out", million / best["out"], "MB/s"),
        Figure("  of the raw stream", best["raw down"] / best["out"], "x", least=0.8),
        Figure("  memory over its size", max(memory["out"]) / size, "x", most=0.3),
    ]


def main() -> int:
    """Run everything; return 1 where a bound is not met."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 1000) * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        os.environ["VIBEKIT_HOME"] = str(home)
        try:
            return report("data", asyncio.run(measure(size, Path(name))))
        finally:
            stop_local_server(home)


if __name__ == "__main__":
    raise SystemExit(main())
