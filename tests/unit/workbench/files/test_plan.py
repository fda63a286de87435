"""What is brought is settled before the first byte."""

from __future__ import annotations

import pytest

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.workbench.data.refusals import size_text
from vibekit_jupyter.workbench.files.plan import MOST_TOGETHER, Item, batches, check_room, planned


def item(name: str, path: str = "", size: int = 1) -> Item:
    return Item(path or f"/home/user/{name}", name, "file", size, 0)


def test_names_that_a_disk_takes_for_one_are_refused() -> None:
    both = [item("README"), item("readme")]
    assert len(planned(both, case_blind=False)[0]) == 2
    with pytest.raises(FilesError, match="knows no case"):
        planned(both, case_blind=True)


def test_what_is_asked_for_twice_comes_once() -> None:
    assert len(planned([item("a"), item("a")], case_blind=False)[0]) == 1


def test_what_has_no_room_is_refused_with_both_sizes() -> None:
    with pytest.raises(FilesError, match=r"3\.0 GB are asked for, and the disk has 20\.0 MB"):
        check_room([item("a", size=3 * 10**9)], 20_000_000)


def test_what_travels_together_has_a_bound() -> None:
    files = [item(str(number), size=4_000_000) for number in range(300)]
    together = [*batches(files)]
    assert [each for batch in together for each in batch] == files
    assert all(sum(each.size for each in batch) <= MOST_TOGETHER for batch in together)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_999, "1.0 MB"), (99_400_000, "99.4 MB")],
)
def test_sizes_are_as_a_person_reads_them(size: int, words: str) -> None:
    assert size_text(size) == words
