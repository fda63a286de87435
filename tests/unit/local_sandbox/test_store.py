"""What is on disk of a sandbox is there whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.store import SandboxRecord, SnapshotRecord, Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def break_trash(store: Store) -> None:
    """Let nothing be moved into the trash."""
    store.trash.rmdir()
    store.trash.write_text("")


def test_what_cannot_be_moved_to_the_trash_is_removed_where_it_is(store: Store) -> None:
    folder = store.create(SandboxRecord(id="one"))
    (folder / "home" / "file").write_text("x")
    break_trash(store)
    store.discard(folder)
    assert not folder.exists()
    assert store.load_sandboxes() == []


def test_what_is_gone_already_is_no_failure(store: Store) -> None:
    store.discard(store.sandboxes / "nobody")


def test_what_cannot_be_removed_is_said_and_keeps_its_files(store: Store) -> None:
    folder = store.create(SandboxRecord(id="one"))
    (folder / "home" / "file").write_text("x")
    record = folder / "record.json"
    record.unlink()
    record.mkdir()  # what no unlink removes, for root neither
    break_trash(store)
    with pytest.raises(ProtocolError, match="The files of one cannot be removed: "):
        store.discard(folder)
    assert (folder / "home" / "file").read_text() == "x"


def test_a_copy_that_fails_leaves_nothing(store: Store) -> None:
    source = store.create(SandboxRecord(id="one"))
    (source / "tmp").rmdir()
    copy = store.folder(SnapshotRecord(id="two", sandbox="one"))
    with pytest.raises(ProtocolError, match="cannot be copied"):
        store.copy_files(source, copy)
    assert not copy.exists()
    assert list(store.trash.iterdir()) == []
