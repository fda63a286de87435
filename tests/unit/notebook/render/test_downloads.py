"""The files of a run can be had from its card."""

from __future__ import annotations

import base64
import re

import pytest

from tests.support.runs import beginning, end, written
from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.events import Event, FileChanged, FileShown
from vibekit_jupyter.notebook.render import Transcript, to_html
from vibekit_jupyter.results import FileChange

HOME = "/home/user"


def links(*events: Event, room: int | None = None) -> dict[str, bytes]:
    """What can be downloaded: name and content."""
    html = to_html(Transcript.of([*beginning(), *events, end()]), room=room)
    found = re.findall(r'<a download="([^"]*)" href="data:application/[^;]*;base64,([^"]*)"', html)
    return {name: base64.b64decode(data) for name, data in found}


def picture(size: int = 30) -> FileShown:
    data = b"\x89PNG\r\n\x1a\n" + bytes(size)
    return FileShown(f"{HOME}/out/a.png", "image/png", base64.b64encode(data).decode(), len(data))


def test_a_file_that_was_shown_can_be_downloaded_as_it_is() -> None:
    assert links(picture()) == {"a.png": b"\x89PNG\r\n\x1a\n" + bytes(30)}


@pytest.mark.parametrize("content", [b"x = 1\n", b"x = 1", b"\n\n", "é\n\nü".encode()])
def test_a_file_that_was_written_can_be_downloaded_as_it_is(content: bytes) -> None:
    change = file_change(f"{HOME}/a.py", None, content)
    assert links(FileChanged(change)) == {"a.py": content}


def test_of_a_file_that_was_changed_several_times_the_last_content_counts() -> None:
    before, after = b"a\n", b"b\n"
    first = FileChanged(file_change(f"{HOME}/a.py", None, before))
    assert links(first, FileChanged(file_change(f"{HOME}/a.py", before, after))) == {}
    assert links(first, *written(f"{HOME}/a.py", ["c"])) == {"a.py": b"c\n"}


def test_what_is_large_or_not_known_as_a_whole_is_only_named() -> None:
    cut = FileShown(f"{HOME}/big.csv", "text/csv", base64.b64encode(b"a,b\n").decode(), 9_000)
    assert links(cut, picture(1_000_001)) == {}
    assert links(FileChanged(file_change(f"{HOME}/a.py", None, b"x = 1\n" * 9_000))) == {}
    assert links(picture(3_000), room=1_000) == {}


def test_what_is_no_link_is_brought_by_a_line() -> None:
    big = FileShown(f"{HOME}/my data/big.csv", "text/csv", "", 9_000_000)
    changed = FileChanged(file_change(f"{HOME}/a.py", b"a\n", b"b\n"))
    gone = FileChanged(FileChange(f"{HOME}/gone.py", "deleted"))
    html = to_html(Transcript.of([*beginning(), big, changed, gone, picture(), end()]))
    assert "%vibekit_files pull &#x27;my data/big.csv&#x27; a.py<" in html


def test_a_name_cannot_break_out_of_its_link() -> None:
    name = f"{HOME}/\"><img src=x onerror='alert(1)'>.png"
    data = base64.b64encode(b"x").decode()
    html = to_html(Transcript.of([*beginning(), FileShown(name, "image/png", data, 1), end()]))
    assert "<img src=x" not in html
