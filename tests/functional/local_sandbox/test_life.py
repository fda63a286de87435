"""Lives of sandboxes: time, pause, resume, fork, snapshots, restarts of the server."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.functional.local_sandbox.test_commands import count
from tests.support.sandbox_server import SandboxServer, sandbox_server
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.local_sandbox.conftest import MakeSandbox


def test_a_pause_keeps_processes_and_their_memory(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level(timeout=600)
    sandbox.commands.run("sleep 777.7", background=True, timeout=0)
    assert sandbox.pause()
    assert not sandbox.pause()
    assert not sandbox.is_running()
    sandbox.connect()
    assert count(sandbox, "777[.]") == 1


def test_a_command_cut_by_a_pause_is_told_of_the_pause(make_at_level: MakeSandbox) -> None:
    from e2b import SandboxException, TimeoutException

    sandbox = make_at_level(timeout=600)
    running = sandbox.commands.run("sleep 776.6", background=True, timeout=0)
    sandbox.pause()
    with pytest.raises((SandboxException, TimeoutException), match="not found: it was paused"):
        running.wait()
    with pytest.raises((SandboxException, TimeoutException), match="not found: it is paused"):
        sandbox.commands.run("true")
    sandbox.connect()
    assert count(sandbox, "776[.]") == 1


def test_a_pause_of_files_alone_ends_the_processes(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    sandbox.files.write("kept.txt", "kept")
    sandbox.commands.run("sleep 778.8", background=True, timeout=0)
    assert sandbox.pause(keep_memory=False)
    sandbox.connect()
    assert sandbox.files.read("kept.txt") == "kept"
    assert count(sandbox, "778[.]") == 0


def test_traffic_wakes_a_sandbox_that_wants_it(make: MakeSandbox) -> None:
    sandbox = make(timeout=600, lifecycle={"on_timeout": "pause", "auto_resume": True})
    sandbox.pause()
    assert sandbox.commands.run("echo awake").stdout == "awake\n"


def test_time_that_runs_out_pauses_or_kills(make: MakeSandbox) -> None:
    from e2b import SandboxNotFoundException

    pausing = make(lifecycle={"on_timeout": "pause"})
    dying = make()
    for sandbox in (pausing, dying):
        sandbox.set_timeout(0)
        wait_for(lambda sandbox=sandbox: not sandbox.is_running())  # type: ignore[misc]  # bound now
    assert pausing.get_info().state.value == "paused"
    with pytest.raises(SandboxNotFoundException):
        dying.get_info()


def test_connect_lengthens_and_never_shortens(make: MakeSandbox) -> None:
    sandbox = make(timeout=600)
    before = sandbox.get_info().end_at
    sandbox.connect(timeout=5)
    assert sandbox.get_info().end_at == before
    sandbox.connect(timeout=1200)
    assert sandbox.get_info().end_at > before


def test_a_fork_has_the_files_and_a_life_of_its_own(make_at_level: MakeSandbox) -> None:
    from e2b import Sandbox

    sandbox = make_at_level(metadata={"name": "first"})
    sandbox.files.write("deep/er/file.txt", "before")
    sandbox.commands.run("ln -s deep link && chmod 700 deep")
    (fork,) = sandbox.fork()
    assert isinstance(fork, Sandbox)
    try:
        fork.files.write("deep/er/file.txt", "after")
        assert sandbox.files.read("deep/er/file.txt") == "before"
        assert fork.commands.run("readlink link; stat -c %a deep").stdout == "deep\n700\n"
        assert fork.get_info().metadata["name"] == "first"
    finally:
        fork.kill()


def test_a_snapshot_is_a_template_with_the_files(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    sandbox.files.write("deep/er/file.txt", "before", metadata={"colour": "blue"})
    sandbox.commands.run("ln -s deep link && chmod 700 deep && ln deep/er/file.txt again")
    snapshot = sandbox.create_snapshot()
    sandbox.files.write("deep/er/file.txt", "after")
    copy = make_at_level(snapshot.snapshot_id)
    assert copy.files.read("deep/er/file.txt") == "before"
    assert copy.files.get_info("deep/er/file.txt").metadata == {"colour": "blue"}
    shown = copy.commands.run("readlink link; stat -c %a deep; stat -c %h again; touch new").stdout
    assert shown == "deep\n700\n2\n"


def test_a_snapshot_of_an_earlier_version_still_opens(tmp_path: Path) -> None:
    from e2b import Sandbox

    folder = tmp_path / "root" / "snapshots" / "old"
    for name in ("home", "tmp", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "home" / "kept.txt").write_text("kept")
    (folder / "record.json").write_text('{"id": "old", "sandbox": "gone"}')
    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create("old", timeout=600, **server.where)
        assert sandbox.files.read("kept.txt") == "kept"
        sandbox.files.write("kept.txt", "changed")
    assert (folder / "home" / "kept.txt").read_text() == "kept"


def test_the_level_is_in_the_info_and_a_list_has_what_was_given(
    make: MakeSandbox, server: SandboxServer
) -> None:
    from e2b import Sandbox

    sandbox = make(metadata={"name": "given"})
    metadata = sandbox.get_info().metadata
    assert metadata.pop("vibekit_confinement") in {"bubblewrap", "landlock", "none"}
    listed = Sandbox.list(**server.where).next_items()
    assert {info.sandbox_id: info.metadata for info in listed}[sandbox.sandbox_id] == metadata


def test_a_killed_server_loses_processes_and_no_file(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, metadata={"name": "survivor"}, **server.where)
        sandbox.files.write("kept.txt", "kept")
        sandbox.commands.run("sleep 779.9", background=True, timeout=0)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with sandbox_server(tmp_path) as server:
        info = Sandbox.get_info(sandbox.sandbox_id, **server.where)
        assert info.state.value == "paused"
        assert info.metadata["name"] == "survivor"
        assert info.metadata["vibekit_processes_lost"] == "true"
        again = Sandbox.connect(sandbox.sandbox_id, **server.where)
        assert again.files.read("kept.txt") == "kept"
        assert count(again, "779[.]") == 0
        again.kill()


def test_a_stopped_server_keeps_sandboxes_paused(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
        sandbox.files.write("kept.txt", "kept")
    assert not (tmp_path / "server.json").exists()
    with sandbox_server(tmp_path) as server:
        info = Sandbox.get_info(sandbox.sandbox_id, **server.where)
        assert info.state.value == "paused"
        assert "vibekit_processes_lost" not in info.metadata
        again = Sandbox.connect(sandbox.sandbox_id, **server.where)
        assert again.files.read("kept.txt") == "kept"


def test_a_killed_server_says_what_a_paused_sandbox_lost(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
        sandbox.pause()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with sandbox_server(tmp_path) as server:
        info = Sandbox.get_info(sandbox.sandbox_id, **server.where)
        assert info.state.value == "paused"
        assert info.metadata["vibekit_processes_lost"] == "true"


def test_a_sandbox_that_cannot_be_removed_is_still_there(tmp_path: Path) -> None:
    from e2b import Sandbox, SandboxException

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
        trash = tmp_path / "root" / "trash"
        wait_for(lambda: not any(trash.iterdir()), 30)  # what the server tried at its start
        trash.rmdir()
        trash.write_text("")
        record = tmp_path / "root" / "sandboxes" / sandbox.sandbox_id / "record.json"
        record.unlink()
        record.mkdir()
        with pytest.raises(SandboxException, match="cannot be removed"):
            sandbox.kill()
        (listed,) = Sandbox.list(**server.where).next_items()
        assert listed.sandbox_id == sandbox.sandbox_id
        record.rmdir()
        assert sandbox.kill()
        assert not sandbox.is_running()
        assert not record.parent.exists()


def test_a_half_written_record_is_neither_truth_nor_removed(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
    record = tmp_path / "root" / "sandboxes" / sandbox.sandbox_id / "record.json"
    record.write_text(record.read_text()[:40])
    with sandbox_server(tmp_path) as server:
        found = Sandbox.list(**server.where).next_items()
        assert found == []
    assert record.exists()


def test_a_full_disk_refuses_new_sandboxes_and_deletes_none(tmp_path: Path) -> None:
    from e2b import Sandbox, SandboxException

    with sandbox_server(tmp_path, "--disk-mib", "1") as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
        sandbox.files.write("large.bin", b"x" * 3_000_000)

    with sandbox_server(tmp_path, "--disk-mib", "1") as server:
        with pytest.raises(SandboxException, match="prune paused ones"):
            Sandbox.create(**server.where)
        again = Sandbox.connect(sandbox.sandbox_id, **server.where)
        assert len(again.files.read("large.bin", format="bytes")) == 3_000_000


def test_many_lives_leave_nothing_behind(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        pid = server.process.pid

        def descriptors() -> int:
            from pathlib import Path

            return len(list(Path(f"/proc/{pid}/fd").iterdir()))

        Sandbox.create(**server.where).kill()
        before = descriptors()
        for _life in range(30):
            sandbox = Sandbox.create(**server.where)
            sandbox.commands.run("true")
            sandbox.kill()
        wait_for(lambda: descriptors() <= before + 1)
        assert not list((tmp_path / "root" / "sandboxes").iterdir())
        wait_for(lambda: not list((tmp_path / "root" / "trash").iterdir()))
        wait_for(lambda: len(_tree(pid)) <= 2)


def _tree(pid: int) -> list[int]:
    from pathlib import Path

    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in _tree(int(child)))]


def test_two_servers_never_share_a_root(tmp_path: Path) -> None:
    import subprocess
    import sys

    with sandbox_server(tmp_path) as server:
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "vibekit_jupyter.local_sandbox",
                "serve",
                "--root",
                str(tmp_path / "root"),
                "--state-file",
                str(tmp_path / "other.json"),
                "--ready-fd",
                "1",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode != 0
        assert f"pid {server.process.pid}" in json.loads(second.stdout)["error"]
        assert not (tmp_path / "other.json").exists()


def test_whoever_ends_holds_up_nobody_who_begins(make_at_level: MakeSandbox) -> None:
    def one_after_another() -> float:
        ending = make_at_level()
        begun = time.monotonic()
        assert ending.kill()
        make_at_level()
        return time.monotonic() - begun

    assert min(one_after_another() for _attempt in range(3)) < 1
