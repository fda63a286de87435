"""How fast the local sandbox server is, each number against a control of the same run.

    python benchmarks/sandbox_speed.py

Control of commands: the same server without confinement. Control of files: a handler of the same
HTTP library that does nothing else (``bare_handler.py``), with the same SDK. Control of the start:
importing the server's libraries and starting its zygote.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beside import served_by
from report import Figure, compiled_in, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.sandbox_server import SandboxServer, sandbox_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2b import Sandbox

SIZE = 50_000_000


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def in_turns(
    ours: Callable[[], object], theirs: Callable[[], object], turns: int
) -> tuple[float, float]:
    """Return the median times of two, measured in turns after one that does not count."""
    ours(), theirs()
    times = [(milliseconds(ours), milliseconds(theirs)) for _turn in range(turns)]
    first, second = zip(*times, strict=True)
    return statistics.median(first), statistics.median(second)


def create(server: SandboxServer, **options: Any) -> Sandbox:
    """Make a sandbox."""
    from e2b import Sandbox

    return Sandbox.create(**{**options, **server.where})


def raw_true(server: SandboxServer, sandbox: Sandbox) -> Callable[[], None]:
    """Return a request that runs ``true``, on a connection that stays open."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    message = json.dumps({"process": {"cmd": "/bin/bash", "args": ["-l", "-c", "true"]}}).encode()
    headers = {
        "Content-Type": "application/connect+json",
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
        "X-Access-Token": str(sandbox._envd_access_token),  # noqa: SLF001  no public name
    }

    def run() -> None:
        body = struct.pack(">BI", 0, len(message)) + message
        connection.request("POST", "/process.Process/Start", body, headers)
        assert b'"exitCode":0' in connection.getresponse().read()

    return run


def commands(best: SandboxServer, control: SandboxServer) -> Iterator[Figure]:
    """Compare the time of a command, in turns."""
    confined, free = create(best, timeout=600), create(control, timeout=600)
    ours, theirs = in_turns(raw_true(best, confined), raw_true(control, free), 200)
    yield Figure("`true` by raw HTTP", ours, "ms")
    yield Figure("  beyond the same server unconfined", ours - theirs, "ms", most=3)
    ours, theirs = in_turns(
        lambda: confined.commands.run("true"), lambda: free.commands.run("true"), 200
    )
    yield Figure("`true` by the SDK", ours, "ms")
    yield Figure("  over the same server unconfined", ours / theirs, "x", most=1.2)


def creation(server: SandboxServer) -> Iterator[Figure]:
    """Measure the making of a sandbox."""
    made = [create(server)]
    took = statistics.median(
        milliseconds(lambda: made.append(create(server))) for _sandbox in range(20)
    )
    for sandbox in made:
        sandbox.kill()
    yield Figure("create", took, "ms", most=30)


def output(server: SandboxServer) -> Iterator[Figure]:
    """Measure how fast a command's output comes through."""
    sandbox = create(server, timeout=600)
    begun = time.perf_counter()
    shown = sandbox.commands.run(f"head -c {SIZE} /dev/zero | tr '\\0' x").stdout
    rate = len(shown) / 1e6 / (time.perf_counter() - begun)
    yield Figure("stdout", rate, "MB/s", least=50)


def files(server: SandboxServer, folder: Path) -> Iterator[Figure]:
    """Compare 50 MB written and read with a bare handler."""
    from e2b import Sandbox

    sandbox = create(server, timeout=600)
    data = os.urandom(SIZE)
    with served_by("bare_handler.py", folder / "bare.bin") as url:
        bare = Sandbox.connect(sandbox.sandbox_id, **{**server.where, "sandbox_url": url})

        def write(where: Sandbox) -> None:
            where.files.write("x", data)

        def write_stream(where: Sandbox) -> None:
            where.files.write("x", data, use_octet_stream=True)

        def read(where: Sandbox) -> None:
            where.files.read("x", format="bytes")

        for what, work in {
            "write 50 MB": write,
            "write 50 MB as a stream": write_stream,
            "read 50 MB": read,
        }.items():
            ours, theirs = in_turns(partial(work, sandbox), partial(work, bare), 21)
            yield Figure(what, ours, "ms")
            yield Figure("  of a bare handler's speed", theirs / ours, "x", least=0.8)


def proportional_kib(pid: int) -> int:
    """Return a process's share of memory, with all that descend from it."""
    own = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                own = int(line.split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(proportional_kib(int(child)) for child in children)


def memory(server: SandboxServer) -> Iterator[Figure]:
    """Measure what an idle sandbox adds to the memory of the server and all its processes."""
    before = proportional_kib(server.process.pid)
    idle = [create(server, timeout=600) for _sandbox in range(10)]
    each = (proportional_kib(server.process.pid) - before) / len(idle) / 1024
    yield Figure("an idle sandbox, one of ten", each, "MiB", most=8)
    for sandbox in idle:
        sandbox.kill()


def start(folder: Path) -> Iterator[Figure]:
    """Compare the server's start with what it cannot do without."""
    libraries = "from aiohttp import web; import asyncio, hmac, zlib, json"
    zygote = (
        "from vibekit_jupyter.local_sandbox.nursery import Nursery; n = Nursery();"
        f"{libraries}; n.close()"
    )

    def ready() -> float:
        begun = time.perf_counter()
        with sandbox_server(folder / "start"):
            return (time.perf_counter() - begun) * 1000

    def control() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", zygote], check=True)
        return (time.perf_counter() - begun) * 1000

    ready(), control()
    ours, theirs = zip(*((ready(), control()) for _turn in range(9)), strict=True)
    yield Figure("server start", statistics.median(ours), "ms")
    over = statistics.median(ours) / statistics.median(theirs)
    yield Figure("  over its imports and its zygote", over, "x", most=1.3)


def measure(folder: Path) -> Iterator[Figure]:
    """Measure everything."""
    with (
        sandbox_server(folder / "best") as best,
        sandbox_server(folder / "control", "--confine", "none") as control,
    ):
        yield from commands(best, control)
        yield from creation(best)
        yield from output(best)
        yield from files(best, folder)
        yield from memory(best)
    yield from start(folder)


def main() -> int:
    """Run everything; return 1 where a bound is not met."""
    with tempfile.TemporaryDirectory() as name:
        os.environ |= compiled_in(Path(name))
        return report("sandbox_speed", list(measure(Path(name))))


if __name__ == "__main__":
    raise SystemExit(main())
