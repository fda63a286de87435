"""What a run did to its files is told from its beginning to its end, in bounded memory."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.changes import MOST_IN_ALL, Changes
from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.results import FileChange

contents = st.none() | st.sampled_from([b"", b"a\n", b"a\nb\n", b"b\nc", b"\0\xff"])


@given(st.lists(contents, min_size=2, max_size=6))
def test_many_changes_are_told_as_one(states: list[bytes | None]) -> None:
    changes = Changes()
    for before, after in itertools.pairwise(states):
        if before != after:
            assert changes.write("/f", before, after) == file_change("/f", before, after)
    first, last = states[0], states[-1]
    whole = () if first == last else (file_change("/f", first, last),)
    assert changes.files == whole
    assert changes.content("/f") == (last if any(s != first for s in states) else None)


def test_what_was_there_before_is_known_as_far_as_it_was_seen() -> None:
    changes = Changes()
    assert changes.was_there("/a") is None
    changes.begin({"/a": b"a\n", "/large": None}, complete=False)
    assert (changes.was_there("/a"), changes.was_there("/new")) == (True, None)
    changes.begin({"/a": b"a\n", "/large": None}, complete=True)
    assert (changes.was_there("/large"), changes.was_there("/new")) == (True, False)
    changes.write("/new", None, b"")
    assert changes.paths == ["/a", "/large", "/new"]


def test_a_file_that_is_gone_is_told_by_what_the_run_did_to_it() -> None:
    changes = Changes()
    changes.begin({"/a": b"a\n", "/large": None}, complete=True)
    changes.write("/made", None, b"x\n")
    changes.add(FileChange("/made too", "created"))
    assert changes.delete("/a") == file_change("/a", b"a\n", None)
    for path in ("/large", "/made", "/made too"):
        assert changes.delete(path).kind == "deleted"
    assert [change.path for change in changes.files] == ["/a", "/large"]


def test_the_last_program_is_the_code() -> None:
    changes = Changes()
    changes.write("/a.py", None, b"print(1)")
    changes.write("/notes.md", None, b"# Notes")
    assert changes.code == "print(1)"
    changes.add(FileChange("/b.R", "created"), b"print(2)")
    assert changes.code == "print(2)"


def test_contents_that_are_too_large_are_not_kept_and_the_change_still_is() -> None:
    changes = Changes()
    size = 1024**2
    for number in range(3 * MOST_IN_ALL // size):
        changes.write(f"/{number}", b"a" * size, b"b")
    kept = sum(len(content or b"") for content in changes._first.values())
    assert kept <= MOST_IN_ALL
    changes.write("/new", None, b"x" * 3 * size)
    changes.write("/new", b"x" * 3 * size, b"y\n")
    assert changes.files[-1].kind == "created"
    assert len(changes.files) == 3 * MOST_IN_ALL // size + 1
