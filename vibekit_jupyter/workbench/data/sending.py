"""Parcels on their way up: made in a thread while the last piece is sent, renamed when whole."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.resources
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.places import HOME
from vibekit_jupyter.errors import DataError, VibeKitError
from vibekit_jupyter.workbench.data.needs import pack_variable
from vibekit_jupyter.workbench.data.packing import pack
from vibekit_jupyter.workbench.data.parcel import MOST_HASHED
from vibekit_jupyter.workbench.data.refusals import cannot_send, size_text, too_large
from vibekit_jupyter.workbench.data.sandbox_has import sandbox_has

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Mapping,
        Sequence,
    )

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.transfers import Stamp
    from vibekit_jupyter.workbench.data.parcel import Parcel, SandboxHas

__all__ = ["FOLDER", "HELPER", "PYARROW", "Sender", "Sent", "put"]

FOLDER: Final = "data"
HELPER: Final = "npz_frames.py"
PYARROW: Final = (
    "To have it there (about 45 MB), run a cell of %%vibekit_run --lang bash with: "
    "python3 -m pip install pyarrow"
)


@dataclass(frozen=True)
class Sent:
    """A variable that is in the sandbox now.

    Attributes
    ----------
    name, kind, extent
        What it is.
    path
        Where it is, from the home folder on.
    size
        Bytes.
    seconds
        How long it took.
    unchanged
        It was there already, and was not sent again.
    parcel
        What it was made ready as.
    digest
        Of its bytes, empty for a large one.
    """

    name: str
    kind: str
    extent: str
    path: str
    size: int
    seconds: float
    unchanged: bool
    parcel: Parcel
    digest: bytes = b""

    def __str__(self) -> str:
        if self.unchanged:
            return f"{self.name} → {self.path}  unchanged"
        note = f" ({self.parcel.note})" if self.parcel.note else ""
        took = f"{self.seconds:.1f} s"
        return f"{self.name} → {self.path}  {self.extent}, {size_text(self.size)}, {took}{note}"


class Sender:
    """Sends variables to sandboxes, and knows what is there already."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str], tuple[bytes, Stamp]] = {}
        self._offered: set[str] = set()

    async def offer(self, sandbox: Sandbox, *, internet: bool | None) -> str:
        """Return the offer of what tables go better with: once to a session, and else empty.

        Parameters
        ----------
        internet
            Whether the sandbox reaches it, None where nobody here knows.
        """
        # Whoever was told may have installed it since.
        there = await sandbox_has(sandbox, anew=sandbox.id in self._offered)
        unfit = there.reads_arrow or not there.python or internet is False
        if unfit or sandbox.id in self._offered:
            return ""
        self._offered.add(sandbox.id)
        form = "arrays" if "pandas" in there else "text"
        return (
            f"This sandbox has no pyarrow: tables go as {form}, and some of their types are "
            f"refused. {PYARROW}"
        )

    async def send(
        self,
        sandbox: Sandbox,
        values: Mapping[str, object],
        tell: Callable[[Sent], None],
        *,
        as_variables: bool = False,
    ) -> Sequence[Sent]:
        """Send variables: all of them, or none where one is refused.

        Parameters
        ----------
        tell
            Called with each that is there.
        as_variables
            They are to be variables there, too: what that takes is there, or they are refused.

        Raises
        ------
        DataError
            One cannot be sent.
        """
        there, parcels = await _packed(sandbox, values, pack_variable if as_variables else pack)
        _check_sizes(parcels, there)
        digests = [await asyncio.to_thread(_digest, parcel, there) for parcel in parcels]
        stamps = {stamp.name: stamp for stamp in await sandbox.stamps(f"{HOME}/{FOLDER}")}
        if any(parcel.helper for parcel in parcels):
            await self.send_helper(sandbox, stamps)
        sent = []
        for parcel, digest in zip(parcels, digests, strict=True):
            known = self._there.get((sandbox.id, parcel.file))
            began = time.monotonic()
            if known and digest and known == (digest, stamps.get(parcel.file)):
                size, unchanged = known[1].size, True
            else:
                stamp = await put(sandbox, parcel, there)
                size, unchanged = stamp.size, False
                self._there.pop((sandbox.id, parcel.file), None)
                if digest:
                    self._there[sandbox.id, parcel.file] = (digest, stamp)
            path = f"{FOLDER}/{parcel.file}"
            seconds = time.monotonic() - began
            kind, extent = parcel.kind, parcel.extent
            one = Sent(parcel.name, kind, extent, path, size, seconds, unchanged, parcel, digest)
            sent.append(one)
            tell(one)
        return sent

    async def send_helper(self, sandbox: Sandbox, stamps: Mapping[str, Stamp]) -> None:
        """Put beside the data what reads and writes frames where there is no pyarrow."""
        text = (
            importlib.resources.files("vibekit_jupyter.workbench.data")
            .joinpath(HELPER)
            .read_bytes()
        )
        there = stamps.get(HELPER)
        if there is None or there.size != len(text):
            try:
                await sandbox.write_file(f"{HOME}/{FOLDER}/{HELPER}", text)
            except OSError as error:
                raise _not_written(f"{FOLDER}/{HELPER}", error) from error


