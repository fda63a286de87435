"""What is known of processes of another host: the time when each said that it was there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.services.process import own_mark
from vibekit_jupyter.sessions import processes
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.schema import MIGRATIONS, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELSEWHERE = "elsewhere 1 2 3"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path / "sessions.sqlite")
    yield registry
    registry.close()


def seen(registry: Registry) -> dict[str, float]:
    with registry.reading() as database:
        return dict(map(tuple, database.execute("SELECT mark, seen FROM process").fetchall()))


def test_one_on_another_host_is_there_while_it_says_so(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not registry.is_there(ELSEWHERE)
    registry.renew(ELSEWHERE)
    assert registry.is_there(ELSEWHERE)
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    assert not registry.is_there(ELSEWHERE)


def test_one_of_this_host_is_looked_at_and_not_asked(registry: Registry) -> None:
    assert registry.is_there(own_mark())
    ended = own_mark().split(" ")
    ended[2] = "0"
    registry.renew(" ".join(ended))
    assert not registry.is_there(" ".join(ended))


def test_whoever_begins_something_is_there_from_its_beginning(registry: Registry) -> None:
    registry.add_commander("service", "session", owner=ELSEWHERE, run=1)
    registry.begin_turn(
        "service", "session", prompt="", agent="codex", model="", mode="code", owner="there 1 2 3"
    )
    assert registry.is_there(ELSEWHERE)
    assert registry.is_there("there 1 2 3")


def test_one_that_was_recorded_before_there_were_marks_has_as_long_as_others(
    tmp_path: Path, registry: Registry
) -> None:
    before = next(number for number, step in enumerate(MIGRATIONS) if "TABLE process" in str(step))
    older = open_database(tmp_path / "sessions.sqlite", MIGRATIONS[:before])
    older.execute("INSERT INTO commander VALUES ('service', 'session', 1, ?)", (ELSEWHERE,))
    older.close()
    assert registry.is_there(ELSEWHERE)


def test_those_that_are_long_silent_are_forgotten(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.renew(ELSEWHERE)
    monkeypatch.setattr(processes, "PATIENCE", -1.0)
    registry.renew("there 1 2 3")
    assert list(seen(registry)) == ["there 1 2 3"]


def test_a_renewal_goes_on_until_its_end_and_makes_no_file(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PERIOD", 0.01)
    renewal = processes.Renewal(registry)
    renewal.begin()
    renewal.end()
    assert not registry.path.exists()
    began = time.time()
    registry.renew(ELSEWHERE)
    renewal.begin()
    renewal.begin()
    while seen(registry).get(own_mark(), 0.0) <= began:
        time.sleep(0.01)
    renewal.end()
    last = seen(registry)[own_mark()]
    assert seen(registry)[own_mark()] == last
