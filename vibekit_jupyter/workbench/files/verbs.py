"""What can be done with the files of a session: ``%vibekit_files``, in Python."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.sandbox.connection import kept_alive
from vibekit_jupyter.workbench.files.in_sandbox import Listing, listing
from vibekit_jupyter.workbench.files.names import HOME, sandbox_path, short, wanted
from vibekit_jupyter.workbench.files.pull import Pull, nothing_found
from vibekit_jupyter.workbench.files.push import Push

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.workbench.files.outcome import Progress, Transfer
    from vibekit_jupyter.workbench.files.target import State

__all__ = ["FileVerbs"]

NOT_LOOKED_INTO: Final = ("node_modules", "__pycache__", "venv", ".venv", "site-packages", ".git")


class FileVerbs:
    """Files of a session's sandbox, listed, brought here, sent there.

    ``session`` is an id, a name or a unique prefix of one; None is the current.
    """

    _workspace: Workspace
    _pulled: dict[str, State]

    if TYPE_CHECKING:

        async def find(self, text: str) -> Session:
            """Look a session up."""

    async def pull(
        self,
        *paths: str,
        to: str | os.PathLike[str] = ".",
        force: bool = False,
        session: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Transfer:
        """Bring files out of the session's sandbox. Nothing outside of ``to`` is ever written.

        Links are left out. A file that breaks off keeps no half under its name; one of more than
        64 MiB is gone on with the next time.

        Parameters
        ----------
        paths
            Paths or patterns (``*``, ``?``, ``[a-z]``, ``**``), seen from the sandbox's home. A
            folder is brought with all that is in it. ``out/x.csv`` becomes ``x.csv``, ``out``
            becomes ``out/…``, ``out/*/x`` becomes ``NAME/x``.
        to
            The folder to write to; made where it is not there.
        force
            Also write over files that may have been changed here.
        on_progress
            Called as it goes on, in any thread.

        Raises
        ------
        FilesError
            There is no such file; one of them is here and may have been changed; there is no
            room.
        """
        async with self._sandbox(session) as sandbox:
            pull = Pull(sandbox, self._pulled, on_progress or _say_nothing)
            return await pull.go(_words(paths), to, force=force)

    async def push(
        self,
        *paths: str | os.PathLike[str],
        to: str = "",
        session: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Transfer:
        """Bring files of this machine into the session's sandbox, which is created on first use.

        Parameters
        ----------
        paths
            Paths or patterns; a folder is brought with all that is in it, its links left out.
        to
            The folder in the sandbox, seen from its home; made where it is not there.
        on_progress
            Called as it goes on, in any thread.

        Raises
        ------
        FilesError
            There is no such file here.
        SandboxLimitError
            The sandbox has no room for them.
        """
        words = _words([str(path) for path in paths])
        sandbox_path(to or ".")
        async with self._sandbox(session, create=True) as sandbox:
            return await Push(sandbox, on_progress or _say_nothing).go(words, to)

    async def list_files(
        self, *patterns: str, most: int = 1000, session: str | None = None
    ) -> Listing:
        """Return what there is in the session's sandbox, marked where the last turn changed it.

        Hidden files are told of where a pattern names them.
        """
        async with self._sandbox(session) as sandbox:
            return await listing(
                sandbox,
                [wanted(word) for word in patterns or (".",)],
                most=most,
                seconds=self._since_last_turn(sandbox),
                skip=NOT_LOOKED_INTO,
                hidden=False,
            )

    async def read_file(
        self, path: str, *, most: int, session: str | None = None
    ) -> tuple[bytes, int]:
        """Return the first bytes of a file in the session's sandbox, and its size."""
        place = sandbox_path(path)
        async with self._sandbox(session) as sandbox:
            try:
                size = await sandbox.size(place)
                if size is None:
                    raise nothing_found(path)
                return await sandbox.read_file(place, most=most), size
            except OSError as error:
                raise FilesError(f"{short(place)!r} cannot be read: it is not a file.") from error

    async def matching_files(self, *patterns: str, session: str | None = None) -> Sequence[str]:
        """Return the paths in the session's sandbox that patterns match, without what is below."""
        async with self._sandbox(session) as sandbox:
            words = [wanted(word) for word in _words(patterns)]
            found = (await listing(sandbox, words)).found
        for index, word in enumerate(words):
            if not any(each.wanted == index for each in found):
                raise nothing_found(word.word)
        paths = {each.path for each in found}
        return sorted(path for path in paths if not paths.intersection(_above(path)))

    async def remove_files(self, *paths: str, session: str | None = None) -> None:
        """Remove files and whole folders of the session's sandbox: paths, and no patterns.

        Raises
        ------
        FilesError
            It is the home folder, or one above it; the sandbox does not permit it.
        """
        places = [sandbox_path(path) for path in _words(paths)]
        for place in places:
            if f"{HOME}/".startswith(f"{place.rstrip('/')}/"):
                raise FilesError(
                    f"{place} is not removed: the session lives in it.",
                    hint="Name what is in it: '*'.",
                )
        async with self._sandbox(session) as sandbox:
            for place in places:
                try:
                    await sandbox.remove(place)
                except OSError as error:
                    raise FilesError(f"{short(place)!r} could not be removed: {error}.") from error

    def _since_last_turn(self, sandbox: Sandbox) -> float | None:
        turns = self._workspace.book.registry.turns(sandbox.service.id, sandbox.id, last=1)
        if not turns:
            return None
        return max(0.0, (datetime.now(UTC) - turns[-1].started).total_seconds())

    @contextlib.asynccontextmanager
    async def _sandbox(
        self, session: str | None, *, create: bool = False
    ) -> AsyncIterator[Sandbox]:
        workspace = self._workspace
        if session is not None:
            session_id = (await self.find(session)).id
        elif create:
            session_id, _ = await workspace.current_or_new()
        elif workspace.book.current is None:
            raise FilesError(
                "There is no current session yet, and so no files.",
                hint="%vibekit_session set NAME goes on with one of yours.",
            )
        else:
            session_id = workspace.book.current
        async with workspace.explained():
            sandbox = await workspace.connect(session_id)
            async with kept_alive(sandbox):
                yield sandbox


def _above(path: str) -> Iterator[str]:
    while path not in ("/", ""):
        path = path.rpartition("/")[0]
        yield path


def _words(paths: Sequence[str]) -> Sequence[str]:
    if not paths:
        raise FilesError("Which files?", hint="Name them: a path, a pattern or a folder.")
    return paths


def _say_nothing(_progress: Progress) -> None:
    """Nobody listens."""
