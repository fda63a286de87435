"""What is on disk of a sandbox is there whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.store import SandboxRecord, Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def break_trash(store: Store) -> None:
    """Let nothing be moved into the trash."""
    store.trash.rmdir()
    store.trash.write_text("")


def test_what_is_buried_is_out_of_sight_at_once(store: Store) -> None:
    folder = store.create(SandboxRecord(id="one"))
    assert store.bury(folder)
    assert not folder.exists()
    assert store.load_sandboxes() == []
    assert [found.name[:4] for found in store.trash.iterdir()] == ["one-"]


def test_what_cannot_be_moved_to_the_trash_is_nobodys_any_more(store: Store) -> None:
    folder = store.create(SandboxRecord(id="one"))
    break_trash(store)
    assert not store.bury(folder)
    assert store.load_sandboxes() == []


def test_what_is_gone_already_is_no_failure(store: Store) -> None:
    assert store.bury(store.sandboxes / "nobody")


def test_what_cannot_be_removed_is_said_and_keeps_its_files(store: Store) -> None:
    folder = store.create(SandboxRecord(id="one"))
    (folder / "home" / "file").write_text("x")
    record = folder / "record.json"
    record.unlink()
    record.mkdir()  # what no unlink removes, for root neither
    break_trash(store)
    with pytest.raises(ProtocolError, match="The files of one cannot be removed: "):
        store.bury(folder)
    assert (folder / "home" / "file").read_text() == "x"


def test_a_copy_of_a_record_has_secrets_and_times_of_its_own() -> None:
    record = SandboxRecord(id="one", metadata={"name": "first"}, internet=True, end_at=5)
    copy = record.copied("two")
    assert (copy.id, copy.metadata, copy.internet) == ("two", {"name": "first"}, True)
    assert copy.token != record.token
    assert copy.traffic_token != record.traffic_token
    assert copy.end_at == 0
