"""Files on their way down: found, streamed to a file without a name, and loaded when whole."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.places import HOME
from vibekit_jupyter.errors import DataError, SandboxUnreachableError, printable
from vibekit_jupyter.sandbox.clean_shell import clean_shell
from vibekit_jupyter.workbench.data.refusals import size_text, too_large
from vibekit_jupyter.workbench.data.unpacking import KNOWN, PICKLES, check_suffix, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.transfers import Stamp

__all__ = ["OUT", "Fetched", "Written", "fetch", "fetch_files", "outputs_before"]

OUT: Final = "out"
MOST_NAMED: Final = 10
TIMEOUT: Final = 20.0
MOST_ANSWERED: Final = 100_000
# The newest first; what is hidden, and what was sent, is not what an agent leaves.
FIND: Final = """
find "$HOME/." -mindepth 1 \\
  \\( -name '.*' -o -path "$HOME/./data" -o -path "$HOME/./out" \\) -prune \\
  -o -type f -name "$VIBEKIT_NAME.*" -printf '%T@ %s %P\\n' 2>/dev/null | sort -rn | head -n 20
"""


@dataclass(frozen=True)
class Fetched:
    """A file that has become a value.

    ``note`` is what the person should know of it.
    """

    name: str
    path: str
    what: str
    size: int
    seconds: float
    value: Any
    note: str

    def __str__(self) -> str:
        took = f"{self.seconds:.1f} s"
        return f"{self.name} ← {self.path}  {self.what}, {size_text(self.size)}, {took}"


@dataclass(frozen=True)
class Written:
    """A file of ``out``, as whoever wrote it says; the digest is empty for a large one."""

    file: str
    size: int
    digest: str


async def outputs_before(sandbox: Sandbox) -> Mapping[str, Stamp]:
    """Return what is in the folder of outputs, to tell later what is new."""
    return {stamp.name: stamp for stamp in await sandbox.stamps(f"{HOME}/{OUT}")}


async def fetch(
    sandbox: Sandbox,
    names: Sequence[str],
    *,
    before: Mapping[str, Stamp] | None = None,
    tell: Callable[[Fetched], None] = lambda _: None,
    who: str = "the agent",
) -> Mapping[str, Any]:
    """Return the variables that an agent left as files: all of them, or none.

    Parameters
    ----------
    before
        What was in ``out`` before it worked: what is as it was then is said to be.
    who
        Was to leave them.

    Raises
    ------
    DataError
        One did not come back, or cannot be loaded.
    """
    there = await outputs_before(sandbox)
    found = [await _find(sandbox, name, there, who) for name in names]
    values = {}
    for name, (path, size, stamp) in zip(names, found, strict=True):
        one = await _load(sandbox, name, path, size)
        if stamp is not None and before is not None and before.get(stamp.name) == stamp:
            note = f"{path} is as it was before this run."
            one = Fetched(**{**vars(one), "note": f"{note} {one.note}".strip()})
        values[name] = one.value
        tell(one)
    return values


async def fetch_files(
    sandbox: Sandbox, files: Mapping[str, Written], *, tell: Callable[[Fetched], None]
) -> Mapping[str, Any]:
    """Return the variables that were written to certain files of ``out``: all of them, or none.

    Raises
    ------
    DataError
        One is not there as it was written, is too large, or is not what its name says.
    """
    there = await outputs_before(sandbox)
    values = {}
    for name, told in files.items():
        path = f"{OUT}/{told.file}"
        check_suffix(told.file, path)
        if told.file not in there:
            raise DataError(f"{name!r} did not come back: {path} is not there any more.")
        if there[told.file].size != told.size:
            raise _replaced(name, path)
        one = await _load(sandbox, name, path, told.size, told.digest)
        values[name] = one.value
        tell(one)
    return values


def _replaced(name: str, path: str) -> DataError:
    return DataError(
        f"{name!r} did not come back: {path} was replaced on its way.", hint="Run the cell again."
    )


async def _find(
    sandbox: Sandbox, name: str, there: Mapping[str, Stamp], who: str
) -> tuple[str, int, Stamp | None]:
    """Return which file a variable is in: one of ``out``, else the newest of that name."""
    known = {*KNOWN, *PICKLES}
    stamps = [stamp for stamp in there.values() if stamp.is_file]
    named = [stamp for stamp in stamps if stamp.name.partition(".")[0] == name]
    fits = [stamp for stamp in named if _suffix(stamp.name) in known] or named
    if len(fits) > 1:
        both = " and ".join(sorted(f"{OUT}/{stamp.name[:60]}" for stamp in fits)[:4])
        raise DataError(
            f"{name!r} came back as {len(fits)} files: {both}.",
            hint="Have all but one removed or renamed, and fetch it again.",
        )
    if fits:
        path = f"{OUT}/{fits[0].name}"
        check_suffix(fits[0].name, path)
        return path, fits[0].size, fits[0]
    for path, size in await _elsewhere(sandbox, name):
        if _suffix(path) in known:
            check_suffix(path.rpartition("/")[2], path)
            return path, size, None
    names = sorted(stamp.name for stamp in stamps)
    listed = ", ".join(printable(each[:60]) for each in names[:MOST_NAMED]) or "nothing"
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    raise DataError(
        f"{name!r} did not come back: {who} left no file of that name. In out/: {listed}{more}."
    )


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


async def _elsewhere(sandbox: Sandbox, name: str) -> Sequence[tuple[str, int]]:
    """Return the files of this name in the home folder, the newest first."""
    command, envs = clean_shell(FIND, {"VIBEKIT_NAME": name})
    answer = await sandbox.run(command, envs=envs, timeout=TIMEOUT, keep=MOST_ANSWERED)
    found = []
    for line in answer.stdout.splitlines():
        _, size, path = [*line.split(" ", 2), "", ""][:3]
        is_named = path.rpartition("/")[2].partition(".")[0] == name
        if is_named and size.isdecimal() and path.isprintable() and len(size) < 19:
            found.append((path, int(size)))
    return found


async def _load(sandbox: Sandbox, name: str, path: str, size: int, digest: str = "") -> Fetched:
    """Stream a file to this machine, and load it when it is whole, and what it is said to be."""
    began = time.monotonic()
    came = hashlib.blake2b(digest_size=16)
    shown = path.rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="vibekit-") as folder:
        # What is loaded may be a map of it: it has no name any more then, and its disk stays.
        local = Path(folder) / "data"
        try:
            with local.open("wb") as file:

                def take(piece: bytes) -> None:
                    file.write(piece)
                    if digest:
                        came.update(piece)

                got = await sandbox.download(f"{HOME}/{path}", take, most=size + 1)
        except FileNotFoundError:
            raise DataError(f"{name!r} did not come back: {path} is not there any more.") from None
        except OSError as error:
            raise DataError(
                f"{shown!r} could not be brought to this machine: "
                f"{error.strerror or ' '.join(str(error).split())[:200]}.",
                hint="The variable stays as it was.",
            ) from error
        if got > size:
            raise too_large(repr(shown), got, "it was told to have", size)
        if got < size:
            raise SandboxUnreachableError(
                f"{shown!r} broke off after {size_text(got)} of {size_text(size)}.",
                hint="Fetch it again.",
                session_id=sandbox.id,
            )
        if digest and came.hexdigest() != digest:
            raise _replaced(name, path)
        value, what, note = await asyncio.to_thread(unpack, local, shown)
    return Fetched(name, path, what, size, time.monotonic() - began, value, note)
