"""The files of a run as links that download them, from the page itself."""

from __future__ import annotations

import base64
import binascii
import html
import posixpath
import shlex
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.summary import FILES_NAMED, short_path
from vibekit_jupyter.notebook.render.text import escape
from vibekit_jupyter.notebook.render.transcript import (
    DIFF_LIMIT,
    Artifact,
    Changed,
    ToolCall,
    Transcript,
)

if TYPE_CHECKING:
    from vibekit_jupyter.results import FileChange

__all__ = ["files_html"]

MOST: Final = 1_000_000  # bytes of a file that a notebook carries along


def files_html(transcript: Transcript, room: int) -> str:
    """Return the names of a run's files: links, where the whole file is at hand and has room."""
    paths = list(transcript.files())
    contents = _contents(transcript)
    deleted = _deleted(transcript)
    names: list[str] = []
    not_here: list[str] = []
    for path in paths[:FILES_NAMED]:
        link = _link(path, contents[path]) if path in contents else ""
        if link and len(link) <= room:
            room -= len(link)
            names.append(link)
        else:
            names.append(style.span(style.DIM, escape(short_path(path))))
            if path not in deleted:
                not_here.append(path)
    more = len(paths) - FILES_NAMED
    end = style.span(style.DIM, f" and {more} more") if more > 0 else ""
    return style.span(style.DIM, ", ").join(names) + end + _pulled(not_here)


def _pulled(paths: list[str]) -> str:
    """Return the line that brings files here which cannot be links: too large, or changed."""
    if not paths:
        return ""
    line = f"%vibekit_files pull {' '.join(shlex.quote(short_path(path)) for path in paths)}"
    return style.span(style.DIM, " · ") + style.span(f"{style.MONO};{style.DIM}", escape(line))


def _deleted(transcript: Transcript) -> set[str]:
    """Return the files that are not there at the end."""
    deleted: set[str] = set()
    for block in transcript.blocks:
        if isinstance(block, ToolCall | Changed) and (change := block.change):
            (deleted.add if change.kind == "deleted" else deleted.discard)(change.path)
    return deleted


def _link(path: str, content: bytes) -> str:
    if len(content) > MOST:
        return ""
    name = html.escape(posixpath.basename(path) or "file")
    # Of no kind that a browser would open in the page's place.
    address = f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
    css = f"{style.words(style.ACCENT)};text-decoration:underline;overflow-wrap:anywhere"
    shown = escape(short_path(path))
    return f'<a download="{name}" href="{address}" style="{css}">{shown}</a>'


def _contents(transcript: Transcript) -> dict[str, bytes]:
    """Return what the files hold at the end, as far as the run told all of it."""
    contents: dict[str, bytes | None] = {}
    for block in transcript.blocks:
        if isinstance(block, Artifact):
            contents[block.shown.path] = _whole(block.shown.data, block.shown.size)
        elif isinstance(block, ToolCall | Changed) and (change := block.change):
            contents[change.path] = _created(change)
    return {path: content for path, content in contents.items() if content is not None}


def _whole(data: str, size: int) -> bytes | None:
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) == size else None


def _created(change: FileChange) -> bytes | None:
    """Return a new file's content from its difference, where that is not cut."""
    if change.kind != "created" or not change.diff or len(change.diff) >= DIFF_LIMIT:
        return None
    _, *lines = change.diff.split("\n")
    added = [line[1:] for line in lines if line.startswith("+")]
    if len(added) != change.added or not all(line[:1] in ("+", "\\", "") for line in lines):
        return None
    end = "" if any(line.startswith("\\") for line in lines) else "\n"
    return ("\n".join(added) + end).encode(errors="replace")
