"""Archives as streams: what is written comes back, however it is cut."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.workbench.files.tar import BadArchiveError, Reader, packed

CONTENTS = st.lists(st.binary(max_size=1500), max_size=8)


@given(CONTENTS, st.lists(st.integers(1, 3000), max_size=30))
def test_what_is_written_comes_back_however_it_is_cut(
    contents: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(packed((str(number), each) for number, each in enumerate(contents)))
    taken: list[tuple[int, bytes]] = []
    reader = Reader([len(each) for each in contents], lambda *each: taken.append(each))
    for cut in cuts:
        reader.feed(data[:cut])
        data = data[cut:]
    reader.feed(data)
    reader.close()
    assert taken == [*enumerate(contents)]


@given(st.dictionaries(st.text("abcé -\u4e2d", min_size=1, max_size=300), st.binary(max_size=50)))
def test_any_tar_reads_what_is_written(files: dict[str, bytes]) -> None:
    data = b"".join(packed([("folder", None), *files.items()]))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {each.name: each for each in tar.getmembers()}
        assert found.pop("folder").isdir()
        read = {name: tar.extractfile(each) for name, each in found.items()}
        assert {name: file.read() for name, file in read.items() if file} == files


@given(st.binary(max_size=3000))
def test_anything_else_is_refused_or_waited_for(data: bytes) -> None:
    reader = Reader([100] * 10, lambda *_: None)
    try:
        reader.feed(data)
        reader.close()
    except BadArchiveError:
        return
    assert not data.strip(b"\0")


def test_an_archive_that_breaks_off_is_known() -> None:
    data = b"".join(packed([("0", b"x" * 2000)]))
    reader = Reader([2000], lambda *_: None)
    reader.feed(data[:1500])
    with pytest.raises(BadArchiveError, match="broke off"):
        reader.close()
