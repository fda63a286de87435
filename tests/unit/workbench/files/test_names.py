"""Which names are taken, and what a person's words mean."""

from __future__ import annotations

import fnmatch
import importlib.resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.workbench.files.names import parts_of, sandbox_path, wanted

NAMES = st.text("ab.-*é/ \n\0\\", max_size=12) | st.text(max_size=20)
PATTERNS = st.lists(st.sampled_from(["*", "**", "a*", "?", ".a", "a", "[ab]", "b"]), min_size=1)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", ".a", "c"]), min_size=1, max_size=5)


@given(NAMES)
def test_a_name_that_is_taken_leads_nowhere_else(name: str) -> None:
    try:
        parts = parts_of(name)
    except ValueError:
        return
    assert "/".join(parts) == name
    assert not {"", ".", ".."}.intersection(parts)
    assert name.isprintable() or all(letter >= " " for letter in name)
    assert len(name.encode()) <= 1024


@pytest.mark.parametrize(
    "name",
    [*("", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b"), "a\nb", "\ud800",
     "x" * 256, "/".join(["abc"] * 300), "\x7f", "\x85"],
)  # fmt: skip
def test_a_name_that_is_not_is_said_why(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        parts_of(name)


@given(st.text(max_size=40))
def test_a_word_is_an_absolute_path_or_refused(word: str) -> None:
    try:
        path = sandbox_path(word)
    except FilesError:
        return
    assert path.startswith("/")
    assert ".." not in path.split("/")


def script_functions() -> dict[str, Any]:
    """Return what runs in sandboxes, without its last line."""
    source = importlib.resources.files("vibekit_jupyter.workbench.files").joinpath(
        "sandbox_script.py"
    )
    space: dict[str, Any] = {"__name__": "script"}
    exec(source.read_text().rpartition("\nmain()")[0], space)  # noqa: S102  (our own)
    return space


SCRIPT = script_functions()


@given(PATTERNS, PATHS)
def test_the_sandbox_finds_what_the_kernel_takes(pattern: list[str], path: list[str]) -> None:
    word = wanted("/".join(pattern))
    pattern = list(word.pattern)
    below = ["/home/user", *path]
    base = word.base.removeprefix("/home/user").strip("/").split("/")
    base = [part for part in base if part]
    if path[: len(base)] != base:
        return
    below = path[len(base) :]
    reached, found = SCRIPT["past_folders"]({0}, pattern), False
    for part in below:
        reached = SCRIPT["step"](part, reached, pattern)
        found = found or len(pattern) in reached
        if found:
            break
    assert word.takes(below) == found


@given(PATHS, st.sampled_from(["*", "a*", "?", "[ab]", "a"]))
def test_a_star_stays_within_a_folder(path: list[str], pattern: str) -> None:
    first = path[0]
    meant = fnmatch.fnmatchcase(first, pattern) and not first.startswith(".")
    assert wanted(pattern).takes(path) == meant
