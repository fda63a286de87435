"""Four kernels on one registry are killed in mid-run: what they confirmed is there."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from tests.support.kernel import Kernel
from vibekit_jupyter.sessions.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KERNELS = 4


def test_what_killed_kernels_confirmed_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("VIBEKIT_HOME", str(home))
    with ExitStack() as stack:
        kernels = [stack.enter_context(Kernel(home)) for _ in range(KERNELS)]
        for number, kernel in enumerate(kernels):
            assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
            assert kernel.run(f"%vibekit_session new killed-{number}").status == "ok"
            assert kernel.run(f"%%vibekit\nprint({number})").status == "ok"
        for kernel in kernels:
            message = kernel.begin("%%vibekit\n```bash\necho begun; sleep 60\n```")
            kernel.wait_for(message, "begun")
        for kernel in kernels:
            kernel.kill()

        with closing(Registry()) as registry:
            sessions = {session.name: session for session in registry.sessions()}
            for number in range(KERNELS):
                session = sessions[f"killed-{number}"]
                done, cut_off = registry.turns(session.service_id, session.id)
                assert (done.prompt, done.status) == (f"print({number})", "done")
                assert cut_off.status == "running"
        with closing(sqlite3.connect(registry.path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        # Nobody owns those runs any more: they hold up nothing.
        with Kernel(home) as kernel:
            kernel.run("%load_ext vibekit_jupyter")
            for number in range(KERNELS):
                assert kernel.run(f"%vibekit_session kill killed-{number}").status == "ok"
