"""The sandboxes of a kernel that ends are paused, where nobody else uses them, and restored."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient

pytestmark = pytest.mark.anyio

KEEP = (
    "import dataclasses\nfrom vibekit_jupyter import get_client\nclient = get_client()\n"
    "client.configure(dataclasses.replace(client.settings, on_exit='keep'))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with sandbox_server(tmp_path_factory.mktemp("ends")) as server:
        yield server


@pytest.fixture
def new_kernel(
    server: SandboxServer, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Kernel]:
    """Make kernels that use the server, which this test's own clients use, too."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return lambda **variables: Kernel(vibekit_home, {**server.environment, **variables})


# On other hosts: a minute is a fifth of a second here, and ten minutes are one.
QUICK = (
    "from vibekit_jupyter.sessions import processes\n"
    "processes.PERIOD, processes.PATIENCE = 0.2, 1.0"
)
MARK = "from vibekit_jupyter.services.process import own_mark\nprint(own_mark())"
GONE = (
    "import asyncio\nfrom vibekit_jupyter.sessions.registry import Registry\n"
    "while Registry().is_there({mark!r}):\n    await asyncio.sleep(0.1)"
)
RENEWED = (
    "import asyncio, time\nfrom vibekit_jupyter.sessions.registry import Registry\n"
    "registry, until = Registry(), time.time() + 2 * processes.PATIENCE\n"
    "while True:\n    assert registry.is_there({mark!r})\n"
    "    with registry.reading() as database:\n"
    "        seen = database.execute(\n"
    "            'SELECT seen FROM process WHERE mark = ?', ({mark!r},)).fetchone()['seen']\n"
    "    if seen > until:\n        break\n"
    "    await asyncio.sleep(0.1)"
)


def run(kernel: Kernel, *cells: str) -> str:
    for cell in cells:
        done = kernel.run(cell)
        assert done.status == "ok", done.error
    return done.text


async def state(name: str) -> str:
    """Return a session's state as the service tells it."""
    client = VibeKit(agent={"type": "codex"})
    try:
        session = await client.show(name)
    finally:
        await client.aclose()
    assert session is not None
    return session.state


@pytest.mark.parametrize("end", [Kernel.shut_down, Kernel.terminate], ids=["shut down", "SIGTERM"])
async def test_a_kernel_that_ends_pauses_what_it_used_and_the_next_one_goes_on(
    new_kernel: Callable[..., Kernel], end: Callable[[Kernel], None]
) -> None:
    with new_kernel() as kernel:
        run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session new one")
        run(kernel, "%%vibekit_run\nx = 41")
        run(kernel, "%vibekit_session new two", "%vibekit_session fork copy")
        end(kernel)
    for name in ("one", "two", "copy"):
        assert await state(name) == "paused"
    with new_kernel() as kernel:
        run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session restore one")
        assert "42" in run(kernel, "%%vibekit_run\nprint(x + 1)")
        assert await state("one") == "running"
        assert await state("two") == "paused"


async def test_a_kernel_that_is_terminated_in_the_middle_of_a_cell_pauses_too(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as kernel:
        run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session new busy")
        kernel.wait_for(
            kernel.begin("%%vibekit_run\nimport time\nprint('begun')\ntime.sleep(99)"), "begun"
        )
        kernel.terminate()
    assert await state("busy") == "paused"


async def test_a_kernel_keeps_its_sandboxes_where_that_is_set(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as kernel:
        run(kernel, "%load_ext vibekit_jupyter", KEEP, "%vibekit_session new kept")
    assert await state("kept") == "running"


async def test_a_session_is_paused_by_the_last_kernel_that_uses_it(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as other:
        with new_kernel() as kernel:
            run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session new shared")
            run(other, "%load_ext vibekit_jupyter", "%vibekit_session restore shared")
        assert await state("shared") == "running"
        assert "3" in run(other, "%%vibekit_run\nprint(1 + 2)")
    assert await state("shared") == "paused"


async def test_two_kernels_that_end_at_once_do_not_wait_for_each_other(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as one, new_kernel() as two:
        run(one, "%load_ext vibekit_jupyter", "%vibekit_session new both")
        run(two, "%load_ext vibekit_jupyter", "%vibekit_session restore both")
        pids = [int(run(kernel, "import os\nprint(os.getpid())")) for kernel in (one, two)]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        one.terminate()
        two.terminate()
    assert await state("both") == "paused"


async def test_a_kernel_that_was_killed_holds_up_no_pause(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as other:
        with new_kernel() as kernel:
            run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session new left")
            kernel.kill()
        assert await state("left") == "running"
        run(other, "%load_ext vibekit_jupyter", "%vibekit_session restore left")
    assert await state("left") == "paused"


async def test_a_kernel_that_was_killed_on_another_host_holds_up_no_pause_for_ever(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as other:
        run(other, QUICK, "%load_ext vibekit_jupyter")
        with new_kernel(VIBEKIT_HOST="elsewhere") as kernel:
            run(kernel, QUICK, "%load_ext vibekit_jupyter", "%vibekit_session new there")
            mark = run(kernel, MARK).strip()
            assert mark.startswith("elsewhere ")
            kernel.kill()
        run(other, "%vibekit_session restore there", GONE.format(mark=mark))
    assert await state("there") == "paused"


async def test_a_run_that_was_killed_on_another_host_is_told_as_cut_off(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel() as other:
        run(other, QUICK, "%load_ext vibekit_jupyter")
        with new_kernel(VIBEKIT_HOST="elsewhere") as kernel:
            run(kernel, QUICK, "%load_ext vibekit_jupyter", "%vibekit_session new cut")
            mark = run(kernel, MARK).strip()
            asked = "%%vibekit\n```bash\necho begun; sleep 99\n```"
            kernel.wait_for(kernel.begin(asked), "begun")
            kernel.kill()
        run(other, GONE.format(mark=mark))
        assert "cut off" in run(other, "%vibekit_session restore cut")


async def test_an_idle_kernel_on_another_host_keeps_its_session(
    new_kernel: Callable[..., Kernel],
) -> None:
    with new_kernel(VIBEKIT_HOST="elsewhere") as kernel:
        run(kernel, QUICK, "%load_ext vibekit_jupyter", "%vibekit_session new idle")
        mark = run(kernel, MARK).strip()
        with new_kernel() as other:
            run(other, QUICK, "%load_ext vibekit_jupyter", "%vibekit_session restore idle")
            run(other, RENEWED.format(mark=mark))
        assert await state("idle") == "running"
    assert await state("idle") == "paused"


async def test_a_session_of_somebody_else_is_left_alone(
    new_kernel: Callable[..., Kernel], new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = new_client(user="somebody-else")
    session = await other.new()
    with new_kernel() as kernel:
        run(kernel, "%load_ext vibekit_jupyter", f"%vibekit_session set {session.id}")
        run(kernel, "%%vibekit_run\nprint(1)")
    assert (await other.show()).state == "running"  # type: ignore[union-attr]  # there is one


async def test_a_silent_service_holds_up_no_kernels_end(
    new_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    with (
        sandbox_server(tmp_path / "silent") as server,
        Kernel(tmp_path / "home", server.environment) as kernel,
    ):
        run(kernel, "%load_ext vibekit_jupyter", "%vibekit_session new one")
        server.process.send_signal(signal.SIGSTOP)
        try:
            kernel.terminate()  # waits for 15 s, and a request has 30
        finally:
            server.process.send_signal(signal.SIGCONT)
