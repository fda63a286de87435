"""Files out of a sandbox: small ones together, large ones alone, none half under its name."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import FilesError, SandboxError
from vibekit_jupyter.sandbox.transfers import in_thread
from vibekit_jupyter.workbench.files.at_once import at_once
from vibekit_jupyter.workbench.files.in_sandbox import (
    MOST_FILES,
    NoPythonError,
    ask_script,
    listing,
)
from vibekit_jupyter.workbench.files.names import wanted
from vibekit_jupyter.workbench.files.outcome import LeftOut, Progress, Transfer
from vibekit_jupyter.workbench.files.plan import LARGE, SMALL, Item, batches, check_room, planned
from vibekit_jupyter.workbench.files.tar import BadArchiveError, Reader
from vibekit_jupyter.workbench.files.target import Target

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.workbench.files.in_sandbox import Listing
    from vibekit_jupyter.workbench.files.names import Wanted
    from vibekit_jupyter.workbench.files.outcome import Tell
    from vibekit_jupyter.workbench.files.target import Part, State

__all__ = ["Pull", "nothing_found"]

FROM_HERE: Final = "/tmp"  # noqa: S108  (the sandbox's)
NAMED: Final = 3
CLOCK: Final = 10_000  # nanoseconds that two ways to tell a time may differ by
FEW: Final = 4  # files that are not worth an archive


class Pull:
    """One pull.

    Parameters
    ----------
    sandbox
        Where the files are.
    written
        What earlier pulls wrote, by path: what still stands so may be written over.
    tell
        Called as it goes on.
    """

    def __init__(self, sandbox: Sandbox, written: dict[str, State], tell: Tell) -> None:
        self._sandbox = sandbox
        self._written = written
        self._tell = tell
        self._progress = [0, 0, 0, 0]
        self._left: list[LeftOut] = []

    async def go(
        self, words: Sequence[str], to: str | os.PathLike[str], *, force: bool
    ) -> Transfer:
        """Bring what the words mean."""
        began = time.monotonic()
        meant = [wanted(word) for word in words]
        found = await listing(self._sandbox, meant)
        _check_found(found, meant)
        with Target(to) as self._target:
            items = [
                Item(each.path, each.name, each.kind, each.size, each.changed)
                for each in found.found
            ]
            blind = await in_thread(self._target.is_case_blind)
            items, self._left = planned(items, case_blind=blind)
            if found.nameless:
                self._left.append(LeftOut(f"{found.nameless} more", "their names are no text"))
            files = [item for item in items if item.kind == "file"]
            missing = await in_thread(self._missing, files, force)
            check_room(missing, self._target.free)
            await in_thread(self._make_folders, items)
            self._progress[1::2] = [len(missing), sum(item.size for item in missing)]
            try:
                await self._bring(missing)
            except SandboxError as error:
                done = f"{self._progress[0]:,} of {len(missing):,} files are here"
                error.hint = f"{done}: ask again, and it goes on from there."
                raise
            left = {each.path for each in self._left}
            paths = [str(self._target.path.joinpath(*f.parts)) for f in files if f.path not in left]
        return Transfer(
            paths,
            str(self._target.path),
            size=self._progress[2],
            unchanged=len(files) - len(missing),
            left_out=self._left,
            duration=time.monotonic() - began,
        )

    def _make_folders(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.kind == "folder":
                self._target.make_folder(item.parts)

    def _missing(self, files: Sequence[Item], force: bool) -> list[Item]:  # noqa: FBT001  (for a thread)
        """Return those that are not here as they are.

        Raises
        ------
        FilesError
            Some are here otherwise, and nobody knows that nothing of a person's is in them.
        """
        missing, changed = [], []
        for item in files:
            here = self._target.state(item.parts)
            known = self._written.get(self._here(item))
            if here is None or force:
                missing.append(item)
            elif here.size == item.size and abs(here.changed - item.changed) < CLOCK:
                continue
            else:
                missing.append(item)
                if here != known:
                    changed.append(item.name)
        if changed:
            names = ", ".join(changed[:NAMED])
            more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
            raise FilesError(
                f"Nothing was written: {names}{more} may have been changed here since.",
                hint="--force writes over it; --to gives another folder.",
            )
        return missing

    def _here(self, item: Item) -> str:
        return str(self._target.path.joinpath(*item.parts))

    async def _bring(self, files: Sequence[Item]) -> None:
        small = [item for item in files if item.size <= SMALL]
        self._say()
        for batch in batches(small):
            await self._together(batch)
        for item in files:
            if item.size > SMALL:
                await self._alone(item)

    async def _together(self, batch: list[Item]) -> None:
        if len(batch) <= FEW:
            await self._each(batch)
            return
        name = f"{FROM_HERE}/vibekit-{uuid.uuid4().hex}"
        asked = {"do": "pack", "list": f"{name}.json", "tar": f"{name}.tar"}
        try:
            missed = await self._packed(asked, batch)
            if missed is None:
                await self._each(batch)
                return
            self._left += [LeftOut(batch[index].path, "it could not be read") for index in missed]
            await self._unpack(asked["tar"], batch)
        finally:
            await asyncio.shield(self._discard(asked["list"], asked["tar"]))

    async def _packed(self, asked: Mapping[str, str], batch: list[Item]) -> list[int] | None:
        """Have files packed; return which could not be, or None where that cannot be done."""
        files = json.dumps([(item.path, item.size) for item in batch])
        try:
            await self._sandbox.write_file(asked["list"], files.encode())
            answer = await ask_script(self._sandbox, asked)
        except (NoPythonError, OSError):  # its disk may be full
            return None
        if not isinstance(answer, dict) or "missed" not in answer:
            return None
        missed = answer["missed"]
        if not isinstance(missed, list) or not {*missed} <= {*range(len(batch))}:
            raise FilesError("The sandbox did not say which files it packed.")
        return missed

    async def _discard(self, *paths: str) -> None:
        await asyncio.gather(*map(self._sandbox.discard, paths))

    async def _unpack(self, path: str, batch: list[Item]) -> None:
        def take(number: int, data: bytes) -> None:
            item = batch[number]
            self._note(item, self._target.write(item.parts, data, item.changed), len(data))

        reader = Reader([item.size for item in batch], take)
        most = sum(item.size + 1024 for item in batch) + 1024
        try:
            await self._sandbox.download(path, reader.feed, most=most)
            reader.close()
        except BadArchiveError as error:
            raise FilesError(
                f"The archive of the files could not be read: {error}.",
                hint="Ask again: what is here is not sent again.",
            ) from error

    async def _each(self, batch: Sequence[Item]) -> None:
        """Bring files with a request each."""
        await at_once(self._one, batch)

    async def _one(self, item: Item) -> None:
        data = bytearray()
        try:
            await self._sandbox.download(item.path, data.extend, most=item.size)
        except OSError as error:
            self._left.append(LeftOut(item.path, _why(error, item)))
            return
        if len(data) < item.size:
            self._left.append(LeftOut(item.path, SHRANK))
            return
        state = await in_thread(self._target.write, item.parts, bytes(data), item.changed)
        self._note(item, state, len(data))

    async def _alone(self, item: Item) -> None:
        """Bring one file in a stream; a large one can be gone on with."""
        key = _mark(self._sandbox.service.id, self._sandbox.id, item.path)
        version = _mark(str(item.size), str(item.changed))
        with contextlib.closing(
            self._target.part(item.parts, key, version, keep=item.size > LARGE)
        ) as part:
            if part.size > item.size:
                part.begin_anew()
            self._progress[2] += part.size
            try:
                if part.size < item.size:
                    await self._stream(item, part)
            except OSError as error:
                self._left.append(LeftOut(item.path, _why(error, item)))
                return
            if part.size < item.size:
                part.begin_anew()
                self._left.append(LeftOut(item.path, SHRANK))
                return
            state = await in_thread(part.finish, item.changed)
        self._note(item, state, 0)

    async def _stream(self, item: Item, part: Part) -> None:
        def take(data: bytes) -> None:
            part.take(data)
            self._progress[2] += len(data)
            self._say()

        left = item.size - part.size
        await self._sandbox.download(item.path, take, start=part.size, most=left)

    def _note(self, item: Item, state: State, size: int) -> None:
        self._written[self._here(item)] = state
        self._progress[0] += 1
        self._progress[2] += size
        self._say()

    def _say(self) -> None:
        self._tell(Progress("pulling", *self._progress))


SHRANK: Final = "it became shorter while it was read"


def _check_found(found: Listing, words: Sequence[Wanted]) -> None:
    if found.more:
        raise FilesError(
            f"More than {MOST_FILES:,} files are asked for at once.",
            hint="Ask for one folder after the other.",
        )
    matched = {each.wanted for each in found.found}
    for index, word in enumerate(words):
        if index not in matched:
            raise nothing_found(word.word)


def nothing_found(word: str) -> FilesError:
    """Return the error that says that a word means no file."""
    return FilesError(
        f"There is no {word!r} in the sandbox.", hint="%vibekit_files list shows what there is."
    )


def _why(error: OSError, item: Item) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there any more"
    return f"it could not be read ({str(error).removeprefix(item.path).lstrip(': ')[:200]})"


def _mark(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="replace")).hexdigest()[:16]
