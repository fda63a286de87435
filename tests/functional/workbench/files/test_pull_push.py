"""Files come out of a sandbox and go in, whole or not at all, on every service."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path  # noqa: TC003 - pytest reads the fixtures' annotations
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import ConfigurationError, FilesError, SessionNotFoundError
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.workbench.files import plan, push

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.workbench.files.outcome import Progress

pytestmark = pytest.mark.anyio

# What transfers keep in a sandbox's /tmp while they last. What is mounted shows there, too.
OF_TRANSFERS = "find /tmp -maxdepth 1 -type f -name 'vibekit-*'"


@pytest.fixture
async def client(new_client: NewClient, service: str) -> AsyncIterator[VibeKit]:
    """A client with a session of its own, on this machine's service and on another one."""
    client = new_client()
    await client.new()
    yield client
    await client.kill()


@pytest.fixture
async def local_client(new_client: NewClient) -> AsyncIterator[VibeKit]:
    """A client on this machine's service."""
    client = new_client()
    await client.new()
    yield client
    await client.kill()


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return all that is in a folder; folders are None."""
    return {
        str(each.relative_to(folder)): None if each.is_dir() else each.read_bytes()
        for each in sorted(folder.rglob("*"))
    }


FILES = """
mkdir -p out/deep/empty out/.cache
printf 1,2 > out/a.csv; printf 3,4 > out/b.csv; printf t > out/deep/notes.txt
printf h > out/.cache/h; printf n > 'out/a file $(x) ;.txt'; printf d > ./-rf
"""


async def test_a_folder_comes_with_all_that_is_in_it(client: VibeKit, here: Path) -> None:
    await client.execute_command(FILES)
    await client.pull("out", "./-rf")
    assert tree(here) == {
        "-rf": b"d",
        "out": None,
        "out/.cache": None,
        "out/.cache/h": b"h",
        "out/a file $(x) ;.txt": b"n",
        "out/a.csv": b"1,2",
        "out/b.csv": b"3,4",
        "out/deep": None,
        "out/deep/empty": None,
        "out/deep/notes.txt": b"t",
    }


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["out/a.csv"], ["a.csv"]),
        (["/home/user/out/a.csv"], ["a.csv"]),
        (["~/out/a.csv"], ["a.csv"]),
        (["out/*.csv"], ["a.csv", "b.csv"]),
        (["**/*.txt"], ["out", "out/a file $(x) ;.txt", "out/deep", "out/deep/notes.txt"]),
        (["out/*/notes.txt"], ["deep", "deep/notes.txt"]),
        (["out/[b-z].csv", "out/?.csv"], ["a.csv", "b.csv"]),
        (["out/.*"], [".cache", ".cache/h"]),
    ],
    ids=str,
)
async def test_patterns_choose(
    local_client: VibeKit, here: Path, words: list[str], names: list[str]
) -> None:
    await local_client.execute_command(FILES)
    await local_client.pull(*words)
    assert sorted(tree(here)) == names


async def test_many_files_arrive_as_they_are_both_ways(client: VibeKit, here: Path) -> None:
    made = {f"many/{n % 7}/{n}": os.urandom(n) for n in range(300)}
    for name, data in made.items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (here / "many/empty").mkdir()
    pushed = await client.push("many", to="there")
    assert (len(pushed.paths), pushed.left_out) == (300, [])
    pulled = await client.pull("there/many", to="back")
    assert len(pulled.paths) == 300
    assert tree(here / "back/many") == tree(here / "many")
    again = await client.pull("there/many", to="back")
    assert (again.unchanged, again.size) == (300, 0)
    left = await client.execute_command(f"{OF_TRANSFERS}; find . -name '.vibekit*'")
    assert left.stdout == ""


async def test_without_python_files_come_and_go_all_the_same(
    client: VibeKit, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.execute_command(FILES)
    # As in a sandbox that has none: nothing is found where programs are installed.
    monkeypatch.setattr("vibekit_jupyter.sandbox.clean_python.PYTHON", "exit 127")
    await client.pull("out", "**/*.txt", "./-rf", to="got")
    assert tree(here / "got")["out/deep/notes.txt"] == b"t"
    assert tree(here / "got")["out/.cache/h"] == b"h"
    await client.push("got", to="back")
    await client.pull("back/got", to="again")
    assert tree(here / "again/got") == tree(here / "got")


async def test_a_changed_file_here_is_not_written_over(local_client: VibeKit, here: Path) -> None:
    await local_client.execute_command("echo one > a; echo uno > b")
    await local_client.pull("*")
    await local_client.execute_command("echo two > a; echo due > b")
    (here / "b").write_text("mine")
    with pytest.raises(FilesError, match="b may have been changed here"):
        await local_client.pull("*")
    assert (here / "a").read_text() == "one\n"  # nothing at all was written
    await local_client.pull("a")  # what an earlier pull wrote is nobody's work
    assert (here / "a").read_text() == "two\n"
    await local_client.pull("*", force=True)
    assert (here / "b").read_text() == "due\n"


async def test_two_files_of_one_name_are_refused_before_anything_is_written(
    local_client: VibeKit, here: Path
) -> None:
    await local_client.execute_command("mkdir a b; echo 1 > a/x; echo 2 > b/x")
    with pytest.raises(FilesError, match="would both be 'x'"):
        await local_client.pull("a/x", "b/x")
    assert tree(here) == {}


@pytest.mark.parametrize("word", ["nothing", "no/such/*", "*.parquet", "../../etc/no-such"])
async def test_what_is_not_there_is_named(local_client: VibeKit, here: Path, word: str) -> None:
    with pytest.raises(FilesError, match=r"There is no .* in the sandbox"):
        await local_client.pull(word)
    with pytest.raises(FilesError, match=r"There is no .* here"):
        await local_client.push(word)
    assert tree(here) == {}


@pytest.mark.parametrize("word", ["", "a\0b", "x" * 2000, "\ud800"])
async def test_what_cannot_be_a_path_is_refused(local_client: VibeKit, word: str) -> None:
    with pytest.raises(FilesError, match="cannot be the path"):
        await local_client.pull(word)
    with pytest.raises(FilesError, match="cannot be the path"):
        await local_client.push("x", to=word or "\0")


async def test_without_a_session_there_is_nothing_to_pull(new_client: NewClient) -> None:
    with pytest.raises(FilesError, match="no current session"):
        await new_client().pull("x")
    with pytest.raises((SessionNotFoundError, ConfigurationError)):
        await new_client().pull("x", session="no-such-session")


async def test_links_here_are_left_out_of_a_push(local_client: VibeKit, here: Path) -> None:
    (here / "secret").write_text("s")
    (here / "data").mkdir()
    (here / "data/link").symlink_to(here / "secret")
    (here / "data/folder").symlink_to("/etc")
    (here / "named").symlink_to(here / "secret")
    with pytest.raises(FilesError, match="There is no"):
        await local_client.push("dat*/folder/host*")  # behind a link
    done = await local_client.push("data", "named", to="d")
    found = await local_client.execute_command("find d -type f -o -type l")
    assert found.stdout.split() == ["d/named"]  # a person names it as it stands
    assert {each.reason for each in done.left_out} == {"it is a link"}


async def test_a_large_file_is_gone_on_with(
    client: VibeKit, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "LARGE", 2 * plan.SMALL)
    monkeypatch.setattr("vibekit_jupyter.workbench.files.pull.LARGE", 2 * plan.SMALL)
    monkeypatch.setattr(push, "LARGE", 2 * plan.SMALL)
    data = os.urandom(5 * plan.SMALL + 12345)
    (here / "big").write_bytes(data)

    async def cut(
        work: Callable[[Callable[[Progress], None]], Awaitable[object]], after: int
    ) -> int:
        """Interrupt a transfer, and return how far it was."""
        sizes: list[int] = []
        loop, enough = asyncio.get_running_loop(), asyncio.Event()

        def tell(progress: Progress) -> None:
            sizes.append(progress.size)
            if progress.size > after:
                loop.call_soon_threadsafe(enough.set)

        task = asyncio.ensure_future(work(tell))
        waiting = asyncio.ensure_future(enough.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        return sizes[0]

    await cut(lambda tell: client.push("big", to="in", on_progress=tell), 3 * plan.SMALL)
    assert (await client.execute_command("ls in")).stdout == ""
    began: list[int] = []
    await client.push("big", to="in", on_progress=lambda now: began.append(now.size))
    assert began[1] >= 2 * plan.SMALL
    assert (await client.execute_command("ls -A in")).stdout == "big\n"

    await cut(lambda tell: client.pull("in/big", to="out", on_progress=tell), 2 * plan.SMALL)
    assert not (here / "out/big").exists()
    (part,) = (here / "out").iterdir()
    before = part.stat().st_size
    began.clear()
    await client.pull("in/big", to="out", on_progress=lambda now: began.append(now.size))
    assert min(size for size in began if size) >= before > 0
    assert tree(here / "out") == {"big": data}


async def test_a_part_is_gone_on_with_where_the_service_knows_no_ranges(
    local_client: VibeKit, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await local_client.execute_command("head -c 3000000 /dev/urandom > f; sha256sum < f > sum")

    async def knows_none(*_: object) -> None:
        return None

    monkeypatch.setattr(Sandbox, "_read_from", knows_none)
    session = await local_client.get_session()
    assert session is not None
    sandbox = await local_client._workspace.connect(session)
    got = bytearray()
    await sandbox.download("/home/user/f", got.extend, start=1_000_001, most=9_000_000)
    assert bytes(got) == (await sandbox.read_file("/home/user/f"))[1_000_001:]
    assert (await local_client.execute_command(OF_TRANSFERS)).stdout == ""


async def test_a_file_that_grows_comes_as_it_was(local_client: VibeKit, here: Path) -> None:
    grow = "while :; do head -c 100000 /dev/zero >> log; done"
    await local_client.execute_command("head -c 6000000 /dev/zero > log")
    growing = asyncio.ensure_future(local_client.execute_command(grow, timeout=60))
    try:
        pulled = await asyncio.wait_for(local_client.pull("log"), 60)
    finally:
        growing.cancel()
        await asyncio.wait([growing])
    assert len(pulled.paths) == 1
    assert (here / "log").stat().st_size == pulled.size >= 6_000_000


async def test_an_interrupt_leaves_no_half_file(local_client: VibeKit, here: Path) -> None:
    for number in range(200):
        (here / f"in-{number}").write_bytes(bytes(100_000))
    await local_client.push("in-*", to="in")
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(progress: Progress) -> None:
        if progress.files:
            loop.call_soon_threadsafe(reached.set)

    pulling = asyncio.ensure_future(local_client.pull("in", to="out", on_progress=tell))
    await reached.wait()
    pulling.cancel()
    await asyncio.wait([pulling])
    assert all(len(data or b"") == 100_000 for name, data in tree(here / "out").items() if data)
    assert not [name for name in tree(here / "out") if ".vibekit" in name]
    assert (await local_client.execute_command(OF_TRANSFERS)).stdout == ""
    pulled = await local_client.pull("in", to="out")
    assert len(pulled.paths) == 200


async def test_removed_files_are_gone_and_the_home_stays(local_client: VibeKit) -> None:
    await local_client.execute_command(FILES)
    paths = await local_client.matching_files("out/*.csv", "./-rf", "out/deep")
    assert paths == [f"/home/user/{name}" for name in ("-rf", "out/a.csv", "out/b.csv", "out/deep")]
    await local_client.remove_files(*paths)
    assert (await local_client.execute_command("ls out")).stdout == "a file $(x) ;.txt\n"
    for word in (".", "/", "/home", "~"):
        with pytest.raises(FilesError, match="is not removed"):
            await local_client.remove_files(word)


async def test_hostile_names_are_left_out_and_said(local_client: VibeKit, here: Path) -> None:
    names = ["a\nb", "c\rd", "\x1b[31mred", "e\x85f"]
    make = "; ".join(f"printf x > {shlex.quote(name)}" for name in names)
    await local_client.execute_command(
        f"mkdir h; cd h; {make}; printf y > $'bad\\xff'; echo z > ok"
    )
    done = await local_client.pull("h")
    assert tree(here) == {"h": None, "h/ok": b"z\n"}
    reasons = sorted(each.reason for each in done.left_out)
    assert reasons == [*["its name holds control characters"] * 4, "their names are no text"]
    (here / "h" / "new\nline").write_text("x")
    back = await local_client.push("h", to="back")
    assert [each.reason for each in back.left_out] == ["its name holds control characters"]
