"""Files of a sandbox: a tree of them, one of them, what came of bringing them here or there."""

from __future__ import annotations

import base64
import posixpath
import shlex
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.events import FileShown
from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.artifact import artifact_html
from vibekit_jupyter.notebook.render.limits import drawn
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.text import escape, visible
from vibekit_jupyter.notebook.render.words import plural
from vibekit_jupyter.runs import artifacts
from vibekit_jupyter.workbench.data.refusals import size_text
from vibekit_jupyter.workbench.files.names import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.workbench.files.in_sandbox import Found, Listing
    from vibekit_jupyter.workbench.files.outcome import Progress, Transfer

__all__ = ["KINDS", "file_card", "file_tree", "most_read", "progress_words", "transfer_card"]

TEXT = 32_000
# A table in Parquet is read in the sandbox, for a run's card alone.
KINDS: Final = {key: kind for key, kind in artifacts.KINDS.items() if key != ".parquet"}
LEFT_NAMED: Final = 5
_MARKS: Final = {"+": style.OK, "~": style.WARN}


def pull_line(path: str) -> str:
    """Return the line that brings a file here."""
    return f"%vibekit_files pull {shlex.quote(visible(short(path)))}"


def file_tree(listing: Listing) -> Rendered:
    """Return what there is as a tree, with sizes and what the last turn changed."""
    shown = {each.path for each in listing.found}
    rows = [_row(each, shown) for each in listing.found]
    width = max([len(name) for name, _, _ in rows], default=0)
    width = min(width, 60)
    plain = [f"{name.ljust(width)}  {size:>8} {mark}".rstrip() for name, size, mark in rows]
    html = [
        f"{escape(name.ljust(width))}  {style.span(style.DIM, f'{size:>8}')} "
        + (style.span(style.words(_MARKS[mark]), mark) if mark else "")
        for name, size, mark in rows
    ]
    note = _sums(listing)
    box = style.OUTPUT.replace("pre-wrap", "pre").replace("6px 8px 6px 24px", "2px 0")
    lines = "\n".join(html)
    tree = f'<pre tabindex="0" style="{box};overflow:auto">{lines}</pre>' if rows else ""
    return Rendered(
        "\n".join([*plain, note]),
        f'<div style="{style.CARD.format(color=style.NEUTRAL)}">{tree}'
        f'<div style="{style.QUIET}">{escape(note)}</div></div>',
    )


def _row(each: Found, shown: set[str]) -> tuple[str, str, str]:
    """Return a line's words: a name below its folder where that is shown, else its path."""
    parent = posixpath.dirname(each.path)
    depth = 0
    above = parent
    while above in shown:
        depth, above = depth + 1, posixpath.dirname(above)
    name = posixpath.basename(each.path) if parent in shown else short(each.path)
    ends = {"folder": "/", "link": " (link)", "other": " (device)"}
    name = visible("  " * depth + name + ends.get(each.kind, "")).replace("\n", "␊")
    return name, size_text(each.size) if each.kind == "file" else "", each.mark


def _sums(listing: Listing) -> str:
    files = [each for each in listing.found if each.kind == "file"]
    if not listing.found:
        return "There are no files yet."
    words = f"{plural(len(files), 'file')}, {size_text(sum(each.size for each in files))}"
    marks = {each.mark for each in files}
    if marks & {"+", "~"}:
        words += " · + new, ~ changed since the last turn began"
    if listing.nameless:
        words += f" · {listing.nameless} more, whose names are no text"
    if listing.more:
        words += " · there are more: name a folder or a pattern, %vibekit_files list FOLDER"
    return words


def most_read(path: str) -> int:
    """Return how much of a file is read to be shown."""
    return KINDS.get(posixpath.splitext(path)[1].lower(), ("", TEXT))[1]


def file_card(path: str, data: bytes, size: int) -> Rendered:
    """Return a file as what it is; ``data`` is its beginning."""
    mime, _ = KINDS.get(posixpath.splitext(path)[1].lower(), ("", 0))
    line = pull_line(path)
    where = f"{visible(short(path))}, {size_text(size)}"
    if mime and (len(data) == size or mime == "text/csv"):
        shown = FileShown(path, mime, base64.b64encode(data).decode(), size)
        text = _text(data) if mime.startswith("text/") else None
        return _card(text or where, artifact_html(shown))
    text = None if mime else _text(data)
    if text is None:
        words = f"{where}, not shown here: {line} brings it."
        return _card(words, f'<div style="{style.QUIET}">{escape(words)}</div>')
    note = "" if len(data) == size else f"the first {size_text(len(data))} of {where}: {line}"
    body = drawn(lambda: _code(path, text), lambda: escape(text))
    html = f'<pre tabindex="0" style="{style.OUTPUT};{style.SCROLLS}">{body}</pre>'
    html += f'<div style="{style.QUIET}">{escape(note or where)}</div>'
    return _card("\n".join(filter(None, (visible(text).rstrip("\n"), note))), html)


def _card(plain: str, html: str) -> Rendered:
    return Rendered(plain, f'<div style="{style.CARD.format(color=style.NEUTRAL)}">{html}</div>')


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        # What is cut may be cut within a letter.
        return data.decode() if len(data) < TEXT else data.decode(errors="ignore")
    except UnicodeDecodeError:
        return None


def _code(path: str, text: str) -> str:
    from vibekit_jupyter.notebook.render.code import code_html

    return code_html(text, posixpath.splitext(path)[1].lstrip("."))


def transfer_card(transfer: Transfer, where: str) -> Rendered:
    """Return what was brought, and what was left out."""
    parts = [
        f"{plural(len(transfer.paths), 'file')} in {where}",
        f"{size_text(transfer.size)} sent",
    ]
    if transfer.unchanged:
        parts.append(f"{transfer.unchanged:,} were there already")
    if transfer.duration >= 1:
        parts.append(f"{transfer.duration:.1f} s")
    lines = [visible(" · ".join(parts))]
    left: Sequence[tuple[str, str]] = [(each.path, each.reason) for each in transfer.left_out]
    lines += [visible(f"left out: {short(path)!r}, {reason}") for path, reason in left[:LEFT_NAMED]]
    if len(left) > LEFT_NAMED:
        lines.append(f"and {len(left) - LEFT_NAMED:,} more were left out")
    html = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return _card("\n".join(lines), html)


def progress_words(progress: Progress, seconds: float) -> str:
    """Return how far it is: ``pulling 12 of 40 files · 3.1 of 9.9 MB · 4.0 MB/s``."""
    words = [f"{progress.verb} {progress.files:,} of {plural(progress.of_files, 'file')}"]
    if progress.of_size:
        done = min(progress.size, progress.of_size)
        words.append(f"{size_text(done)} of {size_text(progress.of_size)}")
        bar = "█" * (filled := 20 * done // progress.of_size) + "░" * (20 - filled)
        words.insert(0, bar)
    if seconds > 0 and progress.size:
        words.append(f"{size_text(int(progress.size / seconds))}/s")
    return " · ".join(words)
