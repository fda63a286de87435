from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.diff import file_change

lines = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "@@ x\n", "--- d\n", "ü\x0b\n"]))
texts = st.builds(lambda body, end: "".join(body) + end, lines, st.sampled_from(["", "end"]))


def _patched(old: str, diff: str) -> str:
    """Apply a unified diff without headers, strictly: context and removed lines must match."""
    source = re.findall(r"[^\n]*\n|[^\n]+", old)
    result: list[str] = []
    position = 0
    pending = re.findall(r"[^\n]*\n", diff)
    for number, line in enumerate(pending):
        if line.startswith("\\"):
            continue
        bare = number + 1 < len(pending) and pending[number + 1].startswith("\\")
        content = line[1:-1] if bare else line[1:]
        if match := re.match(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$", line):
            start = int(match[1]) - (match[2] != "0")
            result += source[position:start]
            position = start
            assert len(result) == int(match[3]) - (match[4] != "0")
        elif line.startswith("+"):
            result.append(content)
        else:
            assert source[position] == content
            position += 1
            if line.startswith(" "):
                result.append(content)
    return "".join(result + source[position:])


@given(texts, texts)
def test_a_diff_turns_the_old_text_into_the_new_one(old: str, new: str) -> None:
    change = file_change("/home/user/x", old.encode(), new.encode())
    assert _patched(old, change.diff) == new
    assert change.kind == "modified"


@given(texts)
def test_a_new_file_is_all_added(new: str) -> None:
    change = file_change("/home/user/x", None, new.encode())
    assert _patched("", change.diff) == new
    assert (change.kind, change.removed) == ("created", 0)
    assert change.added == len(re.findall(r"[^\n]*\n|[^\n]+", new))


def test_an_edit_of_a_large_file_costs_as_much_as_the_edit() -> None:
    old = b"".join(b"line %d\n" % number for number in range(200_000))
    new = old.replace(b"line 100000\n", b"line one hundred thousand\n")
    began = time.process_time()
    change = file_change("/home/user/x", old, new)
    assert time.process_time() - began < 2
    assert (change.added, change.removed) == (1, 1)
    assert change.diff.startswith("@@ -99998,7 +99998,7 @@\n line 99997\n")


def test_files_with_nothing_in_common_are_compared_in_bounded_time() -> None:
    old = b"".join(b"old %d\nx\n" % number for number in range(20_000))
    new = b"".join(b"new %d\nx\n" % number for number in range(20_000))
    began = time.process_time()
    change = file_change("/home/user/x", old, new)
    assert time.process_time() - began < 2
    assert (change.added, change.removed) == (39_999, 39_999)
    assert len(change.diff) <= 100_000
    assert change.diff.endswith("\n")


@pytest.mark.parametrize("data", [b"\x89PNG\0\0", b"\xff\xfe\xfd", b"caf\xe9\n"])
def test_a_binary_file_has_no_diff(data: bytes) -> None:
    assert file_change("/x", b"text\n", data).diff == ""
    assert file_change("/x", data, b"text\n").added == 0
