"""Files that go up and down whole, by token and by signed URL; watchers."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2b import SandboxException

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.functional.local_sandbox.conftest import MakeSandbox
    from tests.support.sandbox_server import SandboxServer


def test_a_signed_url_reads_one_file_and_no_other(make: MakeSandbox) -> None:
    sandbox = make()
    sandbox.files.write("one.txt", "one")
    sandbox.files.write("two.txt", "two")
    url = sandbox.download_url("one.txt")
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"one"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with (
        pytest.raises(urllib.error.HTTPError) as raised,
        urllib.request.urlopen(url.replace("one.txt", "two.txt")),
    ):
        pass
    assert raised.value.code == 401
    raised.value.close()


def test_a_signed_url_writes_one_file(make: MakeSandbox) -> None:
    sandbox = make()
    request = urllib.request.Request(
        sandbox.upload_url("given.bin"),
        data=b"\x00\xff" * 10,
        headers={"Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)[0]["path"] == "/home/user/given.bin"
    assert sandbox.files.read("given.bin", format="bytes") == b"\x00\xff" * 10


def test_large_files_come_through_whole(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    data = os.urandom(5_000_000)
    choices: list[dict[str, Any]] = [{}, {"gzip": True}, {"use_octet_stream": True}]
    for options in choices:
        sandbox.files.write("large.bin", data, **options)
        assert sandbox.files.read("large.bin", format="bytes") == data


def test_an_upload_is_never_held_in_memory(server: SandboxServer, make: MakeSandbox) -> None:
    sandbox = make()
    data = bytes(200_000_000)

    def peak() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    sandbox.files.write("small.bin", data[:5_000_000])
    before = peak()
    for use_octet_stream in (False, True):
        sandbox.files.write("large.bin", data, use_octet_stream=use_octet_stream)
    assert sandbox.files.get_info("large.bin").size == len(data)
    assert peak() - before < 32_000_000


def test_a_file_that_opens_and_cannot_be_read_is_refused(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    # Some levels do not even let it be opened.
    with pytest.raises(SandboxException, match=r"cannot be read|Permission denied"):
        sandbox.files.read("/proc/self/mem")


def test_a_client_that_leaves_in_mid_upload_leaves_nothing_open(
    server: SandboxServer, make: MakeSandbox
) -> None:
    sandbox = make()
    sandbox.files.write("part.bin", b"")
    before = open_files(server)
    head = (
        f"POST /files?path=part.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n"
        f"Content-Type: application/octet-stream\r\nE2b-Sandbox-Id: {sandbox.sandbox_id}\r\n"
        f"X-Access-Token: {sandbox._envd_access_token}\r\n\r\n"
    )
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + b"x" * 10_000_000)
        wait_for(lambda: sandbox.files.get_info("part.bin").size > 0)
    wait_for(lambda: open_files(server) <= before)
    sandbox.files.write("part.bin", "whole")
    assert sandbox.files.read("part.bin") == "whole"


def open_files(server: SandboxServer) -> set[str]:
    """Return what a server has open besides its own."""
    links = Path(f"/proc/{server.process.pid}/fd").iterdir()
    names = set()
    for link in links:
        with contextlib.suppress(FileNotFoundError):
            names.add(os.readlink(link))
    return {name for name in names if name.startswith("/")}


def test_a_watcher_tells_what_happens_below(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    sandbox.files.make_dir("watched")
    handle = sandbox.files.watch_dir("watched", recursive=True)
    sandbox.commands.run(
        "mkdir -p watched/a/b && echo x > watched/a/b/c && mv watched/a/b/c watched/d"
    )
    seen: set[tuple[str, str]] = set()

    def told() -> bool:
        seen.update((event.name, event.type.value) for event in handle.get_new_events())
        return {("a", "create"), ("a/b", "create"), ("d", "create")} <= seen

    wait_for(told)
    handle.stop()


Part = tuple[str, int, str | None, bytes]


@pytest.mark.parametrize(
    "part",
    [
        ("bytes=0-3", 206, "bytes 0-3/10", b"0123"),
        ("bytes=4-", 206, "bytes 4-9/10", b"456789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=8-100", 206, "bytes 8-9/10", b"89"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=0-1,3-4", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
        ("bytes=5-2", 200, None, b"0123456789"),
        ("bytes=" + "9" * 5000 + "-", 200, None, b"0123456789"),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_part_of_a_file_can_be_asked_for(make: MakeSandbox, encoding: str, part: Part) -> None:
    asked, status, told, body = part
    sandbox = make()
    sandbox.files.write("digits", "0123456789")
    request = urllib.request.Request(
        sandbox.download_url("digits"), headers={"Range": asked, "Accept-Encoding": encoding}
    )
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        data = answer.read()
        if answer.headers["Content-Encoding"] == "gzip":
            data = gzip.decompress(data)
        assert (answer.status, answer.headers["Content-Range"], data) == (status, told, body)
        assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_name_that_is_not_utf_8_fails_no_listing(make_at_level: MakeSandbox) -> None:
    sandbox = make_at_level()
    sandbox.files.make_dir("odd")
    handle = sandbox.files.watch_dir("odd")
    sandbox.commands.run(
        "cd odd && touch $'caf\\xe9' plain $'\\xf0\\x9f\\x8e\\x88' && ln -s $'\\xff' link"
    )
    names = {entry.name for entry in sandbox.files.list("odd")}
    assert names == {"caf\ufffd", "plain", "\U0001f388", "link"}
    seen: set[str] = set()

    def told() -> bool:
        seen.update(event.name for event in handle.get_new_events())
        return names <= seen

    wait_for(told)
    sandbox.files.remove("odd")


def test_no_path_is_too_deep_for_a_sandbox_to_live(make_at_level: MakeSandbox) -> None:
    from e2b import SandboxException

    sandbox = make_at_level(timeout=600)
    supervisor = sandbox.commands.run("echo $PPID").stdout
    deep = "d/" * 1_500
    sandbox.files.write(f"{deep}file.txt", "deep")
    assert sandbox.files.read(f"{deep}file.txt") == "deep"
    watched = sandbox.files.watch_dir("d", recursive=True)
    assert len(sandbox.files.list("d", depth=10_000)) == 1_500
    sandbox.files.make_dir(f"{deep}more")
    sandbox.files.rename("d", "moved")
    watched.stop()
    sandbox.files.remove("moved")
    assert not sandbox.files.exists("moved")
    for act in (sandbox.files.make_dir, sandbox.files.list, sandbox.files.read):
        with pytest.raises(SandboxException):
            act("d/" * 3_000)
    assert sandbox.files.list(".") == []
    assert sandbox.commands.run("echo $PPID").stdout == supervisor


def test_a_deep_folder_is_moved_to_another_file_system(make: MakeSandbox) -> None:
    sandbox = make()
    sandbox.files.write(f"{'d/' * 1_500}file.txt", "deep")
    sandbox.files.rename("d", "/tmp/moved")
    assert not sandbox.files.exists("d")
    assert sandbox.files.read(f"/tmp/moved/{'d/' * 1_499}file.txt") == "deep"
    sandbox.files.remove("/tmp/moved")
