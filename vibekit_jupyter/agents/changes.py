"""What a run did to files, from its beginning to its end."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Changes"]

# Bytes of contents that are kept, of a change and in all; beyond, the last diff has to do.
MOST_OF_CHANGE: Final = 2 * 1024**2
MOST_IN_ALL: Final = 16 * 1024**2
# What counts as a program, by suffix.
PROGRAMS: Final = (
    *(".bash", ".c", ".cc", ".cpp", ".go", ".java", ".jl", ".js", ".kt", ".lua", ".m", ".php"),
    *(".pl", ".py", ".r", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".ts"),
)


class Changes:
    """The files of one run: how each was at first, and how it is now.

    Attributes
    ----------
    code
        The last program that was written, empty where none was.
    before
        What was there before the run, as far as it was seen; None is content that was not.
    """

    def __init__(self) -> None:
        self.code = ""
        self.before: Mapping[str, bytes | None] = {}
        self._seen_all = False
        self._files: dict[str, FileChange] = {}
        self._first: dict[str, bytes | None] = {}
        self._last: dict[str, bytes] = {}
        self._room = MOST_IN_ALL

    @property
    def files(self) -> Sequence[FileChange]:
        """What became of each path, the last changed last; one that is as before is left out."""
        return tuple(self._files.values())

    @property
    def paths(self) -> Sequence[str]:
        """All paths that there were before, or that were written."""
        return [*self.before, *(path for path in self._files if path not in self.before)]

    def begin(self, before: Mapping[str, bytes | None], *, complete: bool) -> None:
        """Take down what is there before anything is changed, or only a part of it."""
        self.before, self._seen_all = before, complete

    def was_there(self, path: str) -> bool | None:
        """Whether a path was there before the run, None where nobody looked."""
        return True if path in self.before else False if self._seen_all else None

    def content(self, path: str) -> bytes | None:
        """Return what a path held last, None where that is not known."""
        return self._last.get(path)

    def write(self, path: str, before: bytes | None, after: bytes | None) -> FileChange:
        """Take down a change of a file's content; None is a file that is not there.

        Returns
        -------
        FileChange
            What this change alone did; ``files`` has what all of them did.
        """
        change = whole = file_change(path, before, after)
        earlier = self._files.pop(path, None)
        if earlier is None:
            self._first[path] = before
        elif path in self._first:
            whole = file_change(path, self._first[path], after)
        elif change.kind == "modified":
            whole = replace(change, kind=earlier.kind)
        self._keep(path, before, after)
        if path not in self._first or self._first[path] != after:
            self._files[path] = whole
        self._read_code(path, after)
        return change

    def add(self, change: FileChange, content: bytes | None = None) -> FileChange:
        """Take down a change of a file whose content before is not known, and return it."""
        earlier = self._files.pop(change.path, change)
        self._files[change.path] = replace(change, kind=earlier.kind)
        self._read_code(change.path, content)
        return change

    def delete(self, path: str) -> FileChange:
        """Take down that a file is gone, and return what this did to it."""
        before = self._last.get(path) if self.knows(path) else self.before.get(path)
        if before is not None:
            return self.write(path, before, None)
        earlier, change = self._files.pop(path, None), FileChange(path, "deleted")
        if earlier is None or earlier.kind != "created":
            self._files[path] = change
        return change

    def knows(self, path: str) -> bool:
        """Whether a change of this path was taken down."""
        return path in self._files or path in self._first

    def _read_code(self, path: str, content: bytes | None) -> None:
        if content is not None and posixpath.splitext(path)[1].lower() in PROGRAMS:
            self.code = content.decode(errors="replace")

    def _keep(self, path: str, before: bytes | None, after: bytes | None) -> None:
        """Keep a file's contents as far as there is room for them."""
        size = len(before or b"") + len(after or b"")
        self._last.pop(path, None)
        if size > min(MOST_OF_CHANGE, self._room):
            self._first.pop(path, None)
            return
        self._room -= size
        if after is not None:
            self._last[path] = after
