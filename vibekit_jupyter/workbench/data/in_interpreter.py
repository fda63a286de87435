"""Variables of a sandbox's Python: made of files that were sent, written to files to be fetched.

This runs in the sandbox, in the interpreter of a session (Python 3.11 and up): the modules that
it imports are handed over with it, so that both sides read and write by the same ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import resource
import secrets
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import DataError
from vibekit_jupyter.workbench.data.known_types import no_variable
from vibekit_jupyter.workbench.data.needs import here, import_for, pack_variable
from vibekit_jupyter.workbench.data.parcel import MOST_HASHED, PIECE, SandboxHas
from vibekit_jupyter.workbench.data.refusals import cannot_send, too_large
from vibekit_jupyter.workbench.data.unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

    from vibekit_jupyter.workbench.data.parcel import Parcel

    Run = Callable[[str], BaseException | None]
    Action = Callable[[Mapping[str, Any]], Any]

__all__ = ["Variables", "actions"]

FOLDER: Final = "data"
OUT: Final = "out"
# From here on the way is the other one than that of which the sentences speak.
SEND: Final = re.compile(r"(^cannot |: |, or )send ")


def actions(names: MutableMapping[str, Any], run: Run) -> dict[str, Action]:
    """Return what can be asked for, of an interpreter with these variables.

    Parameters
    ----------
    run
        Runs a cell, and returns the error that ended it, or None.
    """
    variables = Variables(names, Path.home())

    def cell(asked: Mapping[str, Any]) -> Any:
        try:
            variables.load(asked["inputs"])
            if (error := run(asked["code"])) is not None:
                return error
            return {
                "written": variables.save(asked["outputs"], asked["packages"], near=asked["near"])
            }
        except DataError as refused:
            return {"refused": str(refused)}

    return {"cell": cell}


class Variables:
    """The variables of an interpreter, and the files that they come from and go to.

    Parameters
    ----------
    names
        The variables.
    home
        Where the folders are.
    """

    def __init__(self, names: MutableMapping[str, Any], home: Path) -> None:
        self._names = names
        self._home = home
        self._written: dict[str, str] = {}

    def load(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Set variables to what is in files, all of them or none.

        Parameters
        ----------
        files
            By the name of the variable: the file's name, what it is, its size, and the digest of
            its bytes, which is empty for a large one.

        Raises
        ------
        DataError
            One cannot be loaded.
        """
        values = {}
        for name, told in files.items():
            with _in_words(name, "loaded"):
                values[name] = _loaded(self._home / FOLDER, name, told)
        self._names.update(values)

    def save(
        self, names: Sequence[str], packages: Sequence[str], *, near: bool
    ) -> dict[str, dict[str, Any]]:
        """Write variables to files, all of them or none.

        Parameters
        ----------
        packages
            What there is on the other side to read them with.
        near
            The other side is this machine: nothing is compressed.

        Returns
        -------
        dict
            By name: the file's name, what it is, its size, the digest of its bytes (empty for a
            large one), and what the person should know.

        Raises
        ------
        DataError
            One is not there, or would not come back as it is.
        """
        for name in names:
            if name not in self._names:
                raise no_variable(name, self._names, " in the sandbox's Python")
        own = here()
        common = {each: own[each] for each in own if each in packages}
        there = SandboxHas(common, sys.version[:4], near=near)
        lacks = "this kernel" if "pyarrow" in own else "this sandbox"
        parcels = []
        for name in names:
            with _in_words(name, "written", lacks):
                parcels.append(pack_variable(name, self._names[name], there))
        target = self._home / OUT
        with contextlib.ExitStack() as written:
            files = [_write(written, target, parcel) for parcel in parcels]
            for parcel, (part, _, _) in zip(parcels, files, strict=True):
                with _in_words(parcel.name, "written"):
                    part.replace(target / parcel.file)
                self._forget(target, parcel)
        return {
            each.name: {
                "file": each.file,
                "kind": each.kind,
                "size": size,
                "digest": digest,
                "note": each.note,
            }
            for each, (_, size, digest) in zip(parcels, files, strict=True)
        }

    def _forget(self, folder: Path, parcel: Parcel) -> None:
        """Remove what a variable was written to when it was of another kind: one name, one file."""
        before = self._written.get(parcel.name, parcel.file)
        self._written[parcel.name] = parcel.file
        if before != parcel.file:
            with contextlib.suppress(OSError):
                (folder / before).unlink()


@contextlib.contextmanager
def _in_words(name: str, done: str, lacks: str = "") -> Iterator[None]:
    """Turn whatever fails into one sentence, as it is said from this side."""
    try:
        yield
    except DataError as error:
        words = str(error)
        if done == "written":
            words = SEND.sub(r"\1return ", words).replace("_files push", "_files pull")
            words = words.replace("this sandbox has", f"{lacks} has", 1)
        raise DataError(words.replace("in this kernel's memory", "in the sandbox's")) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise DataError(f"{name!r} could not be {done} in the sandbox: {why}.") from None
    except MemoryError:
        raise DataError(
            f"{name!r} could not be {done} in the sandbox: there is not the memory for it."
        ) from None


def _loaded(folder: Path, name: str, told: Mapping[str, Any]) -> Any:
    source = folder / told["file"]
    # What is loaded may be a map of its file, in which nobody else may write.
    with tempfile.TemporaryDirectory(prefix=".vibekit-", dir=folder) as own:
        copy = Path(own) / "data"
        digest = hashlib.blake2b(digest_size=16)
        size = 0
        with source.open("rb") as file, copy.open("wb") as target:
            for piece in iter(partial(file.read, PIECE), b""):
                size += len(piece)
                target.write(piece)
                if told["digest"]:
                    digest.update(piece)
        if size != told["size"] or told["digest"] not in ("", digest.hexdigest()):
            raise DataError(f"{name!r} was replaced on its way to the sandbox: run the cell again.")
        import_for(told["kind"])
        value, _, _ = unpack(copy, told["file"])
    return value


def _write(written: contextlib.ExitStack, folder: Path, parcel: Parcel) -> tuple[Path, int, str]:
    """Write a parcel to a file that is gone again at the end, where it has not been renamed.

    Its size and the digest of its bytes are returned, too.
    """
    part = folder / f".{parcel.file}.{secrets.token_hex(4)}.part"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    with _in_words(parcel.name, "written"):
        if limit not in (resource.RLIM_INFINITY, -1) and parcel.size > limit:
            raise too_large(
                f"{parcel.name!r}", parcel.size, "a file in this sandbox may have", limit
            )
        folder.mkdir(exist_ok=True)
        written.callback(part.unlink, missing_ok=True)
        digest, size = hashlib.blake2b(digest_size=16), 0
        is_large = parcel.size > MOST_HASHED
        with part.open("wb") as file:
            try:
                for piece in parcel.parts():
                    size += file.write(piece)
                    if not is_large:
                        digest.update(piece)
            except (DataError, OSError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001  (a library's, which may hold values)
                why = f"it could not be written ({type(error).__name__})"
                raise cannot_send(parcel.name, f"{why}: send its parts") from None
    return part, size, "" if is_large else digest.hexdigest()