async def _packed(
    sandbox: Sandbox,
    values: Mapping[str, object],
    make_ready: Callable[[str, object, SandboxHas], Parcel],
) -> tuple[SandboxHas, Sequence[Parcel]]:
    """Make all ready; before one is refused, what the sandbox has is asked anew."""
    there = await sandbox_has(sandbox)
    try:
        return there, [await asyncio.to_thread(make_ready, *each, there) for each in values.items()]
    except DataError:
        now = await sandbox_has(sandbox, anew=True)
        if now.packages == there.packages:
            raise
        return now, [await asyncio.to_thread(make_ready, *each, now) for each in values.items()]


def _check_sizes(parcels: Sequence[Parcel], there: SandboxHas) -> None:
    for parcel in parcels:
        _check_size(f"{parcel.name!r}", parcel.size, there)
    if there.free is not None and (size := sum(parcel.size for parcel in parcels)) > there.free:
        name = parcels[0].name if len(parcels) == 1 else "the data"
        raise too_large(f"{name!r}", size, "the sandbox's disk has room for", there.free)


def _check_size(what: str, size: int, there: SandboxHas) -> None:
    if there.file_limit is not None and size > there.file_limit:
        raise too_large(what, size, "a file in this sandbox may have", there.file_limit)


def _digest(parcel: Parcel, there: SandboxHas) -> bytes:
    """Return what tells a parcel from others, empty for a large one; it is made once for that."""
    if parcel.size > MOST_HASHED:
        return b""
    digest = hashlib.blake2b(digest_size=16)
    for piece in _made(parcel, there):
        digest.update(piece)
    return digest.digest()


def _made(parcel: Parcel, there: SandboxHas) -> Generator[bytes, None, None]:
    """Yield a parcel's pieces; what fails meanwhile may hold values, and is not passed on."""
    size = 0
    try:
        for piece in filter(len, parcel.parts()):
            size += len(piece)
            _check_size(f"{parcel.name!r}", size, there)
            yield piece
    except (VibeKitError, GeneratorExit):
        raise
    except OSError as error:
        why = f"this machine could not hold it on the way ({error.strerror or 'no room'})"
        raise cannot_send(parcel.name, why) from None
    except MemoryError:
        raise cannot_send(parcel.name, "this kernel has not the memory to write it") from None
    except Exception as error:  # noqa: BLE001  (a library's)
        raise cannot_send(
            parcel.name, f"it could not be written ({type(error).__name__}): send its parts"
        ) from None


async def put(sandbox: Sandbox, parcel: Parcel, there: SandboxHas) -> Stamp:
    """Send a parcel under another name, then give it its own.

    Raises
    ------
    DataError
        It cannot be written, here or there.
    SandboxError, SessionNotFoundError
        The sandbox service failed, or the sandbox is gone.
    """
    final = f"{HOME}/{FOLDER}/{parcel.file}"
    part = f"{HOME}/{FOLDER}/.{parcel.file}.{secrets.token_hex(4)}.part"
    try:
        await sandbox.upload(part, _made(parcel, there))
        return await sandbox.rename(part, final)
    except BaseException as error:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.shield(sandbox.discard(part))
        if isinstance(error, OSError):
            raise _not_written(f"{FOLDER}/{parcel.file}", error) from error
        raise


def _not_written(path: str, error: OSError) -> DataError:
    words = " ".join(str(error).split())[:200]
    return DataError(f"{path} cannot be written in the sandbox: {words}.")
